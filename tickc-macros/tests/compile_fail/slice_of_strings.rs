use tickc::prelude::*;

fn main() {
    let _ = tick!(|p: Slice<String>| -> usize { p.len() });
}
