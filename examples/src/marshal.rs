//! Records packed into bytes by a format known only at run time, as with Python's `struct`, and read back.
//!
//! *Marshalling* is a function whose parameters are the fields: their number and types are those of the format
//! ([`Jit::compile_dyn`]). *Unmarshalling* reads the fields out of a slice into a call with as many arguments ([`DynCall`]). In both
//! the format is gone: what remains are loads, shifts and stores at fixed offsets.
#![allow(unsafe_code, reason = "the packing function stores through a pointer")]

use std::fmt;
use std::hint::black_box;
use std::io::Write;
use std::str::FromStr;

use tickc::prelude::*;
use tickc::{AnyVar, DynCall, DynFunc, Type, Value};

use crate::measure::{Bench, Effort};
use crate::outcome::{LEGEND, Ordinary, Outcome};
use crate::splitmix::SplitMix;
use crate::text_error::TextError;
use crate::{Error, tiers};

/// Pack and unpack records by a format known at run time
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "marshal", version, after_help = LEGEND)]
pub struct Arguments {
    /// Byte order (`<` little, `>` big) and fields, each with an optional count: ? bool, b B h H i I q Q integers of 1 to 8 bytes
    /// (capital: unsigned), f d floats, x a byte that is skipped
    #[arg(long, value_name = "FORMAT", default_value = Self::FORMAT)]
    pub format: Format,
    /// Pack these values, one for each field, and print the bytes
    #[arg(value_name = "VALUE", allow_negative_numbers = true)]
    pub values: Vec<String>,
    /// How long to measure
    #[command(flatten)]
    pub effort: Effort,
}

impl Arguments {
    const FORMAT: &str = ">b2hi?Qfd3xH";
}

/// The records by which the versions are compared and timed.
const RECORDS: usize = 256;
/// Limits of a format: its fields are parameters of a function.
const MAX_FIELDS: usize = 500;
const MAX_SIZE: usize = 1 << 16;

/// What a record's bytes mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    text: String,
    big_endian: bool,
    /// Type and offset of each field.
    fields: Vec<(Type, usize)>,
    /// Bytes of a record.
    size: usize,
}

