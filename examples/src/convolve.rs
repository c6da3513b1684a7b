//! Convolution of a picture with a mask that is known only at run time.
//!
//! ```text
//!   Picture ── Padded::new ──► Padded ── convolve ──► samples of the result
//!              edges repeated           no case distinctions: every sample of the result is
//!                                       Σ weight · sample at a fixed distance, / divisor, clamped to 0..=255
//! ```
//!
//! The generic loops go through all weights for each sample. Once mask and row length are constants, what remains is a
//! straight line: zeros are gone, ones need no multiplication, distances are displacements, and the division is a
//! multiplication.

use std::hint::black_box;
use std::io::Write;
use std::num::NonZeroI32;
use std::path::{Path, PathBuf};

use tickc::prelude::*;

use crate::mask::Mask;
use crate::measure::{Bench, Effort};
use crate::outcome::{LEGEND, Ordinary, Outcome};
use crate::picture::Picture;
use crate::{Error, tiers};

/// Specialise a convolution for a mask known at run time
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "convolve", version, after_help = LEGEND)]
pub struct Arguments {
    /// The picture, 8-bit grey or RGB [default: the astronaut that ships with the example]
    #[arg(long, value_name = "PNG")]
    pub input: Option<PathBuf>,
    /// Weights, rows separated by ';' [default: '0 -1 0; -1 5 -1; 0 -1 0', which sharpens]
    #[arg(long, value_name = "ROWS", allow_hyphen_values = true)]
    pub mask: Option<Mask>,
    /// Blur instead: the mean of N×N pixels
    #[arg(long, value_name = "N", conflicts_with = "mask", value_parser = parse_blur)]
    pub blur: Option<Mask>,
    /// What the weighted sum is divided by [default: the sum of the weights if positive, else 1]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub divisor: Option<NonZeroI32>,
    /// Where the result goes [default: a file beside this program, whose name is printed]
    #[arg(long, value_name = "PNG")]
    pub output: Option<PathBuf>,
    /// How long to measure
    #[command(flatten)]
    pub effort: Effort,
}

impl Arguments {
    /// The example as the tour runs it.
    #[must_use]
    pub fn tour(effort: Effort) -> Self {
        Self { input: None, mask: None, blur: None, divisor: None, output: None, effort }
    }

    fn mask(&self) -> Mask {
        let mask = self.mask.as_ref().or(self.blur.as_ref()).cloned().unwrap_or_else(sharpen);
        match self.divisor {
            Some(divisor) => mask.divided_by(divisor),
            None => mask,
        }
    }
}

fn parse_blur(text: &str) -> Result<Mask, String> {
    text.parse().map_err(|error| format!("{error}")).and_then(Mask::blur)
}

/// Each pixel five times, less its four neighbours.
fn sharpen() -> Mask {
    const TEXT: &str = "0 -1 0; -1 5 -1; 0 -1 0";
    TEXT.parse().expect("the default mask is well-formed")
}

/// A picture with a margin in which its edges are repeated, as wide as a mask reaches.
#[derive(Clone, Debug)]
pub struct Padded {
    /// Samples from one row to the next, margins included.
    pub stride: usize,
    /// Samples from one pixel to the next.
    pub channels: usize,
    /// Samples in a row of the result.
    pub row_len: usize,
    /// Rows of the result.
    pub rows: usize,
    /// All rows, margins included: `rows` + the mask's height - 1 of them, of `stride` samples.
    pub samples: Vec<u8>,
}

impl Padded {
    /// Surrounds `picture` with a margin for `mask`.
    #[must_use]
    pub fn new(picture: &Picture, mask: &Mask) -> Self {
        let channels = picture.channels.count();
        let (row_len, rows) = (picture.row_len(), picture.height);
        let (beside, above) = (mask.width() / 2, mask.height() / 2);
        let stride = row_len + 2 * beside * channels;
        let mut samples = Vec::with_capacity(stride * (rows + 2 * above));
        for y in 0..rows + 2 * above {
            let y = y.saturating_sub(above).min(rows - 1);
            let row = &picture.samples[y * row_len..][..row_len];
            let (first, last) = (&row[..channels], &row[row_len - channels..]);
            (0..beside).for_each(|_| samples.extend_from_slice(first));
            samples.extend_from_slice(row);
            (0..beside).for_each(|_| samples.extend_from_slice(last));
        }
        Self { stride, channels, row_len, rows, samples }
    }

    /// Distance from a sample of [`Self::samples`] that has the place of a result to the one under the mask's `row`
    /// and `column`.
    #[must_use]
    pub fn distance(&self, row: usize, column: usize) -> usize {
        row * self.stride + column * self.channels
    }
}

