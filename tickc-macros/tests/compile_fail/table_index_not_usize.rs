use tickc::prelude::*;
fn main() {
    let labels = [Label::new()];
    let _ = tick!(|i: i32| { @(Label::table(tick!(@i), &labels)); });
}
