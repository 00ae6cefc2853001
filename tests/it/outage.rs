//! Outages of the central system: nothing acknowledged is lost, nobody's numbers change places.

use harness::outage::{eight_hours, kills};
use jiff::SignedDuration;

#[tokio::test]
async fn eight_hours_of_numbers_are_all_sent_within_ten_minutes_two_at_a_time_in_their_order() {
    // A tenth of the figure's load; the rules are the same.
    let outage = eight_hours(50).await;
    assert_eq!((outage.taken, outage.lost, outage.reordered), (400, 0, 0), "{outage:?}");
    assert!((1..=2).contains(&outage.in_flight_max), "{outage:?}");
    assert!(outage.drain <= SignedDuration::from_mins(10), "{outage:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_acknowledged_before_a_kill_reach_the_central_system_after_it() {
    let seen = kills(3).await;
    assert_eq!((seen.kills, seen.acknowledged, seen.lost), (4, 27, 0), "{seen:?}");
}
