//! The scripted program's part about accounts, sessions and terminals.

use api::service::{AccountService, Along, Answer, Caller};
use api::wire;
use async_trait::async_trait;

use super::fake::Scripted;

const WHEN: &str = "2026-07-09T00:00:00+09:00";

fn offer() -> wire::TotpOffer {
    wire::TotpOffer { otpauth: "otpauth://totp/x".to_owned(), qr_svg: "<svg/>".to_owned() }
}

fn certificate() -> wire::MachineCertificate {
    let (certificate, authority) = ("-----BEGIN".to_owned(), "-----BEGIN".to_owned());
    wire::MachineCertificate {
        certificate,
        authority,
        fingerprint: "00".repeat(32),
        expires_at: WHEN.to_owned(),
    }
}

fn enrolment() -> wire::Enrolment {
    let (account, password) = ("hanako".to_owned(), Some("kasa7min".to_owned()));
    wire::Enrolment { account, password, totp: Some(offer()) }
}

#[async_trait]
impl AccountService for Scripted {
    async fn begin_sign_in(&self, _: wire::SignInClaim) -> Answer<wire::SignInBegun> {
        let ticket = "ticket".to_owned();
        self.play(wire::SignInBegun { ticket, code_required: true, expires_in_s: 120 }).await
    }

    async fn sessions(&self, caller: &Caller, _: wire::SessionQuery) -> Answer<wire::Sessions> {
        let entry = wire::SessionEntry {
            id: "5f1c0a9be2d47388".to_owned(),
            account: caller.account.clone(),
            role: caller.role,
            current: true,
            began_at: WHEN.to_owned(),
            last_used_at: WHEN.to_owned(),
            expires_at: WHEN.to_owned(),
            bound_to_terminal: false,
            bound_to_certificate: true,
        };
        self.play(wire::Sessions { sessions: vec![entry] }).await
    }

    async fn end_session(&self, _: &Caller, _: &str) -> Answer<()> {
        self.play(()).await
    }

    async fn end_other_sessions(&self, _: &Caller) -> Answer<()> {
        self.play(()).await
    }

    async fn change_password(&self, _: &Caller, _: wire::PasswordChange) -> Answer<()> {
        self.play(()).await
    }

    async fn offer_totp(&self, _: &Caller, _: wire::PasswordProof) -> Answer<wire::TotpOffer> {
        self.play(offer()).await
    }

    async fn confirm_totp(&self, _: &Caller, _: wire::TotpConfirmation) -> Answer<()> {
        self.play(()).await
    }

    async fn renew_recovery_codes(&self, _: &Caller, _: wire::PasswordProof) -> Answer<wire::RecoveryCodes> {
        self.play(wire::RecoveryCodes { recovery_codes: vec!["aaaa-bbbb-cccc-dddd".to_owned()] }).await
    }

    async fn accounts(&self, _: &Caller) -> Answer<wire::Accounts> {
        let account = wire::Account {
            id: 42,
            account: "hanako".to_owned(),
            role: wire::Role::Operator,
            disabled: false,
            locked: true,
            password_change_required: true,
            recovery_codes_left: 10,
            passkeys: 2,
        };
        self.play(wire::Accounts { accounts: vec![account] }).await
    }

    async fn create_account(&self, _: &Caller, _: wire::NewAccount) -> Answer<wire::Enrolment> {
        self.play(enrolment()).await
    }

    async fn set_account_status(&self, _: &Caller, _: i64, _: wire::AccountStatus) -> Answer<()> {
        self.play(()).await
    }

    async fn unlock_account(&self, _: &Caller, _: i64) -> Answer<()> {
        self.play(()).await
    }

    async fn reset_account(&self, _: &Caller, _: i64, _: wire::AccountReset) -> Answer<wire::Enrolment> {
        self.play(enrolment()).await
    }

    async fn remove_account(&self, _: &Caller, _: i64) -> Answer<()> {
        self.play(()).await
    }

    async fn offer_terminal(&self, _: &Caller, _: wire::NewTerminal) -> Answer<wire::EnrolmentCode> {
        let code = "aaaa-bbbb-cccc-dddd".to_owned();
        self.play(wire::EnrolmentCode { code, expires_at: WHEN.to_owned() }).await
    }

    async fn terminals(&self, _: &Caller) -> Answer<wire::EnrolledTerminals> {
        let (name, enrolled_at) = ("uketsuke-1".to_owned(), WHEN.to_owned());
        let terminals = vec![wire::EnrolledTerminal { name, enrolled_at }];
        self.play(wire::EnrolledTerminals { terminals }).await
    }

    async fn remove_terminal(&self, _: &Caller, _: &str) -> Answer<()> {
        self.play(()).await
    }

    async fn enrol_terminal(&self, _: wire::TerminalEnrolment, _: Along) -> Answer<wire::TerminalToken> {
        let (token, name) = ("terminal-token".to_owned(), "uketsuke-1".to_owned());
        self.play(wire::TerminalToken { token: Some(token), name }).await
    }

    async fn enrol_machine(&self, _: wire::MachineEnrolment, _: Along) -> Answer<wire::MachineCertificate> {
        self.play(certificate()).await
    }

    async fn renew_machine(&self, _: &Caller, _: wire::MachineRenewal) -> Answer<wire::MachineCertificate> {
        self.play(certificate()).await
    }
}
