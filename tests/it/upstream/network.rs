//! What lies between: hanging, trickling and overtaking answers, clocks, and the clinic's proxy.

use std::time::Duration;

use daemon::app::ports::{CardCheck as _, UpstreamError, UpstreamStatus as _};
use daemon::upstream::{ConfigError, Credentials, ProxyConfig};
use harness::upstream::proxy::ConnectProxy;
use harness::upstream::{Endpoint, Fault};
use jiff::SignedDuration;

use super::{World, request};

const MILLI: Duration = Duration::from_millis(1);

/// Before TLS, in the header, in the body: silence is a timeout wherever it begins.
#[tokio::test]
async fn silence_is_a_timeout_wherever_it_begins() {
    let world = World::new().await;
    let upstream = world.upstream_with(|config| config.timeouts.total_ms = 400);
    for bytes in [0, 1, 20, 250] {
        let challenge = upstream.challenge(&request()).await.unwrap();
        world.sim.script(Endpoint::Confirm, Fault::HangAfter(bytes));
        let answer = upstream.confirm(&request(), &world.proof("taro", &challenge)).await;
        assert_eq!(answer, Err(UpstreamError::Timeout), "{bytes}");
    }
    assert_eq!(world.sim.requests(Endpoint::Confirm), 4);
    let fresh = world.upstream_with(|config| config.timeouts.connect_ms = 200);
    world.next_code();
    world.sim.hang_connections(3);
    assert_eq!(fresh.challenge(&request()).await, Err(UpstreamError::Unreachable));
    world.sim.stop().await;
}

#[tokio::test]
async fn an_answer_that_trickles_in_within_the_time_is_an_answer() {
    let world = World::new().await;
    let upstream = world.upstream();
    world.sim.script(Endpoint::Challenge, Fault::Trickle(4, MILLI));
    assert!(upstream.challenge(&request()).await.is_ok());
    assert_eq!(world.sim.requests(Endpoint::Challenge), 1);
}

/// A challenge cut at any byte is fetched again; its holder notices nothing.
#[tokio::test]
async fn a_read_that_is_cut_is_asked_again() {
    let world = World::new().await;
    let upstream = world.upstream();
    upstream.challenge(&request()).await.unwrap();
    for bytes in [0, 1, 17, 90, 200, 300] {
        world.sim.script(Endpoint::Challenge, Fault::CutAfter(bytes));
        assert!(upstream.challenge(&request()).await.is_ok(), "{bytes}");
    }
    assert_eq!(world.sim.requests(Endpoint::Challenge), 13);
}

/// A second answer on the same connection must never be taken for the answer to the next question.
#[tokio::test]
async fn an_answer_that_comes_twice_is_not_the_answer_to_the_next_question() {
    let world = World::new().await;
    let upstream = world.upstream();
    for _ in 0..20 {
        world.sim.script(Endpoint::Challenge, Fault::Twice);
        let first = upstream.challenge(&request()).await.unwrap();
        match upstream.challenge(&request()).await {
            Ok(next) => assert_ne!(first.id, next.id, "somebody else's challenge"),
            Err(error) => assert_eq!(error, UpstreamError::Malformed),
        }
    }
    assert!(upstream.challenge(&request()).await.is_ok());
}

#[tokio::test]
async fn an_answer_that_comes_too_late_reaches_nobody() {
    let world = World::new().await;
    let upstream = world.upstream_with(|config| config.timeouts.total_ms = 300);
    let early = upstream.challenge(&request()).await.unwrap();
    world.sim.script(Endpoint::Confirm, Fault::Slow(Duration::from_millis(350)));
    let answer = upstream.confirm(&request(), &world.proof("taro", &early)).await;
    assert_eq!(answer, Err(UpstreamError::Timeout));
    let confirmation = world.confirmed(&upstream, "hanako").await;
    let fresh = world.confirmed(&world_upstream_again(&world), "hanako").await;
    assert_eq!(confirmation.eligibilities, fresh.eligibilities);
}

fn world_upstream_again(world: &World) -> daemon::upstream::Upstream {
    world.next_code();
    world.upstream()
}

