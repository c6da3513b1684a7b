use tickc::prelude::*;

fn main() {
    let _ = tick!(|a: i64| -> i64 { a.wraping_add(1) });
}
