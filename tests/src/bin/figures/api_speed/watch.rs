//! What a process that answers pays for it: time on the processors, memory; and what the disk takes.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::Instant;

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_setaffinity};

/// Where the measured process runs, and where the load.
pub const SERVER: usize = 0;
pub const CLIENT: usize = 1;

/// Time on a processor so far of each thread of a process, nanoseconds.
///
/// Finer than the hundredths of a second in `/proc/PID/stat`; a thread that has ended since counts for nothing, and only
/// idle ones end.
pub struct Spent(HashMap<String, u64>);

impl Spent {
    /// Looks now.
    pub fn now(process: u32) -> Self {
        let tasks = std::fs::read_dir(format!("/proc/{process}/task")).expect("the process runs");
        let times = tasks.flatten().filter_map(|task| {
            // A thread may have ended since it was listed.
            let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
            Some((task.file_name().to_string_lossy().into_owned(), text.split(' ').next()?.parse().ok()?))
        });
        Self(times.collect())
    }

    /// Seconds since then.
    pub fn until(&self, later: &Self) -> f64 {
        let spent = |(task, after): (&String, &u64)| after - self.0.get(task).copied().unwrap_or(0);
        std::time::Duration::from_nanos(later.0.iter().map(spent).sum()).as_secs_f64()
    }
}

/// Keeps all threads of a process, and those that they start, on these processors.
pub fn pin(process: u32, processors: &[usize]) {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).expect("the process runs");
    for task in tasks.flatten() {
        let id = task.file_name().to_string_lossy().parse().ok().and_then(Pid::from_raw);
        // A thread may have ended since it was listed.
        let _ = sched_setaffinity(Some(id.expect("a thread")), &set(processors));
    }
}

/// Keeps the calling thread on a processor.
pub fn pin_myself(processor: usize) {
    sched_setaffinity(None, &set(&[processor])).expect("two processors");
}

fn set(processors: &[usize]) -> CpuSet {
    let mut set = CpuSet::new();
    for processor in processors {
        set.set(*processor);
    }
    set
}

/// Field of `/proc/PID/status`, in MiB.
pub fn memory_mib(process: u32, field: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("the field");
    let kib = line.trim_start_matches(':').split_whitespace().next().and_then(|kib| kib.parse::<f64>().ok());
    kib.expect("a number") / 1024.0
}

/// Lets the peak of the resident memory begin anew.
pub fn forget_peak(process: u32) -> io::Result<()> {
    std::fs::write(format!("/proc/{process}/clear_refs"), "5")
}

/// How many durable writes of a commit's size the disk takes a second.
#[expect(clippy::disallowed_methods, reason = "measures")]
pub fn appends_per_second(directory: &Path) -> f64 {
    const APPENDS: u32 = 300;
    let mut file = tempfile::tempfile_in(directory).expect("a file");
    let begun = Instant::now();
    for _ in 0..APPENDS {
        file.write_all(&[7; 4120]).and_then(|()| file.sync_data()).expect("written");
    }
    f64::from(APPENDS) / begun.elapsed().as_secs_f64()
}
