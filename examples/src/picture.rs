//! Pictures in PNG files: 8 bits per sample, grey or RGB.
//!
//! Other kinds (16 bits, palettes, transparency) are refused by name instead of being converted silently.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;

use png::{BitDepth, ColorType, Transformations};

use crate::Error;

/// Samples per pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channels {
    /// One: brightness.
    Grey,
    /// Three: red, green, blue.
    Rgb,
}

impl Channels {
    /// How many samples a pixel has.
    #[must_use]
    pub fn count(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb => 3,
        }
    }

    fn of(color: ColorType) -> Option<Self> {
        match color {
            ColorType::Grayscale => Some(Self::Grey),
            ColorType::Rgb => Some(Self::Rgb),
            ColorType::Indexed | ColorType::GrayscaleAlpha | ColorType::Rgba => None,
        }
    }

    fn color_type(self) -> ColorType {
        match self {
            Self::Grey => ColorType::Grayscale,
            Self::Rgb => ColorType::Rgb,
        }
    }
}

/// A picture in memory. Neither side is zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Samples in a pixel.
    pub channels: Channels,
    /// `height` rows of `width` pixels, the samples of a pixel side by side, without gaps.
    pub samples: Vec<u8>,
}

impl Picture {
    /// Samples in a row.
    #[must_use]
    pub fn row_len(&self) -> usize {
        self.width * self.channels.count()
    }

    /// Reads a PNG file.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be opened; [`Error::Picture`] if it is not a PNG file, is damaged, is cut short, or
    /// is of an unsupported kind.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(|error| Error::file("open", path, error))?;
        let refuse = |message: String| Error::Picture { path: path.to_owned(), message };
        Self::decode(BufReader::new(file)).map_err(refuse)
    }

    /// Decodes a PNG file; the error is a message.
    fn decode(source: impl std::io::BufRead + std::io::Seek) -> Result<Self, String> {
        let damaged = |error: png::DecodingError| format!("not a readable PNG file: {error}");
        let mut decoder = png::Decoder::new(source);
        decoder.set_transformations(Transformations::IDENTITY);
        let mut reader = decoder.read_info().map_err(damaged)?;
        let info = reader.info();
        let channels = match (Channels::of(info.color_type), info.bit_depth) {
            (Some(channels), BitDepth::Eight) => channels,
            (_, depth) => {
                let (bits, kind) = (depth as u8, color_name(info.color_type));
                return Err(format!("{bits}-bit {kind} is not supported, only 8-bit grey and 8-bit RGB are"));
            }
        };
        let (width, height) = (info.width as usize, info.height as usize);
        let size =
            reader.output_buffer_size().ok_or_else(|| format!("{width}×{height} pixels do not fit in memory"))?;
        let mut samples = vec![0; size];
        reader.next_frame(&mut samples).map_err(damaged)?;
        Ok(Self { width, height, channels, samples })
    }

    /// Writes a PNG file, replacing what was there.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be created or written.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let file = File::create(path).map_err(|error| Error::file("create", path, error))?;
        self.encode(BufWriter::new(file)).map_err(|error| Error::file("write", path, error.into()))
    }

    fn encode(&self, target: impl std::io::Write) -> Result<(), png::EncodingError> {
        // PNG's own limit is 2³¹ - 1; a `Picture` comes from a PNG file or is smaller.
        let side = |pixels: usize| u32::try_from(pixels).unwrap_or(u32::MAX);
        let mut encoder = png::Encoder::new(target, side(self.width), side(self.height));
        encoder.set_color(self.channels.color_type());
        encoder.set_depth(BitDepth::Eight);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.samples)?;
        writer.finish()
    }
}

fn color_name(color: ColorType) -> &'static str {
    match color {
        ColorType::Grayscale => "grey",
        ColorType::Rgb => "RGB",
        ColorType::Indexed => "palette",
        ColorType::GrayscaleAlpha => "grey with transparency",
        ColorType::Rgba => "RGB with transparency",
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn encoded(color: ColorType, depth: BitDepth, side: u32, data: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, side, side);
        encoder.set_color(color);
        encoder.set_depth(depth);
        if color == ColorType::Indexed {
            encoder.set_palette(vec![0, 0, 0]);
        }
        encoder.write_header().unwrap().write_image_data(data).unwrap();
        bytes
    }

    fn refusal(bytes: &[u8]) -> String {
        Picture::decode(Cursor::new(bytes)).unwrap_err()
    }

    #[test]
    fn survives_a_round_trip() {
        for channels in [Channels::Grey, Channels::Rgb] {
            let samples = (0..3 * 2 * channels.count()).map(|n| n as u8 * 9).collect();
            let picture = Picture { width: 3, height: 2, channels, samples };
            let mut bytes = Vec::new();
            picture.encode(&mut bytes).unwrap();
            assert_eq!(Picture::decode(Cursor::new(bytes)).unwrap(), picture);
        }
    }

    #[test]
    fn other_kinds_are_refused_by_name() {
        let cases = [
            (ColorType::Grayscale, BitDepth::Sixteen, 2, "16-bit grey is not supported"),
            (ColorType::Grayscale, BitDepth::One, 1, "1-bit grey is not"),
            (ColorType::Indexed, BitDepth::Eight, 1, "8-bit palette is not"),
            (ColorType::Rgba, BitDepth::Eight, 4, "8-bit RGB with transparency is not"),
            (ColorType::GrayscaleAlpha, BitDepth::Eight, 2, "8-bit grey with transparency is not"),
        ];
        for (color, depth, len, expected) in cases {
            let message = refusal(&encoded(color, depth, 1, &[0; 4][..len]));
            assert!(message.starts_with(expected), "{message}");
        }
    }

    #[test]
    fn damage_is_an_error_wherever_it_is() {
        assert!(refusal(b"").contains("not a readable PNG file"));
        assert!(refusal(b"P6 2 2 255 this is another format").contains("not a readable PNG file"));
        let good = encoded(ColorType::Rgb, BitDepth::Eight, 8, &[77; 8 * 8 * 3]);
        let whole = Picture::decode(Cursor::new(&good)).unwrap();
        for end in 0..good.len() {
            // A file that only lacks its end marker may still be readable.
            if let Ok(picture) = Picture::decode(Cursor::new(&good[..end])) {
                assert_eq!(picture, whole, "cut at {end}");
            }
        }
        for place in 0..good.len() {
            let mut bytes = good.clone();
            bytes[place] ^= 0x55;
            let _ = Picture::decode(Cursor::new(bytes)); // an error or a picture, never a panic
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let message = Picture::read(Path::new("/nonexistent/a.png")).unwrap_err().to_string();
        assert!(message.starts_with("cannot open /nonexistent/a.png: "), "{message}");
    }
}
