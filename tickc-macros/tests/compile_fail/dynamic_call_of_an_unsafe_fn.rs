use tickc::DynCall;

unsafe extern "C" fn read(p: *const i64) -> i64 {
    unsafe { *p }
}

fn main() {
    let _ = DynCall::new(&(read as unsafe extern "C" fn(*const i64) -> i64));
}
