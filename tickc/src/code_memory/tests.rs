//! A naive model, the invariants, and both strategies on private regions.

use std::collections::HashSet;
use std::fs;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use super::AllocError;
use super::free_list::{FreeList, Span, Spans};
use super::map::Strategy;
use super::node::Node;
use super::region::{LARGE, Region};
use super::resident::CHUNK;
use super::thread::Cache;

const BOTH: [Strategy; 2] = [Strategy::TwoViews, Strategy::Flip];

fn region<P>(strategy: Strategy, len: usize) -> Region<P> {
    Region::with_strategy(strategy, len).expect("this system allows both strategies")
}

/// A published function, sendable as the owner's handle is.
struct Owned<P>(NonNull<Node<P>>);

// SAFETY: as a `Func`: the node is shared, its payload `Sync`.
unsafe impl<P: Send + Sync> Send for Owned<P> {}

impl<P> Owned<P> {
    fn node(&self) -> &Node<P> {
        // SAFETY: published, and released only by `release`, which consumes the handle.
        unsafe { self.0.as_ref() }
    }

    fn code(&self) -> &[u8] {
        // SAFETY: published code is mapped, readable, and does not change.
        unsafe { std::slice::from_raw_parts(self.node().exec(), self.node().len()) }
    }

    fn call(&self) -> u32 {
        // SAFETY: the tests that call this wrote `mov eax, imm32; ret` there.
        let function: extern "C" fn() -> u32 = unsafe { std::mem::transmute(self.node().exec()) };
        function()
    }

    fn release(self, region: &Region<P>) {
        // SAFETY: the handle is the only one, and it is gone.
        unsafe { region.release(self.0) }
    }
}

fn compile<P>(cache: &Cache<'_, P>, len: usize, fill: u8, payload: P) -> Owned<P> {
    let mut place = cache.reserve(len).expect("there is room");
    place.bytes().fill(fill);
    Owned(place.publish().expect("pages can be published").commit(payload))
}

/// `mov eax, value; ret`, followed by traps.
fn compile_constant<P>(cache: &Cache<'_, P>, len: usize, value: u32, payload: P) -> Owned<P> {
    let mut place = cache.reserve(len.max(6)).expect("there is room");
    let bytes = place.bytes();
    bytes[6..].fill(0xcc);
    bytes[0] = 0xb8;
    bytes[1..5].copy_from_slice(&value.to_le_bytes());
    bytes[5] = 0xc3;
    Owned(place.publish().expect("pages can be published").commit(payload))
}

struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 16) % end as u64) as usize
    }
}

/// Protection and range of each mapping of this process.
fn maps() -> Vec<(usize, usize, String)> {
    let text = fs::read_to_string("/proc/self/maps").expect("procfs");
    let parse = |line: &str| {
        let mut words = line.split_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let address = |hex| usize::from_str_radix(hex, 16).ok();
        Some((address(start)?, address(end)?, words.next()?.to_owned()))
    };
    text.lines().filter_map(parse).collect()
}

fn protection_at(address: usize) -> String {
    let found = maps().into_iter().find(|&(start, end, _)| (start..end).contains(&address));
    found.expect("mapped").2
}

fn assert_never_both() {
    for (start, end, protection) in maps() {
        let both = protection.contains('w') && protection.contains('x');
        assert!(!both, "I1: {start:x}-{end:x} {protection}");
    }
}

fn assert_all_free<P>(region: &Region<P>) {
    let stats = region.stats();
    assert_eq!(stats.in_use, 0, "{stats:?}");
}

