//! Convolution masks: integer weights in a rectangle with odd sides, and a divisor.

use std::num::NonZeroI32;
use std::ops::Range;
use std::str::FromStr;

use crate::text_error::TextError;

/// Longest side of a mask.
pub const MAX_SIDE: usize = 63;

/// A mask. Its weights are small enough that no sum of products with samples overflows an `i32`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    width: usize,
    height: usize,
    weights: Vec<i32>,
    divisor: NonZeroI32,
}

/// The largest sum of the sizes of the weights: times the largest sample it still is an `i32`.
const MAX_WEIGHT: i64 = i32::MAX as i64 / u8::MAX as i64;

impl Mask {
    /// Every weight one, divided by their number: the mean of `side` × `side` pixels.
    ///
    /// # Errors
    /// A message if `side` is even or not in `1..=MAX_SIDE`.
    pub fn blur(side: usize) -> Result<Self, String> {
        if side.is_multiple_of(2) || side > MAX_SIDE {
            return Err(format!("the side of a mask is an odd number from 1 to {MAX_SIDE}, not {side}"));
        }
        let count = i32::try_from(side * side).ok().and_then(NonZeroI32::new).unwrap_or(NonZeroI32::MIN);
        Ok(Self { width: side, height: side, weights: vec![1; side * side], divisor: count })
    }

    /// The same weights over another divisor.
    #[must_use]
    pub fn divided_by(self, divisor: NonZeroI32) -> Self {
        Self { divisor, ..self }
    }

    /// Weights in a row, odd.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows, odd.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// The weights, row by row.
    #[must_use]
    pub fn weights(&self) -> &[i32] {
        &self.weights
    }

    /// What the weighted sum is divided by, rounding towards zero.
    #[must_use]
    pub fn divisor(&self) -> NonZeroI32 {
        self.divisor
    }

    /// The weights that are not zero, each with its row and column.
    pub fn taps(&self) -> impl Iterator<Item = (usize, usize, i32)> + Clone {
        let place = |(index, &weight): (usize, &i32)| (index / self.width, index % self.width, weight);
        self.weights.iter().enumerate().map(place).filter(|&(_, _, weight)| weight != 0)
    }
}

/// Rows separated by `;`, weights by spaces or commas: `0 -1 0; -1 5 -1; 0 -1 0`. The divisor is the sum of the
/// weights if that is positive, else one.
impl FromStr for Mask {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let refuse = |place: Range<usize>, message: String| TextError { text: text.to_owned(), place, message };
        let rows = split(text, 0, |c| c == ';');
        let mut weights = Vec::new();
        let mut sizes = 0_i64;
        let mut width = None;
        for (row, place) in &rows {
            let entries: Vec<_> = split(row, place.start, |c| c == ',' || c.is_whitespace())
                .into_iter()
                .filter(|(entry, _)| !entry.is_empty())
                .collect();
            let expected = *width.get_or_insert(entries.len());
            if entries.is_empty() {
                return Err(refuse(place.clone(), "a row of the mask without weights".into()));
            }
            if entries.len() != expected {
                let message = format!("this row of the mask has {} weights, the first has {expected},", entries.len());
                return Err(refuse(place.clone(), message));
            }
            for (entry, place) in entries {
                let weight: i32 = entry
                    .parse()
                    .map_err(|_| refuse(place.clone(), format!("'{entry}' is not a whole number of 32 bits,")))?;
                sizes += i64::from(weight).abs();
                if sizes > MAX_WEIGHT {
                    return Err(refuse(place, format!("the sizes of the weights sum up to more than {MAX_WEIGHT}")));
                }
                weights.push(weight);
            }
        }
        let (width, height) = (width.unwrap_or(0), rows.len());
        for (side, name) in [(width, "weights in a row"), (height, "rows")] {
            if side.is_multiple_of(2) || side > MAX_SIDE {
                let message = format!("{side} {name}, but a mask has an odd number of them up to {MAX_SIDE},");
                return Err(refuse(0..text.chars().count(), message));
            }
        }
        let sum: i32 = weights.iter().sum();
        let divisor = NonZeroI32::new(sum.max(1)).unwrap_or(NonZeroI32::MIN);
        Ok(Self { width, height, weights, divisor })
    }
}

/// The parts of `text` between separators, each with its place in `char`s; `text` itself stands at `start`.
fn split(text: &str, start: usize, separates: impl Fn(char) -> bool) -> Vec<(String, Range<usize>)> {
    let mut parts = vec![(String::new(), start..start)];
    for (place, c) in (start..).zip(text.chars()) {
        if separates(c) {
            parts.push((String::new(), place + 1..place + 1));
        } else if let Some((part, range)) = parts.last_mut() {
            part.push(c);
            range.end = place + 1;
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_rows_and_weights() {
        let mask: Mask = " 0 -1,0;-1 5  -1;0, -1 ,0 ".parse().unwrap();
        assert_eq!((mask.width(), mask.height(), mask.divisor().get()), (3, 3, 1));
        assert_eq!(mask.weights(), [0, -1, 0, -1, 5, -1, 0, -1, 0]);
        assert_eq!(mask.taps().collect::<Vec<_>>(), [(0, 1, -1), (1, 0, -1), (1, 1, 5), (1, 2, -1), (2, 1, -1)]);
    }

    #[test]
    fn divisor_is_a_positive_sum_or_one() {
        for (text, divisor) in [("1 2 1", 4), ("-1 0 1", 1), ("-3", 1), ("7", 7)] {
            assert_eq!(text.parse::<Mask>().unwrap().divisor().get(), divisor, "{text}");
        }
        let mask = "1 2 1".parse::<Mask>().unwrap().divided_by(NonZeroI32::new(-2).unwrap());
        assert_eq!(mask.divisor().get(), -2);
    }

    #[test]
    fn errors_point_at_the_place() {
        let cases = [
            ("", 0..0, "without weights"),
            ("1 2 3;;", 6..6, "without weights"),
            ("1 2 3; 4 x 6; 7 8 9", 9..10, "'x' is not a whole number"),
            ("1 2 3; 4 5.5 6; 7 8 9", 9..12, "'5.5' is not"),
            ("1 2 99999999999", 4..15, "not a whole number of 32 bits"),
            ("1 2 3; 4 5; 7 8 9", 6..10, "has 2 weights, the first has 3"),
            ("1 2; 3 4", 0..8, "2 weights in a row"),
            ("1; 3", 0..4, "2 rows"),
            ("8421504 1 0", 8..9, "more than 8421504"),
            ("é", 0..1, "'é' is not"),
        ];
        for (text, place, message) in cases {
            let error = text.parse::<Mask>().unwrap_err();
            assert_eq!(error.place, place, "{error}");
            assert!(error.message.contains(message), "{error}");
        }
        assert!("1 ".repeat(65).parse::<Mask>().unwrap_err().message.contains("65 weights"));
    }

    #[test]
    fn the_largest_mask_does_not_overflow() {
        let mask: Mask = "-8421504".parse().unwrap();
        assert!(mask.weights()[0].checked_mul(255).is_some());
    }

    #[test]
    fn blur_divides_by_the_number_of_weights() {
        let mask = Mask::blur(5).unwrap();
        assert_eq!((mask.width(), mask.height(), mask.divisor().get()), (5, 5, 25));
        for side in [0, 2, 65, usize::MAX] {
            assert!(Mask::blur(side).is_err(), "{side}");
        }
    }
}
