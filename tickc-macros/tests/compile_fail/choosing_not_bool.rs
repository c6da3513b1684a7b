use tickc::prelude::*;

fn main() {
    let n = 3;
    let _ = tick!(|a: i64| -> i64 { if $(n) { a } else { 0 } });
}
