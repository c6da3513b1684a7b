//! Helpers of [`FilterBuilder`] that expand to the atoms of common protocols.
//!
//! They are called from the outside in (`ethernet`, `vlan`, `ipv4`, `tcp`, ports); one that is called where its header cannot
//! be is an error of `build`.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use super::FilterBuilder;
use crate::error::FilterError;

/// How far the helpers have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layer {
    /// Ethernet and VLAN tags; the base is such that the next EtherType is at 12.
    Frame,
    /// Behind the EtherType of IPv4: its header is at 14.
    Ipv4,
    /// Behind the EtherType of IPv6: its header is at 14.
    Ipv6,
    /// The protocol is TCP or UDP, the base has not moved.
    OverIpv4,
    /// The same for IPv6.
    OverIpv6,
    /// The base has moved by the length of the IPv4 header: ports are at 14.
    Ports,
}

/// TCP's number in the IP header.
pub(crate) const TCP: u8 = 6;
/// UDP's number in the IP header.
pub(crate) const UDP: u8 = 17;

/// A record's mask over bytes 18 to 34 of a frame: IPv4 identification, protocol, source and destination.
const DATAGRAM: [u8; 16] = [0xff, 0xff, 0, 0, 0, 0xff, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];

impl FilterBuilder {
    fn expect(&mut self, layers: &[Layer], helper: &'static str) -> bool {
        let fits = layers.contains(&self.layer);
        if !fits {
            self.fail(FilterError::Helper { atom: self.atoms.len(), helper });
        }
        fits
    }

    /// An Ethernet frame whose EtherType, behind any VLAN tag named so far, is `ethertype`.
    pub fn ethernet(mut self, ethertype: u16) -> Self {
        if !self.expect(&[Layer::Frame], "ethernet") {
            return self;
        }
        self.eq_u16(12, ethertype)
    }

    /// An 802.1Q tag with this VLAN identifier (12 bits). May be repeated for nested tags.
    pub fn vlan(mut self, id: u16) -> Self {
        if !self.expect(&[Layer::Frame], "vlan") {
            return self;
        }
        self.eq_u16(12, 0x8100).masked_u16(14, 0x0fff, id).advance(4)
    }

    /// IPv4, version 4.
    pub fn ipv4(mut self) -> Self {
        if !self.expect(&[Layer::Frame], "ipv4") {
            return self;
        }
        self.layer = Layer::Ipv4;
        self.eq_u16(12, 0x0800).masked_u8(14, 0xf0, 0x40)
    }

    /// IPv6, version 6.
    pub fn ipv6(mut self) -> Self {
        if !self.expect(&[Layer::Frame], "ipv6") {
            return self;
        }
        self.layer = Layer::Ipv6;
        self.eq_u16(12, 0x86dd).masked_u8(14, 0xf0, 0x60)
    }

    /// The IPv4 source lies in `address/prefix`; bits behind the prefix (0 to 32) are ignored.
    pub fn src_v4(self, address: Ipv4Addr, prefix: u8) -> Self {
        self.ipv4_prefix(26, address, prefix, "src_v4")
    }

    /// The IPv4 destination lies in `address/prefix`; bits behind the prefix (0 to 32) are ignored.
    pub fn dst_v4(self, address: Ipv4Addr, prefix: u8) -> Self {
        self.ipv4_prefix(30, address, prefix, "dst_v4")
    }

    /// The IPv6 source lies in `address/prefix`; bits behind the prefix (0 to 128) are ignored.
    pub fn src_v6(self, address: Ipv6Addr, prefix: u8) -> Self {
        self.ipv6_prefix(22, address, prefix, "src_v6")
    }

    /// The IPv6 destination lies in `address/prefix`; bits behind the prefix (0 to 128) are ignored.
    pub fn dst_v6(self, address: Ipv6Addr, prefix: u8) -> Self {
        self.ipv6_prefix(38, address, prefix, "dst_v6")
    }

    /// TCP over IPv4 or IPv6. In IPv6 only right behind the fixed header.
    pub fn tcp(self) -> Self {
        self.transport(TCP, "tcp")
    }

