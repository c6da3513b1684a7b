use tickc::prelude::*;

fn main() {
    let code: Code<i64>;
    {
        let values = vec![1i64, 2];
        code = tick!({ let mut s = 0; for v in $(&values) { s += $(*v); } s });
    }
    let _: Code<i64> = tick!(@code + 1);
}
