//! [`Layout`]: which bytes of a packet make up the key of a dispatch, and where in the key they stand.
//!
//! The key fields of a group of filters are *coalesced*: bytes that adjoin in the packet become one load of up to eight bytes.
//! The loads (*chunks*) are packed into keys of two 64-bit words. What does not fit into one key goes into another *stage*,
//! whose key begins with the *symbol* of the stage before: a number that stands for the key found there.
//!
//! ```text
//!  fields   src 26..30  dst 30..34 │ sport 0..2  dport 2..4     (level 0 │ level 1)
//!  chunks   [26..34) as u64        │ [0..4) as u32
//!  key      word 0                   word 1
//! ```

use smallvec::{SmallVec, smallvec};

use crate::filter::{Atom, Filter};

/// A key: two words, in the byte order of the machine's loads.
pub(crate) type Key = [u64; 2];

/// Where a chunk comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// Bytes of the packet from `offset`, relative to the base of a level.
    Packet { level: u8, offset: u32 },
    /// The channel under which the filter's key was recorded.
    Channel,
}

/// Up to eight adjoining bytes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) source: Source,
    /// Number of bytes, 1 to 8.
    pub(crate) len: u8,
    /// Bits that count, in a little-endian word.
    pub(crate) mask: u64,
    /// Position of the first byte in the concatenation of all key bytes.
    pos: u16,
    /// Word of the key, and bit in the word, of the first byte.
    pub(crate) word: u8,
    pub(crate) bit: u8,
}

/// The atom of a key field, and where its bytes are in the concatenation.
#[derive(Clone, Copy, Debug)]
struct KeyField {
    atom: u8,
    pos: u16,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layout {
    fields: SmallVec<[KeyField; 8]>,
    /// Chunks of each stage.
    stages: SmallVec<[SmallVec<[Chunk; 4]>; 1]>,
    /// Length of the concatenation.
    bytes: u16,
}

/// Bytes of a symbol at the start of word 0 of all stages but the first.
const SYMBOL_BYTES: u8 = 4;

impl Layout {
    /// The layout for a shape whose atoms `keyed` (numbers of atoms, ascending) tell its filters apart.
    pub(crate) fn new(shape: &[Atom], keyed: &[u8]) -> Layout {
        // Every byte of a key field, once, with the bits that any of the fields tests.
        let mut bytes: Vec<(Source, u8)> = Vec::new();
        let mut level = 0;
        let mut places = Vec::new();
        for (number, atom) in shape.iter().enumerate() {
            if keyed.contains(&(number as u8)) {
                let (place, width, mask) = match *atom {
                    Atom::Eq { field, mask, .. } => (Source::Packet { level, offset: field.offset }, field.width, mask),
                    Atom::MatchRecorded { .. } => (Source::Channel, 4, u32::MAX.into()),
                    _ => unreachable!("only equality tells filters of one shape apart"),
                };
                places.push((number as u8, place));
                for i in 0..width {
                    bytes.push((behind(place, i), (mask >> (8 * (width - 1 - i))) as u8));
                }
            }
            level += u8::from(matches!(atom, Atom::Shift { .. }));
        }
        // The channel's four bytes share a source and must stay four.
        let channel = bytes.iter().filter(|(source, _)| *source == Source::Channel).count();
        bytes.retain(|(source, _)| *source != Source::Channel);
        bytes.sort();
        bytes.dedup_by(|(later, mask), (kept, all)| {
            let same = later == kept;
            if same {
                *all |= *mask;
            }
            same
        });
        let packet_bytes = bytes.len();
        let fields = places
            .iter()
            .map(|&(atom, place)| {
                let pos = bytes.iter().position(|(source, _)| *source == place).unwrap_or(packet_bytes);
                KeyField { atom, pos: pos as u16 }
            })
            .collect();
        let mut chunks = coalesce(&bytes);
        if channel > 0 {
            let pos = packet_bytes as u16;
            chunks.push(Chunk { source: Source::Channel, len: 4, mask: 0xffff_ffff, pos, word: 0, bit: 0 });
        }
        Layout { fields, stages: pack(chunks), bytes: (packet_bytes + channel) as u16 }
    }

    /// Chunks of each stage; none if nothing is keyed.
    pub(crate) fn stages(&self) -> &[SmallVec<[Chunk; 4]>] {
        &self.stages
    }

    /// The concatenated key bytes of a filter.
    pub(crate) fn bytes_of(&self, filter: &Filter) -> KeyBytes {
        let values = self.fields.iter().map(|field| value_of(&filter.atoms()[usize::from(field.atom)]));
        self.bytes_from(values)
    }

    /// The concatenated key bytes, given width and value of each key field.
    pub(crate) fn bytes_from(&self, values: impl Iterator<Item = (u8, u128)>) -> KeyBytes {
        let mut bytes: KeyBytes = smallvec![0; self.bytes.into()];
        for (field, (width, value)) in self.fields.iter().zip(values) {
            for i in 0..width {
                bytes[usize::from(field.pos) + usize::from(i)] |= (value >> (8 * (width - 1 - i))) as u8;
            }
        }
        bytes
    }

