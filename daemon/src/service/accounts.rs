//! Accounts, sessions and terminals between wire and use cases.

use api::codes::Code;
use api::service::{AccountService, Along as WireAlong, Answer, Caller, ServiceError};
use api::wire as w;
use api::wire::SecretText;
use async_trait::async_trait;

use super::{UseCases, actor, errors, is_loopback, wire};
use crate::app::access::Authority;
use crate::app::accounts::NewCredentials;
use crate::app::machines::EnrolledMachine;
use crate::app::ports::{AccountSummary, AuditSource};
use crate::app::sessions::{Listed, Session};
use crate::app::sign_in::{Along, Claim, Claimed, SecondFactor, TICKET_LIFETIME};
use crate::domain::lockout::LOCK_AFTER;
use crate::domain::personal::Secret;
use crate::qr;

pub(super) fn secret(text: &SecretText) -> Secret {
    Secret::new(text.expose().to_owned())
}

/// What was typed, as the use case takes it. The contract's rules have made sure that ticket or claim is there, whole.
pub(super) fn credentials(request: w::SignIn) -> Answer<(Claimed, SecondFactor)> {
    let second = match (&request.code, &request.recovery_code) {
        (Some(code), _) => SecondFactor::Code(secret(code)),
        (None, Some(code)) => SecondFactor::Recovery(secret(code)),
        (None, None) => SecondFactor::Nothing,
    };
    let claimed = match (request.ticket, request.institution_code, request.account, request.password) {
        (Some(ticket), ..) => Claimed::Before(secret(&ticket)),
        (None, Some(institution_code), Some(account), Some(password)) => {
            Claimed::Now(Claim { institution_code, account, password: secret(&password) })
        }
        (None, ..) => return Err(Code::InvalidRequest.into()),
    };
    Ok((claimed, second))
}

/// What came along; of the address only its class, for the audit log.
pub(super) fn along(along: &WireAlong) -> Along {
    Along {
        from_loopback: is_loopback(along.peer),
        terminal: along.terminal.as_ref().map(secret),
        certificate: along.certificate.map(|certificate| certificate.0),
        session: along.session.as_ref().map(secret),
        on_page: along.on_page,
    }
}

pub(super) fn authority(caller: &Caller) -> Answer<Authority> {
    Authority::of(&actor(caller)).map_err(errors::forbidden)
}

fn account(account: AccountSummary) -> w::Account {
    w::Account {
        id: account.id,
        account: account.name,
        role: wire::role(account.role),
        disabled: account.disabled,
        locked: account.failures >= LOCK_AFTER,
        password_change_required: account.must_change,
        recovery_codes_left: account.recovery_codes,
        passkeys: account.passkeys,
    }
}

fn entry(session: Session, caller: &Caller) -> w::SessionEntry {
    w::SessionEntry {
        current: session.token_hash == caller.session.0,
        id: session.id,
        account: session.actor.account,
        role: wire::role(session.actor.role),
        began_at: wire::jst(session.began_at),
        last_used_at: wire::jst(session.last_used_at),
        expires_at: wire::jst(session.ends_at),
        bound_to_terminal: session.terminal.is_some(),
        bound_to_certificate: session.certificate.is_some(),
    }
}

fn machine(enrolled: EnrolledMachine) -> w::MachineCertificate {
    w::MachineCertificate {
        certificate: enrolled.issued.certificate,
        authority: enrolled.authority,
        fingerprint: data_encoding::HEXLOWER.encode(&enrolled.issued.fingerprint),
        expires_at: wire::jst(enrolled.issued.ends_at),
    }
}

fn totp_offer(otpauth: &Secret) -> Answer<w::TotpOffer> {
    let qr_svg = qr::svg(otpauth.expose()).ok_or(ServiceError::new(Code::Internal))?;
    Ok(w::TotpOffer { otpauth: otpauth.expose().to_owned(), qr_svg })
}

