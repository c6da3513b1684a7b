use tickc::prelude::*;
fn main() {
    let label = Label::new();
    let _ = tick!(|| { @label; });
}
