//! [`in_parallel`]: several requests at a time, on threads that only wait for the network.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Scope;

use crate::process::threads;

/// The number of requests at a time, unless the caller has a reason for another.
pub const CONNECTIONS: usize = 6;

/// Calls `f` for each item, at most `threads` at a time, and returns the results in the order of
/// the items.
///
/// The calling thread is one of them; the others are not those of `rayon`, which hash and unpack.
/// If a thread cannot be started, the work is done with fewer.
pub fn in_parallel<I: Sync, R: Send>(
    threads: usize,
    items: &[I],
    f: impl Fn(&I) -> R + Sync,
) -> Vec<R> {
    let results: Vec<Mutex<Option<R>>> = items.iter().map(|_| Mutex::new(None)).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some((item, slot)) = {
            let index = next.fetch_add(1, Ordering::Relaxed);
            items.get(index).zip(results.get(index))
        } {
            let result = f(item);
            if let Ok(mut slot) = slot.lock() {
                *slot = Some(result);
            }
        }
    };
    std::thread::scope(|scope| {
        start(scope, threads.min(items.len()).saturating_sub(1), &work);
        work();
    });
    let results = results.into_iter().map(Mutex::into_inner);
    results.filter_map(|slot| slot.ok().flatten()).collect()
}

/// Starts up to `count` threads that do `work`.
fn start<'scope>(scope: &'scope Scope<'scope, '_>, count: usize, work: &'scope (impl Fn() + Sync)) {
    for _ in 0..count {
        if threads::spawn_scoped(scope, work).is_none() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_have_the_order_of_the_items() {
        for threads in [0, 1, 3, 100] {
            let items: Vec<usize> = (0..50).collect();
            let doubled: Vec<usize> = items.iter().map(|item| 2 * item).collect();
            assert_eq!(in_parallel(threads, &items, |item| 2 * item), doubled);
        }
        assert_eq!(in_parallel(6, &[(); 0], |()| 1), [0; 0]);
    }

    #[test]
    fn items_are_processed_at_the_same_time() {
        let barrier = std::sync::Barrier::new(CONNECTIONS);
        in_parallel(CONNECTIONS, &[(); CONNECTIONS], |()| {
            barrier.wait();
        });
    }
}
