//! `dpf bench`: cycles per packet, the yardsticks in the same run.
//!
//! All engines of a case classify the same frames in turn, pass after pass; a pass's time is divided by the number of frames,
//! and the least is what is reported, as ratios are of the least to the least.

mod bpf;
mod clock;
mod disturbed;
mod fragments;
mod size;
mod table;
mod yardsticks;

use std::hint::black_box;
use std::io::Write;
use std::path::{Path, PathBuf};

use dpf_jit::{Classifier, Filter, SharedClassifier, Verdict};

use crate::error::Failure;
use crate::{capture, rules};
use table::{Row, Table};
use yardsticks::{Demux, Fixed, NONE, TupleSpace};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// An array of {case, n, hit, engine, cycles_per_packet, ratio_to_handwritten} instead of a table.
    #[arg(long)]
    json: bool,
    /// Folder with flows_N.tsv, pkts_N_hit.pcap, pkts_N_miss.pcap, mixed_N.tsv, mixed_N.pcap and mixed_N_expected.txt.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/packets/bench"))]
    data: PathBuf,
    /// Only cases whose name begins with this.
    #[arg(long)]
    only: Option<String>,
    /// Passes over the frames.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..))]
    passes: u32,
}

/// An engine: a pass over all frames, and the sum of its answers, which must be that of the others.
type Engine<'a> = (&'static str, Box<dyn FnMut() -> u64 + 'a>);

pub(crate) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let mut table = Table::new(arguments.only.clone(), arguments.passes);
    if !arguments.data.is_dir() {
        return Err(Failure::Wrong(format!("{}: not a folder; name one by --data", arguments.data.display())));
    }
    // First, before other cases leave memory behind that is used again.
    size::memory(&mut table, &arguments.data)?;
    for n in [10, 100, 1_000, 10_000] {
        flows(&mut table, &arguments.data, n)?;
    }
    for n in [100, 1_000, 10_000] {
        mixed(&mut table, &arguments.data, n)?;
    }
    one_filter(&mut table, &arguments.data)?;
    changes(&mut table, &arguments.data)?;
    size::shapes(&mut table)?;
    fragments::run(&mut table)?;
    disturbed::run(&mut table, &arguments.data)?;
    if arguments.json {
        table.json(out)?
    } else {
        table.text(out)?
    }
    Ok(())
}

/// The rule's id of a verdict.
#[inline(always)]
fn answer(ids: &[u32], verdict: Verdict) -> u32 {
    match verdict {
        Verdict::Match(id) => ids[id.index()],
        _ => NONE,
    }
}

/// Independent packets, as fast as they go.
fn pass(frames: &[&[u8]], mut classify: impl FnMut(&[u8]) -> u32) -> u64 {
    frames.iter().map(|frame| u64::from(classify(frame))).sum()
}

/// Each packet begins when the answer for the one before is there.
fn chained(frames: &[&[u8]], mut classify: impl FnMut(&[u8]) -> u32) -> u64 {
    let never = black_box(0);
    let mut at = 0;
    let mut sum = 0;
    while let Some(frame) = frames.get(at) {
        let answer = classify(frame);
        sum += u64::from(answer);
        at += 1 + (answer & never) as usize;
    }
    sum
}

