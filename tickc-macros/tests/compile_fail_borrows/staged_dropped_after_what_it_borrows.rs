use tickc::prelude::*;

struct Guard<'a>(&'a String);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        println!("{}", self.0);
    }
}

fn add<'c>(x: Var<i64>, guard: &Guard<'_>) -> Code<'c, i64> {
    let n = guard.0.len() as i64;
    tick!(@x + $n)
}

fn main() {
    let _code: Staged<fn(i64) -> i64>;
    let name = String::from("dropped before the code that owns the guard");
    let guard = Guard(&name);
    _code = tick!(move |x: i64| -> i64 { @(add(x, &guard)) });
}
