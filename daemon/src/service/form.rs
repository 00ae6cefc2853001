//! The form in which results are kept ready: the JSON object of the contract.

use super::wire;
use crate::app::ports::{ResultForm, StoreError, StoredResult};

/// A result as the API sends it.
#[derive(Debug, Clone, Copy)]
pub struct JsonForm;

impl ResultForm for JsonForm {
    /// One more with every change of how a result looks in JSON; a snapshot notices one that is forgotten.
    fn number(&self) -> u32 {
        2
    }

    fn render(&self, stored: &StoredResult) -> Result<Vec<u8>, StoreError> {
        // serde_json's message could quote the content.
        let no_json = |_| StoreError::Corrupt {
            table: "results",
            row: stored.id.0,
            reason: "it cannot be written as JSON".to_owned(),
        };
        serde_json::to_vec(&wire::result(stored)).map_err(no_json)
    }
}
