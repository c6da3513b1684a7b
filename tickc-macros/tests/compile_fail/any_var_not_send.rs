use tickc::AnyVar;
use tickc::prelude::*;

fn main() {
    let v: AnyVar = Var::<i64>::local().into();
    std::thread::spawn(move || v.ty());
}
