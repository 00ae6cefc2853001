//! What this process takes from the machine, as the kernel tells: Linux in `/proc/self`, Windows by its functions.

use std::time::Duration;

use crate::app::ports::{ProcessUse, ProcessVitals};

/// This process.
#[derive(Debug, Clone, Copy, Default)]
pub struct OwnProcess;

impl ProcessVitals for OwnProcess {
    #[cfg(target_os = "linux")]
    fn usage(&self) -> Option<ProcessUse> {
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        let page = u64::try_from(rustix::param::page_size()).ok()?;
        let open_files = u64::try_from(std::fs::read_dir("/proc/self/fd").ok()?.count()).ok()?;
        // The directory itself was open while it was read.
        read_stat(&stat, rustix::param::clock_ticks_per_second(), page, open_files.saturating_sub(1))
    }

    #[cfg(windows)]
    fn usage(&self) -> Option<ProcessUse> {
        use winsafe::{HPROCESS, HPROCESSLIST, co};
        let own = HPROCESS::GetCurrentProcess();
        let (_, _, kernel, user) = own.GetProcessTimes().ok()?;
        // In units of 100 ns.
        let units = u64::from(kernel).saturating_add(u64::from(user));
        let mut everything = HPROCESSLIST::CreateToolhelp32Snapshot(co::TH32CS::SNAPTHREAD, None).ok()?;
        let is_own = |owner: u32| owner == std::process::id();
        let threads =
            everything.iter_threads().flatten().filter(|entry| is_own(entry.th32OwnerProcessID)).count();
        Some(ProcessUse {
            resident: u64::try_from(own.GetProcessMemoryInfo().ok()?.WorkingSetSize).ok()?,
            open_files: u64::from(own.GetProcessHandleCount().ok()?),
            threads: u64::try_from(threads).ok()?,
            processor: Duration::from_nanos(units.saturating_mul(100)),
        })
    }

    #[cfg(not(any(target_os = "linux", windows)))]
    fn usage(&self) -> Option<ProcessUse> {
        None
    }
}

/// Reads `/proc/[pid]/stat` (proc_pid_stat(5)): what follows the program's name, which is in brackets and may hold anything.
#[cfg(target_os = "linux")]
fn read_stat(stat: &str, ticks_a_second: u64, page: u64, open_files: u64) -> Option<ProcessUse> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    // The first of these is field 3 of the manual.
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    let ticks = field(14)?.saturating_add(field(15)?);
    let millis = ticks.saturating_mul(1_000).checked_div(ticks_a_second)?;
    Some(ProcessUse {
        resident: field(24)?.saturating_mul(page),
        open_files,
        threads: field(20)?,
        processor: Duration::from_millis(millis),
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_from_the_last_bracket_of_the_name() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 900 0 1 0 250 50 0 0 20 0 12 0 100 9000000 5000 18446744073709551615";
        let usage = read_stat(stat, 100, 4096, 9).unwrap();
        assert_eq!((usage.resident, usage.threads, usage.open_files), (5000 * 4096, 12, 9));
        assert_eq!(usage.processor, Duration::from_secs(3));
        assert_eq!(read_stat("7 (short) S 1", 100, 4096, 9), None);
        assert!(OwnProcess.usage().unwrap().resident > 1 << 20);
    }
}
