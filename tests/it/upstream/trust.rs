//! Who is who: both sides' certificates, the TLS floor, and the files that hold the secrets.

use std::sync::Arc;

use daemon::app::ports::{CardCheck as _, UpstreamError};
use daemon::upstream::{ConfigError, Credentials, TlsFloor, UpstreamConfig};
use harness::ambient::SeededRandom;
use harness::upstream::pki::{Identity, ServerCertificate, TestPki, TlsVersions};
use harness::upstream::{Endpoint, Fault};

use super::{World, request};

fn replace_client(world: &World, identity: &Identity) {
    std::fs::write(&world.files.client_certificate, &identity.certificate_pem).unwrap();
    std::fs::write(&world.files.client_key, &identity.key_pem).unwrap();
}

#[tokio::test]
async fn a_server_that_is_not_the_trusted_one_gets_not_one_byte() {
    for shown in ServerCertificate::BAD {
        let world = World::with(|options| options.server_certificate = shown).await;
        let answer = world.upstream().challenge(&request()).await;
        assert_eq!(answer, Err(UpstreamError::ClientCertificate), "{shown:?}");
        assert_eq!(world.sim.connections(), 1, "{shown:?}: it was the certificate that stopped it");
        assert_eq!(world.sim.received_bytes(), 0, "{shown:?}");
    }
}

/// With TLS 1.3 the refusal comes after the client believes to be connected, in shapes that depend on timing.
#[tokio::test]
async fn a_client_certificate_of_another_authority_is_named_as_the_cause() {
    for versions in [TlsVersions::Both, TlsVersions::Only12] {
        let world = World::with(|options| options.tls_versions = versions).await;
        replace_client(&world, TestPki::new().client());
        for round in 0..20 {
            let upstream = world.upstream_with(|config| config.tls_floor = TlsFloor::Tls12);
            let answer = upstream.challenge(&request()).await;
            assert_eq!(answer, Err(UpstreamError::ClientCertificate), "{versions:?} {round}");
        }
        assert_eq!(world.sim.requests(Endpoint::Auth), 0);
    }
}

/// The alert may get lost when our request is already on its way: then only a reset is seen. After a first answer the
/// certificate cannot be the cause.
#[tokio::test]
async fn a_reset_before_any_answer_points_to_the_client_certificate() {
    let world = World::new().await;
    let upstream = world.upstream();
    world.sim.script(Endpoint::Auth, Fault::Reset);
    assert_eq!(upstream.challenge(&request()).await, Err(UpstreamError::ClientCertificate));
    world.next_code();
    let challenge = upstream.challenge(&request()).await.unwrap();
    world.sim.script(Endpoint::Confirm, Fault::Reset);
    let answer = upstream.confirm(&request(), &world.proof("taro", &challenge)).await;
    assert_eq!(answer, Err(UpstreamError::Malformed));
}

#[tokio::test]
async fn an_expired_client_certificate_is_named_as_the_cause() {
    let world = World::new().await;
    replace_client(&world, &world.sim.pki().expired_client());
    let answer = world.upstream().challenge(&request()).await;
    assert_eq!(answer, Err(UpstreamError::ClientCertificate));
}

/// The simulator itself: without a certificate nobody gets as far as a request.
#[tokio::test]
async fn nobody_is_served_without_a_client_certificate() {
    let world = World::new().await;
    let mut roots = rustls::RootCertStore::empty();
    let pem = std::fs::read(&world.files.roots).unwrap();
    let root = rustls::pki_types::pem::PemObject::from_pem_slice(&pem).unwrap();
    roots.add(root).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build().unwrap();
    let sent = client.post(format!("https://{}/", world.sim.address())).body("x").send().await;
    assert!(sent.is_err());
    assert_eq!(world.sim.received_bytes(), 0);
}

#[tokio::test]
async fn tls_1_2_is_spoken_only_where_the_configuration_allows_it() {
    let world = World::with(|options| options.tls_versions = TlsVersions::Only12).await;
    let answer = world.upstream().challenge(&request()).await;
    assert_eq!(answer, Err(UpstreamError::ClientCertificate));
    assert_eq!(world.sim.received_bytes(), 0);

    let tolerant = world.upstream_with(|config| config.tls_floor = TlsFloor::Tls12);
    assert!(tolerant.challenge(&request()).await.is_ok());
    assert_eq!(world.sim.client_certificates()[0], world.sim.pki().client().certificate_der);
}

fn load_with(world: &World, adjust: impl FnOnce(&mut UpstreamConfig)) -> ConfigError {
    let mut config = world.config();
    adjust(&mut config);
    Credentials::load(&config).unwrap_err()
}

#[tokio::test]
async fn settings_that_break_a_rule_are_refused_by_name() {
    let world = World::new().await;
    for base in ["http://127.0.0.1", "https://user@host", "https://host/?q", "not a url"] {
        let error = load_with(&world, |config| config.base_url = base.to_owned());
        assert!(matches!(error, ConfigError::Setting { key: "base_url", .. }), "{base}: {error:?}");
    }
    let error = load_with(&world, |config| config.institution_code = "12".to_owned());
    assert!(matches!(error, ConfigError::Setting { key: "institution_code", .. }));
    for path in ["no-slash", "/a?b", "/../x"] {
        let error = load_with(&world, |config| config.paths.confirm = path.to_owned());
        assert!(matches!(error, ConfigError::Setting { key: "paths.confirm", .. }), "{path}");
    }
    let missing = load_with(&world, |config| config.roots_file = world.path().join("nowhere"));
    assert!(matches!(missing, ConfigError::Unreadable { key: "roots_file", .. }));
}

#[tokio::test]
async fn secrets_open_to_others_are_refused_and_never_shown() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new().await;
    let secrets = [&world.files.client_key, &world.files.password, &world.files.totp_secret];
    for file in secrets {
        let mode = |mode| std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        mode(0o640);
        let error = load_with(&world, |_| {});
        assert!(matches!(error, ConfigError::OpenToOthers { .. }), "{error:?}");
        mode(0o600);
    }
    std::fs::write(&world.files.totp_secret, "CANARY-not-base32").unwrap();
    let error = load_with(&world, |_| {});
    assert!(!format!("{error} {error:?}").contains("CANARY"));
    let shown = format!("{:?}", Credentials::load(&World::new().await.config()).unwrap());
    assert!(!shown.contains(&world.sim.facility().password));
}

/// A key that does not belong to the certificate is found at the start, not at the first check.
#[tokio::test]
async fn key_and_certificate_must_belong_together() {
    let world = World::new().await;
    std::fs::write(&world.files.client_key, &TestPki::new().client().key_pem).unwrap();
    let config = world.config();
    let credentials = Credentials::load(&config).unwrap();
    let error = daemon::upstream::Upstream::new(
        &config,
        &credentials,
        world.clock.clone(),
        Arc::new(SeededRandom::new(2)),
    )
    .err();
    assert!(matches!(error, Some(ConfigError::Tls(_))));
}
