//! The sandbox for vendors' developers: a clinic with a card on its reader, and a control listener beside the daemon's API
//! through which a program plays patient, central system and time.
//!
//! Nothing of it is part of `shikakud`: the control listener belongs to the simulators and stands on loopback alone.

#![expect(clippy::expect_used, reason = "a sandbox that does not open ends with the reason")]

pub mod control;
mod forms;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use daemon::app::checks::Patience;
use daemon::app::maintenance::MaintenanceCalendar;
use daemon::app::ports::{Clock as _, Role};
use daemon::config::PageSection;
use daemon::system::{OsRandom, SystemClock};
use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;

use crate::ambient::MovableClock;
use crate::card::readers::{SharedCard, Trouble};
use crate::clinic::{Clinic, Credentials, Plan, READER, TERMINAL, Visitor};
use crate::personas::{Persona, Personas};

/// The account that looks at the readers.
const HAND: &str = "sandbox-hand";
/// The receipt computer's account, whose credentials are printed.
pub const RECEIPT: &str = "receipt";

/// Who signs in at the front-desk page: a receptionist and whoever administers.
pub const PEOPLE: [(&str, Role); 2] = [("uketsuke", Role::Operator), ("kanri", Role::Administrator)];

/// What a sandbox is opened with.
#[derive(Debug, Clone)]
pub struct Opening {
    /// Where the daemon's API listens.
    pub listen: SocketAddr,
    /// Where the front-desk page is served.
    pub page: Option<SocketAddr>,
    /// Where the control listener will listen.
    pub control: Option<SocketAddr>,
    /// Whose card lies on the reader at first.
    pub persona: String,
    /// Where `KEY=value` lines are written.
    pub env: Option<PathBuf>,
}

/// An open sandbox. Its data lies in a directory of its own that goes away with it.
pub struct Sandbox {
    opening: Opening,
    clock: Arc<MovableClock>,
    stand: Option<Stand>,
    accounts: usize,
}

/// What a reset replaces.
struct Stand {
    clinic: Clinic,
    visitor: Visitor,
    card: Option<Held>,
    trouble: forms::Reader,
    upstream: forms::Upstream,
    _directory: TempDir,
}

/// The card in the patient's hand.
struct Held {
    persona: &'static Persona,
    card: SharedCard,
    /// Whether it is held on the reader anew once a check has used it.
    again: bool,
}

impl Sandbox {
    /// Opens it, with a card on the reader.
    pub async fn open(opening: Opening) -> io::Result<Self> {
        let clock = Arc::new(MovableClock::beside(Arc::new(SystemClock)));
        let mut sandbox = Self { opening, clock, stand: None, accounts: 1 };
        sandbox.begin().await?;
        Ok(sandbox)
    }

    async fn begin(&mut self) -> io::Result<()> {
        let directory = TempDir::with_prefix("shikaku-sandbox-")?;
        let clinic = Clinic::open(self.plan(&directory)).await;
        // The addresses stay when it is opened anew.
        self.opening.listen = clinic.api;
        self.opening.page = clinic.page;
        let visitor = clinic.visitor();
        self.stand = Some(Stand {
            clinic,
            visitor,
            card: None,
            trouble: forms::Reader::Ready,
            upstream: forms::Upstream::Up,
            _directory: directory,
        });
        self.accounts = 1;
        let persona = self.opening.persona.clone();
        self.tap(&persona, true);
        self.write_environment()
    }

    fn plan(&self, directory: &TempDir) -> Plan {
        Plan {
            clock: self.clock.clone(),
            kernel: Arc::default(),
            random: Arc::new(OsRandom),
            directory: directory.path().to_owned(),
            listen: self.opening.listen,
            tls: false,
            readers: vec![READER],
            accepts_unsigned_visual: true,
            terminal_authentication: None,
            upstream_total_ms: 15_000,
            registration_ms: 25_000,
            maintenance: MaintenanceCalendar::default(),
            collect_every_minutes: 5,
            collects_by_itself: true,
            upstream_page_size: 100,
            patience: Patience::default(),
            limits: api::limits::Limits::default(),
            terminals: vec![TERMINAL],
            lan_hosts: Vec::new(),
            page: self.opening.page.map(PageSection::new),
            folders: Vec::new(),
            accounts: self.accounts_of_the_start(),
        }
    }

    fn accounts_of_the_start(&self) -> Vec<(&'static str, Role)> {
        let people = PEOPLE.into_iter().filter(|_| self.opening.page.is_some());
        [(RECEIPT, Role::ReceiptComputer), (HAND, Role::Operator)].into_iter().chain(people).collect()
    }

    /// Begins anew, at an instant or at the machine's: no results, a new account, everything mended. The addresses stay.
    ///
    /// # Errors
    /// The file with the new credentials cannot be written.
    pub async fn reset(&mut self, at: Option<Timestamp>) -> io::Result<()> {
        self.close().await;
        self.clock.release();
        if let Some(at) = at {
            self.clock.set(at);
        }
        self.begin().await
    }

    /// Closes it; only a reset opens it again.
    pub async fn close(&mut self) {
        if let Some(stand) = self.stand.take() {
            stand.clinic.close().await;
        }
    }

    fn stand(&self) -> &Stand {
        self.stand.as_ref().expect("an open sandbox")
    }

