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
async fn somebody_elses_answer_under_the_right_request_is_found() {
    let report = run_one(1, Plant::MixUp).await;
    assert!(report.tally.mixups > 0, "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_confirmation_stored_twice_is_found() {
    let report = run_one(1, Plant::Double).await;
    assert!(report.tally.double_rows > 0 && report.tally.mixups == 0, "{report:?}");
}
