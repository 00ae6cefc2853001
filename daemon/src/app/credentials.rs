//! Credentials: passwords (Argon2id) and six-digit codes (RFC 6238), evaluated without telling which factor was wrong.
//!
//! Pure computation on the blocking pool; knows nothing of accounts, counters or sessions.

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use jiff::Timestamp;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::ports::{Random, random_bytes};
use crate::domain::personal::Secret;

/// Argon2id takes 19 MiB and about 20 ms of a core: one at a time is fifty sign-ins a second, and leaves the other core of a
/// small PC to everybody who is at work.
const HASHES_AT_ONCE: usize = 1;

/// The evaluation failed for a reason that is not the credential.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The hash function refused its input or its worker is gone.
    #[error("password hashing failed: {0}")]
    Hashing(String),
}

/// Hashes and compares passwords.
pub struct Credentials {
    gate: Semaphore,
    random: Arc<dyn Random>,
}

/// What an unknown account's password is compared with, so that it costs the same work as a known one. Nobody's password:
/// the answer is no whatever fits.
const DECOY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c2hpa2FrdS1icmlkZ2UhIQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

impl Credentials {
    /// Takes its salts from `random`.
    pub fn new(random: Arc<dyn Random>) -> Self {
        Self { gate: Semaphore::new(HASHES_AT_ONCE), random }
    }

    /// Hashes a new password; the result is in PHC form with its own salt.
    pub async fn hash(&self, password: Secret) -> Result<String, CredentialsError> {
        let salt: [u8; 16] = random_bytes(&*self.random);
        self.on_blocking_pool(move || hash(password.expose().as_bytes(), &salt)).await?
    }

    /// Whether the password fits the hash; without a hash the same work is done and the answer is no.
    pub async fn password_fits(
        &self,
        password: Secret,
        hash: Option<String>,
    ) -> Result<bool, CredentialsError> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| DECOY.to_owned());
        let fits = self
            .on_blocking_pool(move || {
                Argon2::default().verify_password(password.expose().as_bytes(), hash.as_str()).is_ok()
            })
            .await?;
        Ok(known && fits)
    }

    async fn on_blocking_pool<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, CredentialsError> {
        let _slot =
            self.gate.acquire().await.map_err(|error| CredentialsError::Hashing(error.to_string()))?;
        tokio::task::spawn_blocking(work).await.map_err(|error| CredentialsError::Hashing(error.to_string()))
    }
}

fn hash(password: &[u8], salt: &[u8]) -> Result<String, CredentialsError> {
    Argon2::default()
        .hash_password_with_salt(password, salt)
        .map(|hash| hash.to_string())
        .map_err(|error| CredentialsError::Hashing(error.to_string()))
}

/// The time step a six-digit code belongs to, one step early or late included; `None` if it fits none of them.
///
/// The caller must refuse a step that was accepted before (RFC 6238 section 5.2).
pub fn code_step(secret: &[u8], code: &str, now: Timestamp) -> Option<u64> {
    if code.len() != 6 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let totp = totp_rs::Builder::new().with_secret(secret.to_vec()).build().ok()?;
    totp.check(code, u64::try_from(now.as_second()).ok()?)
}

/// Seconds until the next time step begins, 1 to 30.
pub fn seconds_to_next_step(now: Timestamp) -> u32 {
    30 - u32::try_from(now.as_second().rem_euclid(30)).unwrap_or(0)
}

/// The `otpauth://` address from which an authenticator app takes the secret over.
pub fn enrolment_uri(secret: &[u8], account: &str) -> Result<Secret, CredentialsError> {
    totp_rs::Builder::new()
        .with_secret(secret.to_vec())
        .with_issuer(Some("Shikaku Bridge"))
        .with_account_name(account)
        .build()
        .and_then(|totp| totp.to_url())
        .map(Secret::new)
        .map_err(|error| CredentialsError::Hashing(error.to_string()))
}

/// 120 bits in groups of four, without letters that are easily confused, and always with a letter and a digit.
pub fn generate_password(random: &dyn Random) -> Secret {
    let text = data_encoding::BASE32_NOPAD.encode(&random_bytes::<15>(random)).to_lowercase();
    let groups: Vec<&str> =
        (0..text.len()).step_by(4).filter_map(|start| text.get(start..start + 4)).collect();
    Secret::new(format!("{}-x7", groups.join("-")))
}

/// A code that stands for itself: 80 bits, four groups of four, for recovery and for enrolling a device.
pub fn generate_code(random: &dyn Random) -> Secret {
    let text = data_encoding::BASE32_NOPAD.encode(&random_bytes::<10>(random)).to_lowercase();
    let groups: Vec<&str> =
        (0..text.len()).step_by(4).filter_map(|start| text.get(start..start + 4)).collect();
    Secret::new(groups.join("-"))
}

/// Such a code as people type it: without separators, in one case.
pub fn normal_code(typed: &str) -> Zeroizing<String> {
    Zeroizing::new(
        typed
            .chars()
            .filter(|letter| !letter.is_whitespace() && *letter != '-')
            .map(|l| l.to_ascii_lowercase())
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238 appendix B, SHA-1, last six digits.
    #[test]
    fn codes_follow_rfc_6238_with_one_step_of_tolerance() {
        let secret = b"12345678901234567890";
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(code_step(secret, "287082", at(59)), Some(1));
        assert_eq!(code_step(secret, "287082", at(89)), Some(1));
        assert_eq!(code_step(secret, "287082", at(90)), None);
        assert_eq!(code_step(secret, "081804", at(1_111_111_109)), Some(37_037_036));
        for code in ["", "28708", "2870820", "28 082", "２８７０８２", "287083"] {
            assert_eq!(code_step(secret, code, at(59)), None, "{code:?}");
        }
    }

    struct Counter(std::sync::atomic::AtomicU8);

    impl Random for Counter {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill_with(|| self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        }
    }

    #[tokio::test]
    async fn a_password_fits_only_its_own_hash_and_nothing_fits_an_unknown_account() {
        let credentials = Credentials::new(Arc::new(Counter(0.into())));
        let secret = |text: &str| Secret::new(text.to_owned());
        let hash = credentials.hash(secret("正しい合言葉12345")).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(credentials.password_fits(secret("正しい合言葉12345"), Some(hash.clone())).await.unwrap());
        assert!(!credentials.password_fits(secret("正しい合言葉12346"), Some(hash)).await.unwrap());
        assert!(!credentials.password_fits(secret("正しい合言葉12345"), None).await.unwrap());
    }

    #[test]
    fn the_decoy_costs_what_a_real_hash_costs() {
        let real = hash(b"any password", &[7; 16]).unwrap();
        let parameters = |hash: &str| hash.split('$').take(4).collect::<Vec<_>>().join("$");
        assert_eq!(parameters(DECOY), parameters(&real));
        assert_eq!(DECOY.len(), real.len());
        // It must be well formed, or the comparison would end before the work begins.
        let refused = Argon2::default().verify_password(b"any password", DECOY).unwrap_err();
        assert_eq!(refused, argon2::password_hash::Error::PasswordInvalid);
    }
}
