//! Passkeys between wire and use cases: base64url → bytes, and what a browser is to be asked.

use api::codes::Code;
use api::service::{Along, Answer, Caller, PasskeyService, ServiceError};
use api::wire as w;
use async_trait::async_trait;
use data_encoding::BASE64URL_NOPAD;

use super::accounts::{along, authority, secret};
use super::{UseCases, actor, errors, wire};
use crate::app::passkeys::{Asked, Enrolling};
use crate::app::ports::{Passkey, PasskeyAssertion, PasskeyCreation};
use crate::app::sign_in::TICKET_LIFETIME;

const PUBLIC_KEY: &str = "public-key";
const REQUIRED: &str = "required";

fn decoded(field: &'static str, text: &str) -> Answer<Vec<u8>> {
    let wrong =
        || ServiceError::new(Code::InvalidRequest).field(field).detail("base64url（= なし）で送ってください");
    BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| wrong())
}

fn timeout() -> i64 {
    i64::try_from(TICKET_LIFETIME.as_millis()).unwrap_or(i64::MAX)
}

fn enrolment(new: &Enrolling) -> w::PasskeyEnrolment {
    let algorithm = |alg: &i64| w::PasskeyAlgorithm { r#type: PUBLIC_KEY, alg: *alg };
    let known = |id: &Vec<u8>| w::PasskeyDescriptor { r#type: PUBLIC_KEY, id: BASE64URL_NOPAD.encode(id) };
    w::PasskeyEnrolment {
        ceremony: new.ceremony.expose().to_owned(),
        expires_in_s: TICKET_LIFETIME.as_secs(),
        options: w::PasskeyCreationOptions {
            rp: w::PasskeySite { id: new.site.clone(), name: "資格ブリッジ".to_owned() },
            user: w::PasskeyUser {
                id: BASE64URL_NOPAD.encode(&new.user_handle),
                name: new.account.clone(),
                display_name: new.account.clone(),
            },
            challenge: BASE64URL_NOPAD.encode(&new.challenge),
            pub_key_cred_params: new.algorithms.iter().map(algorithm).collect(),
            timeout: timeout(),
            exclude_credentials: new.known.iter().map(known).collect(),
            authenticator_selection: w::PasskeySelection {
                resident_key: REQUIRED,
                require_resident_key: true,
                user_verification: REQUIRED,
            },
            attestation: "none",
        },
    }
}

fn asked(asked: Asked) -> w::PasskeyAsked {
    w::PasskeyAsked {
        ceremony: asked.ceremony.expose().to_owned(),
        expires_in_s: TICKET_LIFETIME.as_secs(),
        options: w::PasskeyRequestOptions {
            challenge: BASE64URL_NOPAD.encode(&asked.challenge),
            rp_id: asked.site,
            timeout: timeout(),
            user_verification: REQUIRED,
        },
    }
}

fn passkey(passkey: Passkey) -> w::Passkey {
    w::Passkey {
        id: passkey.id,
        name: passkey.name,
        created_at: wire::jst(passkey.created_at),
        last_used_at: passkey.last_used_at.map(wire::jst),
    }
}

#[async_trait]
impl PasskeyService for UseCases {
    async fn ask_for_passkey(&self) -> Answer<w::PasskeyAsked> {
        self.passkeys.ask().map(asked).map_err(errors::passkeys)
    }

    async fn sign_in_with_passkey(&self, request: w::PasskeySignIn, came_along: Along) -> Answer<w::Session> {
        let assertion = PasskeyAssertion {
            credential: decoded("credential_id", &request.credential_id)?,
            client_data: decoded("client_data", &request.client_data)?,
            authenticator_data: decoded("authenticator_data", &request.authenticator_data)?,
            signature: decoded("signature", &request.signature)?,
            user_handle: decoded("user_handle", &request.user_handle)?,
        };
        let welcome = self.passkeys.sign_in(&secret(&request.ceremony), &assertion, along(&came_along)).await;
        welcome.map(super::begun).map_err(errors::sign_in)
    }

    async fn begin_passkey(&self, caller: &Caller, proof: w::PasskeyProof) -> Answer<w::PasskeyEnrolment> {
        let session = self.live_session(caller)?;
        let code = proof.code.as_ref().map(secret);
        let new = self.passkeys.begin_enrolment(&session, secret(&proof.password), code.as_ref()).await;
        new.map(|new| enrolment(&new)).map_err(errors::passkeys)
    }

    async fn add_passkey(&self, caller: &Caller, new: w::NewPasskey) -> Answer<w::Passkey> {
        let session = self.live_session(caller)?;
        let creation = PasskeyCreation {
            client_data: decoded("client_data", &new.client_data)?,
            attestation_object: decoded("attestation_object", &new.attestation_object)?,
        };
        let kept = self.passkeys.enrol(&session, &secret(&new.ceremony), new.name, &creation).await;
        kept.map(passkey).map_err(errors::passkeys)
    }

    async fn passkeys(&self, caller: &Caller) -> Answer<w::Passkeys> {
        let own = self.passkeys.list(&actor(caller)).await.map_err(errors::passkeys)?;
        Ok(w::Passkeys { passkeys: own.into_iter().map(passkey).collect() })
    }

    async fn remove_passkey(&self, caller: &Caller, id: i64) -> Answer<()> {
        let session = self.live_session(caller)?;
        self.passkeys.remove(&session, id).await.map_err(errors::passkeys)
    }

    async fn remove_passkeys_of(&self, caller: &Caller, account: i64) -> Answer<()> {
        let by = authority(caller)?;
        let name = self.accounts.find(&by, account).await.map_err(errors::accounts)?.name;
        self.passkeys.remove_all(&by, &name).await.map_err(errors::store)
    }
}
