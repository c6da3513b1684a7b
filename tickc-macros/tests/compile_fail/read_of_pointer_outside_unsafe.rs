use tickc::prelude::*;

fn main() {
    let _ = tick!(|p: *const i64| -> i64 { p.read() });
}