impl FromStr for Format {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Format, TextError> {
        let mut format = Format { text: text.into(), big_endian: false, fields: Vec::new(), size: 0 };
        let (mut count, mut start) = (None, 0);
        let error = |place, message: &str| Err(TextError { text: text.into(), place, message: message.into() });
        for (at, letter) in text.chars().enumerate() {
            let ty = match letter {
                '<' | '>' if at == 0 => {
                    format.big_endian = letter == '>';
                    start = 1;
                    continue;
                }
                ' ' if count.is_none() => {
                    start = at + 1;
                    continue;
                }
                '0'..='9' => {
                    let digit = letter as usize - '0' as usize;
                    count = Some((count.unwrap_or(0) * 10 + digit).min(MAX_SIZE + 1));
                    continue;
                }
                'x' => None,
                '?' => Some(Type::Bool),
                'b' => Some(Type::I8),
                'B' => Some(Type::U8),
                'h' => Some(Type::I16),
                'H' => Some(Type::U16),
                'i' => Some(Type::I32),
                'I' => Some(Type::U32),
                'q' => Some(Type::I64),
                'Q' => Some(Type::U64),
                'f' => Some(Type::F32),
                'd' => Some(Type::F64),
                _ => return error(at..at + 1, "not one of the fields ? b B h H i I q Q f d x"),
            };
            let width = ty.map_or(1, |ty| ty.size() as usize);
            for _ in 0..count.take().unwrap_or(1) {
                format.fields.extend(ty.map(|ty| (ty, format.size)));
                format.size += width;
                if format.fields.len() > MAX_FIELDS || format.size > MAX_SIZE {
                    let message = format!("more than {MAX_FIELDS} fields or {MAX_SIZE} bytes");
                    return error(start..at + 1, &message);
                }
            }
            start = at + 1;
        }
        if count.is_some() {
            let end = text.chars().count();
            return error(end..end, "a field is missing after its count");
        }
        Ok(format)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Format {
    fn types(&self) -> impl Iterator<Item = Type> {
        self.fields.iter().map(|&(ty, _)| ty)
    }

    /// The bytes of a field, lowest first: offset in the record, and how far its bits are shifted.
    fn bytes(&self, (ty, offset): (Type, usize)) -> impl Iterator<Item = (usize, u32)> + Clone {
        let (width, big_endian) = (ty.size() as usize, self.big_endian);
        (0..width).map(move |k| (offset + if big_endian { width - 1 - k } else { k }, 8 * k as u32))
    }

    /// The values that a user typed.
    ///
    /// # Errors
    /// [`Error::Input`] names the first one that is missing, too many, or of another type.
    pub fn parse(&self, texts: &[String]) -> Result<Vec<Value>, Error> {
        if texts.len() != self.fields.len() {
            let (fields, given) = (self.fields.len(), texts.len());
            return Err(Error::Input(format!("the format {self} has {fields} fields, but {given} values are given")));
        }
        let values = self.types().zip(texts).enumerate();
        values
            .map(|(k, (ty, text))| {
                parse(ty, text).ok_or_else(|| Error::Input(format!("value {} is '{text}', which is no {ty}", k + 1)))
            })
            .collect()
    }

    /// A record of random values, floats among them finite.
    #[must_use]
    pub fn random(&self, random: &mut SplitMix) -> Vec<Value> {
        self.types()
            .map(|ty| match ty {
                Type::F32 => Value::F32(random.next_u64() as i32 as f32 / 256.0),
                Type::F64 => Value::F64(random.next_u64() as i64 as f64 / 256.0),
                other => of_bits(other, random.next_u64()),
            })
            .collect()
    }
}

fn parse(ty: Type, text: &str) -> Option<Value> {
    fn of<T: FromStr + Into<Value>>(text: &str) -> Option<Value> {
        text.parse::<T>().ok().map(Into::into)
    }
    match ty {
        Type::Bool => of::<bool>(text),
        Type::I8 => of::<i8>(text),
        Type::U8 => of::<u8>(text),
        Type::I16 => of::<i16>(text),
        Type::U16 => of::<u16>(text),
        Type::I32 => of::<i32>(text),
        Type::U32 => of::<u32>(text),
        Type::I64 => of::<i64>(text),
        Type::U64 => of::<u64>(text),
        Type::F32 => of::<f32>(text),
        Type::F64 => of::<f64>(text),
        _ => None,
    }
}

/// The field with these bits.
fn of_bits(ty: Type, bits: u64) -> Value {
    match ty {
        Type::Bool => Value::Bool(bits & 1 != 0),
        Type::I8 => Value::I8(bits as i8),
        Type::U8 => Value::U8(bits as u8),
        Type::I16 => Value::I16(bits as i16),
        Type::U16 => Value::U16(bits as u16),
        Type::I32 => Value::I32(bits as i32),
        Type::U32 => Value::U32(bits as u32),
        Type::I64 => Value::I64(bits as i64),
        Type::F32 => Value::F32(f32::from_bits(bits as u32)),
        Type::F64 => Value::F64(f64::from_bits(bits)),
        _ => Value::U64(bits),
    }
}

/// The bits of a field, and its value as a number.
fn bits_and_number(value: Value) -> (u64, f64) {
    match value {
        Value::Bool(x) => (x.into(), u8::from(x).into()),
        Value::I8(x) => (x as u64, x.into()),
        Value::U8(x) => (x.into(), x.into()),
        Value::I16(x) => (x as u64, x.into()),
        Value::U16(x) => (x.into(), x.into()),
        Value::I32(x) => (x as u64, x.into()),
        Value::U32(x) => (x.into(), x.into()),
        Value::I64(x) => (x as u64, x as f64),
        Value::U64(x) => (x, x as f64),
        Value::F32(x) => (x.to_bits().into(), x.into()),
        Value::F64(x) => (x.to_bits(), x),
        Value::Unit | Value::Isize(_) | Value::Usize(_) | Value::Ptr(_) => (0, 0.0),
    }
}

/// The bytes of a record, field by field: the reference.
#[must_use]
pub fn pack(format: &Format, values: &[Value]) -> Vec<u8> {
    let mut bytes = vec![0; format.size];
    for (&field, &value) in format.fields.iter().zip(values) {
        let (bits, _) = bits_and_number(value);
        for (offset, shift) in format.bytes(field) {
            bytes[offset] = (bits >> shift) as u8;
        }
    }
    bytes
}

/// The sum of a record's fields, each times its number: the reference.
#[must_use]
pub fn weigh(format: &Format, bytes: &[u8]) -> f64 {
    let mut sum = 0.0;
    for (number, &field) in (1..).zip(&format.fields) {
        let mut bits = 0;
        for (offset, shift) in format.bytes(field) {
            bits |= u64::from(bytes[offset]) << shift;
        }
        sum += bits_and_number(of_bits(field.0, bits)).1 * f64::from(number);
    }
    sum
}

/// The bits of a variable, and its value as a number.
fn code_of(var: AnyVar) -> (Code<'static, u64>, Code<'static, f64>) {
    macro_rules! typed {
        ($x:ident: $t:ty, $bits:expr, $number:expr) => {{
            let $x = var.typed::<$t>().expect("it was just asked for its type");
            ($bits, $number)
        }};
    }
    macro_rules! integer {
        ($t:ty) => {
            typed!(x: $t, tick!(@x as u64), tick!(@x as f64))
        };
    }
    match var.ty() {
        Type::Bool => typed!(x: bool, tick!(@x as u64), tick!((@x as u8) as f64)),
        Type::I8 => integer!(i8),
        Type::U8 => integer!(u8),
        Type::I16 => integer!(i16),
        Type::U16 => integer!(u16),
        Type::I32 => integer!(i32),
        Type::U32 => integer!(u32),
        Type::I64 => integer!(i64),
        Type::F32 => typed!(x: f32, tick!(@x.to_bits() as u64), tick!(@x as f64)),
        Type::F64 => typed!(x: f64, tick!(@x.to_bits()), tick!(@x)),
        _ => integer!(u64),
    }
}

/// A compiled packing of records.
#[derive(Debug)]
pub struct Packer {
    /// Takes a pointer and the fields, and stores their bytes behind the pointer.
    function: DynFunc,
    size: usize,
}

impl Packer {
    /// Compiles the packing of records of this format.
    ///
    /// # Errors
    /// That no code could be generated.
    pub fn compile(jit: &Jit, format: &Format) -> Result<Packer, tickc::Error> {
        let params: Vec<Type> = std::iter::once(Type::Ptr).chain(format.types()).collect();
        let function = jit.compile_dyn(&params, Type::Unit, |params| {
            let to = params[0].typed::<*mut u8>().expect("the first parameter is a pointer");
            let stores = format.fields.iter().zip(&params[1..]).fold(tick!({}), |before, (&field, &param)| {
                let (bits, _) = code_of(param);
                let bytes = format.bytes(field);
                tick!(move {
                    @before;
                    let bits = @bits;
                    for (offset, shift) in $(bytes) {
                        // SAFETY: `pack` passes room for a record, in which all offsets lie.
                        unsafe { *@to.add(offset) = (bits >> shift) as u8; }
                    }
                })
            });
            stores.into()
        })?;
        Ok(Packer { function, size: format.size })
    }