fn enrolment(account: String, new: &[NewCredentials]) -> Answer<w::Enrolment> {
    let password = new.iter().find_map(|new| new.password.as_ref());
    let otpauth = new.iter().find_map(|new| new.otpauth.as_ref());
    Ok(w::Enrolment {
        account,
        password: password.map(|password| password.expose().to_owned()),
        totp: otpauth.map(totp_offer).transpose()?,
    })
}

#[async_trait]
impl AccountService for UseCases {
    async fn begin_sign_in(&self, claim: w::SignInClaim) -> Answer<w::SignInBegun> {
        let ticket = self.sign_in.begin(Claim {
            institution_code: claim.institution_code,
            account: claim.account,
            password: secret(&claim.password),
        });
        Ok(w::SignInBegun {
            ticket: ticket.expose().to_owned(),
            code_required: true,
            expires_in_s: TICKET_LIFETIME.as_secs(),
        })
    }

    async fn sessions(&self, caller: &Caller, query: w::SessionQuery) -> Answer<w::Sessions> {
        let listed = match query.scope {
            Some(w::SessionScope::All) => self.sessions.list(Listed::Everybody(&authority(caller)?)),
            Some(w::SessionScope::Own) | None => self.sessions.list(Listed::Account(&caller.account)),
        };
        Ok(w::Sessions { sessions: listed.into_iter().map(|session| entry(session, caller)).collect() })
    }

    async fn end_session(&self, caller: &Caller, id: &str) -> Answer<()> {
        let ended = self.sessions.revoke(&actor(caller), id).await.map_err(errors::store)?;
        if ended { Ok(()) } else { Err(Code::SessionNotFound.into()) }
    }

    async fn end_other_sessions(&self, caller: &Caller) -> Answer<()> {
        let session = self.live_session(caller)?;
        self.sessions.revoke_others(&session).await.map(drop).map_err(errors::store)
    }

    async fn change_password(&self, caller: &Caller, change: w::PasswordChange) -> Answer<()> {
        let session = self.live_session(caller)?;
        let (current, new) = (secret(&change.current_password), secret(&change.new_password));
        self.own_account.change_password(&session, current, new).await.map_err(errors::own_account)
    }

    async fn offer_totp(&self, caller: &Caller, proof: w::PasswordProof) -> Answer<w::TotpOffer> {
        let session = self.live_session(caller)?;
        let offered = self.own_account.offer_totp(&session, secret(&proof.password)).await;
        totp_offer(&offered.map_err(errors::own_account)?)
    }

    async fn confirm_totp(&self, caller: &Caller, confirmation: w::TotpConfirmation) -> Answer<()> {
        let session = self.live_session(caller)?;
        let confirmed = self.own_account.confirm_totp(&session, &secret(&confirmation.code)).await;
        confirmed.map_err(errors::own_account)
    }

    async fn renew_recovery_codes(
        &self,
        caller: &Caller,
        proof: w::PasswordProof,
    ) -> Answer<w::RecoveryCodes> {
        let session = self.live_session(caller)?;
        let codes = self.own_account.new_recovery_codes(&session, secret(&proof.password)).await;
        let codes = codes.map_err(errors::own_account)?;
        Ok(w::RecoveryCodes { recovery_codes: codes.iter().map(|code| code.expose().to_owned()).collect() })
    }

    async fn accounts(&self, caller: &Caller) -> Answer<w::Accounts> {
        let accounts = self.accounts.list(&authority(caller)?).await.map_err(errors::store)?;
        Ok(w::Accounts { accounts: accounts.into_iter().map(account).collect() })
    }

    async fn create_account(&self, caller: &Caller, new: w::NewAccount) -> Answer<w::Enrolment> {
        let (by, role) = (authority(caller)?, wire::role_from(new.role));
        let created = self.accounts.add(&by, &new.account, role, None).await.map_err(errors::accounts)?;
        enrolment(new.account, &[created])
    }

