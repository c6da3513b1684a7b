use tickc::prelude::*;

fn consume(_: String, x: Var<i64>) -> Code<'static, i64> {
    tick!(@x)
}

fn main() {
    let name = String::new();
    let _ = tick!(|x: i64| -> i64 { @(consume(name, x)) });
}