#[tokio::test]
async fn a_gateway_in_trouble_is_asked_again_and_a_busy_server_is_left_alone() {
    let world = World::new().await;
    let upstream = world.upstream();
    for status in [500, 502, 504] {
        world.sim.script(Endpoint::Challenge, Fault::Status(status));
        assert!(upstream.challenge(&request()).await.is_ok(), "{status}");
    }
    world.sim.script(Endpoint::Challenge, Fault::Busy(20));
    let busy = UpstreamError::Refused { code: "HTTP-429".to_owned() };
    assert_eq!(upstream.challenge(&request()).await, Err(busy));
    let asked = world.sim.requests(Endpoint::Challenge);
    assert_eq!(upstream.challenge(&request()).await, Err(UpstreamError::Unreachable));
    assert_eq!(world.sim.requests(Endpoint::Challenge), asked);
    world.clock.advance(SignedDuration::from_secs(20));
    assert!(upstream.challenge(&request()).await.is_ok());
}

#[tokio::test]
async fn a_clock_that_disagrees_is_seen() {
    let world = World::new().await;
    let upstream = world.upstream();
    for seconds in [0, 31, -45] {
        world.sim.set_date_ahead(seconds);
        upstream.challenge(&request()).await.unwrap();
        assert_eq!(upstream.status().clock_offset, Some(SignedDuration::from_secs(seconds)));
    }
}

fn proxied(world: &World, url: String, password: Option<&str>) -> daemon::upstream::Upstream {
    let file = world.path().join("proxy-password");
    world.upstream_with(|config| {
        config.proxy = Some(ProxyConfig {
            url,
            user: password.map(|_| "clinic".to_owned()),
            password_file: password.map(|password| {
                use std::os::unix::fs::PermissionsExt as _;
                std::fs::write(&file, password).unwrap();
                std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
                file.clone()
            }),
        });
    })
}

#[tokio::test]
async fn through_a_proxy_nothing_is_readable() {
    let world = World::new().await;
    let proxy = ConnectProxy::start(Some(("clinic", "p w:1"))).await.unwrap();
    let upstream = proxied(&world, proxy.url(), Some("p w:1"));
    world.confirmed(&upstream, "taro").await;
    let seen = proxy.seen();
    assert!(!seen.tunnels.is_empty() && seen.tunnels.len() == world.sim.connections());
    assert!(seen.tunnels.iter().all(|target| *target == world.sim.address().to_string()));
    for plain in ["POST", "oqs-api", "XmlMsg", world.sim.facility().password.as_str()] {
        let found = seen.bytes.windows(plain.len()).any(|window| window == plain.as_bytes());
        assert!(!found, "{plain} in the tunnel");
    }
    drop(upstream);
    proxy.stop().await;
}

#[tokio::test]
async fn a_proxy_that_refuses_or_is_gone_is_unreachable_and_not_gone_round() {
    let world = World::new().await;
    let proxy = ConnectProxy::start(Some(("clinic", "right"))).await.unwrap();
    for upstream in [proxied(&world, proxy.url(), Some("wrong")), proxied(&world, proxy.url(), None)] {
        assert_eq!(upstream.challenge(&request()).await, Err(UpstreamError::Unreachable));
    }
    assert!(proxy.seen().refused > 0);
    let gone = proxied(&world, proxy.url(), Some("right"));
    proxy.stop().await;
    assert_eq!(gone.challenge(&request()).await, Err(UpstreamError::Unreachable));
    assert_eq!(world.sim.connections(), 0);
}

#[tokio::test]
async fn a_proxy_is_configured_without_secrets_in_its_url() {
    let world = World::new().await;
    for (url, user) in [
        ("https://proxy:3128", None),
        ("http://user:secret@proxy:3128", None),
        ("http://proxy:3128/path", None),
        ("proxy:3128", None),
        ("http://proxy:3128", Some("alone".to_owned())),
    ] {
        let mut config = world.config();
        config.proxy = Some(ProxyConfig { url: url.to_owned(), user, password_file: None });
        let error = Credentials::load(&config).unwrap_err();
        assert!(matches!(error, ConfigError::Setting { key: "proxy.url" | "proxy.user", .. }), "{url}");
        assert!(!error.to_string().contains("secret"));
    }
}