    async fn set_account_status(&self, caller: &Caller, id: i64, status: w::AccountStatus) -> Answer<()> {
        let by = authority(caller)?;
        let name = self.accounts.find(&by, id).await.map_err(errors::accounts)?.name;
        let done = if status.disabled {
            self.accounts.disable(&by, &name).await
        } else {
            self.accounts.enable(&by, &name).await
        };
        done.map_err(errors::accounts)
    }

    async fn unlock_account(&self, caller: &Caller, id: i64) -> Answer<()> {
        let by = authority(caller)?;
        let name = self.accounts.find(&by, id).await.map_err(errors::accounts)?.name;
        self.accounts.unlock(&by, &name).await.map_err(errors::accounts)
    }

    async fn reset_account(&self, caller: &Caller, id: i64, reset: w::AccountReset) -> Answer<w::Enrolment> {
        let by = authority(caller)?;
        let name = self.accounts.find(&by, id).await.map_err(errors::accounts)?.name;
        let mut new = Vec::new();
        if reset.password {
            new.push(self.accounts.reset_password(&by, &name).await.map_err(errors::accounts)?);
        }
        if reset.totp {
            new.push(self.accounts.reset_totp(&by, &name).await.map_err(errors::accounts)?);
        }
        enrolment(name, &new)
    }

    async fn remove_account(&self, caller: &Caller, id: i64) -> Answer<()> {
        let by = authority(caller)?;
        let name = self.accounts.find(&by, id).await.map_err(errors::accounts)?.name;
        self.accounts.remove(&by, &name).await.map_err(errors::accounts)
    }

    async fn offer_terminal(&self, caller: &Caller, new: w::NewTerminal) -> Answer<w::EnrolmentCode> {
        let code = self.terminals.offer(&authority(caller)?, &new.name).await.map_err(errors::terminals)?;
        Ok(w::EnrolmentCode { code: code.code.expose().to_owned(), expires_at: wire::jst(code.expires_at) })
    }

    async fn terminals(&self, caller: &Caller) -> Answer<w::EnrolledTerminals> {
        authority(caller)?;
        let terminals = self.terminals.list().await.map_err(errors::store)?;
        let entry = |terminal: crate::app::ports::EnrolledTerminal| w::EnrolledTerminal {
            name: terminal.name,
            enrolled_at: wire::jst(terminal.enrolled_at),
        };
        Ok(w::EnrolledTerminals { terminals: terminals.into_iter().map(entry).collect() })
    }

    async fn remove_terminal(&self, caller: &Caller, name: &str) -> Answer<()> {
        self.endings.remove_terminal(&authority(caller)?, name).await.map_err(errors::terminals)
    }

    async fn enrol_terminal(
        &self,
        enrolment: w::TerminalEnrolment,
        along: WireAlong,
    ) -> Answer<w::TerminalToken> {
        let source = AuditSource::Api { loopback: is_loopback(along.peer), session: None };
        let enrolled = self.endings.enrol_terminal(secret(&enrolment.code), source).await;
        let (terminal, token) = enrolled.map_err(errors::terminals)?;
        Ok(w::TerminalToken { token: Some(token.expose().to_owned()), name: terminal.name })
    }

    async fn enrol_machine(
        &self,
        enrolment: w::MachineEnrolment,
        along: WireAlong,
    ) -> Answer<w::MachineCertificate> {
        let source = AuditSource::Api { loopback: is_loopback(along.peer), session: None };
        let enrolled = self.machines.enrol(&secret(&enrolment.code), &enrolment.csr, source).await;
        enrolled.map(machine).map_err(errors::machines)
    }

    async fn renew_machine(
        &self,
        caller: &Caller,
        renewal: w::MachineRenewal,
    ) -> Answer<w::MachineCertificate> {
        let session = self.live_session(caller)?;
        let renewed = self.machines.renew(session.certificate, &renewal.csr, actor(caller).source).await;
        renewed.map(machine).map_err(errors::machines)
    }
}
