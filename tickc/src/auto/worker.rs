//! The one thread that recompiles, for all of the process: started when the first function is hot.
//!
//! It is detached, so that it keeps no process alive. What waits for it are weak handles: a function that is dropped while it
//! waits is not compiled any more.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, Weak};

use super::Hot;

/// How many functions may wait. One more is refused, and asks again later.
const CAPACITY: usize = 64;

struct Queue {
    waiting: VecDeque<Weak<Hot>>,
    /// Whether the thread has been started.
    running: bool,
}

static QUEUE: Mutex<Queue> = Mutex::new(Queue { waiting: VecDeque::new(), running: false });
static MORE: Condvar = Condvar::new();

fn queue() -> MutexGuard<'static, Queue> {
    // Nothing that holds the lock panics in the midst of a change.
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has a function recompiled some time; whether it will be.
pub(super) fn request(hot: Weak<Hot>) -> bool {
    let mut queue = queue();
    if queue.waiting.len() >= CAPACITY {
        return false;
    }
    if !queue.running {
        let thread = std::thread::Builder::new().name("tickc-auto".to_owned());
        if thread.spawn(run).is_err() {
            return false;
        }
        queue.running = true;
    }
    queue.waiting.push_back(hot);
    drop(queue);
    MORE.notify_one();
    true
}

fn run() {
    loop {
        let waiting = MORE.wait_while(queue(), |queue| queue.waiting.is_empty());
        let next = waiting.unwrap_or_else(PoisonError::into_inner).waiting.pop_front();
        // Neither locked nor counted by the queue from here on: a function may be dropped by this handle.
        if let Some(hot) = next.and_then(|hot| hot.upgrade()) {
            // A panic is a fault of a code generator: the function keeps the code that it has.
            let _ = catch_unwind(AssertUnwindSafe(|| hot.improve()));
        }
    }
}
