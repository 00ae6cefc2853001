//! A central system or network that misbehaves: each fault arrives as what the caller can do about it, and nothing is
//! asked twice.

use std::time::Duration;

use daemon::app::ports::{CardCheck as _, ReceiptLink as _, UpstreamError, UpstreamStatus as _};
use daemon::domain::queue::Receipt;
use daemon::upstream::Upstream;
use harness::upstream::{Endpoint, Fault};
use jiff::civil::date;

use super::{World, request};

/// Meets one fault on the confirmation, which is never repeated; the connection works again afterwards.
async fn meet(fault: Fault) -> UpstreamError {
    let world = World::new().await;
    let upstream = world.upstream_with(|config| config.timeouts.total_ms = 2_000);
    let challenge = upstream.challenge(&request()).await.unwrap();
    world.sim.script(Endpoint::Confirm, fault.clone());
    let error = upstream.confirm(&request(), &world.proof("taro", &challenge)).await.unwrap_err();
    assert_eq!(world.sim.requests(Endpoint::Confirm), 1, "{fault:?} was not repeated");
    assert!(upstream.challenge(&request()).await.is_ok(), "works again after {fault:?}");
    error
}

#[tokio::test]
async fn answers_that_make_no_sense_are_malformed() {
    for fault in [
        Fault::Garbage,
        Fault::WrongEcho,
        Fault::WrongInstitution,
        Fault::Oversized,
        Fault::CutAfter(0),
        Fault::CutAfter(1),
        Fault::CutAfter(20),
        Fault::CutAfter(250),
    ] {
        assert_eq!(meet(fault.clone()).await, UpstreamError::Malformed, "{fault:?}");
    }
}

#[tokio::test]
async fn maintenance_is_recognised_by_status_and_by_code() {
    for fault in [Fault::Maintenance, Fault::Status(503)] {
        assert_eq!(meet(fault.clone()).await, UpstreamError::Maintenance, "{fault:?}");
    }
}