    fn stand_mut(&mut self) -> &mut Stand {
        self.stand.as_mut().expect("an open sandbox")
    }

    /// The clinic in it.
    pub fn clinic(&self) -> &Clinic {
        &self.stand().clinic
    }

    /// What the printed account signs in with.
    pub fn credentials(&self) -> Credentials {
        self.clinic().credentials(RECEIPT)
    }

    /// Holds a persona's card on the reader; `again`: anew after every check. `None` if there is no such persona.
    pub fn tap(&mut self, persona: &str, again: bool) -> Option<&'static Persona> {
        let persona = Personas::builtin().by_name(persona)?;
        let stand = self.stand_mut();
        let card = stand.clinic.tap(&persona.name);
        stand.card = Some(Held { persona, card, again });
        Some(persona)
    }

    /// Takes the card away.
    pub fn remove(&mut self) {
        let stand = self.stand_mut();
        stand.clinic.readers.take(READER);
        stand.card = None;
    }

    /// Holds the card on the reader anew once a check has used it and is over: a card serves one check.
    pub async fn look(&mut self) {
        let Some(stand) = &mut self.stand else { return };
        let Some(held) = stand.card.as_ref().filter(|held| held.again) else { return };
        if held.card.lock().expect("the card").apdu_count() == 0 {
            return;
        }
        let name = held.persona.name.clone();
        let mut readers = stand.visitor.get("/v1/readers").await;
        if readers.status == 401 {
            // A moved clock ends sessions and makes used codes fresh ones; until it does, the hand waits its turn.
            let credentials = stand.clinic.credentials(HAND);
            stand.visitor.set_token(None);
            if !stand.visitor.try_sign_in(&credentials).await {
                return;
            }
            readers = stand.visitor.get("/v1/readers").await;
        }
        if readers.json()["readers"][0]["check_id"] == Value::Null {
            self.tap(&name, true);
        }
    }

    /// Creates another account and returns what it signs in with: each has one sign-in in 30 seconds.
    pub async fn add_account(&mut self, role: Role) -> Credentials {
        self.accounts += 1;
        let name = format!("sandbox-{}", self.accounts);
        self.stand_mut().clinic.enrol(&name, role).await
    }

    fn set_reader(&mut self, state: forms::Reader) {
        let stand = self.stand_mut();
        let readers = &stand.clinic.readers;
        readers.start_service();
        readers.set_trouble(READER, None);
        match state {
            forms::Reader::Ready => {}
            forms::Reader::CardMute => readers.set_trouble(READER, Some(Trouble::Mute)),
            forms::Reader::CardInUse => readers.set_trouble(READER, Some(Trouble::InUse)),
            forms::Reader::Unavailable => readers.set_trouble(READER, Some(Trouble::Unavailable)),
            forms::Reader::ServiceStopped => readers.stop_service(),
        }
        stand.trouble = state;
    }

    fn set_upstream(&mut self, state: forms::Upstream) {
        let stand = self.stand_mut();
        stand.clinic.upstream.mend();
        match state {
            forms::Upstream::Up => {}
            forms::Upstream::Down => stand.clinic.upstream.go_down(),
            forms::Upstream::Maintenance => stand.clinic.upstream.set_maintenance(true),
        }
        stand.upstream = state;
    }

    /// Writes the file for shells and programs, if one was asked for.
    fn write_environment(&self) -> io::Result<()> {
        let Some(file) = &self.opening.env else { return Ok(()) };
        let Credentials { institution_code, account, password, totp_secret, .. } = self.credentials();
        let control = self.opening.control.map(|control| format!("SHIKAKU_SANDBOX=http://{control}\n"));
        let lines = format!(
            "SHIKAKU_API=http://{}\nSHIKAKU_INSTITUTION_CODE={institution_code}\nSHIKAKU_ACCOUNT={account}\n\
             SHIKAKU_PASSWORD={password}\nSHIKAKU_TOTP_SECRET={totp_secret}\n{}{}",
            self.clinic().api,
            control.unwrap_or_default(),
            self.environment_of_the_page(),
        );
        // The old file may be open to others: a new one is made.
        match std::fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(file)?.write_all(lines.as_bytes())
    }

    fn environment_of_the_page(&self) -> String {
        let Some(address) = self.clinic().page_address() else { return String::new() };
        let person = |(name, word): (&str, &str)| {
            let Credentials { account, password, totp_secret, .. } = self.clinic().credentials(name);
            format!(
                "SHIKAKU_{word}={account}\nSHIKAKU_{word}_PASSWORD={password}\nSHIKAKU_{word}_TOTP_SECRET={totp_secret}\n"
            )
        };
        let people = PEOPLE.map(|(name, role)| match role {
            Role::Administrator => person((name, "ADMINISTRATOR")),
            Role::Operator | Role::ReceiptComputer => person((name, "OPERATOR")),
        });
        format!("SHIKAKU_PAGE={address}\n{}", people.concat())
    }

    /// The six-digit code of this moment and the seconds for which it is one.
    pub fn code_of(&self, credentials: &Credentials) -> (String, u64) {
        let now = u64::try_from(self.clock.now().as_second()).expect("after 1970");
        (credentials.code(now), 30 - now % 30)
    }
}
