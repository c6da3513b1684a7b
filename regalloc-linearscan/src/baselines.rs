//! What linear scan is compared with, on ready-made intervals: usage counts and graph colouring.
//!
//! Both give an interval one register or memory for all of its life, as [`IntervalScan::run`](crate::IntervalScan::run) does and
//! with the same arguments, so that a client can exchange one for the other. They allocate as they go: they are there to
//! measure with.

use crate::Interval;
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;

/// Usage counts (Poletto & Sarkar, *Linear Scan Register Allocation*, section 6.1): in order of their worth, each interval takes a
/// register if one is left for all of its life. `worth[i]` is what it costs to have the interval `i` in memory; registers of the
/// set `preferred` are taken before others. Returns how many intervals are in memory.
///
/// Cost: O(n log n + n × registers × log n) for n intervals, and what it takes to keep the lives of each register in order.
///
/// # Panics
/// If there are fewer worths than intervals.
pub fn by_usage(intervals: &[Interval], preferred: u64, worth: &[u32], registers: &mut Vec<Option<u8>>) -> usize {
    registers.clear();
    registers.resize(intervals.len(), None);
    let mut order: Vec<usize> = (0..intervals.len()).collect();
    order.sort_by_key(|&i| Reverse(worth[i]));
    let mut lives: Vec<Vec<(u32, u32)>> = vec![Vec::new(); 64];
    let mut spilled = 0;
    for i in order {
        let Interval { start, end, .. } = intervals[i];
        let place = |lives: &Vec<(u32, u32)>| lives.partition_point(|&(_, other)| other <= start);
        let is_free = |reg: u8| {
            let lives = &lives[usize::from(reg)];
            lives.get(place(lives)).is_none_or(|&(other, _)| other >= end)
        };
        match pick(intervals, i, preferred, registers, is_free) {
            Some(reg) => {
                let lives = &mut lives[usize::from(reg)];
                let at = place(lives);
                lives.insert(at, (start, end));
                registers[i] = Some(reg);
            }
            None => spilled += 1,
        }
    }
    spilled
}

/// Graph colouring without coalescing: Chaitin's simplification, with the optimism of Briggs, Cooper & Torczon, *Improvements to Graph
/// Coloring Register Allocation* (TOPLAS 16(3), 1994), section 3. Arguments and result as of [`by_usage`].
///
/// Cost: that of the interference graph, up to n² / 2 edges for n intervals.
///
/// # Panics
/// If there are fewer worths than intervals.
pub fn by_coloring(intervals: &[Interval], preferred: u64, worth: &[u32], registers: &mut Vec<Option<u8>>) -> usize {
    registers.clear();
    registers.resize(intervals.len(), None);
    let neighbors = interference(intervals);
    let mut degrees: Vec<usize> = neighbors.iter().map(Vec::len).collect();
    let colors = |i: usize| intervals[i].allowed.count_ones() as usize;
    let mut removed = vec![false; intervals.len()];
    let mut easy: Vec<usize> = (0..intervals.len()).filter(|&i| degrees[i] < colors(i)).collect();
    // Who is removed from the graph although there may be no colour: what it costs, by how much it would help.
    let mut hard: Vec<usize> = (0..intervals.len()).filter(|&i| degrees[i] >= colors(i)).collect();
    let mut stack = Vec::with_capacity(intervals.len());
    loop {
        let next = match easy.pop() {
            Some(i) if removed[i] => continue,
            Some(i) => i,
            None => {
                hard.retain(|&i| !removed[i]);
                // Least worth for its degree, without a division.
                let cheaper = |&a: &usize, &b: &usize| {
                    let cost = |i: usize, other: usize| u64::from(worth[i]) * degrees[other] as u64;
                    cost(a, b).cmp(&cost(b, a))
                };
                match hard.iter().copied().min_by(cheaper) {
                    Some(i) => i,
                    None => break,
                }
            }
        };
        removed[next] = true;
        stack.push(next);
        for &n in &neighbors[next] {
            if !removed[n as usize] {
                degrees[n as usize] -= 1;
                if degrees[n as usize] + 1 == colors(n as usize) {
                    easy.push(n as usize);
                }
            }
        }
    }
    let mut spilled = 0;
    while let Some(i) = stack.pop() {
        let taken = neighbors[i].iter().fold(0u64, |taken, &n| match registers[n as usize] {
            Some(reg) => taken | 1 << reg,
            None => taken,
        });
        registers[i] = pick(intervals, i, preferred, registers, |reg| taken >> reg & 1 == 0);
        spilled += usize::from(registers[i].is_none());
    }
    spilled
}

