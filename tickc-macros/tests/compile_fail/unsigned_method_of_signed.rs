use tickc::prelude::*;

fn main() {
    let _ = tick!(|x: i32| -> bool { x.is_power_of_two() });
}
