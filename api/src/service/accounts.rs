//! Accounts, sessions and terminals, as the contract needs them.

use async_trait::async_trait;

use super::{Along, Answer, Caller};
use crate::wire;

/// The part of [`super::Service`] about who may come in.
#[async_trait]
pub trait AccountService: Send + Sync + 'static {
    /// The first of two steps of signing in: judges nothing and always succeeds.
    async fn begin_sign_in(&self, claim: wire::SignInClaim) -> Answer<wire::SignInBegun>;

    /// The caller's sessions, or everybody's for an administrator.
    async fn sessions(&self, caller: &Caller, query: wire::SessionQuery) -> Answer<wire::Sessions>;

    /// Ends one of the caller's sessions, or anybody's for an administrator.
    async fn end_session(&self, caller: &Caller, id: &str) -> Answer<()>;

    /// Ends the caller's other sessions.
    async fn end_other_sessions(&self, caller: &Caller) -> Answer<()>;

    /// Replaces the caller's password; allowed before anything else.
    async fn change_password(&self, caller: &Caller, change: wire::PasswordChange) -> Answer<()>;

    /// Offers the caller another authenticator secret.
    async fn offer_totp(&self, caller: &Caller, proof: wire::PasswordProof) -> Answer<wire::TotpOffer>;

    /// The offered secret replaces the old one.
    async fn confirm_totp(&self, caller: &Caller, confirmation: wire::TotpConfirmation) -> Answer<()>;

    /// Replaces the caller's recovery codes.
    async fn renew_recovery_codes(
        &self,
        caller: &Caller,
        proof: wire::PasswordProof,
    ) -> Answer<wire::RecoveryCodes>;

    /// Every account; administrators only, like all below.
    async fn accounts(&self, caller: &Caller) -> Answer<wire::Accounts>;

    /// Creates an account.
    async fn create_account(&self, caller: &Caller, new: wire::NewAccount) -> Answer<wire::Enrolment>;

    /// Disables or enables an account.
    async fn set_account_status(&self, caller: &Caller, id: i64, status: wire::AccountStatus) -> Answer<()>;

    /// Clears failures and lock.
    async fn unlock_account(&self, caller: &Caller, id: i64) -> Answer<()>;

    /// Issues another password, another authenticator secret, or both.
    async fn reset_account(
        &self,
        caller: &Caller,
        id: i64,
        reset: wire::AccountReset,
    ) -> Answer<wire::Enrolment>;

    /// Removes an account.
    async fn remove_account(&self, caller: &Caller, id: i64) -> Answer<()>;

    /// A code that enrols a terminal once.
    async fn offer_terminal(&self, caller: &Caller, new: wire::NewTerminal) -> Answer<wire::EnrolmentCode>;

    /// Every enrolled terminal.
    async fn terminals(&self, caller: &Caller) -> Answer<wire::EnrolledTerminals>;

    /// Removes a terminal.
    async fn remove_terminal(&self, caller: &Caller, name: &str) -> Answer<()>;

    /// Enrols a terminal with a code; needs no session.
    async fn enrol_terminal(
        &self,
        enrolment: wire::TerminalEnrolment,
        along: Along,
    ) -> Answer<wire::TerminalToken>;

    /// Issues a receipt computer's first certificate for a code; needs no session.
    async fn enrol_machine(
        &self,
        enrolment: wire::MachineEnrolment,
        along: Along,
    ) -> Answer<wire::MachineCertificate>;

    /// Issues the certificate that takes over from the one that the caller's session is bound to.
    async fn renew_machine(
        &self,
        caller: &Caller,
        renewal: wire::MachineRenewal,
    ) -> Answer<wire::MachineCertificate>;
}