fn flows(table: &mut Table, data: &Path, n: usize) -> Result<(), Failure> {
    let file = data.join(format!("flows_{n}.tsv"));
    let rules = rules::read(&file)?;
    let mut classifier = Classifier::new()?;
    let ids = rules::install(&mut classifier, &rules, &file)?;
    let shared = SharedClassifier::new()?;
    let mut shared_ids = vec![0; rules.len() + 1];
    for rule in &rules {
        let id = shared.insert(rule.filter().map_err(dpf_jit::Error::from)?)?;
        shared_ids[id.index()] = rule.id;
    }
    let (demux, fixed) = (Demux::new(&rules), Fixed::new(&rules));
    let reader = shared.reader();
    for hit in [true, false] {
        let frames = capture::read(&data.join(format!("pkts_{n}_{}.pcap", if hit { "hit" } else { "miss" })))?;
        let frames: Vec<&[u8]> = frames.iter().collect();
        let frames = frames.as_slice();
        let mut verdicts = vec![Verdict::NoMatch; frames.len()];
        let engines: Vec<Engine<'_>> = vec![
            ("handwritten", Box::new(|| pass(frames, |f| demux.classify(f)))),
            ("dpf", Box::new(|| pass(frames, |f| answer(&ids, classifier.classify(f))))),
            (
                "dpf-batch",
                Box::new(|| {
                    classifier.classify_batch(frames, &mut verdicts);
                    verdicts.iter().map(|verdict| u64::from(answer(&ids, *verdict))).sum()
                }),
            ),
            ("dpf-shared", Box::new(|| pass(frames, |f| answer(&shared_ids, reader.classify(f))))),
            ("floor", Box::new(|| pass(frames, |f| fixed.classify(f)))),
        ];
        table.measure("flows", n, Some(hit), frames.len(), engines)?;
        let engines: Vec<Engine<'_>> = vec![
            ("handwritten", Box::new(|| chained(frames, |f| demux.classify(f)))),
            ("dpf", Box::new(|| chained(frames, |f| answer(&ids, classifier.classify(f))))),
            ("dpf-shared", Box::new(|| chained(frames, |f| answer(&shared_ids, reader.classify(f))))),
            ("floor", Box::new(|| chained(frames, |f| fixed.classify(f)))),
        ];
        table.measure("flows-latency", n, Some(hit), frames.len(), engines)?;
        let memory = Scattered::new(frames);
        let frames: Vec<&[u8]> = memory.frames().collect();
        let frames = frames.as_slice();
        let engines: Vec<Engine<'_>> = vec![
            ("handwritten", Box::new(|| pass(frames, |f| demux.classify(f)))),
            ("dpf", Box::new(|| pass(frames, |f| answer(&ids, classifier.classify(f))))),
            (
                "dpf-batch",
                Box::new(|| {
                    classifier.classify_batch(frames, &mut verdicts);
                    verdicts.iter().map(|verdict| u64::from(answer(&ids, *verdict))).sum()
                }),
            ),
        ];
        table.measure("flows-scattered", n, Some(hit), frames.len(), engines)?;
    }
    Ok(())
}

/// Bytes of a buffer, as network cards have them.
const BUFFER: usize = 2048;

/// Frames in buffers of their own, in no order: no near cache holds them, and nothing but the program can know which comes next.
struct Scattered {
    memory: Vec<u8>,
    /// Where each is, and its length.
    places: Vec<(usize, usize)>,
}

impl Scattered {
    fn new(frames: &[&[u8]]) -> Self {
        let buffers = frames.len().next_power_of_two();
        let mut memory = vec![0; buffers * BUFFER];
        let places = frames.iter().enumerate().map(|(number, frame)| {
            // Multiplying by an odd number permutes; so does the sum with the digits above.
            let mixed = number.wrapping_mul(0x9e37_79b9) & (buffers - 1);
            let at = ((mixed ^ mixed >> 5).wrapping_mul(0x85eb_ca6b) & (buffers - 1)) * BUFFER;
            memory[at..at + frame.len()].copy_from_slice(frame);
            (at, frame.len())
        });
        let places = places.collect();
        Scattered { memory, places }
    }

    fn frames(&self) -> impl Iterator<Item = &[u8]> {
        self.places.iter().map(|&(at, len)| &self.memory[at..at + len])
    }
}

fn mixed(table: &mut Table, data: &Path, n: usize) -> Result<(), Failure> {
    let file = data.join(format!("mixed_{n}.tsv"));
    let rules = rules::read(&file)?;
    let mut classifier = Classifier::new()?;
    let ids = rules::install(&mut classifier, &rules, &file)?;
    let space = TupleSpace::new(&rules);
    let frames = capture::read(&data.join(format!("mixed_{n}.pcap")))?;
    let frames: Vec<&[u8]> = frames.iter().collect();
    let expected_file = data.join(format!("mixed_{n}_expected.txt"));
    let expected = std::fs::read_to_string(&expected_file)
        .map_err(|error| Failure::File { file: expected_file.clone(), error })?;
    for (number, (line, frame)) in expected.lines().zip(&frames).enumerate() {
        let expected = line.parse::<i64>().ok().map_or(NONE, |id| id as u32);
        let ours = answer(&ids, classifier.classify(frame));
        if ours != expected || space.classify(frame) != expected {
            let message = format!("packet {number} is of rule {expected}, classified as of {ours}");
            return Err(Failure::Line { file: expected_file, line: number + 1, message });
        }
    }
    let frames = frames.as_slice();
    let engines: Vec<Engine<'_>> = vec![
        ("handwritten", Box::new(|| pass(frames, |f| space.classify(f)))),
        ("dpf", Box::new(|| pass(frames, |f| answer(&ids, classifier.classify(f))))),
    ];
    table.measure("mixed", n, None, frames.len(), engines)
}

