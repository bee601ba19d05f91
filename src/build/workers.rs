//! Threads for work that blocks: on a lock of another process, or on another program.
//!
//! A rayon thread that waits for a part of its work takes other work meanwhile. While it holds the
//! lock of one wheel, it must not take another wheel: a process that waits for the first lock may
//! hold the second. So wheels have threads of their own, and only the work within one wheel runs on
//! rayon's threads.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Error, Result};

use crate::process::threads;

/// Does the work for each item, started in their order, on as many threads as there are processors.
/// Returns the results in that order.
///
/// # Errors
/// The error of the first item, in their order, whose work fails; no further work is started after
/// an error.
pub(super) fn in_order<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(items.len()));
    let failed: Mutex<Option<(usize, Error)>> = Mutex::new(None);
    let worker = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { return };
            match work(item) {
                Ok(result) => locked(&done).push((index, result)),
                Err(error) => {
                    next.store(items.len(), Ordering::Relaxed);
                    let mut failed = locked(&failed);
                    // Earlier items were started earlier, and are still waited for.
                    if failed.as_ref().is_none_or(|(first, _)| index < *first) {
                        *failed = Some((index, error));
                    }
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..rayon::current_num_threads().min(items.len()) {
            // If no thread can be started, this one does all the work.
            let _ = threads::spawn_scoped(scope, worker);
        }
        worker();
    });
    if let Some((_, error)) = failed
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
    {
        return Err(error);
    }
    let mut done = done
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_unstable_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_order_and_the_first_failure_counts() {
        let items: Vec<usize> = (0..100).collect();
        assert_eq!(
            in_order(&items, |item| Ok(item * 2)).unwrap(),
            (0..100).map(|item| item * 2).collect::<Vec<_>>()
        );
        assert!(
            in_order(&[] as &[usize], |item| Ok(*item))
                .unwrap()
                .is_empty()
        );
        for _ in 0..20 {
            let error = in_order(&items, |item| {
                if *item == 3 {
                    std::thread::sleep(std::time::Duration::from_millis(2));
                }
                anyhow::ensure!(*item < 3, "item {item}");
                Ok(())
            });
            assert_eq!(error.unwrap_err().to_string(), "item 3");
        }
    }
}
