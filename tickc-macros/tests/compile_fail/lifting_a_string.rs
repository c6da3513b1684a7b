use tickc::prelude::*;

fn main() {
    let s = String::new();
    let _ = tick!({ let a = $s; });
}