#[test]
fn random_reserve_and_release_against_a_model() {
    for (strategy, region_len, steps) in [(BOTH[0], 4 << 20, 60_000), (BOTH[1], 16 << 20, 6_000)] {
        let region = region::<u64>(strategy, region_len);
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        // Model: the live functions with what was written into them.
        let mut live: Vec<(Owned<u64>, u8)> = Vec::new();
        {
            let cache = Cache::new(&region);
            for step in 0..steps {
                let grow = if step / 3000 % 2 == 0 { 6 } else { 4 };
                if random.below(10) < grow {
                    let len = match random.below(100) {
                        0 => random.below(4 * LARGE),
                        1..10 => random.below(4096),
                        _ => 1 + random.below(300),
                    };
                    let fill = random.below(256) as u8;
                    match cache.reserve(len) {
                        Ok(mut place) if random.below(20) > 0 => {
                            assert_eq!(place.exec() as usize % 64, 0);
                            place.bytes().fill(fill);
                            live.push((Owned(place.publish().unwrap().commit(step as u64)), fill));
                        }
                        Ok(abandoned) => drop(abandoned),
                        Err(err) => assert_eq!(err, AllocError::Full { requested: err_len(&err) }),
                    }
                } else if !live.is_empty() {
                    let (function, fill) = live.swap_remove(random.below(live.len()));
                    assert!(function.code().iter().all(|&byte| byte == fill));
                    function.release(&region);
                }
                if step % 1000 == 0 {
                    check_disjoint(&region, &live);
                }
            }
            check_disjoint(&region, &live);
        }
        for (function, fill) in live {
            assert!(function.code().iter().all(|&byte| byte == fill));
            function.release(&region);
        }
        assert_all_free(&region);
    }
}

fn err_len(err: &AllocError) -> usize {
    match err {
        AllocError::Full { requested } => *requested,
        AllocError::Denied { what } => panic!("{what}"),
    }
}

fn check_disjoint(region: &Region<u64>, live: &[(Owned<u64>, u8)]) {
    let (base, len) = region.bounds();
    let mut ranges: Vec<_> = live.iter().map(|(f, _)| (f.node().exec() as usize, f.node().len())).collect();
    ranges.sort_unstable();
    for pair in ranges.windows(2) {
        assert!(pair[0].0 + pair[0].1 <= pair[1].0, "I2");
    }
    if let (Some(first), Some(last)) = (ranges.first(), ranges.last()) {
        assert!(first.0 >= base as usize && last.0 + last.1 <= base as usize + len);
    }
}

#[test]
fn free_list_against_a_bitmap() {
    const UNIT: u32 = 16;
    let mut random = Random(77);
    let mut list = FreeList::new(1 << 18, UNIT);
    let mut used = vec![false; 1 << 14];
    let mut held: Vec<Span> = Vec::new();
    for _ in 0..6_000 {
        if random.below(2) == 0 {
            let magnitude = random.below(11);
            let need = UNIT * (1 + random.below(1 << magnitude) as u32);
            let mut out = Spans::new();
            let found = list.take(need, need.max(UNIT << random.below(9)), &mut out);
            let longest = used.split(|&bit| bit).map(<[bool]>::len).max().unwrap_or(0);
            assert_eq!(found, longest as u32 * UNIT >= need, "found whenever there is one");
            while let Some(span) = out.pop() {
                assert!(span.len >= need);
                for unit in span.start / UNIT..(span.start + span.len) / UNIT {
                    assert!(!used[unit as usize], "I2");
                    used[unit as usize] = true;
                }
                held.push(span);
            }
        } else if !held.is_empty() {
            // In two parts, as functions are freed one by one.
            let span = held.swap_remove(random.below(held.len()));
            let first = UNIT * random.below((span.len / UNIT) as usize + 1) as u32;
            list.insert(Span { start: span.start + first, len: span.len - first });
            list.insert(Span { start: span.start, len: first });
            used[(span.start / UNIT) as usize..((span.start + span.len) / UNIT) as usize].fill(false);
        }
        if random.below(100) == 0 {
            let free = used.iter().filter(|&&bit| !bit).count() as u32 * UNIT;
            assert_eq!(list.spans().map(|span| span.len).sum::<u32>(), free);
            assert_eq!(list.free_bytes(), free);
        }
    }
    for span in held {
        list.insert(span);
    }
    assert_eq!(list.free_bytes(), 1 << 18);
    assert_eq!(list.spans().next(), Some(Span { start: 0, len: 1 << 18 }));
}

