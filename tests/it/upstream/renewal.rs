//! New certificates and secrets without a restart, and warnings before the old ones end.

use daemon::app::ports::{CardCheck as _, Renewal, UpstreamStatus as _};
use daemon::upstream::Upstream;
use harness::upstream::pki::{Identity, TestPki};
use harness::upstream::{Endpoint, Fault};
use jiff::SignedDuration;

use super::sign_in::Log;
use super::{World, request};

fn put(world: &World, identity: &Identity) {
    std::fs::write(&world.files.client_certificate, &identity.certificate_pem).unwrap();
    std::fs::write(&world.files.client_key, &identity.key_pem).unwrap();
}

fn renewal(upstream: &Upstream) -> Renewal {
    upstream.status().renewal
}

#[tokio::test]
async fn a_renewed_certificate_is_used_from_the_next_question_on() {
    let world = World::new().await;
    let upstream = world.upstream();
    upstream.challenge(&request()).await.unwrap();
    let renewed = world.sim.pki().renewed_client((2030, 1, 1));

    put(&world, &renewed);
    upstream.look();
    world.next_code();
    upstream.challenge(&request()).await.unwrap();

    assert!(matches!(renewal(&upstream), Renewal::TakenOver { .. }));
    assert_eq!(world.sim.client_certificates().last(), Some(&renewed.certificate_der));
    assert_eq!(world.sim.requests(Endpoint::Auth), 2, "the old token went with the old certificate");
    let ends = upstream.status().client_certificate_ends.unwrap();
    assert_eq!(ends, "2030-01-01T00:00:00Z".parse().unwrap());
}

#[tokio::test]
async fn a_question_on_its_way_ends_on_the_old_connection() {
    let world = World::new().await;
    let upstream = world.upstream();
    upstream.challenge(&request()).await.unwrap();
    world.sim.script(Endpoint::Challenge, Fault::Slow(std::time::Duration::from_millis(200)));
    put(&world, &world.sim.pki().renewed_client((2030, 1, 1)));
    let id = request();
    let (answer, ()) = tokio::join!(upstream.challenge(&id), async { upstream.look() });
    assert!(answer.is_ok());
    assert_eq!(world.sim.requests(Endpoint::Challenge), 2);
    assert_eq!(world.sim.client_certificates().last(), Some(&world.sim.pki().client().certificate_der));
}

/// Whoever replaces two files cannot do so at once.
#[tokio::test]
async fn a_certificate_without_its_key_changes_nothing_until_the_key_is_there() {
    let world = World::new().await;
    let upstream = world.upstream();
    upstream.challenge(&request()).await.unwrap();
    let renewed = world.sim.pki().renewed_client((2030, 1, 1));

    std::fs::write(&world.files.client_certificate, &renewed.certificate_pem).unwrap();
    upstream.look();
    assert!(matches!(renewal(&upstream), Renewal::Refused { .. }));
    upstream.challenge(&request()).await.unwrap();
    assert_eq!(world.sim.requests(Endpoint::Auth), 1, "token and connection stay");

    let half = &renewed.certificate_pem[..renewed.certificate_pem.len() / 2];
    std::fs::write(&world.files.client_certificate, half).unwrap();
    upstream.look();
    assert!(matches!(renewal(&upstream), Renewal::Refused { .. }));

    put(&world, &renewed);
    upstream.look();
    assert!(matches!(renewal(&upstream), Renewal::TakenOver { .. }));
}

#[tokio::test]
async fn the_same_content_written_again_is_no_change() {
    let world = World::new().await;
    let upstream = world.upstream();
    put(&world, &world.sim.pki().client().clone());
    upstream.look();
    assert_eq!(renewal(&upstream), Renewal::None);
}

#[tokio::test]
async fn a_password_put_right_is_used_at_the_next_sign_in() {
    let world = World::new().await;
    std::fs::write(&world.files.password, "wrong").unwrap();
    let upstream = world.upstream();
    assert!(upstream.challenge(&request()).await.is_err());
    std::fs::write(&world.files.password, &world.sim.facility().password).unwrap();
    world.next_code();
    assert!(upstream.challenge(&request()).await.is_ok());
}

#[tokio::test]
async fn a_refused_certificate_makes_the_files_be_looked_at() {
    let world = World::new().await;
    put(&world, TestPki::new().client());
    let upstream = world.upstream();
    assert!(upstream.challenge(&request()).await.is_err());
    put(&world, &world.sim.pki().client().clone());
    world.next_code();
    assert!(upstream.challenge(&request()).await.is_ok());
}

/// 62 and a half days before the end the warnings begin, one a threshold, however often it is looked.
#[tokio::test]
async fn each_threshold_before_the_end_is_logged_once() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let world = World::new().await;
    put(&world, &world.sim.pki().renewed_client((2026, 12, 10)));
    let upstream = world.upstream();
    let lines = |words: &str| {
        String::from_utf8(log.0.lock().unwrap().clone())
            .unwrap()
            .lines()
            .filter(|l| l.contains(words))
            .count()
    };
    for day in 0..70 {
        for _ in 0..24 {
            upstream.look();
            world.clock.advance(SignedDuration::from_hours(1));
        }
        assert!(day > 1 || lines("ends soon") == 0);
    }
    assert_eq!((lines("certificate ends soon"), lines("certificate has ended")), (5, 1));
    put(&world, &world.sim.pki().renewed_client((2031, 1, 1)));
    upstream.look();
    assert_eq!((lines("certificate ends soon"), lines("certificate has ended")), (5, 1));
}

/// What is wrong is told file by file, and nothing of what the files hold.
#[tokio::test]
async fn a_review_names_every_file_that_is_wrong_at_once() {
    use daemon::app::ports::Clock;
    let world = World::new().await;
    let clock: std::sync::Arc<dyn Clock> = world.clock.clone();
    let wrong = || {
        let lines = daemon::upstream::review(&world.config(), &clock);
        let wrong = lines.into_iter().filter_map(|line| Some((line.what, line.outcome.err()?)));
        wrong.collect::<Vec<_>>()
    };
    assert_eq!(wrong(), []);

    put(&world, &world.sim.pki().expired_client());
    let found = wrong();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].1.contains("有効期限が切れています"));

    std::fs::write(&world.files.client_key, &TestPki::new().client().key_pem).unwrap();
    assert!(wrong().iter().any(|(what, _)| what.contains(" + ")), "{:?}", wrong());

    std::fs::write(&world.files.totp_secret, "CANARY!").unwrap();
    std::fs::write(&world.files.roots, "no certificate").unwrap();
    std::fs::write(&world.files.password, "\n").unwrap();
    let found = wrong();
    let named: Vec<_> = found.iter().map(|(what, _)| *what).collect();
    assert_eq!(named, ["roots_file", "totp_secret_file", "password_file"]);
    assert!(!format!("{found:?}").contains("CANARY"));
}

/// systemd grants a credential by an access list, which shows as a right of the group.
#[tokio::test]
async fn a_credential_of_systemd_may_be_readable_by_its_group_and_no_file_else() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new().await;
    let mode = |mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&world.files.client_key, permissions).unwrap();
    };
    let loads = |directory: Option<&std::path::Path>| {
        let mut config = world.config();
        if directory.is_some() {
            config.client_key_file = "credential:upstream-client-key.pem".into();
        }
        config.resolve_paths(world.path(), directory);
        daemon::upstream::Credentials::load(&config).is_ok()
    };
    mode(0o440);
    assert!(!loads(None));
    assert!(loads(Some(world.path())));
    mode(0o444);
    assert!(!loads(Some(world.path())));
}
