//! Upstream: what the connection to the central system promises, one small function a promise.

use harness::clinic::personas::{Outcome, play_all};

use crate::figure;

/// Measures everything.
pub fn measure() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        everyone().await;
    });
}

/// Every invented person from tap to download.
async fn everyone() {
    let outcomes = play_all().await;
    figure("upstream.personas_ok", outcomes.iter().filter(|outcome| outcome.is_ok()).count());
    figure("upstream.personas_all", outcomes.len());
    for problem in outcomes.iter().flat_map(|Outcome { problems, .. }| problems) {
        figure("upstream.personas_problem", problem);
    }
}