    /// The bytes of a record.
    ///
    /// # Errors
    /// The values are not those of the format.
    pub fn pack(&self, values: &[Value]) -> Result<Vec<u8>, tickc::Error> {
        let mut bytes = vec![0_u8; self.size];
        let pointer = Value::from(bytes.as_mut_ptr());
        let args: Vec<Value> = std::iter::once(pointer).chain(values.iter().copied()).collect();
        self.function.call(&args)?;
        Ok(bytes)
    }
}

/// A compiled unpacking: from a record's bytes to the sum of its fields. Traps where there are too few bytes.
pub type Weigh = fn(Slice<u8>) -> f64;

/// Compiles the function that reads the fields out of a slice and calls another one with them, which is compiled for their
/// types and sums them up.
///
/// # Errors
/// That no code could be generated.
pub fn compile_weigh(jit: &Jit, tier: Tier, format: &Format) -> Result<Func<Weigh>, tickc::Error> {
    let types: Vec<Type> = format.types().collect();
    let sum = jit.compile_dyn(&types, Type::F64, |params| {
        let sum = (1..).zip(params).fold(tick!(0.0), |sum, (number, &param)| {
            let (_, value) = code_of(param);
            let weight = f64::from(number);
            tick!(@sum + @value * $weight)
        });
        sum.into()
    })?;
    let unpack = tick!(|bytes: Slice<u8>| -> f64 {
        @({
            let mut call = DynCall::new(&sum);
            for &(ty, offset) in &format.fields {
                let bits = format.bytes((ty, offset)).fold(tick!(0_u64), |bits, (offset, shift)| {
                    tick!(@bits | ((@bytes[$offset] as u64) << $shift))
                });
                match ty {
                    Type::Bool => call.arg(tick!(@bits != 0)),
                    Type::I8 => call.arg(tick!(@bits as i8)),
                    Type::U8 => call.arg(tick!(@bits as u8)),
                    Type::I16 => call.arg(tick!(@bits as i16)),
                    Type::U16 => call.arg(tick!(@bits as u16)),
                    Type::I32 => call.arg(tick!(@bits as i32)),
                    Type::U32 => call.arg(tick!(@bits as u32)),
                    Type::I64 => call.arg(tick!(@bits as i64)),
                    Type::F32 => call.arg(tick!(f32::from_bits(@bits as u32))),
                    Type::F64 => call.arg(tick!(f64::from_bits(@bits))),
                    _ => call.arg(bits),
                };
            }
            call.code::<f64>()
        })
    });
    jit.compile_with(tier, unpack)
}

/// Runs and prints the example.
///
/// # Errors
/// Values that do not fit the format, no code could be generated, a result that differs, or a failure to print.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Error> {
    let Arguments { ref format, ref values, effort } = *arguments;
    let jit = Jit::new()?;
    let packer = Packer::compile(&jit, format)?;
    if !values.is_empty() {
        let values = format.parse(values)?;
        let bytes = packer.pack(&values)?;
        if bytes != pack(format, &values) {
            return Err(Error::Differs { name: "marshal", version: "packing".into() });
        }
        let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(out, "{}", hex.join(" "))?;
        return Ok(());
    }

