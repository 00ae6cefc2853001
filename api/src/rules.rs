//! Rules of requests that the types alone do not say: lengths, ranges, the form of dates. They are in `openapi.yaml` too.
//!
//! The rules of PIN, inquiry number and insurance identifiers belong to the service, which has codes of their own for them.

use crate::extract::Rules;
use crate::fields::{self, Fields};
use crate::limits::{LONGEST_CHANGES_WAIT_SECONDS, LONGEST_WAIT_SECONDS};
use crate::wire;

/// The first field whose rule does not hold.
fn first_broken<const N: usize>(rules: [(&'static str, bool); N]) -> Option<&'static str> {
    rules.into_iter().find(|(_, holds)| !holds).map(|(field, _)| field)
}

fn length(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.chars().count())
}

fn optional(text: Option<&String>, longest: usize) -> bool {
    text.is_none_or(|text| length(text, longest))
}

fn secret(text: Option<&wire::SecretText>, longest: usize) -> bool {
    text.is_none_or(|text| length(text.expose(), longest))
}

/// Whether an optional text has the form `YYYY-MM-DD`; whether that day exists is for the service to say.
fn date(text: Option<&String>) -> bool {
    text.is_none_or(|text| {
        text.len() == 10
            && text.bytes().enumerate().all(|(index, byte)| match index {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            })
    })
}

fn page_size(limit: Option<u32>) -> bool {
    limit.is_none_or(|limit| (1..=200).contains(&limit))
}

/// Whether every selected field is one that is documented.
fn fields(text: Option<&String>) -> bool {
    text.is_none_or(|text| text.len() <= 1024 && fields::of_query(Some(text)).is_some())
}

impl Rules for wire::SignIn {
    fn broken(&self) -> Option<&'static str> {
        let claimed_before = self.ticket.is_some();
        let claim = |length: Option<bool>| length.map_or(claimed_before, |holds| holds && !claimed_before);
        first_broken([
            ("ticket", secret(self.ticket.as_ref(), 64)),
            ("institution_code", claim(self.institution_code.as_ref().map(|text| length(text, 64)))),
            ("account", claim(self.account.as_ref().map(|text| length(text, 64)))),
            ("password", claim(self.password.as_ref().map(|text| length(text.expose(), 1024)))),
            ("code", secret(self.code.as_ref(), 64)),
            (
                "recovery_code",
                secret(self.recovery_code.as_ref(), 64)
                    && !(self.code.is_some() && self.recovery_code.is_some()),
            ),
        ])
    }
}

impl Rules for wire::SignInClaim {
    fn broken(&self) -> Option<&'static str> {
        first_broken([
            ("institution_code", length(&self.institution_code, 64)),
            ("account", length(&self.account, 64)),
            ("password", length(self.password.expose(), 1024)),
        ])
    }
}

impl Rules for wire::SessionQuery {
    fn broken(&self) -> Option<&'static str> {
        None
    }
}

impl Rules for wire::NewAccount {
    fn broken(&self) -> Option<&'static str> {
        first_broken([("account", length(&self.account, 64))])
    }
}

impl Rules for wire::AccountStatus {
    fn broken(&self) -> Option<&'static str> {
        None
    }
}

impl Rules for wire::AccountReset {
    fn broken(&self) -> Option<&'static str> {
        first_broken([("password", self.password || self.totp)])
    }
}

impl Rules for wire::PasswordChange {
    fn broken(&self) -> Option<&'static str> {
        first_broken([
            ("current_password", length(self.current_password.expose(), 1024)),
            ("new_password", length(self.new_password.expose(), 1024)),
        ])
    }
}

impl Rules for wire::PasswordProof {
    fn broken(&self) -> Option<&'static str> {
        first_broken([("password", length(self.password.expose(), 1024))])
    }
}

impl Rules for wire::TotpConfirmation {
    fn broken(&self) -> Option<&'static str> {
        first_broken([("code", length(self.code.expose(), 64))])
    }
}

impl Rules for wire::PasskeyProof {
    fn broken(&self) -> Option<&'static str> {
        first_broken([
            ("password", length(self.password.expose(), 1024)),
            ("code", secret(self.code.as_ref(), 64)),
        ])
    }
}

