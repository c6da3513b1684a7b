use tickc::prelude::*;

fn main() {
    let v = Var::<i64>::local();
    let _: Code<i64> = tick!($v);
}