/// Convolves by going through all weights for each sample: the reference. `result` has `rows` × `row_len` samples.
pub fn convolve(padded: &Padded, mask: &Mask, result: &mut [u8]) {
    for (y, row) in result.chunks_exact_mut(padded.row_len).enumerate() {
        for (x, sample) in row.iter_mut().enumerate() {
            let mut sum = 0;
            for (mask_row, weights) in mask.weights().chunks_exact(mask.width()).enumerate() {
                for (mask_column, &weight) in weights.iter().enumerate() {
                    let place = y * padded.stride + x + padded.distance(mask_row, mask_column);
                    sum += weight * i32::from(padded.samples[place]);
                }
            }
            *sample = (sum / mask.divisor().get()).clamp(0, 255) as u8;
        }
    }
}

/// The same from a list of distances and weights without the zeros, a whole row of the result at a time, so that rustc
/// can vectorise.
pub fn convolve_by_rows(padded: &Padded, mask: &Mask, result: &mut [u8]) {
    let taps: Vec<(usize, i32)> =
        mask.taps().map(|(row, column, weight)| (padded.distance(row, column), weight)).collect();
    let mut sums = vec![0; padded.row_len];
    for (y, row) in result.chunks_exact_mut(padded.row_len).enumerate() {
        sums.fill(0);
        for &(distance, weight) in &taps {
            let samples = &padded.samples[y * padded.stride + distance..][..padded.row_len];
            for (sum, &sample) in sums.iter_mut().zip(samples) {
                *sum += weight * i32::from(sample);
            }
        }
        for (sample, sum) in row.iter_mut().zip(&sums) {
            *sample = (sum / mask.divisor().get()).clamp(0, 255) as u8;
        }
    }
}

/// A compiled convolution: from the samples of a [`Padded`] picture to those of the result.
pub type Convolution = fn(Slice<u8>, SliceMut<u8>);

/// Compiles the convolution with `mask` of pictures that have the shape of `padded`.
///
/// # Errors
/// That no code could be generated.
pub fn compile(jit: &Jit, tier: Tier, padded: &Padded, mask: &Mask) -> Result<Func<Convolution>, tickc::Error> {
    let Padded { stride, row_len, rows, .. } = *padded;
    let divisor = mask.divisor().get();
    let taps = mask.taps().map(|(row, column, weight)| (padded.distance(row, column), weight));
    let convolution = tick!(|samples: Slice<u8>, result: SliceMut<u8>| {
        // Two loops of the generated code, whose bounds are constants (`$`) …
        for y in 0..$rows {
            let from = y * $stride;
            let to = y * $row_len;
            for x in 0..$row_len {
                let place = from + x;
                let mut sum = 0;
                // … and one that is unrolled while the code is made, since what it runs over is ordinary Rust.
                for (distance, weight) in $taps {
                    sum += weight * samples[place + distance] as i32;
                }
                result[to + x] = (sum / $divisor).max(0).min(255) as u8;
            }
        }
    });
    jit.compile_with(tier, convolution)
}

/// Runs and prints the example and writes its picture.
///
/// # Errors
/// A picture that cannot be read or written, a result that differs, or a failure to print.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Error> {
    let shipped = || Path::new(env!("CARGO_MANIFEST_DIR")).join("data/astronaut.png");
    let input = arguments.input.clone().unwrap_or_else(shipped);
    let mask = arguments.mask();
    let picture = Picture::read(&input)?;
    let output = match &arguments.output {
        Some(path) => path.clone(),
        None => default_output(&input)?,
    };
    let bench = Bench::new("convolve", arguments.effort, 2 + tiers::MEASUREMENTS);
    let padded = Padded::new(&picture, &mask);
    let mut expected = vec![0; picture.samples.len()];
    convolve(&padded, &mask, &mut expected);
    // Written before anything is measured: a place that cannot be written is reported at once.
    Picture { samples: expected.clone(), ..picture }.write(&output)?;

    let mut result = vec![0; expected.len()];
    let generic = "every weight";
    let generic_per_use = bench.per_use(generic, 1, || {
        convolve(black_box(&padded), black_box(&mask), &mut result);
        black_box(&result);
    });
    let rows = "row by row, no zeros";
    let rows_per_use = bench.per_use(rows, 1, || {
        convolve_by_rows(black_box(&padded), black_box(&mask), &mut result);
        black_box(&result);
    });
    let rows_equal = result == expected;
    let jit = Jit::new()?;
    let tiers = tiers::measure(
        &bench,
        1,
        |tier| compile(&jit, tier, &padded, &mask),
        |convolution| {
            let mut result = vec![0; expected.len()];
            convolution.call(&padded.samples, &mut result);
            result == expected
        },
        |convolution| {
            convolution.call(black_box(&padded.samples), &mut result);
            black_box(&result);
        },
    )?;
    let outcome = Outcome {
        name: "convolve",
        computes: format!(
            "{} ({}×{}, {}) with a {}×{} mask over {}",
            input.file_name().unwrap_or(input.as_os_str()).display(),
            picture.width,
            picture.height,
            if padded.channels == 1 { "grey" } else { "RGB" },
            mask.width(),
            mask.height(),
            mask.divisor(),
        ),
        one_use: "picture",
        generic: Ordinary { version: generic, equal: true, per_use: generic_per_use },
        others: vec![Ordinary { version: rows, equal: rows_equal, per_use: rows_per_use }],
        tiers,
    };
    drop(bench);
    writeln!(out, "{outcome}\nThe convolved picture is {}", output.display())?;
    outcome.verify_equal()
}

