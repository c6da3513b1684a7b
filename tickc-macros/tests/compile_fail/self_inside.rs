use tickc::prelude::*;

struct Scale {
    by: i64,
}

impl Scale {
    fn code(&self) -> Staged<'_, fn(i64) -> i64> {
        tick!(|a: i64| -> i64 { a * self.by })
    }
}

fn main() {
    let _ = Scale { by: 2 }.code();
}
