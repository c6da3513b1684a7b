use tickc::prelude::*;

fn main() {
    let _ = tick!(|a: f64| { for _i in 0.0..a {} });
}
