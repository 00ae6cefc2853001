//! Store: what signing in lets through.

use crate::store_accounts;

/// Measures everything.
pub fn measure() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(store_accounts::measure());
}
