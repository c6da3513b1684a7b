use tickc::prelude::*;

fn send<T: Send>() {}

fn main() {
    send::<Code<'static, i64>>();
}
