use tickc::prelude::*;

fn main() {
    let _ = tick!(|a: i64| -> i64 { for _x in $(5) {} a });
}
