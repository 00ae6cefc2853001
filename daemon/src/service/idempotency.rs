//! What a request with a key asks for, as one hash: the same however its JSON was written.

use api::codes::Code;
use api::service::{Answer, Caller, IdempotencyKey};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::app::ports::Keyed;

/// The request by its key, if it has one.
pub(super) fn keyed(
    caller: &Caller,
    key: Option<IdempotencyKey>,
    operation: &str,
    request: &impl Serialize,
) -> Answer<Option<Keyed>> {
    let Some(key) = key else { return Ok(None) };
    let asked = Zeroizing::new(serde_json::to_vec(&(operation, request)).map_err(|_| Code::Internal)?);
    Ok(Some(Keyed {
        account: caller.account.clone(),
        key: key.expose().to_owned(),
        request: Sha256::digest(&*asked).into(),
    }))
}
