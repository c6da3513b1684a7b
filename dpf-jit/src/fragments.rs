//! [`FragmentServer`]: keeps fragments until the head of their datagram has come.
//!
//! Only the head of a fragmented datagram has the ports by which filters tell endpoints apart, and fragments come in any order.
//! The filter that the head matches records what identifies the datagram ([`FilterBuilder::first_fragment`]); later fragments
//! match what was recorded ([`FilterBuilder::later_fragment`]); those that come before their head are parked here. (Exokernel
//! final report, AFRL-IF-RS-TR-2002-1, section 2.1.6.)
//!
//! [`FilterBuilder::first_fragment`]: crate::FilterBuilder::first_fragment
//! [`FilterBuilder::later_fragment`]: crate::FilterBuilder::later_fragment

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::state::TIME_TO_LIVE;
use crate::verdict::{FilterId, ParkKey, Verdict};
use crate::{Classifier, SharedClassifier};

/// What a [`FragmentServer`] may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long a packet is parked.
    pub time: Duration,
    /// How many packets are, at most.
    pub packets: usize,
    /// How many bytes they have, at most.
    pub bytes: usize,
}

impl Default for Limits {
    /// 10 seconds, as the report's server; 4,096 packets; 4 MiB.
    fn default() -> Self {
        Limits { time: Duration::from_secs(TIME_TO_LIVE), packets: 4096, bytes: 4 << 20 }
    }
}

/// A classifier that a [`FragmentServer`] can stand in front of.
pub trait Classify: sealed::Sealed {
    /// Which filter a packet matches.
    fn classify(&self, frame: &[u8]) -> Verdict;
    /// Sets the time by which recorded keys are forgotten, in seconds.
    fn set_time(&self, seconds: u64);
}

mod sealed {
    use super::{FilterId, ParkKey};

    pub trait Sealed {
        /// What the filter has recorded of a packet that matches it.
        fn recorded_key(&self, id: FilterId, frame: &[u8]) -> Option<ParkKey>;
    }
}

macro_rules! classify {
    ($($name:ty)*) => {$(
        impl sealed::Sealed for $name {
            fn recorded_key(&self, id: FilterId, frame: &[u8]) -> Option<ParkKey> {
                self.recorded_key(id, frame)
            }
        }

        impl Classify for $name {
            fn classify(&self, frame: &[u8]) -> Verdict {
                self.classify(frame)
            }

            fn set_time(&self, seconds: u64) {
                self.set_time(seconds);
            }
        }
    )*};
}
classify!(Classifier SharedClassifier);

/// A packet that waits.
#[derive(Debug)]
struct Parked {
    sequence: u64,
    since: Duration,
    frame: Box<[u8]>,
}

/// Classifies packets, and holds those whose verdict is [`Verdict::Park`] until the head of their datagram arrives, or a limit
/// is reached: then the oldest is dropped.
///
/// ```
/// use std::time::Duration;
/// use dpf_jit::{Classifier, Filter, FragmentServer, Limits};
///
/// let mut c = Classifier::new()?;
/// c.insert(Filter::builder().ipv4().udp().first_fragment(1).dst_port(53).build()?)?;
/// c.insert(Filter::builder().ipv4().udp().later_fragment(1).build()?)?;
/// let mut head = [0; 60];
/// head[12..15].copy_from_slice(&[0x08, 0x00, 0x45]);
/// head[20] = 0x20; // more fragments
/// head[23] = 17;
/// head[37] = 53;
/// let mut tail = head;
/// tail[20..22].copy_from_slice(&[0, 3]); // the last one, at 24 bytes
///
/// let mut server = FragmentServer::new(Limits::default());
/// let mut delivered = Vec::new();
/// server.classify(&c, &tail, Duration::ZERO, |frame, verdict| delivered.push((frame.to_vec(), verdict.id())));
/// assert!(delivered.is_empty() && server.parked() == 1);
/// server.classify(&c, &head, Duration::ZERO, |frame, verdict| delivered.push((frame.to_vec(), verdict.id())));
/// assert_eq!(delivered.len(), 2);
/// assert!(delivered.iter().all(|(_, id)| id.is_some()) && server.parked() == 0);
/// # Ok::<(), dpf_jit::Error>(())
/// ```
#[derive(Debug)]
pub struct FragmentServer {
    limits: Limits,
    waiting: FxHashMap<ParkKey, VecDeque<Parked>>,
    /// From the oldest on.
    order: BTreeMap<u64, ParkKey>,
    bytes: usize,
    sequence: u64,
    dropped: u64,
}

impl FragmentServer {
    /// A server without packets.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        FragmentServer {
            limits,
            waiting: FxHashMap::default(),
            order: BTreeMap::new(),
            bytes: 0,
            sequence: 0,
            dropped: 0,
        }
    }

    /// Classifies a packet at a time, which never goes back. `deliver` is called for the packet unless it is parked, and for
    /// those that waited for it.
    pub fn classify(
        &mut self,
        classifier: &impl Classify,
        frame: &[u8],
        now: Duration,
        mut deliver: impl FnMut(&[u8], Verdict),
    ) {
        classifier.set_time(now.as_secs());
        self.expire(now);
        let verdict = classifier.classify(frame);
        if let Verdict::Park(key) = verdict {
            return self.park(key, frame, now);
        }
        deliver(frame, verdict);
        let recorded = verdict.id().filter(|id| id.records()).and_then(|id| classifier.recorded_key(id, frame));
        let Some(parked) = recorded.and_then(|key| self.waiting.remove(&key)) else { return };
        for Parked { sequence, frame, .. } in parked {
            self.order.remove(&sequence);
            self.bytes -= frame.len();
            match classifier.classify(&frame) {
                // The table of recorded keys is full of younger ones.
                Verdict::Park(_) => self.dropped += 1,
                verdict => deliver(&frame, verdict),
            }
        }
    }

    /// Drops packets that have waited for too long.
    pub fn expire(&mut self, now: Duration) {
        while let Some(since) = self.oldest() {
            if now.saturating_sub(since) < self.limits.time {
                break;
            }
            self.drop_oldest();
        }
    }

    /// Packets that wait.
    #[must_use]
    pub fn parked(&self) -> usize {
        self.order.len()
    }

    /// Bytes of the packets that wait.
    #[must_use]
    pub fn parked_bytes(&self) -> usize {
        self.bytes
    }

    /// Packets whose head did not come in time, or for which there was no room.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn park(&mut self, key: ParkKey, frame: &[u8], now: Duration) {
        if frame.len() > self.limits.bytes || self.limits.packets == 0 {
            self.dropped += 1;
            return;
        }
        while self.order.len() >= self.limits.packets || self.bytes + frame.len() > self.limits.bytes {
            self.drop_oldest();
        }
        self.sequence += 1;
        self.bytes += frame.len();
        self.order.insert(self.sequence, key);
        self.waiting.entry(key).or_default().push_back(Parked {
            sequence: self.sequence,
            since: now,
            frame: frame.into(),
        });
    }

    /// Since when the oldest packet has been waiting.
    fn oldest(&self) -> Option<Duration> {
        let (_, key) = self.order.first_key_value()?;
        self.waiting[key].front().map(|parked| parked.since)
    }

    fn drop_oldest(&mut self) {
        let Some((_, key)) = self.order.pop_first() else { return };
        let Some(parked) = self.waiting.get_mut(&key) else { return };
        // Packets of one key are in the order of their arrival.
        self.bytes -= parked.pop_front().map_or(0, |oldest| oldest.frame.len());
        self.dropped += 1;
        if parked.is_empty() {
            self.waiting.remove(&key);
        }
    }
}
