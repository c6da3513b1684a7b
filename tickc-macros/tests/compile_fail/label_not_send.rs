use tickc::prelude::*;
fn main() {
    let label = Label::new();
    std::thread::spawn(move || { let _code = label.here(); });
}
