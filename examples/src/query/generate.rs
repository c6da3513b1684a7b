//! The orders that ship with the example, as `make-orders` writes them: invented, but with the skews of real ones.

use std::io::{self, Write};

use super::orders::{COLUMNS, Order};
use crate::splitmix::SplitMix;

/// Orders in the shipped file.
pub const ORDERS: u32 = 200_000;

/// Days over which they are spread.
const DAYS: u32 = 730;

/// The same orders each time.
pub fn orders() -> impl Iterator<Item = Order> {
    let mut random = SplitMix::new(2026);
    // A catalogue of 500 articles: most cost little, a few very much.
    let catalogue: Vec<i64> = (0..500)
        .map(|_| {
            let magnitude = 1 << random.below(10);
            (99 + 100 * random.below(2 * magnitude)) as i64
        })
        .collect();
    (1..=ORDERS).map(move |id| {
        // The lower of two: regular customers, popular articles, large regions.
        let mut skewed = |bound: u64| random.below(bound).min(random.below(bound));
        let (customer, article, region) = (skewed(9_999), skewed(catalogue.len() as u64), skewed(10));
        let price = catalogue[article as usize];
        let mut qty = 1;
        while qty < 99 && random.chance(if price < 1_000 { 70 } else { 35 }) {
            qty += 1;
        }
        let discount = if random.chance(65) { 0 } else { 5 * (1 + random.below(6)) };
        Order {
            id,
            customer: 1 + customer as u32,
            price,
            qty,
            region: region as u8,
            day: (1 + u64::from(id - 1) * u64::from(DAYS) / u64::from(ORDERS)) as u16,
            discount: discount as u8,
            express: random.chance(12),
            gift: random.chance(if id % 97 == 0 { 50 } else { 6 }),
        }
    })
}

/// Writes [`orders`] as CSV.
///
/// # Errors
/// Those of `target`.
pub fn write_csv(target: &mut dyn Write) -> io::Result<()> {
    let names: Vec<&str> = COLUMNS.iter().map(|(name, _, _)| *name).collect();
    writeln!(target, "{}", names.join(","))?;
    for Order { id, customer, price, qty, region, day, discount, express, gift } in orders() {
        let (express, gift) = (u8::from(express), u8::from(gift));
        writeln!(target, "{id},{customer},{price},{qty},{region},{day},{discount},{express},{gift}")?;
    }
    Ok(())
}
