#![deny(unused_must_use)]
use tickc::prelude::*;

fn main() {
    tick!(1i64);
}
