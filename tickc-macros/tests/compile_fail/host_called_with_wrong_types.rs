use tickc::prelude::*;

fn main() {
    let host = HostFn::new(|s: &[i64], k: usize| s[k]);
    let _ = tick!(|s: Slice<i32>, k: usize| -> i64 { $host(s, k) });
    let _ = tick!(|s: Slice<i64>| -> i64 { $host(s) });
    let _ = tick!(|s: Slice<i64>| -> i32 { $host(s, 0) });
}
