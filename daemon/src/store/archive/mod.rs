//! What survives the machine: backups, restores, the copy before an upgrade, and what is set aside when it is damaged.
//!
//! ```text
//! shikaku backup 1 ⏎ { created, results expire, schema, mode } ⏎
//! archive key, sealed under the recovery key and bound to the two lines above
//! portions of: system and month keys, database image; each sealed under the archive key, bound to its number and whether
//! it is the last
//! ```
//! The recovery key is the administrator's and never lies in the data directory. Whoever has both archive and recovery key
//! can read what had not expired when it was made; so an archive says when that ends, and a restore leaves out what has
//! expired since, before anything listens.

mod backup;
mod format;
mod quarantine;
mod restore;
pub(super) mod upgrade;

pub(super) use backup::remove_leftovers;
pub use format::{Header, RecoveryKey};
pub use quarantine::{QuarantineError, start_empty};
pub(super) use quarantine::{guard, has_aside, set_aside};
pub use restore::{RestoreError, Restored, ToRestore, restore};

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, Executor as _};

use crate::app::ports::Part;

/// Removes from a copy of the database what must not live on in it: rows that have expired, sessions, and
/// codes that enrol once.
async fn strip(db: &mut SqliteConnection, now_us: i64) -> Result<(), sqlx::Error> {
    // Every table whose rows expire says so by this column; tables that come later are covered as well.
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT m.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c ON c.name = 'expires_at_us' \
         WHERE m.type = 'table' ORDER BY m.name",
    )
    .fetch_all(&mut *db)
    .await?;
    let mut all = db.begin().await?;
    // Rows of a bulk expire together with the bulk; in which order their tables are emptied does not matter then.
    all.execute("PRAGMA defer_foreign_keys = ON").await?;
    for table in tables {
        let sql = format!("DELETE FROM \"{table}\" WHERE expires_at_us <= ?1");
        sqlx::query(sqlx::AssertSqlSafe(sql.as_str())).bind(now_us).execute(&mut *all).await?;
    }
    // Sessions and enrolment codes are spent by use, which a copy would not know of.
    all.execute("DELETE FROM sessions").await?;
    all.execute("DELETE FROM enrolment_codes").await?;
    all.commit().await
}

/// Bytes between two words on how far it is.
const TELL_EVERY: u64 = 8 << 20;

/// Counts bytes and tells how many there were, at the beginning and now and then.
struct Told<F: FnMut(Part)> {
    done: u64,
    whole: u64,
    tell: F,
}

impl<F: FnMut(Part)> Told<F> {
    fn new(whole: u64, mut tell: F) -> Self {
        tell(Part { done: 0, whole });
        Self { done: 0, whole, tell }
    }

    fn more(&mut self, bytes: usize) {
        let before = self.done / TELL_EVERY;
        self.done = self.done.saturating_add(u64::try_from(bytes).unwrap_or_default());
        if self.done / TELL_EVERY > before {
            // Keys and seals come on top of what was measured.
            (self.tell)(Part { done: self.done.min(self.whole), whole: self.whole });
        }
    }
}