/// A register for the interval `i`: the one that it would like, else one of `preferred`, else any that is free.
fn pick(
    intervals: &[Interval],
    i: usize,
    preferred: u64,
    registers: &[Option<u8>],
    is_free: impl Fn(u8) -> bool,
) -> Option<u8> {
    let Interval { allowed, hint, .. } = intervals[i];
    let liked = hint.resolve(registers).filter(|&reg| allowed >> reg & 1 != 0 && is_free(reg));
    let first_of = |set: u64| (0..64).find(|&reg| set >> reg & 1 != 0 && is_free(reg));
    liked.or_else(|| first_of(allowed & preferred)).or_else(|| first_of(allowed & !preferred))
}

/// For each interval, those that it overlaps and that want a register of the same set.
fn interference(intervals: &[Interval]) -> Vec<Vec<u32>> {
    let mut neighbors = vec![Vec::new(); intervals.len()];
    let mut order: Vec<usize> = (0..intervals.len()).collect();
    order.sort_by_key(|&i| intervals[i].start);
    let mut alive: Vec<usize> = Vec::new();
    for i in order {
        let Interval { start, end, allowed, .. } = intervals[i];
        alive.retain(|&other| intervals[other].end > start);
        for &other in alive.iter().filter(|&&other| intervals[other].allowed & allowed != 0) {
            neighbors[i].push(other as u32);
            neighbors[other].push(i as u32);
        }
        if end > start {
            alive.push(i);
        }
    }
    neighbors
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Hint, IntervalScan};

    /// Random intervals of `registers` registers, in order, and what they are worth.
    fn random(seed: u64, count: usize, registers: u32) -> (Vec<Interval>, Vec<u32>) {
        let mut state = seed | 1;
        let mut next = |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        let all = (1 << registers) - 1;
        let mut intervals: Vec<Interval> = (0..count)
            .map(|i| {
                let start = next(300) as u32;
                let allowed = match all & next(1 << registers) {
                    0 => all,
                    some => some,
                };
                let hint = match next(3) {
                    0 => Hint::register(next(u64::from(registers)) as u8),
                    1 if i > 0 => Hint::like(next(i as u64) as u32),
                    _ => Hint::NONE,
                };
                Interval { start, end: start + 1 + next(60) as u32, allowed, hint }
            })
            .collect();
        intervals.sort_by_key(|interval| interval.start);
        let worth = (0..count).map(|_| next(1000) as u32).collect();
        (intervals, worth)
    }

    #[test]
    fn no_two_that_overlap_share_a_register() {
        for seed in 1..200 {
            let registers = 2 + seed as u32 % 12;
            let (intervals, worth) = random(seed, 120, registers);
            let preferred = seed.wrapping_mul(0x9e37_79b9);
            let mut places = Vec::new();
            let mut scan = IntervalScan::new();
            for (method, name) in [(0, "usage counts"), (1, "graph colouring"), (2, "linear scan")] {
                let spilled = match method {
                    0 => by_usage(&intervals, preferred, &worth, &mut places),
                    1 => by_coloring(&intervals, preferred, &worth, &mut places),
                    _ => scan.run(&intervals, preferred, &worth, &mut places),
                };
                assert_eq!(spilled, places.iter().filter(|place| place.is_none()).count(), "{name}");
                for (i, a) in intervals.iter().enumerate() {
                    let Some(reg) = places[i] else { continue };
                    assert_ne!(a.allowed >> reg & 1, 0, "{name}: {i} may not have register {reg}");
                    for (j, b) in intervals.iter().enumerate().skip(i + 1) {
                        let overlap = a.start < b.end && b.start < a.end;
                        assert!(!overlap || places[j] != Some(reg), "{name}: {i} and {j} share register {reg}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_fits_is_not_in_memory() {
        let interval = |start, end| Interval { start, end, allowed: 0b11, hint: Hint::NONE };
        let intervals = [interval(0, 4), interval(0, 2), interval(2, 6), interval(4, 6)];
        let mut places = Vec::new();
        assert_eq!(by_coloring(&intervals, 0b11, &[1; 4], &mut places), 0);
        assert_eq!(by_usage(&intervals, 0b11, &[1; 4], &mut places), 0);
    }

    #[test]
    fn what_is_worth_least_goes_to_memory() {
        let interval = |start, end| Interval { start, end, allowed: 0b1, hint: Hint::NONE };
        let intervals = [interval(0, 9), interval(1, 3), interval(4, 6)];
        let mut places = Vec::new();
        by_usage(&intervals, 0b1, &[1, 5, 5], &mut places);
        assert_eq!(places, [None, Some(0), Some(0)]);
        by_coloring(&intervals, 0b1, &[1, 5, 5], &mut places);
        assert_eq!(places, [None, Some(0), Some(0)]);
    }
}
