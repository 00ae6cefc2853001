//! Which store this is, so that nothing that a client kept of another one is taken for this one's; and numbers that none of them
//! gave before.

use sqlx::SqliteConnection;

use crate::app::ports::{Random, random_bytes};

/// The store's number; drawn now if it has none: it begins, or was restored.
///
/// `follows_another`: data of an earlier store of this installation was set aside, so clients know numbers that it gave.
pub(super) async fn of(
    db: &mut SqliteConnection,
    random: &dyn Random,
    follows_another: bool,
    now_us: i64,
) -> Result<u32, sqlx::Error> {
    let known: Option<u32> =
        sqlx::query_scalar("SELECT number FROM store_identity WHERE id = 1").fetch_optional(&mut *db).await?;
    if let Some(number) = known {
        return Ok(number);
    }
    let is_empty: bool =
        sqlx::query_scalar("SELECT NOT EXISTS (SELECT 1 FROM sqlite_sequence)").fetch_one(&mut *db).await?;
    if is_empty && follows_another {
        pass_numbers_given(db, now_us).await?;
    }
    let number = u32::from_be_bytes(random_bytes(random));
    sqlx::query("INSERT INTO store_identity (id, number) VALUES (1, ?1)").bind(number).execute(db).await?;
    Ok(number)
}

/// A restored store is another one: its number is drawn at the next start.
pub(super) async fn forget(db: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    if has_table(db, "store_identity").await? {
        sqlx::query("DELETE FROM store_identity").execute(db).await?;
    }
    Ok(())
}

/// Numbers that were given by a store that is lost are known to clients, so none is given again: changes go on from the
/// microsecond of now, rows from the second, which no store reaches by counting. Archives of older schemas have no sequence of
/// changes, and no client knew one.
pub(super) async fn pass_numbers_given(db: &mut SqliteConnection, now_us: i64) -> Result<(), sqlx::Error> {
    if has_table(db, "results_sequence").await? {
        sqlx::query("UPDATE results_sequence SET change = max(change + 1, ?1)")
            .bind(now_us)
            .execute(&mut *db)
            .await?;
    }
    sqlx::query(
        "INSERT INTO sqlite_sequence (name, seq) SELECT name, 0 FROM sqlite_schema \
         WHERE type = 'table' AND sql LIKE '%AUTOINCREMENT%' AND name NOT IN (SELECT name FROM sqlite_sequence)",
    )
    .execute(&mut *db)
    .await?;
    sqlx::query("UPDATE sqlite_sequence SET seq = max(seq + 1, ?1)")
        .bind(now_us / 1_000_000)
        .execute(db)
        .await?;
    Ok(())
}

async fn has_table(db: &mut SqliteConnection, name: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1)")
        .bind(name)
        .fetch_one(db)
        .await
}