/// `tcp port 80`.
fn one_filter(table: &mut Table, data: &Path) -> Result<(), Failure> {
    let mut classifier = Classifier::new()?;
    let v4 = || Filter::builder().ipv4().tcp();
    let v6 = || Filter::builder().ipv6().tcp();
    for filter in [v4().src_port(80), v4().dst_port(80), v6().src_port(80), v6().dst_port(80)] {
        classifier.insert(filter.build().map_err(dpf_jit::Error::from)?)?;
    }
    let bpf = bpf::Bpf::new().map_err(Failure::Wrong)?;
    let frames = capture::read(&data.join("pkts_1000_hit.pcap"))?;
    let mut copies: Vec<Box<[u8]>> = frames.iter().map(Box::from).collect();
    let frames: Vec<&[u8]> = frames.iter().collect();
    let frames = frames.as_slice();
    let matches = |verdict: Verdict| u32::from(verdict != Verdict::NoMatch);
    let engines: Vec<Engine<'_>> = vec![
        ("handwritten", Box::new(|| pass(frames, yardsticks::tcp_port_80))),
        ("dpf", Box::new(|| pass(frames, |f| matches(classifier.classify(f))))),
        ("rbpf", Box::new(|| copies.iter_mut().map(|frame| u64::from(bpf.classify(frame))).sum())),
    ];
    table.measure("tcp-port-80", 1, None, frames.len(), engines)?;
    // What a call takes that decides nothing: to a function of the program, and to compiled code, which lies far from it.
    let (never, empty) = (black_box((|_| 0) as fn(&[u8]) -> u32), Classifier::new()?);
    let engines: Vec<Engine<'_>> = vec![
        ("handwritten", Box::new(|| pass(frames, never))),
        ("dpf", Box::new(|| pass(frames, |f| matches(empty.classify(f))))),
    ];
    table.measure("no-filter", 0, None, frames.len(), engines)
}

/// Rounds of changes, of which the fastest counts.
const ROUNDS: usize = 25;

/// The fastest of several rounds of the same operations: all of a round together, and each on its own, as what interrupts the
/// process hits another one in each round.
struct Fastest {
    all: u64,
    round: u64,
    each: Vec<u64>,
}

impl Fastest {
    fn new(operations: usize) -> Self {
        Fastest { all: u64::MAX, round: 0, each: vec![u64::MAX; operations] }
    }

    fn take(&mut self, operation: usize, cycles: u64) {
        self.round += cycles;
        self.each[operation] = self.each[operation].min(cycles);
    }

    fn end_round(&mut self) {
        self.all = self.all.min(std::mem::take(&mut self.round));
    }

    /// The slowest operation.
    fn worst(&self) -> f64 {
        self.each.iter().max().map_or(0.0, |&cycles| cycles as f64)
    }
}

/// Cycles per insertion and removal of 10,000 flows, one by one.
fn changes(table: &mut Table, data: &Path) -> Result<(), Failure> {
    if !table.wants("insert") {
        return Ok(());
    }
    let rules = rules::read(&data.join("flows_10000.tsv"))?;
    let n = rules.len();
    let filters: Result<Vec<Filter>, _> = rules.iter().map(rules::Rule::filter).collect();
    let filters = filters.map_err(dpf_jit::Error::from)?;
    let (mut insert, mut remove) = (Fastest::new(n), Fastest::new(n));
    let (mut by_hand, mut remove_by_hand) = (u64::MAX, u64::MAX);
    for _ in 0..ROUNDS {
        let mut classifier = Classifier::new()?;
        let mut ids = Vec::with_capacity(n);
        for (at, filter) in filters.iter().enumerate() {
            let filter = filter.clone();
            let start = clock::now();
            ids.push(classifier.insert(filter)?);
            insert.take(at, clock::now() - start);
        }
        insert.end_round();
        for (at, id) in ids.into_iter().enumerate() {
            let start = clock::now();
            classifier.remove(id)?;
            remove.take(at, clock::now() - start);
        }
        remove.end_round();
        let mut demux = Demux::default();
        let start = clock::now();
        rules.iter().for_each(|rule| demux.insert(rule));
        by_hand = by_hand.min(clock::now() - start);
        let start = clock::now();
        rules.iter().for_each(|rule| demux.remove(rule));
        remove_by_hand = remove_by_hand.min(clock::now() - start);
    }
    let each = |cycles: u64| cycles as f64 / n as f64;
    let mut row = |case: &str, engine: &str, cycles: f64, hand: f64| {
        table.push(Row { case: case.into(), n, hit: None, engine: engine.into(), cycles, ratio: Some(cycles / hand) });
    };
    row("insert", "handwritten", each(by_hand), each(by_hand));
    row("insert", "dpf", each(insert.all), each(by_hand));
    row("insert-worst", "dpf", insert.worst(), each(by_hand));
    row("remove", "handwritten", each(remove_by_hand), each(remove_by_hand));
    row("remove", "dpf", each(remove.all), each(remove_by_hand));
    row("remove-worst", "dpf", remove.worst(), each(remove_by_hand));
    Ok(())
}
