//! The scripted program's part about passkeys, the checklist and incidents.

use api::service::{Along, Answer, Caller, DeskService, PasskeyService};
use api::wire;
use async_trait::async_trait;

use super::fake::Scripted;
use super::sample;

const WHEN: &str = "2026-07-08T12:00:00+09:00";

fn passkey() -> wire::Passkey {
    let (name, last_used_at) = ("受付のパソコン".to_owned(), Some(WHEN.to_owned()));
    wire::Passkey { id: 3, name, created_at: WHEN.to_owned(), last_used_at }
}

fn enrolment() -> wire::PasskeyEnrolment {
    let required = "required";
    wire::PasskeyEnrolment {
        ceremony: "ticket".to_owned(),
        expires_in_s: 120,
        options: wire::PasskeyCreationOptions {
            rp: wire::PasskeySite { id: "localhost".to_owned(), name: "資格ブリッジ".to_owned() },
            user: wire::PasskeyUser {
                id: "AAAA".to_owned(),
                name: "hanako".to_owned(),
                display_name: "hanako".to_owned(),
            },
            challenge: "AAAA".to_owned(),
            pub_key_cred_params: vec![wire::PasskeyAlgorithm { r#type: "public-key", alg: -7 }],
            timeout: 120_000,
            exclude_credentials: vec![wire::PasskeyDescriptor {
                r#type: "public-key",
                id: "AAAA".to_owned(),
            }],
            authenticator_selection: wire::PasskeySelection {
                resident_key: required,
                require_resident_key: true,
                user_verification: required,
            },
            attestation: "none",
        },
    }
}

fn checklist() -> wire::Checklist {
    let item = wire::ChecklistItem {
        item: wire::ChecklistItemName::Lock,
        group: wire::ChecklistGroup::OnTheDevice,
        text: "ロック".to_owned(),
    };
    let record = wire::ChecklistRecord {
        recorded_at: WHEN.to_owned(),
        recorded_by: "hanako".to_owned(),
        terminal: Some("uketsuke-1".to_owned()),
        done: vec![wire::ChecklistItemName::Lock],
    };
    wire::Checklist { items: vec![item], records: vec![record] }
}

fn incident() -> wire::Incident {
    wire::Incident {
        id: 3,
        recorded_at: WHEN.to_owned(),
        recorded_by: "hanako".to_owned(),
        terminal: Some("uketsuke-1".to_owned()),
        kind: wire::IncidentKind::AnotherPersonShown,
        result: Some(42),
        measures: vec![wire::IncidentMeasure::CallCentreContacted],
    }
}

#[async_trait]
impl PasskeyService for Scripted {
    async fn ask_for_passkey(&self) -> Answer<wire::PasskeyAsked> {
        let options = wire::PasskeyRequestOptions {
            challenge: "AAAA".to_owned(),
            rp_id: "localhost".to_owned(),
            timeout: 120_000,
            user_verification: "required",
        };
        self.play(wire::PasskeyAsked { ceremony: "ticket".to_owned(), expires_in_s: 120, options }).await
    }

    async fn sign_in_with_passkey(&self, _: wire::PasskeySignIn, along: Along) -> Answer<wire::Session> {
        self.look_at_terminal(along.terminal.as_ref().map(wire::SecretText::expose));
        self.play(sample::session()).await
    }

    async fn begin_passkey(&self, _: &Caller, _: wire::PasskeyProof) -> Answer<wire::PasskeyEnrolment> {
        self.play(enrolment()).await
    }

    async fn add_passkey(&self, _: &Caller, _: wire::NewPasskey) -> Answer<wire::Passkey> {
        self.play(passkey()).await
    }

    async fn passkeys(&self, _: &Caller) -> Answer<wire::Passkeys> {
        self.play(wire::Passkeys { passkeys: vec![passkey()] }).await
    }

    async fn remove_passkey(&self, _: &Caller, _: i64) -> Answer<()> {
        self.play(()).await
    }

    async fn remove_passkeys_of(&self, _: &Caller, _: i64) -> Answer<()> {
        self.play(()).await
    }
}

#[async_trait]
impl DeskService for Scripted {
    async fn checklist(&self, _: &Caller) -> Answer<wire::Checklist> {
        self.play(checklist()).await
    }

    async fn record_checklist(&self, _: &Caller, _: wire::NewChecklistRecord) -> Answer<wire::Checklist> {
        self.play(checklist()).await
    }

    async fn record_incident(&self, _: &Caller, _: wire::NewIncident) -> Answer<wire::Incident> {
        self.play(incident()).await
    }

    async fn incidents(&self, _: &Caller, _: wire::IncidentQuery) -> Answer<wire::IncidentPage> {
        self.play(wire::IncidentPage { incidents: vec![incident()], next_before: Some(3) }).await
    }
}
