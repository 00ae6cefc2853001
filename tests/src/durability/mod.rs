//! Proofs of what the store promises: it is killed at any instant, its I/O calls fail one by one, disks lose power in any
//! state, months end, logs are forged, and secrets are looked for everywhere.
//!
//! Each proof is a function that counts and returns what it found; short runs are tests, long ones figures. All chance
//! comes from seeds, and a finding says how to see it again. What happens to the process that writes is done to a process
//! of its own (`store-worker`), never to the one that judges.

#![expect(clippy::expect_used, reason = "a bench that does not stand ends the run with the reason")]

pub mod audit_edits;
pub mod canaries;
pub mod interrupted;
pub mod io_faults;
pub mod judge;
pub mod kill;
pub mod power;
pub mod program;
pub mod purge;
pub mod recovery;
pub mod retention;
pub mod secrets;
pub mod shim;
pub mod site;
mod states;
mod trace;
pub mod work;
mod worker;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// As many as the smallest machine that runs this has cores.
const AT_ONCE: usize = 2;

/// Runs `one` for every number from `first` on, `count` of them, two at a time; the results in order.
fn in_parallel<T: Send>(first: u64, count: u64, one: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let next = AtomicU64::new(0);
    let results = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        break;
                    }
                    let result = one(first + number);
                    results.lock().unwrap_or_else(PoisonError::into_inner).push((number, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Runs asynchronous work to its end on this thread.
fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(work)
}
