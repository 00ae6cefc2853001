//! The mark of used codes after a clock that ran ahead: it would refuse every right code until that time came.

use super::super::error::failed;
use super::super::writer::Tx;
use crate::app::ports::StoreError;

/// Microseconds of a time step.
const STEP_US: i64 = 30_000_000;

/// The last step whose code may be used at an instant: an authenticator may be one step ahead.
fn last_at(now_us: i64) -> i64 {
    now_us / STEP_US + 1
}

/// Under a clock that is vouched for, the marks of all accounts come down to it. Those that are ahead by no more than `lag_us` stay:
/// so far the store's mark of plausible instants may lie behind, and codes used under a right clock stay used.
pub(in crate::store) async fn come_down(
    tx: &mut Tx,
    plausible_us: i64,
    lag_us: i64,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE accounts SET last_step = ?1 WHERE last_step > ?2")
        .bind(last_at(plausible_us))
        .bind(last_at(plausible_us.saturating_add(lag_us)))
        .execute(&mut tx.db)
        .await
        .map(drop)
        .map_err(|e| failed(&e))
}

/// The mark of one account comes down, at an administrator's word; never below what a plausible clock has seen.
pub(super) async fn come_down_at_once(tx: &mut Tx, account: i64) -> Result<(), StoreError> {
    let now_us = tx.clock.wall_us().max(tx.clock.plausible_us());
    sqlx::query("UPDATE accounts SET last_step = min(last_step, ?2) WHERE id = ?1")
        .bind(account)
        .bind(last_at(now_us))
        .execute(&mut tx.db)
        .await
        .map(drop)
        .map_err(|e| failed(&e))
}
