use tickc::prelude::*;
fn main() {
    let label = Label::new();
    let _ = tick!(|x: i64| x + @(label.goto()));
}
