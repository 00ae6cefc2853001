//! The card itself: its state, power, faults and log. What a command does is in `instructions`.

use std::sync::OnceLock;
use std::time::Duration;

use jiff::Timestamp;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;

use super::apdu::{Command, sw};
use super::files::{self, Application, ElementaryFile, PinId};
use super::instructions::Answer;
use super::pin::PinObject;
use super::{ATR_CURRENT, ApduRecord, Faults};
use crate::personas::Persona;
use crate::pki::{CardIdentity, CardPki, Side};

/// Wrong tries that block the user-authentication PIN.
const AUTHENTICATION_TRIES: u8 = 3;
/// Wrong tries that block the signature PIN.
const SIGNATURE_TRIES: u8 = 5;
/// Every simulated card's signature PIN.
const SIGNATURE_PIN: &str = "ABC123";

/// What differs between cards and readers, or is not known of real ones.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches of a simulated card")]
pub struct Behaviour {
    /// Answer to reset.
    pub atr: Vec<u8>,
    /// Whether extended lengths pass (card and reader); otherwise they get 6700.
    pub extended: bool,
    /// Bytes of filler (00) behind the DER in the certificate files: the physical size of a real file is not public.
    pub filler: usize,
    /// Whether selecting the JPKI application again forgets a verified PIN (observed: it does not).
    pub reselect_clears: bool,
    /// iPhone: whether it has recognised its owner. That it refuses to sign otherwise is inferred.
    pub owner_recognised: bool,
    /// The key of a terminal that the card accepts instead of the PIN, in the invented exchange of [`super::terminal`].
    pub terminal_key: Option<[u8; 32]>,
    /// Whether a warm reset forgets PIN and selection (observed: it does not).
    pub warm_reset_clears: bool,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            atr: ATR_CURRENT.to_vec(),
            extended: true,
            filler: 0,
            owner_recognised: true,
            terminal_key: None,
            reselect_clears: false,
            warm_reset_clears: false,
        }
    }
}

/// Is told every user-authentication PIN that is presented, with its status word: tests hold it against whose PIN it was.
/// Called in the middle of the command: it must not touch the card.
pub type PinWatch = Box<dyn FnMut(&[u8], u16) + Send>;

/// A simulated card. PIN counters live as long as the value, across power cycles and insertions.
pub struct SimCard {
    /// How it behaves; may be changed between commands.
    pub behaviour: Behaviour,
    pub(super) persona: Persona,
    pki: CardPki,
    made_at: Timestamp,
    pub(super) identity: CardIdentity,
    signature_identity: OnceLock<CardIdentity>,
    authentication_pin: PinObject,
    signature_pin: PinObject,
    /// The current application; `None` without power.
    pub(super) application: Option<Application>,
    pub(super) current: Option<ElementaryFile>,
    /// The challenge given last, and whether a terminal answered one.
    pub(super) challenge: Vec<u8>,
    pub(super) terminal_accepted: bool,
    faults: Faults,
    since_script: usize,
    torn: bool,
    log: Vec<ApduRecord>,
    pin_watch: Option<PinWatch>,
    pub(super) rsa_time: Duration,
    pub(super) random: ChaCha20Rng,
}

impl SimCard {
    /// The card of a persona, its certificate as of `now`; without power.
    pub fn for_persona(persona: &Persona, pki: &CardPki, now: Timestamp) -> Self {
        let tries = persona.card.tries_left;
        Self {
            behaviour: Behaviour::default(),
            identity: pki.identity(persona, now),
            signature_identity: OnceLock::new(),
            authentication_pin: PinObject::new(&persona.card.pin, AUTHENTICATION_TRIES, tries),
            signature_pin: PinObject::new(SIGNATURE_PIN, SIGNATURE_TRIES, SIGNATURE_TRIES),
            application: None,
            current: None,
            challenge: Vec::new(),
            terminal_accepted: false,
            faults: Faults::default(),
            since_script: 0,
            torn: false,
            log: Vec::new(),
            pin_watch: None,
            rsa_time: Duration::ZERO,
            random: ChaCha20Rng::seed_from_u64(0),
            persona: persona.clone(),
            pki: pki.clone(),
            made_at: now,
        }
    }

    /// The persona whose card this is.
    pub fn persona(&self) -> &Persona {
        &self.persona
    }

    /// The user-authentication certificate and key.
    pub fn identity(&self) -> &CardIdentity {
        &self.identity
    }

    /// Answer to reset.
    pub fn atr(&self) -> &[u8] {
        &self.behaviour.atr
    }

    /// Tries left of the user-authentication PIN.
    pub fn tries_left(&self) -> u8 {
        self.authentication_pin.tries_left()
    }

    /// Sets the tries left of the user-authentication PIN (at most 3).
    pub fn set_tries_left(&mut self, tries: u8) {
        self.authentication_pin.set_tries_left(tries);
    }

    /// Changes the user-authentication PIN, as the holder can at the municipality.
    pub fn set_pin(&mut self, pin: &str) {
        self.authentication_pin.set_value(pin);
    }

    /// Lets somebody see every PIN that is presented from now on.
    pub fn watch_pins(&mut self, watch: PinWatch) {
        self.pin_watch = Some(watch);
    }

    /// What reached the card and was executed, in order.
    pub fn log(&self) -> &[ApduRecord] {
        &self.log
    }

    /// Starts the log anew.
    pub fn clear_log(&mut self) {
        self.log.clear();
    }

