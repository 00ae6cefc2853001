//! The REST API under hostile clients: what must never happen, counted, and how soon somebody else is answered meanwhile.

use std::sync::atomic::{AtomicUsize, Ordering};

use harness::clinic::OpenClinic;
use harness::hostile::{malformed, matrix, slow};

use super::schedules::complain;
use super::{figure, progress};

/// Malformed requests of one seed.
const BATCH: usize = 10_000;

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Prints `api.malformed_5xx`, `api.panics`, `api.routes_matrix_unexpected_2xx` and the figures of the slow clients; findings go to
/// standard error.
pub fn measure(long: bool) {
    std::panic::set_hook(Box::new(|panic| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        complain(&[panic.to_string()]);
    }));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        malformed(if long { 1_000_000 } else { 10_000 }).await;
        refusals().await;
        // Together with everything else they fit under the usual limit of open files.
        slow_clients(300).await;
    });
    figure("api.panics", PANICS.load(Ordering::SeqCst));
}

async fn malformed(count: usize) {
    let open = OpenClinic::with(|plan| plan.limits = malformed::limits(plan.limits)).await;
    let token = open.visitor.token().expect("a session");
    let (mut sent, mut five_hundreds, mut findings) = (0, 0, 0);
    for seed in 1..=count.div_ceil(BATCH) {
        progress(format_args!("malformed requests: {sent} of {count}"));
        let tally = malformed::run(open.clinic.api, token, seed as u64, BATCH.min(count - sent)).await;
        complain(&tally.findings);
        sent += tally.sent();
        five_hundreds += tally.five_hundreds();
        findings += tally.findings.len();
    }
    figure("api.malformed_requests", sent);
    figure("api.malformed_5xx", five_hundreds);
    figure("api.malformed_findings", findings);
    open.clinic.close().await;
}

async fn refusals() {
    let mut open = OpenClinic::at_noon().await;
    let credentials = matrix::credentials(&mut open).await;
    let outcome = matrix::run(&matrix::Door::api(open.clinic.api), &credentials, true).await;
    complain(&outcome.unexpected);
    figure("api.routes_matrix_cells", outcome.cells);
    figure("api.routes_matrix_unexpected_2xx", outcome.unexpected.len());
    open.clinic.close().await;
}

async fn slow_clients(attackers: usize) {
    let open = OpenClinic::at_noon().await;
    let (address, token) = (open.clinic.api, open.visitor.token().expect("a session"));
    let call =
        format!("GET /v1/readers HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\r\n");
    for (mode, name) in slow::Mode::ALL.into_iter().zip(["head", "body", "read"]) {
        let report = slow::attack(mode, address, attackers, &call).await;
        figure(&format!("api.slow_{name}_p99_ms"), report.p99().as_secs_f64() * 1_000.0);
        let closed = report.all_closed_after.map_or(f64::INFINITY, |after| after.as_secs_f64());
        figure(&format!("api.slow_{name}_closed_s"), closed);
        figure(&format!("api.slow_{name}_failed_calls"), report.failed_calls);
    }
    open.clinic.close().await;
}
