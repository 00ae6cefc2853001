//! A clinic that had the daemon before there was a page: its authority was made for this machine alone.

use std::sync::Arc;

use daemon::app::ports::{
    AuditEntry, AuditSource, CertificateAuthority, Clock, MachineStore as _, Random, Role,
};
use daemon::app::tasks::Tasks;
use daemon::config::PageSection;
use daemon::service::JsonForm;
use daemon::store::{Room, Store, StoreConfig};
use harness::ambient::SeededRandom;
use harness::clinic::{OpenClinic, Plan, client_tls};
use jiff::SignedDuration;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, GeneralSubtree, IsCa, KeyPair, NameConstraints,
    PKCS_ECDSA_P256_SHA256,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use sha2::{Digest as _, Sha256};
use x509_cert::Certificate;
use x509_cert::der::{Decode as _, Encode as _};

use super::accounts::{audited, row};

/// As an earlier version certified itself, with the same key.
fn as_it_was(authority: &CertificateAuthority) -> CertificateAuthority {
    let key = PrivatePkcs8KeyDer::from(authority.key.as_slice());
    let key = KeyPair::from_pkcs8_der_and_sign_algo(&key, &PKCS_ECDSA_P256_SHA256).expect("its key");
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Shikaku Bridge authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName("localhost".to_owned())],
        excluded_subtrees: Vec::new(),
    });
    let made = params.self_signed(&key).expect("a certificate");
    CertificateAuthority {
        fingerprint: Sha256::digest(made.der()).into(),
        certificate: made.pem(),
        key: authority.key.clone(),
    }
}

fn public_key(certificate: &str) -> Vec<u8> {
    let der = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM");
    let read = Certificate::from_der(&der).expect("a certificate");
    read.tbs_certificate().subject_public_key_info().to_der().expect("a public key")
}

/// Puts the authority of an earlier version in the place of today's; returns its certificate.
async fn turn_back(open: &OpenClinic) -> String {
    let paths = StoreConfig {
        data_dir: open.clinic.config.store.directory.clone(),
        keyring: open.clinic.config.store.directory.join("keyring"),
        master_key: open.clinic.config.store.master_key_file.clone().into(),
        readers: 1,
        anchor: None,
        room: Room { ballast: 0, low_water: 0 },
    };
    let (clock, tasks): (Arc<dyn Clock>, _) = (open.clock.clone(), Tasks::default());
    let random: Arc<dyn Random> = Arc::new(SeededRandom::new(7));
    let store =
        Store::open(&paths, clock, random, Arc::new(JsonForm), &tasks).await.expect("the store opens");
    let old = as_it_was(&store.authority().await.expect("it reads").expect("an authority"));
    let entry = AuditEntry {
        actor: "shikakud".to_owned(),
        action: "machine.new_authority",
        source: AuditSource::Daemon,
        terminal: None,
        results: Vec::new(),
        outcome: "ok".to_owned(),
    };
    store.replace_authority(old.clone(), &entry).await.expect("replaced");
    store.close().await;
    tasks.finish().await;
    old.certificate
}

#[tokio::test]
async fn an_authority_of_before_the_page_is_certified_anew_with_its_key_when_the_page_is_set_up() {
    let mut open = OpenClinic::with(|plan: &mut Plan| plan.accounts.push(("uketsuke", Role::Operator))).await;
    open.clinic.authority().await;
    open.clinic.stop_daemon().await;
    let old = turn_back(&open).await;
    open.clinic.restart().await.expect("it starts without a page");
    assert_eq!(open.clinic.authority().await, old, "nobody needs another one yet");

    let page = PageSection {
        hosts: vec!["uketsuke.local".to_owned()],
        ..PageSection::new("127.0.0.1:0".parse().expect("an address"))
    };
    open.clinic.config.page = Some(page);
    open.clinic.restart().await.expect("it starts with the page");
    let anew = open.clinic.authority().await;
    assert_ne!(anew, old);
    assert_eq!(public_key(&anew), public_key(&old), "what it has issued stays good");
    let renewed = row("shikakud", "machine.renew_authority", "ok");
    assert_eq!(audited(&open).await.iter().filter(|found| **found == renewed).count(), 1);

    open.clock.advance(SignedDuration::from_secs(60));
    let mut browser = open.clinic.browser().trusting(client_tls(&anew, None, open.clock.clone()));
    assert_eq!(browser.sign_in(&open.clinic.credentials("uketsuke")).await.status, 201);

    open.clinic.restart().await.expect("it starts again");
    assert_eq!(open.clinic.authority().await, anew, "once is enough");
}