#[test]
fn code_runs_and_nothing_is_ever_writable_and_executable() {
    for strategy in BOTH {
        let region = region::<()>(strategy, 1 << 20);
        let cache = Cache::new(&region);
        let functions: Vec<_> = (0..100)
            .map(|i| {
                let function = compile_constant(&cache, 40, i * 7, ());
                if i % 10 == 0 {
                    assert_never_both();
                }
                function
            })
            .collect();
        for (i, function) in functions.iter().enumerate() {
            assert_eq!(function.call(), i as u32 * 7);
            let protection = protection_at(function.node().exec() as usize);
            assert!(protection.starts_with("r-x"), "{protection}");
        }
        assert_never_both();
        functions.into_iter().for_each(|function| function.release(&region));
    }
}

#[test]
fn reused_memory_runs_the_new_code_at_once() {
    for (strategy, rounds) in [(BOTH[0], 300_000), (BOTH[1], 20_000)] {
        let region = region::<()>(strategy, 1 << 20);
        let cache = Cache::new(&region);
        for i in 0..rounds {
            let function = compile_constant(&cache, 16 + i as usize % 200, i, ());
            assert_eq!(function.call(), i);
            function.release(&region);
        }
    }
}

#[test]
fn flip_leaves_published_pages_alone_and_reuses_freed_ones() {
    let region = region::<()>(Strategy::Flip, 1 << 20);
    let cache = Cache::new(&region);
    let keep: Vec<_> = (0..20).map(|i| compile_constant(&cache, 100, i, ())).collect();
    let pages: HashSet<_> = keep.iter().map(|f| f.node().exec() as usize / 4096).collect();
    assert_eq!(pages.len(), keep.len(), "I4: a function has its pages for itself");
    let stop = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let keep: Vec<_> = keep.iter().map(|f| Owned(f.0)).collect();
        let stop = &stop;
        // Runs the kept functions all the while: a page that lost its permission for a moment would be fatal.
        scope.spawn(move || {
            while stop.load(Ordering::Relaxed) == 0 {
                for (i, function) in keep.iter().enumerate() {
                    assert_eq!(function.call(), i as u32);
                }
            }
        });
        for i in 0..3000 {
            let function = compile_constant(&cache, 100 + i % 9000, 1, ());
            assert!(!pages.contains(&(function.node().exec() as usize / 4096)));
            function.release(&region);
        }
        stop.store(1, Ordering::Relaxed);
    });
    assert_never_both();
    let stats = region.stats();
    assert!(stats.resident <= 1 << 20 && stats.nodes <= 1024, "{stats:?}");
    keep.into_iter().for_each(|function| function.release(&region));
    drop(cache);
    assert_all_free(&region);
}

#[test]
fn a_full_region_says_so_and_recovers() {
    for (strategy, size) in [(BOTH[0], 5000), (BOTH[0], LARGE + 1), (BOTH[1], 5000)] {
        let region = region::<()>(strategy, 1 << 20);
        let cache = Cache::new(&region);
        for _ in 0..3 {
            let mut live = Vec::new();
            let err = loop {
                match cache.reserve(size) {
                    Ok(place) => live.push(Owned(place.publish().unwrap().commit(()))),
                    Err(err) => break err,
                }
            };
            assert!(matches!(err, AllocError::Full { .. }), "{err:?}");
            assert!(live.len() * size > (1 << 20) * 5 / 10, "{} of {size}", live.len());
            live.into_iter().for_each(|function| function.release(&region));
        }
        assert!(matches!(cache.reserve(usize::MAX), Err(AllocError::Full { .. })));
        drop(cache);
        assert_all_free(&region);
        assert!(Cache::new(&region).reserve(1 << 20).is_ok(), "everything joined again");
    }
}

