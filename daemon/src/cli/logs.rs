//! Where logs go: to standard error for the service manager, and where the configuration says so as JSON lines into a file of limited
//! size that nobody but its owner reads; warnings and errors on Windows also to the event log.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt, registry};

use crate::config::LogSection;
use crate::system::{owned, terminal_takes_codes};

/// Starts logging, once.
///
/// # Errors
/// The file cannot be written to.
pub(super) fn start(section: &LogSection) -> io::Result<()> {
    crate::system::quiet_panics();
    let filter = || EnvFilter::try_new(&section.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let file = section
        .file
        .as_deref()
        .map(|path| RotatingFile::open(path, section.file_mib.saturating_mul(1 << 20), section.keep_files));
    let lines = file.transpose()?.map(|file| {
        fmt::layer().json().flatten_event(true).with_writer(Mutex::new(file)).with_filter(filter())
    });
    let people = fmt::layer().with_writer(io::stderr);
    // Of itself it asks for NO_COLOR only.
    let people = if terminal_takes_codes() { people } else { people.with_ansi(false) };
    let logs = registry().with(people.with_filter(filter())).with(lines);
    #[cfg(windows)]
    let logs = logs.with(
        fmt::layer()
            .without_time()
            .with_level(false)
            .with_ansi(false)
            .with_writer(crate::system::event_log::EventLogWriter)
            .with_filter(tracing_subscriber::filter::LevelFilter::WARN),
    );
    // Only a second subscriber could make this fail, and then logs already go somewhere.
    let _ = logs.try_init();
    Ok(())
}

/// A file that is turned over before it grows beyond its size: `log`, then `log.1`, the newest of the older ones, and so on.
struct RotatingFile {
    path: PathBuf,
    limit: u64,
    keep: u8,
    file: File,
    written: u64,
}

impl RotatingFile {
    fn open(path: &Path, limit: u64, keep: u8) -> io::Result<Self> {
        if let Some(directory) = path.parent() {
            owned::create_directories(directory)?;
        }
        let file = private(path)?;
        let written = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), limit, keep, file, written })
    }

    fn turn_over(&mut self) -> io::Result<()> {
        for number in (1..self.keep).rev() {
            let (from, to) = (self.older(number), self.older(number + 1));
            match fs::rename(from, to) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        fs::rename(&self.path, self.older(1))?;
        self.file = private(&self.path)?;
        self.written = 0;
        Ok(())
    }

    fn older(&self, number: u8) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

/// Opens a file to append to, for its owner alone, whoever made it.
fn private(path: &Path) -> io::Result<File> {
    let file = owned::private().append(true).create(true).open(path)?;
    owned::close_to_others(&file)?;
    Ok(file)
}

impl Write for RotatingFile {
    /// Each call is one line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        if self.written > 0 && self.written.saturating_add(length) > self.limit {
            // A file that cannot be turned over grows on: a line too many is better than a line lost.
            let _ = self.turn_over();
        }
        self.file.write_all(line)?;
        self.written = self.written.saturating_add(length);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_file_is_turned_over_and_the_oldest_goes() {
        let directory = std::env::temp_dir().join(format!("shikaku-log-{}", std::process::id()));
        let path = directory.join("deep/shikakud.log");
        let mut file = RotatingFile::open(&path, 10, 2).unwrap();
        for line in ["first\n", "second\n", "third\n", "fourth\n"] {
            file.write_all(line.as_bytes()).unwrap();
        }
        let read = |name: &str| fs::read_to_string(directory.join("deep").join(name)).unwrap();
        assert_eq!(read("shikakud.log"), "fourth\n");
        assert_eq!((read("shikakud.log.1"), read("shikakud.log.2")), ("third\n".into(), "second\n".into()));
        assert!(!directory.join("deep/shikakud.log.3").exists());
        for name in ["shikakud.log", "shikakud.log.1"] {
            let path = directory.join("deep").join(name);
            let found = fs::metadata(&path).unwrap();
            assert_eq!(owned::exposure(&path, &found).unwrap(), owned::Exposure::Private, "{name}");
        }
        // A later start goes on where this one ended.
        let mut later = RotatingFile::open(&path, 10, 2).unwrap();
        later.write_all(b"fifth\n").unwrap();
        assert_eq!((read("shikakud.log"), read("shikakud.log.1")), ("fifth\n".into(), "fourth\n".into()));
        fs::remove_dir_all(&directory).unwrap();
    }
}
