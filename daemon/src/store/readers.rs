//! The connections that read results: read-only, each used by one blocking thread at a time.
//!
//! They are rusqlite's, beside sqlx's pool for everything else: sqlx copies every value of every row and hands it from
//! its own thread to the caller's, which costs a page of results several times what reading it does.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::database::CHECKPOINT_PAGES;
use super::error::{OpenError, read_failed};
use super::writer::closed;
use crate::app::ports::StoreError;

/// How long a read waits for a checkpoint that is being finished.
const BUSY: Duration = Duration::from_secs(5);
/// Statements that a connection keeps prepared.
const STATEMENTS: usize = 32;

/// A fixed number of connections, opened as they are needed.
pub(super) struct Readers {
    database: PathBuf,
    count: u32,
    turns: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Readers {
    /// Opens the first connection.
    pub(super) fn open(database: &Path, count: u32) -> Result<Self, OpenError> {
        let count = count.max(1);
        let first = connect(database).map_err(|error| OpenError::Database(error.to_string()))?;
        Ok(Self {
            database: database.to_owned(),
            count,
            turns: Arc::new(Semaphore::new(count as usize)),
            idle: Arc::new(Mutex::new(vec![first])),
        })
    }

    /// Runs a short read on a blocking thread. It goes on to its end when the caller goes away.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| closed())?;
        let (idle, database) = (Arc::clone(&self.idle), self.database.clone());
        let reading = tokio::task::spawn_blocking(move || {
            let waiting = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = match waiting {
                Some(connection) => connection,
                None => connect(&database)?,
            };
            let answer = work(&connection);
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            // Only now may somebody count on nobody being inside a read.
            drop(turn);
            answer
        });
        reading.await.map_err(|_| StoreError::Failed("a read was interrupted".to_owned()))?
    }

    /// Every turn: whoever holds it knows that nobody is inside a read. Reads that come meanwhile wait; turns are given in
    /// order, so a stream of reads cannot keep him out.
    pub(super) async fn aside(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        Arc::clone(&self.turns).acquire_many_owned(self.count).await.map_err(|_| closed())
    }

    /// Waits for the reads that run and closes the connections. Whatever is asked afterwards fails.
    pub(super) async fn close(&self) {
        // An error means that they are closed already.
        let aside = self.aside().await;
        self.turns.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        drop(aside);
    }
}

fn connect(database: &Path) -> Result<Connection, StoreError> {
    open(database, OpenFlags::SQLITE_OPEN_READ_ONLY, &[("query_only", "1")])
}

/// A connection that writes, with the writer's settings.
pub(super) fn connect_to_write(database: &Path) -> Result<Connection, StoreError> {
    let settings = [
        ("synchronous", "2"),
        ("secure_delete", "1"),
        ("foreign_keys", "1"),
        ("wal_autocheckpoint", CHECKPOINT_PAGES),
        ("journal_size_limit", "16777216"),
    ];
    open(database, OpenFlags::SQLITE_OPEN_READ_WRITE, &settings)
}

fn open(database: &Path, access: OpenFlags, settings: &[(&str, &str)]) -> Result<Connection, StoreError> {
    let failed = |error: rusqlite::Error| read_failed(&error);
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // A plan does not look at bound values; otherwise SQLite, as it is built here, plans a prepared statement anew each time.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(failed)?;
    // Sorting must not spill rows to a file.
    for (name, value) in settings.iter().chain(&[("temp_store", "2"), ("mmap_size", "0")]) {
        connection.pragma_update(None, name, value).map_err(failed)?;
        // A setting that SQLite ignores gives no error, so each is read back.
        let stands: i64 = connection.pragma_query_value(None, name, |row| row.get(0)).map_err(failed)?;
        if stands.to_string() != *value {
            return Err(StoreError::Failed(format!("SQLite does not take the setting {name}")));
        }
    }
    Ok(connection)
}
