//! Passkeys, as the contract needs them.

use async_trait::async_trait;

use super::{Along, Answer, Caller};
use crate::wire;

/// The part of [`super::Service`] about passkeys; for people, not for receipt computers.
#[async_trait]
pub trait PasskeyService: Send + Sync + 'static {
    /// Asks whoever is there to show a passkey. [`crate::codes::Code::PasskeysUnavailable`], here and below, where the
    /// installation has no host name.
    async fn ask_for_passkey(&self) -> Answer<wire::PasskeyAsked>;

    /// Signs in with a passkey alone. Whatever is wrong with it gets the same [`crate::codes::Code::SignInFailed`].
    async fn sign_in_with_passkey(&self, request: wire::PasskeySignIn, along: Along)
    -> Answer<wire::Session>;

    /// Begins to enrol a passkey of the caller, who proves both factors once more.
    async fn begin_passkey(
        &self,
        caller: &Caller,
        proof: wire::PasskeyProof,
    ) -> Answer<wire::PasskeyEnrolment>;

    /// Keeps a passkey that was made.
    async fn add_passkey(&self, caller: &Caller, new: wire::NewPasskey) -> Answer<wire::Passkey>;

    /// The caller's passkeys.
    async fn passkeys(&self, caller: &Caller) -> Answer<wire::Passkeys>;

    /// Removes one of the caller's passkeys; the caller's other sessions end.
    async fn remove_passkey(&self, caller: &Caller, id: i64) -> Answer<()>;

    /// Removes every passkey of an account; its sessions end. Administrators only.
    async fn remove_passkeys_of(&self, caller: &Caller, account: i64) -> Answer<()>;
}
