//! What a good engineer writes by hand for one job, to be measured in the same run.

use rustc_hash::FxHashMap;

use crate::rules::Rule;

/// No rule.
pub(super) const NONE: u32 = u32::MAX;

/// What a hand-written parser finds in a TCP or UDP packet over IPv4.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parsed {
    pub(super) protocol: u8,
    pub(super) src: u32,
    pub(super) dst: u32,
    pub(super) sport: u16,
    pub(super) dport: u16,
}

/// Length, EtherType, version, header length and fragment offset are checked.
#[inline(always)]
pub(super) fn parse(frame: &[u8]) -> Option<Parsed> {
    if frame.len() < 34 || frame[12..14] != [0x08, 0x00] || frame[14] >> 4 != 4 {
        return None;
    }
    let protocol = frame[23];
    if !matches!(protocol, 6 | 17) || u16::from_be_bytes([frame[20], frame[21]]) & 0x1fff != 0 {
        return None;
    }
    let ports = frame.get(14 + usize::from(frame[14] & 15) * 4..)?.get(..4)?;
    Some(Parsed {
        protocol,
        src: u32::from_be_bytes(frame[26..30].try_into().ok()?),
        dst: u32::from_be_bytes(frame[30..34].try_into().ok()?),
        sport: u16::from_be_bytes([ports[0], ports[1]]),
        dport: u16::from_be_bytes([ports[2], ports[3]]),
    })
}

/// Hand-written parser, FxHash on a u128 key.
#[derive(Debug, Default)]
pub(super) struct Demux {
    map: FxHashMap<u128, u32>,
}

#[inline(always)]
fn flow_key(p: Parsed) -> u128 {
    u128::from(p.src) << 72
        | u128::from(p.dst) << 40
        | u128::from(p.sport) << 24
        | u128::from(p.dport) << 8
        | u128::from(p.protocol)
}

fn parsed(rule: &Rule) -> Parsed {
    Parsed {
        protocol: rule.protocol,
        src: rule.src.address.to_bits(),
        dst: rule.dst.address.to_bits(),
        sport: rule.sport.unwrap_or(0),
        dport: rule.dport.unwrap_or(0),
    }
}

impl Demux {
    pub(super) fn new(rules: &[Rule]) -> Self {
        let mut demux = Demux::default();
        rules.iter().for_each(|rule| demux.insert(rule));
        demux
    }

    pub(super) fn insert(&mut self, rule: &Rule) {
        self.map.insert(flow_key(parsed(rule)), rule.id);
    }

    pub(super) fn remove(&mut self, rule: &Rule) {
        self.map.remove(&flow_key(parsed(rule)));
    }

    #[inline(always)]
    pub(super) fn classify(&self, frame: &[u8]) -> u32 {
        parse(frame).and_then(|p| self.map.get(&flow_key(p))).copied().unwrap_or(NONE)
    }
}

/// The floor: fixed offsets, open addressing, one multiplication. Takes packets for what they should be.
#[derive(Debug)]
pub(super) struct Fixed {
    slots: Vec<(u64, u32, u32)>,
    shift: u32,
}

impl Fixed {
    pub(super) fn new(rules: &[Rule]) -> Self {
        let size = (rules.len() * 2).next_power_of_two().max(16);
        let mut fixed = Fixed { slots: vec![(0, 0, NONE); size], shift: 64 - size.ilog2() };
        for rule in rules {
            let p = parsed(rule);
            let hosts = u64::from(p.src.swap_bytes()) | u64::from(p.dst.swap_bytes()) << 32;
            let ports = u32::from(p.sport.swap_bytes()) | u32::from(p.dport.swap_bytes()) << 16;
            let mut at = fixed.slot(hosts, ports);
            while fixed.slots[at].2 != NONE {
                at = (at + 1) & (size - 1);
            }
            fixed.slots[at] = (hosts, ports, rule.id);
        }
        fixed
    }