#[tokio::test]
async fn other_http_errors_are_refusals_with_the_status_as_code() {
    for status in [400, 403, 404, 429, 500, 502] {
        let code = format!("HTTP-{status}");
        assert_eq!(meet(Fault::Status(status)).await, UpstreamError::Refused { code });
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    // Followed, it would lead to a good answer.
    assert_eq!(meet(Fault::Redirect).await, UpstreamError::Refused { code: "HTTP-307".to_owned() });
}

/// Asks for a confirmation whose answer ends after so many bytes.
async fn confirmed_up_to(world: &World, upstream: &Upstream, bytes: usize) -> Result<(), UpstreamError> {
    let challenge = upstream.challenge(&request()).await.unwrap();
    world.sim.script(Endpoint::Confirm, Fault::CutAfter(bytes));
    upstream.confirm(&request(), &world.proof("taro", &challenge)).await.map(|_| ())
}

/// The fewest bytes with which the answer is whole.
async fn length_of_a_confirmation(world: &World, upstream: &Upstream) -> usize {
    let (mut too_few, mut enough) = (0, 20_000);
    assert_eq!(confirmed_up_to(world, upstream, enough).await, Ok(()));
    while enough - too_few > 1 {
        let bytes = usize::midpoint(too_few, enough);
        match confirmed_up_to(world, upstream, bytes).await {
            Ok(()) => enough = bytes,
            Err(_) => too_few = bytes,
        }
    }
    enough
}

/// Every byte of the HTTP head and of the message's header, every byte of the end, and every seventh between: a cut there only
/// moves within one text.
#[tokio::test]
async fn a_confirmation_cut_anywhere_is_never_half_a_result() {
    let world = World::new().await;
    let upstream = world.upstream();
    let length = length_of_a_confirmation(&world, &upstream).await;
    assert!(length > 1_000, "an answer of {length} bytes cannot hold the result");
    let between = (500..length - 100).step_by(7);
    let mut cuts = 0;
    for bytes in (0..500).chain(between).chain(length - 100..length) {
        let answer = confirmed_up_to(&world, &upstream, bytes).await;
        assert_eq!(answer, Err(UpstreamError::Malformed), "cut after {bytes} of {length} bytes");
        cuts += 1;
    }
    assert_eq!(world.sim.requests(Endpoint::Auth), 1, "a cut costs its connection and nothing else");
    assert!(confirmed_up_to(&world, &upstream, length).await.is_ok() && cuts > 600, "{cuts}");
}

fn impatient(world: &World) -> Upstream {
    world.upstream_with(|config| config.timeouts.total_ms = 300)
}

#[tokio::test]
async fn no_answer_in_time_is_a_timeout_and_the_sign_in_counts_into_it() {
    for endpoint in [Endpoint::Auth, Endpoint::Challenge] {
        let world = World::new().await;
        let upstream = impatient(&world);
        (0..3).for_each(|_| world.sim.script(endpoint, Fault::Hang));
        assert_eq!(upstream.challenge(&request()).await, Err(UpstreamError::Timeout), "{endpoint:?}");
        assert_eq!(upstream.status().answering, Some(false));
        world.sim.stop().await;
    }
}

#[tokio::test]
async fn a_confirmation_that_times_out_is_not_sent_again() {
    let world = World::new().await;
    let upstream = impatient(&world);
    let challenge = upstream.challenge(&request()).await.unwrap();
    world.sim.script(Endpoint::Confirm, Fault::Hang);
    let answer = upstream.confirm(&request(), &world.proof("taro", &challenge)).await;
    assert_eq!(answer, Err(UpstreamError::Timeout));
    assert_eq!(world.sim.requests(Endpoint::Confirm), 1);
}

#[tokio::test]
async fn a_slow_answer_within_the_time_is_an_answer() {
    let world = World::new().await;
    world.sim.script(Endpoint::Challenge, Fault::Slow(Duration::from_millis(50)));
    assert!(world.upstream().challenge(&request()).await.is_ok());
}

#[tokio::test]
async fn a_closed_port_and_a_closed_door_are_unreachable() {
    let world = World::new().await;
    let upstream = world.upstream();
    world.sim.refuse_connections(3);
    assert_eq!(upstream.challenge(&request()).await, Err(UpstreamError::Unreachable));
    assert_eq!(world.sim.received_bytes(), 0);

    let upstream = world.upstream();
    world.sim.stop().await;
    assert_eq!(upstream.challenge(&request()).await, Err(UpstreamError::Unreachable));
    assert_eq!(upstream.status().answering, Some(false));
}

#[tokio::test]
async fn a_page_that_fails_makes_the_whole_period_fail() {
    let world = World::with(|options| options.page_size = 1).await;
    let upstream = world.upstream();
    for persona in ["taro", "hanako"] {
        assert!(world.sim.add_result(persona, "PHONE-1", "2026-10-08T00:00:00Z".parse().unwrap()));
    }
    world.sim.script(Endpoint::Results, Fault::Slow(Duration::ZERO));
    world.sim.script(Endpoint::Results, Fault::Garbage);
    let day = date(2026, 10, 8);
    assert_eq!(upstream.results(&request(), day, day).await, Err(UpstreamError::Malformed));
    assert_eq!(upstream.results(&request(), day, day).await.unwrap().len(), 2);
}

/// The queue asks about a receipt again and again by itself; the desk must not pay for it.
#[tokio::test]
async fn a_receipt_that_is_answered_with_garbage_does_not_close_the_way_to_the_desk() {
    let world = World::new().await;
    let upstream = world.upstream();
    world.sim.break_down(Endpoint::InquiryBulkOutcome, Fault::Garbage);
    for _ in 0..5 {
        let asked = upstream.bulk_outcome(&request(), &Receipt("R-1".to_owned()), &[]).await;
        assert_eq!(asked.map(|_| ()), Err(UpstreamError::Malformed));
    }
    assert!(upstream.challenge(&request()).await.is_ok(), "the desk asks all the same");
    assert_eq!(world.sim.requests(Endpoint::InquiryBulkOutcome), 5);
}
