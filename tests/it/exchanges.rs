//! Random schedules of questions and answers, as many as fit into seconds; `make figures ONLY=upstream` runs more.

use std::time::Duration;

use harness::exchanges::{Plant, run, run_one};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_result_is_stored_twice_or_for_another_patient_whatever_becomes_of_questions_and_answers() {
    let report = run(1, 1_000, Duration::from_secs(10)).await;
    assert!(report.findings.is_empty(), "{:#?}\n{:?}", report.findings, report.tally);
    let tally = &report.tally;
    assert_eq!((tally.double_rows, tally.mixups), (0, 0));
    // Schedules in which nothing happens would keep every promise.
    assert!(tally.schedules > 50 && tally.faults > tally.schedules, "{tally:?}");
    assert!(tally.done > tally.schedules && tally.numbers > tally.schedules / 2, "{tally:?}");
    assert!(tally.confirmations > tally.done, "some answers never arrive: {tally:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_made_wrong_on_purpose_is_found() {
    let (mut mixups, mut doubles) = (0, 0);
    for seed in 1..=6 {
        mixups += run_one(seed, Plant::MixUp).await.tally.mixups;
        doubles += run_one(seed, Plant::Double).await.tally.double_rows;
    }
    assert!(mixups > 5, "{mixups}");
    assert!((2..=6).contains(&doubles), "{doubles}");
}
