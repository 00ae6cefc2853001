//! New certificates and secrets without a restart, and warnings before the old ones end.

use daemon::app::ports::{Renewal, UpstreamStatus as _};
use daemon::upstream::Upstream;
use harness::upstream::pki::{Identity, TestPki};
use harness::upstream::{Endpoint, Fault};

use super::{World, request};

use daemon::app::ports::CardCheck as _;

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
