#[derive(Clone, Copy)]
struct Own(bool);

impl tickc::Element for Own {
    const SCALAR: Option<tickc::Type> = Some(tickc::Type::U8);
}

fn main() {}
