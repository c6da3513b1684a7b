use tickc::prelude::*;

fn send<T: Send>() {}

fn main() {
    send::<Staged<'static, fn(i64) -> i64>>();
}
