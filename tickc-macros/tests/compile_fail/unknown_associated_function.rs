use tickc::prelude::*;

fn main() {
    let _ = tick!(|x: i64| -> i64 { i64::sqrtt(x) });
}
