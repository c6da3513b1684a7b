use tickc::prelude::*;

fn escape(n: i64) -> Staged<'static, fn(i64) -> i64> {
    let scale = |x: Var<i64>| tick!(@x * $n);
    tick!(|x: i64| -> i64 { @(scale(x)) })
}

fn main() {
    let _ = escape(3);
}
