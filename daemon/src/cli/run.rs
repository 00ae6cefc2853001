//! `shikakud run`: starts the daemon, keeps the service manager informed, and stops within its patience.

use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::{Failure, runtime};
use crate::config::Config;
use crate::service_manager::{self, HandedSocket, StopRequests};
use crate::start::{Daemon, Pulse, Surroundings};

/// The longest that stopping may take before the process ends all the same: what was acknowledged is on the disk by then.
const STOP_WITHIN: Duration = Duration::from_millis(4_700);

/// For threads that hang in a system call; nothing waits for them.
const LEFT_BEHIND: Duration = Duration::from_millis(100);

pub(super) fn daemon(config: &Config, sockets: Vec<HandedSocket>) -> Result<(), Failure> {
    let runtime = runtime()?;
    let outcome = runtime.block_on(run(config, sockets));
    runtime.shutdown_timeout(LEFT_BEHIND);
    outcome
}

async fn run(config: &Config, sockets: Vec<HandedSocket>) -> Result<(), Failure> {
    let mut stop = StopRequests::listen()?;
    let around = Surroundings { sockets, ..Surroundings::of_this_machine()? };
    let mut daemon = tokio::select! {
        started = Daemon::start(config, around) => started?,
        () = stop.next() => {
            // What was begun is left as by a crash, which every start knows how to go on from; waiting for it could take minutes.
            service_manager::stopping();
            tracing::info!("told to stop while starting");
            return Ok(());
        }
    };
    service_manager::ready();
    let pulse = daemon.pulse();
    let asked = tokio::select! {
        () = stop.next() => true,
        () = daemon.ended() => false,
        () = give_signs_of_life(&pulse) => false,
    };
    service_manager::stopping();
    tracing::info!("stopping");
    if tokio::time::timeout(STOP_WITHIN, daemon.stop()).await.is_err() {
        tracing::error!("stopping took too long: what hangs is left behind");
    }
    if asked { Ok(()) } else { Err(Failure::Ended) }
}

/// Tells the service manager, as often as it wants to hear, that the runtime and the store's writer go on. One that hears nothing for
/// too long restarts the program. Never ends.
async fn give_signs_of_life(pulse: &Pulse) {
    let Some(every) = service_manager::sign_of_life_every() else { return std::future::pending().await };
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if tokio::time::timeout(every, pulse.beats()).await == Ok(true) {
            service_manager::alive();
        } else {
            tracing::warn!("no sign of life from the store's writer");
        }
    }
}
