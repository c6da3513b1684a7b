use tickc::prelude::*;

fn main() {
    let _ = tick!(|a: i8, b: i8, c: i8, d: i8, e: i8, f: i8, g: i8, h: i8, i: i8, j: i8, k: i8, l: i8, m: i8| {});
}
