//! How long a certificate runs: nothing else of it is looked at.

use jiff::Timestamp;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::time::Time;

use crate::domain::certificate::{self as domain, CertificateFacts};
use crate::domain::check::Token;

/// First and last instant of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    pub not_before: Timestamp,
    pub not_after: Timestamp,
}

/// Where an instant lies in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    NotYet,
    Valid,
    /// Ended, but an eligibility check is still possible with it.
    InGrace,
    Ended,
}

impl Validity {
    /// Reads it from DER; `None` if that is no certificate.
    pub(super) fn of(der: &[u8]) -> Option<Self> {
        let certificate = Certificate::from_der(der).ok()?;
        let validity = certificate.tbs_certificate().validity();
        Some(Self { not_before: instant(validity.not_before)?, not_after: instant(validity.not_after)? })
    }

    /// Where `now` lies. `has_grace`: a plastic card may be used until three months after the end of the month in which
    /// its certificate ends; a phone may not (manual chapter 2, 電子証明書の有効期限切れ).
    pub(super) fn standing(self, now: Timestamp, has_grace: bool) -> Standing {
        let token = if has_grace { Token::Plastic } else { Token::Android };
        let facts = CertificateFacts { not_before: self.not_before, not_after: self.not_after, issuer: None };
        match facts.standing(token, now) {
            domain::Standing::NotYetValid => Standing::NotYet,
            domain::Standing::Valid | domain::Standing::ExpiresSoon => Standing::Valid,
            domain::Standing::InGrace => Standing::InGrace,
            domain::Standing::PastGrace => Standing::Ended,
        }
    }
}

fn instant(time: Time) -> Option<Timestamp> {
    Timestamp::from_second(i64::try_from(time.to_unix_duration().as_secs()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn grace_runs_until_three_months_after_the_month_of_expiry_in_japan() {
        let validity =
            Validity { not_before: at("2021-05-01T00:00:00Z"), not_after: at("2026-04-20T14:59:59Z") };
        for (now, plastic, phone) in [
            ("2021-04-30T23:59:59Z", Standing::NotYet, Standing::NotYet),
            ("2021-05-01T00:00:00Z", Standing::Valid, Standing::Valid),
            ("2026-04-20T14:59:59Z", Standing::Valid, Standing::Valid),
            ("2026-04-20T15:00:00Z", Standing::InGrace, Standing::Ended),
            ("2026-07-31T14:59:59Z", Standing::InGrace, Standing::Ended),
            ("2026-07-31T15:00:00Z", Standing::Ended, Standing::Ended),
        ] {
            assert_eq!(validity.standing(at(now), true), plastic, "{now}");
            assert_eq!(validity.standing(at(now), false), phone, "{now}");
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_validity() {
        for bytes in [&b""[..], b"\x30\x00", b"\x30\x03\x02\x01\x00", b"text"] {
            assert_eq!(Validity::of(bytes), None);
        }
    }
}