impl Rules for wire::NewPasskey {
    fn broken(&self) -> Option<&'static str> {
        first_broken([
            ("ceremony", length(self.ceremony.expose(), 64)),
            ("name", length(&self.name, 64) && !self.name.chars().any(char::is_control)),
            ("client_data", length(&self.client_data, 8192)),
            ("attestation_object", length(&self.attestation_object, 16384)),
        ])
    }
}

impl Rules for wire::PasskeySignIn {
    fn broken(&self) -> Option<&'static str> {
        first_broken([
            ("ceremony", length(self.ceremony.expose(), 64)),
            ("credential_id", length(&self.credential_id, 1364)),
            ("client_data", length(&self.client_data, 8192)),
            ("authenticator_data", length(&self.authenticator_data, 8192)),
            ("signature", length(&self.signature, 2048)),
            ("user_handle", length(&self.user_handle, 128)),
        ])
    }
}

impl Rules for wire::NewChecklistRecord {
    fn broken(&self) -> Option<&'static str> {
        first_broken([("done", self.done.len() <= 5), ("terminal", optional(self.terminal.as_ref(), 64))])
    }
}

impl Rules for wire::NewIncident {
    fn broken(&self) -> Option<&'static str> {
        first_broken([
            ("result", self.result.is_none_or(|result| result >= 1)),
            ("measures", self.measures.len() <= 5),
            ("terminal", optional(self.terminal.as_ref(), 64)),
        ])
    }
}

impl Rules for wire::IncidentQuery {
    fn broken(&self) -> Option<&'static str> {
        first_broken([
            ("before", self.before.is_none_or(|before| before >= 1)),
            ("limit", self.limit.is_none_or(|limit| (1..=500).contains(&limit))),
        ])
    }
}

impl Rules for wire::NewTerminal {
    fn broken(&self) -> Option<&'static str> {
        first_broken([("name", length(&self.name, 64))])
    }
}

impl Rules for wire::TerminalEnrolment {
    fn broken(&self) -> Option<&'static str> {
        first_broken([("code", length(self.code.expose(), 64))])
    }
}

impl Rules for wire::MachineEnrolment {
    fn broken(&self) -> Option<&'static str> {
        first_broken([("code", length(self.code.expose(), 64)), ("csr", length(&self.csr, 4096))])
    }
}

impl Rules for wire::MachineRenewal {
    fn broken(&self) -> Option<&'static str> {
        first_broken([("csr", length(&self.csr, 4096))])
    }
}

impl Rules for wire::NewCheck {
    fn broken(&self) -> Option<&'static str> {
        first_broken([
            ("terminal", optional(self.terminal.as_ref(), 64)),
            ("reader", optional(self.reader.as_ref(), 255)),
            ("visual_after_lock_of", optional(self.visual_after_lock_of.as_ref(), 64)),
        ])
    }
}

impl Rules for wire::SecuritySettings {
    fn broken(&self) -> Option<&'static str> {
        None
    }
}

impl Rules for wire::FolderAccess {
    fn broken(&self) -> Option<&'static str> {
        None
    }
}

impl Rules for wire::PinEntry {
    fn broken(&self) -> Option<&'static str> {
        None
    }
}

impl Rules for wire::CardUseRegistration {
    fn broken(&self) -> Option<&'static str> {
        None
    }
}

impl Rules for wire::InquiryNumber {
    fn broken(&self) -> Option<&'static str> {
        None
    }
}

impl Rules for wire::InquiryNumberOfInsurance {
    fn broken(&self) -> Option<&'static str> {
        None
    }
}

impl Rules for wire::BulkInquiry {
    fn broken(&self) -> Option<&'static str> {
        first_broken([("items", (1..=10_000).contains(&self.items.len()))])
    }
}

impl Rules for wire::InquiryJobQuery {
    fn broken(&self) -> Option<&'static str> {
        first_broken([
            ("before", self.before.is_none_or(|before| before >= 1)),
            ("limit", self.limit.is_none_or(|limit| (1..=500).contains(&limit))),
        ])
    }
}

impl Rules for wire::AuditQuery {
    fn broken(&self) -> Option<&'static str> {
        first_broken([
            ("from", date(self.from.as_ref())),
            ("to", date(self.to.as_ref())),
            ("after", self.after.is_none_or(|after| after >= 0)),
            ("limit", self.limit.is_none_or(|limit| (1..=500).contains(&limit))),
        ])
    }
}