    let mut random = SplitMix::new(1);
    let mut records = Vec::with_capacity(RECORDS);
    for _ in 0..RECORDS {
        let values = format.random(&mut random);
        let bytes = packer.pack(&values)?;
        if bytes != pack(format, &values) {
            return Err(Error::Differs { name: "marshal", version: "packing".into() });
        }
        records.push(bytes);
    }
    let bench = Bench::new("marshal", effort, 1 + tiers::MEASUREMENTS);
    let version = "field by field";
    let per_use = bench.per_use(version, RECORDS, || {
        for bytes in black_box(&records[..]) {
            black_box(weigh(black_box(format), bytes));
        }
    });
    let tiers = tiers::measure(
        &bench,
        RECORDS,
        |tier| compile_weigh(&jit, tier, format),
        |specialised| records.iter().all(|bytes| specialised.call(bytes).to_bits() == weigh(format, bytes).to_bits()),
        |specialised| {
            for bytes in black_box(&records[..]) {
                black_box(specialised.call(bytes));
            }
        },
    )?;
    let outcome = Outcome {
        name: "marshal",
        computes: format!(
            "{} fields out of the {} bytes of a record, by the format {format}",
            format.fields.len(),
            format.size
        ),
        one_use: "record",
        generic: Ordinary { version, equal: true, per_use },
        others: Vec::new(),
        tiers,
    };
    drop(bench);
    writeln!(out, "{outcome}")?;
    outcome.verify_equal()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(text: &str) -> Format {
        text.parse().unwrap()
    }

    #[test]
    fn formats_are_read() {
        let parsed = format("> b 2hx3xQ");
        assert_eq!(parsed.fields, [(Type::I8, 0), (Type::I16, 1), (Type::I16, 3), (Type::U64, 9)]);
        assert!(parsed.big_endian && parsed.size == 17);
        assert_eq!(format("0i").fields, []);
    }

    #[test]
    fn wrong_formats_are_explained() {
        for (text, place, part) in [
            ("bz", 1..2, "not one of"),
            ("b<", 1..2, "not one of"),
            ("ib3", 3..3, "missing"),
            ("b501q", 1..5, "more than 500 fields"),
            ("99999999999999999999x", 0..21, "65536 bytes"),
        ] {
            let error = text.parse::<Format>().unwrap_err();
            assert!(error.place == place && error.message.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn bytes_of_either_order() {
        let values = [Value::I16(-2), Value::U32(0x0102_0304), Value::Bool(true), Value::F32(1.0)];
        assert_eq!(pack(&format("<hI?f"), &values), [0xfe, 0xff, 4, 3, 2, 1, 1, 0, 0, 0x80, 0x3f]);
        assert_eq!(pack(&format(">hxI?f"), &values), [0xff, 0xfe, 0, 1, 2, 3, 4, 1, 0x3f, 0x80, 0, 0]);
    }

    #[test]
    fn specialised_packing_and_unpacking_agree() {
        let jit = Jit::new().unwrap();
        let mut random = SplitMix::new(9);
        for text in ["", "x", "<?bBhHiIqQfd", ">?bBhHiIqQfd", "<7x2d5f", ">500b", "<b30q30d3xf"] {
            let format = format(text);
            let packer = Packer::compile(&jit, &format).unwrap();
            for &(tier, name) in tiers::TIERS {
                let unpacking = compile_weigh(&jit, tier, &format).unwrap();
                for _ in 0..20 {
                    let values = format.random(&mut random);
                    let bytes = packer.pack(&values).unwrap();
                    assert_eq!(bytes, pack(&format, &values), "{text}, {name}");
                    assert_eq!(unpacking.call(&bytes).to_bits(), weigh(&format, &bytes).to_bits(), "{text}, {name}");
                }
            }
        }
    }

    #[test]
    fn too_few_bytes_are_noticed() {
        let jit = Jit::new().unwrap();
        for &(tier, _) in tiers::TIERS {
            let unpacking = compile_weigh(&jit, tier, &format("bi")).unwrap();
            assert!(matches!(unpacking.try_call(&[0; 4]), Err(Trap::IndexOutOfBounds)));
        }
    }
}
