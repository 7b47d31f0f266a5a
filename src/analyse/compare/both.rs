//! Two things done at once. What they come to depends on neither being first.

use std::panic::resume_unwind;
use std::thread;

/// What both come to; the first is done by a thread of its own. Where that panics, so does this.
pub(super) fn both<A: Send, B>(one: impl FnOnce() -> A + Send, other: impl FnOnce() -> B) -> (A, B) {
    thread::scope(|scope| {
        let one = scope.spawn(one);
        let other = other();
        (one.join().unwrap_or_else(|panic| resume_unwind(panic)), other)
    })
}
