use tickc::prelude::*;

fn send<T: Send>() {}

fn main() {
    send::<Var<i64>>();
}