    /// The value of a key field, given the concatenated bytes.
    pub(crate) fn value_in(&self, bytes: &[u8], shape: &[Atom], atom: u8) -> Option<u128> {
        let field = self.fields.iter().find(|field| field.atom == atom)?;
        let (width, mask) = match shape[usize::from(atom)] {
            Atom::Eq { field, mask, .. } => (field.width, mask),
            _ => (4, u32::MAX.into()),
        };
        let from = usize::from(field.pos);
        let value = bytes[from..from + usize::from(width)].iter().fold(0, |v, &byte| v << 8 | u128::from(byte));
        Some(value & mask)
    }

    /// The atoms of the key fields.
    pub(crate) fn keyed(&self) -> impl Iterator<Item = u8> {
        self.fields.iter().map(|field| field.atom)
    }

    /// The key of a stage, given the concatenated bytes.
    pub(crate) fn key_from(&self, stage: usize, symbol: u32, bytes: &[u8]) -> Key {
        let mut key = [u64::from(symbol), 0];
        for chunk in &self.stages[stage] {
            let from = usize::from(chunk.pos);
            let mut word = [0; 8];
            word[..chunk.len.into()].copy_from_slice(&bytes[from..from + usize::from(chunk.len)]);
            key[usize::from(chunk.word)] |= (u64::from_le_bytes(word) & chunk.mask) << chunk.bit;
        }
        key
    }

    /// Writes the bytes of a stage's key back into the concatenation.
    pub(crate) fn key_into(&self, stage: usize, key: Key, bytes: &mut [u8]) {
        for chunk in &self.stages[stage] {
            let from = usize::from(chunk.pos);
            let word = (key[usize::from(chunk.word)] >> chunk.bit & chunk.mask).to_le_bytes();
            bytes[from..from + usize::from(chunk.len)].copy_from_slice(&word[..chunk.len.into()]);
        }
    }

    /// An empty concatenation.
    pub(crate) fn no_bytes(&self) -> KeyBytes {
        smallvec![0; self.bytes.into()]
    }

    /// The key of a stage in a packet, given the base of each level and the channel looked up; `None` past the packet's end.
    pub(crate) fn key_in(&self, stage: usize, symbol: u32, packet: &[u8], bases: &[u64], channel: u32) -> Option<Key> {
        let mut key = [u64::from(symbol), 0];
        for chunk in &self.stages[stage] {
            let mut word = [0; 8];
            match chunk.source {
                Source::Packet { level, offset } => {
                    let from = usize::try_from(bases[usize::from(level)] + u64::from(offset)).ok()?;
                    word[..chunk.len.into()].copy_from_slice(packet.get(from..)?.get(..chunk.len.into())?);
                }
                Source::Channel => word[..4].copy_from_slice(&channel.to_be_bytes()),
            }
            key[usize::from(chunk.word)] |= (u64::from_le_bytes(word) & chunk.mask) << chunk.bit;
        }
        Some(key)
    }

    /// For each level that the key looks at, the byte behind the last one.
    pub(crate) fn ends(&self) -> impl Iterator<Item = (u8, u32)> {
        self.stages.iter().flatten().filter_map(|chunk| match chunk.source {
            Source::Packet { level, offset } => Some((level, offset + u32::from(chunk.len))),
            Source::Channel => None,
        })
    }
}

/// Concatenated key bytes.
pub(crate) type KeyBytes = SmallVec<[u8; 64]>;

/// Width and value of what tells filters of a shape apart.
pub(crate) fn value_of(atom: &Atom) -> (u8, u128) {
    match *atom {
        Atom::Eq { field, value, .. } => (field.width, value),
        Atom::MatchRecorded { channel, .. } => (4, channel.into()),
        _ => unreachable!("only equality tells filters of one shape apart"),
    }
}

fn behind(source: Source, bytes: u8) -> Source {
    match source {
        Source::Packet { level, offset } => Source::Packet { level, offset: offset + u32::from(bytes) },
        Source::Channel => Source::Channel,
    }
}

/// Adjoining bytes become chunks of up to eight.
fn coalesce(bytes: &[(Source, u8)]) -> Vec<Chunk> {
    let mut chunks: Vec<Chunk> = Vec::new();
    for (pos, &(source, mask)) in bytes.iter().enumerate() {
        let mask = u64::from(mask);
        match chunks.last_mut() {
            Some(last) if last.len < 8 && behind(last.source, last.len) == source => {
                last.mask |= mask << (8 * last.len);
                last.len += 1;
            }
            _ => chunks.push(Chunk { source, len: 1, mask, pos: pos as u16, word: 0, bit: 0 }),
        }
    }
    chunks
}

/// First fit, the longest first, so that words are loaded whole.
fn pack(mut chunks: Vec<Chunk>) -> SmallVec<[SmallVec<[Chunk; 4]>; 1]> {
    chunks.sort_by_key(|chunk| std::cmp::Reverse(chunk.len));
    let mut stages: SmallVec<[SmallVec<[Chunk; 4]>; 1]> = SmallVec::new();
    while !chunks.is_empty() {
        let mut filled = [if stages.is_empty() { 0 } else { SYMBOL_BYTES }, 0];
        let mut stage = SmallVec::new();
        chunks.retain(|chunk| {
            let Some(word) = filled.iter().position(|&filled| filled + chunk.len <= 8) else { return true };
            stage.push(Chunk { word: word as u8, bit: 8 * filled[word], ..*chunk });
            filled[word] += chunk.len;
            false
        });
        stages.push(stage);
    }
    stages
}