    /// How many commands the card executed.
    pub fn apdu_count(&self) -> usize {
        self.log.len()
    }

    /// How many times a PIN was presented; retry queries do not count.
    pub fn verify_count(&self) -> usize {
        self.log.iter().filter(|record| record.is_verify()).count()
    }

    /// Time spent in RSA so far: measurements of the path to the card leave it out.
    pub fn rsa_time(&self) -> Duration {
        self.rsa_time
    }

    /// Sets the script of faults and counts commands from 0 again.
    pub fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
        self.since_script = 0;
    }

    /// Whether the card was torn out; it answers nothing until [`SimCard::reinsert`].
    pub fn is_torn(&self) -> bool {
        self.torn
    }

    /// Puts a torn card back: without power, and without the script that tore it.
    pub fn reinsert(&mut self) {
        self.power_off();
        if self.torn {
            self.torn = false;
            self.faults.tear_after = None;
        }
    }

    /// Cold start: the issuer security domain is current, nothing is verified.
    pub fn power_on(&mut self) {
        self.power_off();
        self.application = Some(Application::Isd);
    }

    /// Power is gone: selection and verified PINs are lost, counters stay.
    pub fn power_off(&mut self) {
        self.application = None;
        self.current = None;
        self.clear_pins();
    }

    /// Warm reset: keeps application and verified PINs unless [`Behaviour::warm_reset_clears`].
    pub fn warm_reset(&mut self) {
        self.current = None;
        if self.behaviour.warm_reset_clears || self.application.is_none() {
            self.power_on();
        }
    }

    /// Executes one command and returns data and status word; nothing at all if the card is torn out or has no power.
    pub fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        if self.torn || self.application.is_none() {
            return Vec::new();
        }
        self.wait();
        let index = self.since_script;
        self.since_script += 1;
        let tears = self.faults.tear_after.is_some_and(|after| index >= after);
        if tears {
            self.torn = true;
            if !self.faults.tear_executes {
                return Vec::new();
            }
        }
        let answer: Answer = match self.faults.status.get(&index) {
            Some(status) => Err(*status),
            None => self.execute(command),
        };
        let garbled = self.faults.garbled.get(&index).cloned();
        let (mut bytes, status) = match answer {
            Ok(data) => (data, sw::OK),
            Err(status) => (Vec::new(), status),
        };
        self.record(command, status, !tears);
        if tears {
            self.power_off();
            return Vec::new();
        }
        bytes.extend_from_slice(&status.to_be_bytes());
        garbled.unwrap_or(bytes)
    }

    #[expect(clippy::disallowed_methods, reason = "a slow card is what the script asks for")]
    fn wait(&self) {
        if !self.faults.delay.is_zero() {
            std::thread::sleep(self.faults.delay);
        }
    }

    fn record(&mut self, bytes: &[u8], sw: u16, delivered: bool) {
        let mut header = [0; 4];
        for (to, from) in header.iter_mut().zip(bytes) {
            *to = *from;
        }
        let command = Command::decode(bytes);
        self.log.push(ApduRecord {
            header,
            lc: command.map_or(0, |command| command.data.len()),
            le: command.and_then(|command| command.le),
            extended: command.is_some_and(|command| command.extended),
            sw,
            delivered,
        });
    }

    pub(super) fn content(&self, file: ElementaryFile) -> Vec<u8> {
        let filled = |mut der: Vec<u8>| {
            der.resize(der.len() + self.behaviour.filler, 0);
            der
        };
        match file {
            ElementaryFile::Certificate => filled(self.identity.certificate_der.clone()),
            ElementaryFile::Authority => filled(self.pki.root_der()),
            ElementaryFile::SignatureCertificate => filled(self.signature_identity().certificate_der.clone()),
            ElementaryFile::SignatureAuthority => filled(self.pki.root_der_of(Side::DigitalSignature)),
            ElementaryFile::TokenInfo => files::token_info(self.persona.card.token),
            ElementaryFile::Availability => files::AVAILABILITY.to_vec(),
            ElementaryFile::Protected
            | ElementaryFile::Key(_)
            | ElementaryFile::TerminalKey
            | ElementaryFile::Pin(_) => Vec::new(),
        }
    }

    /// Made on first use: most tests never touch the signature side, and its keys take time.
    pub(super) fn signature_identity(&self) -> &CardIdentity {
        self.signature_identity
            .get_or_init(|| self.pki.identity_of(Side::DigitalSignature, &self.persona, self.made_at))
    }

    pub(super) fn pin(&self, id: PinId) -> &PinObject {
        match id {
            PinId::UserAuthentication => &self.authentication_pin,
            PinId::DigitalSignature => &self.signature_pin,
        }
    }

    pub(super) fn pin_mut(&mut self, id: PinId) -> &mut PinObject {
        match id {
            PinId::UserAuthentication => &mut self.authentication_pin,
            PinId::DigitalSignature => &mut self.signature_pin,
        }
    }

    pub(super) fn tell_watch(&mut self, id: PinId, presented: &[u8], status: u16) {
        if let (PinId::UserAuthentication, Some(watch)) = (id, &mut self.pin_watch) {
            watch(presented, status);
        }
    }

    pub(super) fn clear_pins(&mut self) {
        self.authentication_pin.clear();
        self.signature_pin.clear();
        self.challenge.clear();
        self.terminal_accepted = false;
    }
}