#[test]
fn payloads_are_dropped_once_and_not_under_the_lock() {
    struct Counted(&'static Region<Counted>);
    impl Drop for Counted {
        fn drop(&mut self) {
            COUNT.fetch_add(1, Ordering::Relaxed);
            // Invariant I5: this takes the lock.
            self.0.stats();
        }
    }
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    // Leaked, because payloads refer to the region they lie in.
    let region: &Region<Counted> = Box::leak(Box::new(region(Strategy::TwoViews, 1 << 20)));
    let cache = Cache::new(region);
    for i in 0..1000 {
        drop(cache.reserve(10).unwrap());
        compile(&cache, 10 + i * 40, 0, Counted(region)).release(region);
    }
    assert_eq!(COUNT.load(Ordering::Relaxed), 1000);
}

#[test]
fn eight_threads_release_each_others_functions_in_constant_memory() {
    for (strategy, rounds) in [(BOTH[0], 40_000_u32), (BOTH[1], 1_500)] {
        let region = region::<u32>(strategy, 64 << 20);
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..8).map(|_| mpsc::sync_channel::<Owned<u32>>(64)).unzip();
        std::thread::scope(|scope| {
            for (id, inbox) in receivers.into_iter().enumerate() {
                let outbox = senders[(id + 1) % 8].clone();
                let region = &region;
                scope.spawn(move || {
                    let cache = Cache::new(region);
                    let mut random = Random(id as u64 + 1);
                    for i in 0..rounds {
                        let function = compile_constant(&cache, 6 + random.below(400), i, i);
                        if random.below(2) == 0 {
                            assert_eq!(function.call(), i);
                            function.release(region);
                        } else if let Err(full) = outbox.try_send(function) {
                            let (mpsc::TrySendError::Full(function) | mpsc::TrySendError::Disconnected(function)) =
                                full;
                            function.release(region);
                        }
                        while let Ok(function) = inbox.try_recv() {
                            assert_eq!(function.call(), *function.node().payload());
                            function.release(region);
                        }
                    }
                    drop(outbox);
                    for function in inbox.iter() {
                        function.release(region);
                    }
                });
            }
            drop(senders);
        });
        let stats = region.stats();
        assert_eq!(stats.in_use, 0, "threads gave back what they held: {stats:?}");
        assert!(stats.nodes <= 20_000, "{stats:?}");
        let limit = if strategy == Strategy::Flip { 32 << 20 } else { 6 << 20 };
        assert!(stats.resident <= limit, "{stats:?}");
    }
}

#[test]
fn a_million_functions_in_constant_memory() {
    let region = region::<[u64; 4]>(Strategy::TwoViews, 64 << 20);
    let cache = Cache::new(&region);
    // A few stay, so that free memory is in pieces.
    let mut live = Vec::new();
    for i in 0..1_000_000_u64 {
        let function = compile(&cache, 16 + i as usize % 500, 1, [i; 4]);
        if i % 64 == 0 {
            live.push(function);
            if live.len() > 100 {
                live.swap_remove((i * 7 % 100) as usize).release(&region);
            }
        } else {
            function.release(&region);
        }
    }
    let stats = region.stats();
    assert!(stats.resident <= 1 << 20 && stats.nodes <= 2048, "{stats:?}");
    live.into_iter().for_each(|function| function.release(&region));
    drop(cache);
    assert_all_free(&region);
}

#[test]
fn random_lifetimes_do_not_grow_the_region() {
    let region = region::<()>(Strategy::TwoViews, 256 << 20);
    let cache = Cache::new(&region);
    let mut random = Random(5);
    let mut live: Vec<_> = (0..20_000).map(|_| compile(&cache, 50 + random.below(400), 1, ())).collect();
    let before = region.stats();
    for _ in 0..300_000 {
        let i = random.below(live.len());
        live.swap_remove(i).release(&region);
        live.push(compile(&cache, 50 + random.below(400), 1, ()));
    }
    let after = region.stats();
    assert!(after.resident <= before.resident * 3 / 2, "{before:?} {after:?}");
}

#[test]
fn pages_of_much_free_memory_go_back_and_return() {
    for strategy in BOTH {
        let region = region::<()>(strategy, 128 << 20);
        let cache = Cache::new(&region);
        for _ in 0..2 {
            let live: Vec<_> = (0..80).map(|i| compile(&cache, 1 << 20, i, ())).collect();
            assert!(region.stats().resident >= 80 << 20);
            for (i, function) in live.into_iter().enumerate() {
                assert!(function.code().iter().all(|&byte| byte == i as u8));
                function.release(&region);
            }
            let stats = region.stats();
            assert!(stats.resident <= 17 << 20 && stats.trims > 0, "{stats:?}");
            assert!(stats.trims < 20, "in batches: {stats:?}");
        }
    }
}

