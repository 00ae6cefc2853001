//! Retention: what is left after a purge on a full disk, how late it comes, and what jumping clocks do.

use std::path::Path;

use harness::lane;
use harness::retention::{canaries_after_purge, clock_jumps, latest_after_boundary};
use tempfile::TempDir;

use crate::figure;

/// The part with a full disk.
pub const MARK: &str = "figures-retention";
const CANARIES: u32 = 10_000;
const DISK_MIB: u32 = 96;

/// Measures everything; the full disk in namespaces of its own, in a second process of this program.
pub fn measure(long: bool) {
    let program = std::env::current_exe().expect("this program has a path");
    let status = lane::command(program, MARK).args(["--only", "store"]).status().expect("unshare starts");
    assert!(status.success(), "the part {MARK}: {status}");
    let memory = Path::new("/dev/shm");
    let scratch = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
    let scratch = scratch.expect("a directory");
    let (cases, boundaries) = if long { (10_000, 1_000) } else { (300, 100) };
    runtime().block_on(async {
        let late = latest_after_boundary(scratch.path(), boundaries).await;
        figure("store.purge_seconds_after_boundary_max", format!("{:.3}", late.as_secs_f64()));
        let seen = clock_jumps(scratch.path(), cases, 1).await;
        figure("store.clock_cases", seen.cases);
        figure("store.clock_purges", seen.purges);
        figure("store.clock_served_late", seen.served_late);
        figure("store.clock_destroyed_early", seen.destroyed_early);
        figure("store.clock_kept_hidden", seen.kept_hidden);
        figure("store.clock_kept_late", seen.kept_late);
    });
}

/// The part with a full disk, in namespaces of its own.
pub fn on_a_full_disk() {
    let disk = lane::small_disk(DISK_MIB);
    let seen = runtime().block_on(canaries_after_purge(&disk, CANARIES));
    assert!(seen.refused, "the disk was not full");
    figure("store.full_disk_canaries_before", seen.before);
    figure("store.full_disk_canaries_left", seen.left);
    figure("store.full_disk_resumed", u8::from(seen.resumed && seen.room));
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime")
}