/// `convolved/NAME.png` beside the running program, which is below the build directory.
fn default_output(input: &Path) -> Result<PathBuf, Error> {
    let program = std::env::current_exe().map_err(|error| Error::file("find", Path::new("this program"), error))?;
    let folder = program.with_file_name("convolved");
    std::fs::create_dir_all(&folder).map_err(|error| Error::file("create", &folder, error))?;
    Ok(folder.join(input.file_stem().unwrap_or("picture".as_ref())).with_extension("png"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::picture::Channels;

    /// By the definition: the mask's middle on each pixel, pixels outside taken from the nearest edge.
    fn naive(picture: &Picture, mask: &Mask) -> Vec<u8> {
        let channels = picture.channels.count();
        let at = |x: isize, y: isize, channel: usize| {
            let x = x.clamp(0, picture.width as isize - 1) as usize;
            let y = y.clamp(0, picture.height as isize - 1) as usize;
            i64::from(picture.samples[(y * picture.width + x) * channels + channel])
        };
        let mut result = Vec::new();
        for y in 0..picture.height as isize {
            for x in 0..picture.width as isize {
                for channel in 0..channels {
                    let mut sum = 0;
                    for my in 0..mask.height() as isize {
                        for mx in 0..mask.width() as isize {
                            let weight = mask.weights()[my as usize * mask.width() + mx as usize];
                            let (dx, dy) = (mx - mask.width() as isize / 2, my - mask.height() as isize / 2);
                            sum += i64::from(weight) * at(x + dx, y + dy, channel);
                        }
                    }
                    result.push((sum / i64::from(mask.divisor().get())).clamp(0, 255) as u8);
                }
            }
        }
        result
    }

    prop_compose! {
        fn pictures()(width in 1_usize..9, height in 1_usize..9, rgb in any::<bool>())(
            samples in prop::collection::vec(any::<u8>(), width * height * if rgb { 3 } else { 1 }),
            width in Just(width), height in Just(height), rgb in Just(rgb),
        ) -> Picture {
            Picture { width, height, channels: if rgb { Channels::Rgb } else { Channels::Grey }, samples }
        }
    }

    prop_compose! {
        fn masks()(width in 0_usize..4, height in 0_usize..4)(
            weights in prop::collection::vec(-20_i32..20, (2 * width + 1) * (2 * height + 1)),
            divisor in -9_i32..9,
            width in Just(2 * width + 1),
        ) -> Mask {
            let rows: Vec<String> = weights.chunks(width).map(|row| format!("{row:?}")).collect();
            let mask: Mask = rows.join(";").replace(['[', ']'], "").parse().unwrap();
            NonZeroI32::new(divisor).map_or(mask.clone(), |divisor| mask.divided_by(divisor))
        }
    }

    proptest! {
        #[test]
        fn all_versions_follow_the_definition(picture in pictures(), mask in masks()) {
            let expected = naive(&picture, &mask);
            let padded = Padded::new(&picture, &mask);
            let mut result = vec![0; expected.len()];
            convolve(&padded, &mask, &mut result);
            prop_assert_eq!(&result, &expected);
            result.fill(1);
            convolve_by_rows(&padded, &mask, &mut result);
            prop_assert_eq!(&result, &expected);
            for &(tier, name) in tiers::TIERS {
                let convolution = compile(&Jit::new().unwrap(), tier, &padded, &mask).unwrap();
                result.fill(1);
                convolution.call(&padded.samples, &mut result);
                prop_assert_eq!(&result, &expected, "{}", name);
            }
        }
    }

    #[test]
    fn the_mask_of_one_changes_nothing() {
        let picture = Picture { width: 2, height: 1, channels: Channels::Rgb, samples: vec![1, 2, 3, 253, 254, 255] };
        let mask: Mask = "1".parse().unwrap();
        let mut result = vec![0; 6];
        convolve(&Padded::new(&picture, &mask), &mask, &mut result);
        assert_eq!(result, picture.samples);
    }
}
