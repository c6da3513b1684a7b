//! Frames of a capture: pcap and pcapng.

use std::fs::File;
use std::path::Path;

use pcap_parser::{Block, Linktype, PcapBlockOwned, PcapError, create_reader};

use crate::error::Failure;

/// Bytes read at a time; grows with larger blocks.
const BUFFER: usize = 1 << 16;
/// The largest block that is read.
const LARGEST: usize = 1 << 28;

/// All frames of a file, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    bytes: Vec<u8>,
    /// Where each frame ends.
    ends: Vec<usize>,
}

impl Frames {
    pub(crate) fn push(&mut self, frame: &[u8]) {
        self.bytes.extend_from_slice(frame);
        self.ends.push(self.bytes.len());
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.bytes[start..*end])
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }
}

/// Reads the frames of a capture of Ethernet frames.
pub(crate) fn read(file: &Path) -> Result<Frames, Failure> {
    let opened = File::open(file).map_err(|error| Failure::File { file: file.into(), error })?;
    let wrong = |message: String| Failure::Capture { file: file.into(), message };
    let mut reader = create_reader(BUFFER, opened).map_err(|_| wrong("not a pcap or pcapng file".into()))?;
    let mut frames = Frames::default();
    // Link types of the section's interfaces.
    let mut links: Vec<Linktype> = Vec::new();
    let mut capacity = BUFFER;
    let mut stuck = 0;
    loop {
        match reader.next() {
            Ok((size, block)) => {
                let packet = frames.len() + 1;
                let ethernet = |link: Option<&Linktype>| match link {
                    Some(&Linktype::ETHERNET) => Ok(()),
                    Some(other) => Err(wrong(format!("packet {packet}: link type {}, not Ethernet", other.0))),
                    None => Err(wrong(format!("packet {packet}: of an interface that is not described"))),
                };
                match block {
                    PcapBlockOwned::LegacyHeader(header) => {
                        // 2.4 since 1998; the other is what an old NetBSD wrote.
                        let version = (header.version_major, header.version_minor);
                        if !matches!(version, (2, 0..=4) | (543, 0)) {
                            return Err(wrong(format!("a pcap file of version {}.{}", version.0, version.1)));
                        }
                        links = vec![header.network];
                    }
                    PcapBlockOwned::Legacy(block) => {
                        ethernet(links.first())?;
                        frames.push(block.data.get(..block.caplen as usize).unwrap_or(block.data));
                    }
                    PcapBlockOwned::NG(Block::SectionHeader(section)) => {
                        let version = (section.major_version, section.minor_version);
                        if !matches!(version, (1, 0 | 2)) {
                            return Err(wrong(format!("a pcapng section of version {}.{}", version.0, version.1)));
                        }
                        links.clear();
                    }
                    PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => links.push(interface.linktype),
                    PcapBlockOwned::NG(Block::EnhancedPacket(block)) => {
                        ethernet(links.get(block.if_id as usize))?;
                        frames.push(block.data.get(..block.caplen as usize).unwrap_or(block.data));
                    }
                    PcapBlockOwned::NG(Block::SimplePacket(block)) => {
                        ethernet(links.first())?;
                        frames.push(block.data.get(..block.origlen as usize).unwrap_or(block.data));
                    }
                    PcapBlockOwned::NG(_) => {}
                }
                reader.consume(size);
                stuck = 0;
            }
            Err(PcapError::Eof) => return Ok(frames),
            Err(PcapError::Incomplete(_)) => {
                stuck += 1;
                if stuck > 1 {
                    capacity *= 2;
                    if capacity > LARGEST || !reader.grow(capacity) || reader.reader_exhausted() {
                        return Err(wrong(format!("cut off, or damaged, behind packet {}", frames.len())));
                    }
                }
                reader.refill().map_err(|_| wrong(format!("not readable behind packet {}", frames.len())))?;
            }
            Err(_) => return Err(wrong(format!("cut off, or damaged, behind packet {}", frames.len()))),
        }
    }
}
