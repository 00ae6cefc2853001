//! The connection to the central system: what is left of it when it is away, slow or wrong.

use harness::clinic::personas::{Outcome, play_all};
use harness::outage::{eight_hours, kills};

use crate::figure;

/// Prints every figure of the topic.
pub fn measure(long: bool) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        everyone().await;
        outage(long).await;
    });
}

/// Prints `upstream.outage_lost`, `upstream.outage_drain_virtual_min`, `upstream.outage_in_flight_max` and
/// `upstream.outage_kills`: eight virtual hours with 500 numbers an hour, then real processes that are killed.
async fn outage(long: bool) {
    /// Numbers registered in an hour.
    const AN_HOUR: u32 = 500;
    // Every third round kills twice.
    let rounds = if long { 150 } else { 30 };
    let outage = eight_hours(AN_HOUR).await;
    let killed = kills(rounds).await;
    figure("upstream.outage_taken", outage.taken);
    figure("upstream.outage_lost", outage.lost + killed.lost);
    figure("upstream.outage_reordered", outage.reordered);
    figure("upstream.outage_drain_virtual_min", format!("{:.1}", outage.drain.as_secs_f64() / 60.0));
    figure("upstream.outage_in_flight_max", outage.in_flight_max);
    figure("upstream.outage_kills", killed.kills);
    figure("upstream.outage_kills_acknowledged", killed.acknowledged);
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