/// Whether `check` holds in a child process.
fn in_child(check: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child runs `check`, which takes no lock another thread might have held, and ends without unwinding.
    unsafe {
        let child = libc::fork();
        if child == 0 {
            libc::_exit(i32::from(!check()));
        }
        let mut status = -1;
        assert_eq!(libc::waitpid(child, &mut status, 0), child);
        status == 0
    }
}

#[test]
fn a_childs_views_are_gone() {
    let region = region::<()>(Strategy::TwoViews, 1 << 20);
    let function = compile_constant(&Cache::new(&region), 6, 1, ());
    assert!(in_child(|| {
        let page = function.node().exec() as usize & !4095;
        let mut resident = 0_u8;
        // SAFETY: asks about a page, and does not touch it.
        unsafe { libc::mincore(page as *mut _, 1, &mut resident) != 0 }
    }));
    function.release(&region);
}

#[test]
fn a_process_that_may_not_turn_pages_executable_has_two_views() {
    const PR_SET_MDWE: libc::c_int = 65;
    assert!(in_child(|| {
        // SAFETY: restricts this child only.
        if unsafe { libc::prctl(PR_SET_MDWE, 1, 0, 0, 0) } != 0 {
            return true; // An older kernel.
        }
        let flip = Region::<()>::with_strategy(Strategy::Flip, 1 << 20);
        let Ok(region) = Region::<()>::open(1 << 20) else {
            return false;
        };
        let function = compile_constant(&Cache::new(&region), 6, 7, ());
        flip.is_err() && function.call() == 7
    }));
}

#[test]
fn limits_of_the_process_make_the_region_smaller_or_a_clear_error() {
    let limited = |resource, bytes, expect: fn(Result<Region<()>, AllocError>) -> bool| {
        in_child(|| {
            let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
            // SAFETY: restricts this child only.
            unsafe { libc::setrlimit(resource, &limit) };
            expect(Region::open(64 << 20))
        })
    };
    // A larger file would end the process.
    assert!(limited(libc::RLIMIT_FSIZE, 8 << 20, |region| region.is_ok_and(|region| region.bounds().1 == 8 << 20)));
    assert!(limited(libc::RLIMIT_AS, 1 << 20, |region| {
        matches!(region, Err(AllocError::Denied { what }) if what.contains("executable"))
    }));
}

#[test]
fn a_sweep_gets_past_any_stretch_in_use() {
    let mut list = FreeList::new(64 << 20, 16);
    let mut out = Spans::new();
    assert!(list.take(64 << 20, 64 << 20, &mut out));
    // Pieces too short, for longer than one call looks; then one that fits.
    for start in (0..32 << 20).step_by(64) {
        list.insert(Span { start, len: 32 });
    }
    list.insert(Span { start: 48 << 20, len: 1024 });
    for _ in 0..2 {
        let mut out = Spans::new();
        assert!(list.take(1024, 1024, &mut out));
        let span = out.pop().expect("one span");
        assert_eq!(span, Span { start: 48 << 20, len: 1024 });
        list.insert(span);
    }
}

#[test]
fn the_process_region_serves_ending_threads() {
    struct AtExit;
    impl Drop for AtExit {
        fn drop(&mut self) {
            // The thread's cache may be gone by now, or not yet; it must work all the same.
            drop(super::reserve(100).expect("room"));
        }
    }
    thread_local!(static LATE: AtExit = const { AtExit });
    let body = || LATE.with(|_| drop(super::reserve(10).expect("room")));
    for _ in 0..50 {
        std::thread::spawn(body).join().expect("no panic at exit");
    }
    let (base, len) = super::bounds().expect("a region");
    assert!(!base.is_null() && len.is_multiple_of(CHUNK as usize));
    assert_eq!(super::stats().expect("a region").mapped, len);
}
