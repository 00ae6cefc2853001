//! A result as it is sent: rendered once when its row is written, sealed apart from the row's own payload, so that a read
//! opens nothing else. While the result has a mark, it is not as it is sent, and rendered when it is read.
//!
//! A body is sealed to its row, month, version and form: bytes moved to another row, or an older body put back, do not
//! open.

use super::crypto::CryptoError;
use super::error::failed;
use super::keyring::MonthKeys;
use super::row::Place;
use super::writer::Tx;
use crate::app::ports::{NewResult, Random, ResultForm, StoreError, StoredResult};
use crate::domain::check::ResultId;
use crate::domain::identifiers::InquiryNumber;
use crate::domain::retention::expiry;

/// What a body is sealed to.
fn bytes(place: Place, form: u32) -> Vec<u8> {
    let mut bytes = place.bytes(b"result_bodies");
    bytes.extend_from_slice(&form.to_be_bytes());
    bytes
}

/// Keeps a body in place of an older one: the row's number, the form and the sealed body.
pub(super) const KEEP: &str = "INSERT INTO result_bodies (id, form, body) VALUES (?1, ?2, ?3) \
     ON CONFLICT (id) DO UPDATE SET form = excluded.form, body = excluded.body";

/// Renders a row that is being written and keeps its body, in place of an older one.
pub(super) async fn keep(
    tx: &mut Tx,
    keys: &MonthKeys,
    place: Place,
    content: &NewResult,
    number: Option<&InquiryNumber>,
) -> Result<(), StoreError> {
    let stored = StoredResult {
        id: ResultId(place.id),
        expires_at: expiry(content.confirmation.processed_at),
        version: place.version,
        inquiry_number: number.cloned(),
        pending: None,
        content: content.clone(),
    };
    let (form, sealed) = seal(tx.form.as_ref(), tx.random.as_ref(), keys, place, &stored)?;
    let query = sqlx::query(KEEP).bind(place.id).bind(form).bind(sealed);
    query.execute(&mut tx.db).await.map(drop).map_err(|e| failed(&e))
}

/// Renders a row that is being written: the number of the form, and the sealed body.
pub(super) fn seal(
    form: &dyn ResultForm,
    random: &dyn Random,
    keys: &MonthKeys,
    place: Place,
    stored: &StoredResult,
) -> Result<(u32, Vec<u8>), StoreError> {
    let (number, body) = (form.number(), form.render(stored)?);
    Ok((number, keys.body.seal(random, &bytes(place, number), &body)?))
}

/// Opens a body.
pub(super) fn open(keys: &MonthKeys, place: Place, form: u32, sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
    let mut plain =
        keys.body.open(&bytes(place, form), sealed).map_err(|CryptoError| StoreError::Corrupt {
            table: "result_bodies",
            row: place.id,
            reason: "the body does not open".to_owned(),
        })?;
    // It leaves for whoever is entitled to it, so it is not wiped here.
    Ok(std::mem::take(&mut *plain))
}
