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
    let filter = || EnvFilter::try_new(&section.filter).map_err(io::Error::other);
    let file = section
        .file
        .as_deref()
        .map(|path| RotatingFile::open(path, section.file_mib.saturating_mul(1 << 20), section.keep_files));
    let lines = file.transpose()?.map(|file| {
        let lines = fmt::layer().json().flatten_event(true).with_writer(Mutex::new(file));
        Ok::<_, io::Error>(lines.with_filter(filter()?))
    });
    let lines = lines.transpose()?;
    let people = fmt::layer().with_writer(io::stderr);
    // Of itself it asks for NO_COLOR only.
    let people = if terminal_takes_codes() { people } else { people.with_ansi(false) };
    let logs = registry().with(people.with_filter(filter()?)).with(lines);
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
    /// How much is written before it is turned over: the limit, or more after an attempt that failed.
    due: u64,
}

impl RotatingFile {
    fn open(path: &Path, limit: u64, keep: u8) -> io::Result<Self> {
        if let Some(directory) = path.parent() {
            owned::create_directories(directory)?;
        }
        let file = private(path)?;
        let written = file.metadata()?.len();
        let opened = Self { path: path.to_owned(), limit, keep, file, written, due: limit };
        // More were kept before the configuration was changed.
        for number in keep.saturating_add(1)..=u8::MAX {
            unless_missing(fs::remove_file(opened.older(number)))?;
        }
        Ok(opened)
    }

    /// Nothing older is touched before the new file is there, and no more than what has to make room: an attempt that fails may be
    /// repeated without losing anything.
    fn turn_over(&mut self) -> io::Result<()> {
        let mut new = self.path.clone().into_os_string();
        new.push(".new");
        // What an attempt that failed left behind.
        unless_missing(fs::remove_file(&new))?;
        let file = private(Path::new(&new))?;
        // Somebody may have taken the file away; then nothing has to make room.
        if is_there(&self.path)? {
            let gap = (1..self.keep).find(|number| !is_there(&self.older(*number)).unwrap_or(true));
            for number in (1..gap.unwrap_or(self.keep)).rev() {
                fs::rename(self.older(number), self.older(number + 1))?;
            }
            unless_missing(fs::rename(&self.path, self.older(1)))?;
        }
        fs::rename(&new, &self.path)?;
        self.file = file;
        (self.written, self.due) = (0, self.limit);
        Ok(())
    }

    fn older(&self, number: u8) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

fn unless_missing(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn is_there(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
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
        if self.written > 0 && self.written.saturating_add(length) > self.due && self.turn_over().is_err() {
            // A file that cannot be turned over grows on, and is not tried again at every line: a line too many is better than a line
            // lost.
            self.due = self.written.saturating_add(length).saturating_add(self.limit / 10);
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

    /// A directory with three full older files, and one more from when more were kept.
    fn full(name: &str) -> (PathBuf, PathBuf) {
        let directory = std::env::temp_dir().join(format!("shikaku-log-{name}-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        for number in 1..=4 {
            fs::write(directory.join(format!("log.{number}")), format!("older {number}\n")).unwrap();
        }
        let path = directory.join("log");
        (directory, path)
    }

    fn older(directory: &Path) -> Vec<String> {
        (1..=4)
            .map(|number| fs::read_to_string(directory.join(format!("log.{number}"))).unwrap_or_default())
            .collect()
    }

    #[test]
    fn a_log_that_somebody_took_away_is_made_anew_and_the_older_ones_stay() {
        let (directory, path) = full("gone");
        let mut file = RotatingFile::open(&path, 10, 3).unwrap();
        assert_eq!(older(&directory)[3], "", "fewer are kept than before");
        file.write_all(b"to nowhere\n").unwrap();
        fs::remove_file(&path).unwrap();
        file.write_all(b"first\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "first\n");
        assert_eq!(older(&directory), ["older 1\n", "older 2\n", "older 3\n", ""]);
        file.write_all(b"second\n").unwrap();
        assert_eq!(older(&directory), ["first\n", "older 1\n", "older 2\n", ""]);
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn what_cannot_be_turned_over_loses_nothing_and_is_tried_again_after_a_tenth() {
        let (directory, path) = full("stuck");
        let mut file = RotatingFile::open(&path, 100, 3).unwrap();
        let in_the_way = directory.join("log.new");
        fs::create_dir(&in_the_way).unwrap();
        for line in [[b'a'; 99], [b'b'; 99]] {
            file.write_all(&line).unwrap();
        }
        fs::remove_dir(&in_the_way).unwrap();
        file.write_all(b"short").unwrap();
        assert_eq!(older(&directory), ["older 1\n", "older 2\n", "older 3\n", ""]);
        assert_eq!(fs::metadata(&path).unwrap().len(), 203, "not tried at every line");
        file.write_all(b"and more than a tenth").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "and more than a tenth");
        assert_eq!(older(&directory)[1..], ["older 1\n", "older 2\n", ""]);
        fs::remove_dir_all(&directory).unwrap();
    }
}