    #[inline(always)]
    fn slot(&self, hosts: u64, ports: u32) -> usize {
        ((hosts ^ u64::from(ports)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> self.shift) as usize
    }

    #[inline(always)]
    pub(super) fn classify(&self, frame: &[u8]) -> u32 {
        let Some(bytes) = frame.get(26..38) else { return NONE };
        let hosts = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"));
        let ports = u32::from_le_bytes(bytes[8..].try_into().expect("four bytes"));
        let mut at = self.slot(hosts, ports);
        loop {
            let (h, p, id) = self.slots[at];
            if (h == hosts && p == ports) || id == NONE {
                return id;
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }
}

/// Tuple-space search: a table for each shape of rules, tried in the order of their lowest id.
#[derive(Debug, Default)]
pub(super) struct TupleSpace {
    tuples: Vec<Tuple>,
}

#[derive(Debug)]
struct Tuple {
    /// Length of the prefixes, and which ports are compared.
    shape: (u8, u8, bool, bool),
    masks: (u32, u32, u16, u16),
    lowest: u32,
    map: FxHashMap<u128, u32>,
}

impl TupleSpace {
    pub(super) fn new(rules: &[Rule]) -> Self {
        let mut space = TupleSpace::default();
        let net = |len: u8| if len == 0 { 0 } else { !0u32 << (32 - len) };
        for rule in rules {
            let shape = (rule.src.len, rule.dst.len, rule.sport.is_some(), rule.dport.is_some());
            let at = space.tuples.iter().position(|tuple| tuple.shape == shape).unwrap_or_else(|| {
                let masks = (net(shape.0), net(shape.1), if shape.2 { !0 } else { 0 }, if shape.3 { !0 } else { 0 });
                space.tuples.push(Tuple { shape, masks, lowest: rule.id, map: FxHashMap::default() });
                space.tuples.len() - 1
            });
            let tuple = &mut space.tuples[at];
            tuple.lowest = tuple.lowest.min(rule.id);
            tuple.map.entry(flow_key(tuple.masked(parsed(rule)))).or_insert(rule.id);
        }
        space.tuples.sort_by_key(|tuple| tuple.lowest);
        space
    }

    #[inline(always)]
    pub(super) fn classify(&self, frame: &[u8]) -> u32 {
        let mut best = NONE;
        let Some(p) = parse(frame) else { return NONE };
        for tuple in &self.tuples {
            if tuple.lowest > best {
                break;
            }
            if let Some(&id) = tuple.map.get(&flow_key(tuple.masked(p))) {
                best = best.min(id);
            }
        }
        best
    }
}

impl Tuple {
    #[inline(always)]
    fn masked(&self, p: Parsed) -> Parsed {
        let (src, dst, sport, dport) = self.masks;
        Parsed { src: p.src & src, dst: p.dst & dst, sport: p.sport & sport, dport: p.dport & dport, ..p }
    }
}

/// `tcp port 80` in both directions, over IPv4 and IPv6.
#[inline(always)]
pub(super) fn tcp_port_80(frame: &[u8]) -> u32 {
    let is_80 = |ports: Option<&[u8]>| ports.is_some_and(|p| p.len() >= 4 && (p[..2] == [0, 80] || p[2..4] == [0, 80]));
    let matches = match frame.get(12..14) {
        Some([0x08, 0x00]) => {
            frame.len() >= 34
                && frame[14] >> 4 == 4
                && frame[23] == 6
                && u16::from_be_bytes([frame[20], frame[21]]) & 0x1fff == 0
                && is_80(frame.get(14 + usize::from(frame[14] & 15) * 4..))
        }
        Some([0x86, 0xdd]) => frame.len() >= 54 && frame[14] >> 4 == 6 && frame[20] == 6 && is_80(frame.get(54..)),
        _ => false,
    };
    u32::from(matches)
}

/// Later fragments to the filter of their head, by a map from (addresses, identification, protocol).
#[derive(Debug, Default)]
pub(super) struct FragmentTable {
    ports: FxHashMap<u16, u32>,
    heads: FxHashMap<u128, u32>,
}

impl FragmentTable {
    pub(super) fn new(ports: &[u16]) -> Self {
        let ports = ports.iter().enumerate().map(|(number, port)| (*port, number as u32)).collect();
        FragmentTable { ports, heads: FxHashMap::default() }
    }

    /// Forgets all heads.
    pub(super) fn clear(&mut self) {
        self.heads.clear();
    }

    #[inline(always)]
    pub(super) fn classify(&mut self, frame: &[u8]) -> u32 {
        if frame.len() < 34 || frame[12..14] != [0x08, 0x00] || frame[14] >> 4 != 4 || frame[23] != 17 {
            return NONE;
        }
        let fragment = u16::from_be_bytes([frame[20], frame[21]]);
        let hosts = u64::from_be_bytes(frame[26..34].try_into().expect("eight bytes"));
        let key =
            u128::from(hosts) << 24 | u128::from(frame[18]) << 16 | u128::from(frame[19]) << 8 | u128::from(frame[23]);
        if fragment & 0x1fff != 0 {
            return self.heads.get(&key).copied().unwrap_or(NONE);
        }
        let Some(ports) = frame.get(14 + usize::from(frame[14] & 15) * 4..).and_then(|rest| rest.get(..4)) else {
            return NONE;
        };
        let Some(&id) = self.ports.get(&u16::from_be_bytes([ports[2], ports[3]])) else { return NONE };
        if fragment & 0x2000 != 0 {
            self.heads.insert(key, id);
        }
        id
    }
}
