use tickc::prelude::*;

fn main() {
    let _: Code<()> = tick!({
        let mut a = 0;
        for x in $(0..3i64) {
            if a < 2 {
                a += @({
                    if x == 1 {
                        return;
                    }
                    tick!($x)
                });
            }
        }
    });
}
