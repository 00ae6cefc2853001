//! The event log of Windows: starts, stops, warnings and errors, in the words of the log, which name nobody.
//!
//! The source is registered by the installer, with Windows' own `EventCreate.exe` for the texts: its message of any number is the
//! text itself.

use std::io::{self, Write};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;
use winsafe::{HEVENTLOG, co};

use super::SERVICE_NAME;

/// How grave an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Something went as it should.
    Information,
    /// Somebody should look some time.
    Warning,
    /// Somebody should look now.
    Error,
}

impl Severity {
    fn kind(self) -> co::EVENTLOG {
        match self {
            Self::Information => co::EVENTLOG::INFORMATION_TYPE,
            Self::Warning => co::EVENTLOG::WARNING_TYPE,
            Self::Error => co::EVENTLOG::ERROR_TYPE,
        }
    }

    /// The number of the event, by which people filter.
    fn number(self) -> u32 {
        match self {
            Self::Information => 1,
            Self::Warning => 2,
            Self::Error => 3,
        }
    }
}

/// Writes an entry. A log that cannot be written to is no reason to stop: there is the file as well.
pub fn report(severity: Severity, text: &str) {
    if let Ok(log) = HEVENTLOG::RegisterEventSource(None, SERVICE_NAME) {
        let _ = log.ReportEvent(severity.kind(), 0, severity.number(), None, &[text], &[]);
    }
}

/// Writes lines of the log into the event log.
pub struct EventLogWriter;

impl<'a> MakeWriter<'a> for EventLogWriter {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line(Severity::Information)
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Line {
        Line(match *metadata.level() {
            Level::ERROR => Severity::Error,
            Level::WARN => Severity::Warning,
            _ => Severity::Information,
        })
    }
}

/// A line to come.
pub struct Line(Severity);

impl Write for Line {
    /// Each call is one line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        report(self.0, String::from_utf8_lossy(line).trim_end());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