impl Rules for wire::BulkQuery {
    fn broken(&self) -> Option<&'static str> {
        first_broken([
            ("position", self.position.is_none_or(|position| position <= 10_000)),
            ("limit", self.limit.is_none_or(|limit| (1..=1_000).contains(&limit))),
        ])
    }
}

impl Rules for wire::ResultQuery {
    fn broken(&self) -> Option<&'static str> {
        first_broken([
            ("from", date(self.from.as_ref())),
            ("to", date(self.to.as_ref())),
            ("terminal", optional(self.terminal.as_ref(), 128)),
            ("fields", fields(self.fields.as_ref())),
            ("cursor", optional(self.cursor.as_ref(), 512)),
            ("limit", page_size(self.limit)),
        ])
    }
}

/// The first condition of a search that breaks its rule; two requests have the same ones.
macro_rules! broken_condition {
    ($asked:expr) => {{
        let birthdate = $asked.birthdate.as_ref().map(|text| text.expose().to_owned());
        let insurer = $asked.insurer_number.as_ref();
        let digits = |text: &wire::SecretText| text.expose().bytes().all(|byte| byte.is_ascii_digit());
        first_broken([
            ("from", date($asked.from.as_ref())),
            ("to", date($asked.to.as_ref())),
            ("terminal", optional($asked.terminal.as_ref(), 128)),
            ("inquiry_number", secret($asked.inquiry_number.as_ref(), 50)),
            ("name", secret($asked.name.as_ref(), 100)),
            ("kana", secret($asked.kana.as_ref(), 100)),
            ("birthdate", date(birthdate.as_ref())),
            ("insurer_number", secret(insurer, 8) && insurer.is_none_or(digits)),
        ])
    }};
}

impl Rules for wire::ResultSearch {
    fn broken(&self) -> Option<&'static str> {
        let known = |names: &Vec<String>| {
            names.len() <= 64 && Fields::read(names.iter().map(String::as_str)).is_some()
        };
        let rest = [
            ("fields", self.fields.as_ref().is_none_or(known)),
            ("cursor", optional(self.cursor.as_ref(), 512)),
            ("limit", page_size(self.limit)),
        ];
        broken_condition!(self).or_else(|| first_broken(rest))
    }
}

impl Rules for wire::ResultSearchCount {
    fn broken(&self) -> Option<&'static str> {
        broken_condition!(self)
    }
}

impl Rules for wire::CountQuery {
    fn broken(&self) -> Option<&'static str> {
        first_broken([
            ("from", date(self.from.as_ref())),
            ("to", date(self.to.as_ref())),
            ("terminal", optional(self.terminal.as_ref(), 128)),
        ])
    }
}

impl Rules for wire::ChangesQuery {
    fn broken(&self) -> Option<&'static str> {
        let starts_once = self.cursor.is_none() || self.from_start != Some(true);
        first_broken([
            ("cursor", optional(self.cursor.as_ref(), 64)),
            ("from_start", starts_once),
            ("wait", self.wait.is_none_or(|seconds| seconds <= LONGEST_CHANGES_WAIT_SECONDS)),
            ("fields", fields(self.fields.as_ref())),
            ("limit", page_size(self.limit)),
        ])
    }
}

impl Rules for wire::OneQuery {
    fn broken(&self) -> Option<&'static str> {
        first_broken([("fields", fields(self.fields.as_ref()))])
    }
}

impl Rules for wire::ExportQuery {
    fn broken(&self) -> Option<&'static str> {
        let starts_once = self.cursor.is_none() || self.after_id.is_none();
        first_broken([
            ("from", date(self.from.as_ref())),
            ("to", date(self.to.as_ref())),
            ("terminal", optional(self.terminal.as_ref(), 128)),
            ("cursor", optional(self.cursor.as_ref(), 512)),
            ("after_id", starts_once && self.after_id.is_none_or(|id| id >= 1)),
            ("limit", self.limit.is_none_or(|limit| (1..=1_000).contains(&limit))),
        ])
    }
}

impl Rules for wire::CheckWait {
    fn broken(&self) -> Option<&'static str> {
        first_broken([
            ("after_revision", self.after_revision.is_none_or(|revision| revision >= 0)),
            ("wait_seconds", self.wait_seconds.is_none_or(|seconds| seconds <= LONGEST_WAIT_SECONDS)),
        ])
    }
}