    /// UDP over IPv4 or IPv6. In IPv6 only right behind the fixed header.
    pub fn udp(self) -> Self {
        self.transport(UDP, "udp")
    }

    /// The source port. Not of later IPv4 fragments, which have none.
    pub fn src_port(self, port: u16) -> Self {
        self.ports(0, port..=port, "src_port")
    }

    /// The destination port. Not of later IPv4 fragments, which have none.
    pub fn dst_port(self, port: u16) -> Self {
        self.ports(2, port..=port, "dst_port")
    }

    /// The source port is one of `ports`.
    pub fn src_ports(self, ports: RangeInclusive<u16>) -> Self {
        self.ports(0, ports, "src_ports")
    }

    /// The destination port is one of `ports`.
    pub fn dst_ports(self, ports: RangeInclusive<u16>) -> Self {
        self.ports(2, ports, "dst_ports")
    }

    /// The head of a fragmented IPv4 datagram (more fragments, offset 0); when the filter is the one that matches,
    /// identification, protocol and addresses are recorded under `channel`. Goes before the ports.
    pub fn first_fragment(mut self, channel: u32) -> Self {
        if !self.expect(&[Layer::Ipv4, Layer::OverIpv4], "first_fragment") {
            return self;
        }
        self.masked_u16(20, 0x2000, 0x2000).record(channel, 18, &DATAGRAM)
    }

    /// A later fragment of an IPv4 datagram whose head was recorded under `channel`.
    pub fn later_fragment(mut self, channel: u32) -> Self {
        if !self.expect(&[Layer::Ipv4, Layer::OverIpv4], "later_fragment") {
            return self;
        }
        self.masked_range_u16(20, 0x1fff, 1..=0x1fff).match_recorded(channel, 18, &DATAGRAM)
    }

    fn ipv4_prefix(mut self, offset: usize, address: Ipv4Addr, prefix: u8, helper: &'static str) -> Self {
        if prefix > 32 {
            self.fail(FilterError::Prefix { atom: self.atoms.len(), prefix, limit: 32 });
        }
        if !self.expect(&[Layer::Ipv4, Layer::OverIpv4], helper) || prefix > 32 || prefix == 0 {
            return self;
        }
        let mask = !0u32 << (32 - prefix);
        self.masked_u32(offset, mask, address.to_bits() & mask)
    }

    fn ipv6_prefix(mut self, offset: usize, address: Ipv6Addr, prefix: u8, helper: &'static str) -> Self {
        if prefix > 128 {
            self.fail(FilterError::Prefix { atom: self.atoms.len(), prefix, limit: 128 });
        }
        if !self.expect(&[Layer::Ipv6, Layer::OverIpv6], helper) || prefix > 128 || prefix == 0 {
            return self;
        }
        let mask = !0u128 << (128 - prefix);
        self.masked_bytes(offset, &mask.to_be_bytes(), &(address.to_bits() & mask).to_be_bytes())
    }

    fn transport(mut self, protocol: u8, helper: &'static str) -> Self {
        if !self.expect(&[Layer::Ipv4, Layer::Ipv6], helper) {
            return self;
        }
        let (layer, offset) = if self.layer == Layer::Ipv4 { (Layer::OverIpv4, 23) } else { (Layer::OverIpv6, 20) };
        self.layer = layer;
        self.eq_u8(offset, protocol)
    }

    fn ports(mut self, within: usize, ports: RangeInclusive<u16>, helper: &'static str) -> Self {
        if !self.expect(&[Layer::OverIpv4, Layer::OverIpv6, Layer::Ports], helper) {
            return self;
        }
        if self.layer == Layer::OverIpv4 {
            self.layer = Layer::Ports;
            self = self.masked_u16(20, 0x1fff, 0).shift(14, 0x0f, 2);
        }
        let offset = within + if self.layer == Layer::Ports { 14 } else { 54 };
        let (first, last) = (*ports.start(), *ports.end());
        if first == last { self.eq_u16(offset, first) } else { self.range_u16(offset, ports) }
    }
}
