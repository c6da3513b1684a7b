use tickc::{DynCall, Type};

fn main() {
    let _ = DynCall::from_pointer(std::ptr::null(), &[Type::I64], Type::I64);
}
