use tickc::prelude::*;

fn main() {
    let _ = tick!(|a: f32| -> f32 { !a });
}
