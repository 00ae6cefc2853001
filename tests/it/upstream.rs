//! The connection to the central system, end to end: the daemon's adapter against the simulated central system over
//! real mutual TLS.

#![expect(clippy::unwrap_used, reason = "test support: what does not hold ends the test")]

mod answers;
mod console;
mod faults;
mod network;
mod renegotiation;
mod renewal;
mod seam;
mod sign_in;
mod trust;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use daemon::app::ports::{
    Answer, CardCheck as _, Challenge, Proof, RequestId, SignedChallenge, UpstreamError,
};
use daemon::domain::certificate::CertificateFacts;
use daemon::domain::eligibility::Confirmation;
use daemon::upstream::{Credentials, Upstream, UpstreamConfig};
use harness::ambient::{HeldClock, SeededRandom};
use harness::personas::{Persona, Personas};
use harness::pki::{CardPki, digest_info, sign_padded};
use harness::upstream::{Files, Options, SimUpstream};
use jiff::{SignedDuration, Timestamp};

/// 2026-10-08 10:00 in Japan.
const NOW: &str = "2026-10-08T01:00:00Z";

/// A running central system and the files of a facility.
struct World {
    sim: SimUpstream,
    clock: Arc<HeldClock>,
    files: Files,
    directory: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(adjust: impl FnOnce(&mut Options)) -> Self {
        let clock = Arc::new(HeldClock::at(NOW.parse::<Timestamp>().unwrap()));
        let mut options = Options::new(clock.clone(), Arc::new(SeededRandom::new(1)));
        adjust(&mut options);
        let sim = SimUpstream::start(options).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let files = sim.write_files(directory.path()).unwrap();
        Self { sim, clock, files, directory }
    }

    fn config(&self) -> UpstreamConfig {
        self.files.config().unwrap()
    }

    /// A daemon's connection as configured by the files.
    fn upstream(&self) -> Upstream {
        self.upstream_with(|_| {})
    }

    fn upstream_with(&self, adjust: impl FnOnce(&mut UpstreamConfig)) -> Upstream {
        let mut config = self.config();
        adjust(&mut config);
        let credentials = Credentials::load(&config).unwrap();
        Upstream::new(&config, &credentials, self.clock.clone(), Arc::new(SeededRandom::new(2))).unwrap()
    }

    /// Waits for the next one-time code.
    fn next_code(&self) {
        self.clock.advance(SignedDuration::from_secs(30));
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn certificate(&self, persona: &str) -> Vec<u8> {
        use daemon::app::ports::Clock as _;
        CardPki::new().identity(person(persona), self.clock.now()).certificate_der
    }

    /// What a persona's card answers to a challenge after the right PIN.
    fn proof(&self, persona: &str, challenge: &Challenge) -> Proof {
        use daemon::app::ports::Clock as _;
        let identity = CardPki::new().identity(person(persona), self.clock.now());
        let signature = sign_padded(&identity.key, &digest_info(&challenge.bytes)).unwrap();
        Proof::Signed {
            challenge_id: challenge.id.clone(),
            signed: SignedChallenge {
                facts: facts(&identity.certificate_der),
                certificate: identity.certificate_der,
                signature,
            },
        }
    }

    /// A whole check by card and PIN.
    async fn check(&self, upstream: &Upstream, persona: &str) -> Result<Answer, UpstreamError> {
        let challenge = upstream.challenge(&request()).await?;
        upstream.confirm(&request(), &self.proof(persona, &challenge)).await
    }

    async fn confirmed(&self, upstream: &Upstream, persona: &str) -> Confirmation {
        match self.check(upstream, persona).await {
            Ok(Answer::Confirmed(confirmation)) => confirmation,
            other => panic!("{persona}: {other:?}"),
        }
    }
}

fn person(name: &str) -> &'static Persona {
    Personas::builtin().by_name(name).unwrap()
}

/// What a certificate says about itself; the central system is not told.
fn facts(der: &[u8]) -> CertificateFacts {
    daemon::card::x509::read(der).unwrap().facts
}

/// A request id that no other request has.
fn request() -> RequestId {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    RequestId(format!("{:026}", NEXT.fetch_add(1, Ordering::Relaxed)))
}
