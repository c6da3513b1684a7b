use tickc::prelude::*;

#[derive(Clone, Copy, Record)]
struct Borrowing<'a> {
    x: i64,
    marker: std::marker::PhantomData<&'a ()>,
}

fn main() {}
