use tickc::prelude::*;

fn main() {
    let _ = tick!(|p: String| {});
}
