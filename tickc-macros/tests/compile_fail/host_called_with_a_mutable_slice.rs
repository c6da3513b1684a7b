use tickc::prelude::*;

fn main() {
    let host = HostFn::new(|s: &[i64]| s.len());
    let _ = tick!(|s: SliceMut<i64>| -> usize { $host(s) });
}
