//! OQS folders: every request answered once, results there at once, nothing outside the root touched, next to no cost.

use std::time::Duration;

use harness::folders::{escapes, face_lag, idle_cpu_percent, storm};

use crate::figure;

/// Prints every figure of the topic.
pub fn measure(long: bool) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        hostile().await;
        faces().await;
        idle(long).await;
        // Last, because the long lane of it takes long.
        answers(long).await;
    });
}

/// Prints `folders.escapes`: files outside the root that came, went or changed, and beside it how many hostile things were
/// planted and how many honest requests were answered beside them.
async fn hostile() {
    let seen = escapes().await;
    figure("folders.escapes", seen.escapes);
    figure("folders.hostile_planted", seen.planted);
    figure("folders.hostile_answered_beside", seen.answered);
}

/// Prints `folders.face_lag_ms_p99` and `folders.face_lag_ms_max`: from the commit of a result to its name in `face/`, of a
/// thousand results stored ten at a time without a pause.
async fn faces() {
    let lag = face_lag(1_000).await;
    let ms = |lag: Duration| format!("{:.0}", lag.as_secs_f64() * 1000.0);
    figure("folders.face_results", lag.results);
    figure("folders.face_lag_ms_p99", ms(lag.p99));
    figure("folders.face_lag_ms_max", ms(lag.max));
}

/// Prints `folders.idle_cpu_percent`: what the program uses of one processor with a folder, less what it uses without.
async fn idle(long: bool) {
    let over = Duration::from_secs(if long { 60 } else { 6 });
    figure("folders.idle_cpu_percent", format!("{:.3}", idle_cpu_percent(over).await));
}

/// Prints `folders.requests`, `folders.unanswered` and `folders.answered_twice`, and what happened meanwhile.
async fn answers(long: bool) {
    let seen = storm(if long { 10_000 } else { 300 }, 1).await;
    figure("folders.requests", seen.requests);
    figure("folders.unanswered", seen.unanswered);
    figure("folders.answered_twice", seen.answered_twice);
    figure("folders.kills", seen.kills);
    figure("folders.losses", seen.losses);
    for (said, times) in &seen.said {
        figure(&format!("folders.said_{said}"), times);
    }
    for name in &seen.left {
        figure("folders.without_answer", name);
    }
}
