//! How long after a boundary, or after the clock becomes plausible, what has expired is destroyed; in virtual time.

use std::path::Path;
use std::time::Duration;

use daemon::app::ports::Clock as _;
use daemon::app::retention::next_look;
use daemon::domain::retention::{JstMonth, expiry};
use daemon::store::Room;
use jiff::{SignedDuration, Timestamp};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};

use super::site::{Site, store};

/// The longest time over `rounds` boundaries, half of them with a clock that becomes plausible only later. Virtual: the
/// store's own work, some milliseconds, is not in it.
pub async fn latest_after_boundary(directory: &Path, rounds: u32) -> Duration {
    let start: Timestamp = "2026-06-10T03:00:00Z".parse().expect("an instant");
    let mut site = Site::new(directory, start, Room { ballast: 0, low_water: 0 });
    let open = site.open().await;
    let mut chance = ChaCha20Rng::seed_from_u64(7);
    let mut latest = Duration::ZERO;
    for round in 0..rounds {
        let checked = site.now();
        store(&open.store, &format!("c{round}"), checked).await.expect("stored");
        let boundary = expiry(checked);
        // Looks begin at any instant of the minutes before.
        let before = SignedDuration::from_millis(1 + i64::from(chance.next_u32() % 90_000));
        let late = SignedDuration::from_millis(i64::from(chance.next_u32() % 3_600_000));
        let plausible_at = boundary + if round % 2 == 0 { -before } else { late };
        site.clock.advance((boundary - before).duration_since(checked));
        loop {
            site.kernel.say(Some(site.now() >= plausible_at));
            let run = open.retention.run_if_due().await.expect("the store works");
            if run.purged.is_some() {
                break;
            }
            let wait = SignedDuration::try_from(next_look(site.clock.now())).expect("short");
            site.clock.advance(wait);
        }
        let took = site.now().duration_since(boundary.max(plausible_at));
        latest = latest.max(Duration::try_from(took).expect("never before the boundary"));
        // Into the middle of a month again.
        let middle = JstMonth::of(site.now()).start().expect("a month") + SignedDuration::from_hours(240);
        site.clock.advance(middle.duration_since(site.now()).max(SignedDuration::ZERO));
    }
    open.stop().await;
    latest
}
