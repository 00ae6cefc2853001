//! Hostile clients against the whole daemon. A binary of its own: cargo runs it while no other test does, and they take turns, so
//! that the time of a call means something and a panic can only be theirs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use daemon::app::ports::Role;
use daemon::config::PageSection;
use harness::clinic::OpenClinic;
use harness::hostile::matrix::Door;
use harness::hostile::{malformed, matrix, slow};
use harness::raw_http::exchange;
use tokio::sync::Mutex;

/// One after the other.
static TURN: Mutex<()> = Mutex::const_new(());

static PANICS: AtomicUsize = AtomicUsize::new(0);

fn count_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        before(panic);
    }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_slow_clients_hold_up_nobody_and_are_closed_within_six_seconds() {
    let _turn = TURN.lock().await;
    let open = OpenClinic::at_noon().await;
    let (address, token) = (open.clinic.api, open.visitor.token().expect("a session"));
    let call =
        format!("GET /v1/readers HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\r\n");
    for mode in slow::Mode::ALL {
        let report = slow::attack(mode, address, 300, &call).await;
        let closed = report.all_closed_after.expect("every attacker is closed");
        assert!(closed <= Duration::from_secs(6), "{mode:?}: closed after {closed:?}");
        assert!(closed >= Duration::from_secs(3), "{mode:?}: it was an attack: {closed:?}");
        assert_eq!(report.failed_calls, 0, "{mode:?}");
        assert!(report.calls.len() >= 100, "{mode:?}: {} calls", report.calls.len());
        assert!(report.p99() <= Duration::from_millis(100), "{mode:?}: p99 {:?}", report.p99());
    }
    open.clinic.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_malformed_requests_cause_neither_a_panic_nor_a_5xx() {
    let _turn = TURN.lock().await;
    let open = OpenClinic::with(|plan| plan.limits = malformed::limits(plan.limits)).await;
    count_panics();
    let token = open.visitor.token().expect("a session");
    let tally = malformed::run(open.clinic.api, token, 20_260_708, 10_000).await;
    assert_eq!(tally.findings, Vec::<String>::new(), "{:?}", tally.statuses);
    assert_eq!(tally.sent(), 10_000);
    assert_eq!(PANICS.load(Ordering::SeqCst), 0);
    assert!(tally.statuses.keys().filter(|status| **status > 0).count() >= 8, "{:?}", tally.statuses);
    assert_eq!(open.visitor.get("/v1/results/count").await.status, 200, "it works as before");
    open.clinic.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_succeeds_with_a_wrong_host_origin_or_credential_on_any_operation() {
    let _turn = TURN.lock().await;
    let mut open = OpenClinic::at_noon().await;
    let credentials = matrix::credentials(&mut open).await;
    let outcome = matrix::run(&Door::api(open.clinic.api), &credentials, false).await;
    assert_eq!(outcome.unexpected, Vec::<String>::new());
    assert!(outcome.cells > 15_000, "{}", outcome.cells);
    let alive = format!("GET /healthz HTTP/1.1\r\nhost: {}\r\n\r\n", open.clinic.api);
    assert_eq!(exchange(open.clinic.api, alive).await.expect("an answer").status, 200);
    open.clinic.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_succeeds_at_the_page_but_what_the_page_itself_asks_by_its_name() {
    let _turn = TURN.lock().await;
    let mut open = OpenClinic::with(|plan| {
        plan.page = Some(PageSection::new("127.0.0.1:0".parse().expect("an address")));
        plan.accounts.extend([("uketsuke", Role::Operator), ("kanri", Role::Administrator)]);
    })
    .await;
    let credentials = matrix::page_credentials(&mut open).await;
    let page = open.clinic.page.expect("the page");
    let outcome = matrix::run(&Door::page(page, open.clinic.api), &credentials, false).await;
    assert_eq!(outcome.unexpected, Vec::<String>::new());
    assert!(outcome.cells > 20_000, "{}", outcome.cells);
    open.clinic.close().await;
}
