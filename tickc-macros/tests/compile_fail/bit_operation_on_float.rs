use tickc::prelude::*;

fn main() {
    let _ = tick!(|a: f64, b: f64| -> f64 { a & b });
}
