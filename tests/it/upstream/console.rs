//! The simulated central system by hand, as vendors use it.

use daemon::app::ports::{Answer, CardCheck as _, ReceiptLink as _, UpstreamError};
use harness::upstream::Endpoint;
use jiff::civil::date;

use super::{World, request};

#[tokio::test]
async fn what_is_typed_happens() {
    let world = World::new().await;
    let upstream = world.upstream();
    let type_in = |line: &str| world.sim.command(line).unwrap_or_else(|error| panic!("{line}: {error}"));

    type_in("register unregistered");
    assert!(matches!(world.check(&upstream, "unregistered").await, Ok(Answer::Confirmed(_))));
    type_in("unregister taro");
    assert!(matches!(world.check(&upstream, "taro").await, Ok(Answer::NotRegistered { .. })));
    type_in("fault challenge status 404");
    let code = "HTTP-404".to_owned();
    assert_eq!(upstream.challenge(&request()).await, Err(UpstreamError::Refused { code }));
    type_in("maintenance on");
    assert_eq!(upstream.challenge(&request()).await, Err(UpstreamError::Maintenance));
    type_in("maintenance off");
    type_in("result hanako PHONE-1");
    let day = date(2026, 10, 8);
    assert_eq!(upstream.results(&request(), day, day).await.unwrap().len(), 2);
    assert!(type_in("state").contains("Challenge 4"), "{}", type_in("state"));
}

#[tokio::test]
async fn every_endpoint_can_be_named_and_is_one_of_the_manual() {
    let manual = include_str!("../../SIMULATOR.md");
    let world = World::new().await;
    for ((word, endpoint), (known, _)) in Endpoint::WORDS.into_iter().zip(Endpoint::paths()) {
        assert_eq!(endpoint, known, "each has a word");
        assert!(manual.contains(&format!("`{word}`")), "{word}");
        world.sim.command(&format!("fault {word} status 500")).unwrap();
    }
}

#[tokio::test]
async fn what_is_mistyped_is_answered_with_what_is_expected() {
    let world = World::new().await;
    for line in [
        "nonsense",
        "fault",
        "fault nowhere hang",
        "fault confirm nonsense",
        "fault confirm status",
        "fault confirm status 99",
        "fault confirm cut x",
        "register nobody",
        "result taro",
        "result refused PHONE-1",
        "maintenance",
        "date soon",
        "refuse",
    ] {
        let error = world.sim.command(line).unwrap_err().to_string();
        assert!(!error.is_empty(), "{line}");
    }
    assert_eq!(world.sim.command("  ").unwrap(), "");
}
