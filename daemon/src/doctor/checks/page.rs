//! The front-desk page: its address, its names, what browsers are shown.

use std::io;

use jiff::Timestamp;

use super::super::codes::Code;
use super::super::network::{AddressSeen, NameSeen};
use super::super::report::Finding;
use crate::domain::upkeep::{self, Nearness, Validity};

/// What was seen of the page's TLS.
pub(in super::super) enum TlsSeen {
    /// The given certificate and its key fit the names; from when until when.
    Given(Validity),
    /// They do not, and why.
    GivenUnusable(String),
    /// A client that trusts the daemon's own authority believes every name; the authority's SHA-256.
    Convinces(String),
    /// It does not believe this one, and why.
    Doubtful(String),
    /// The daemon does not run: its certificate is made when it starts.
    NotShown,
}

/// Whether the page can be had where it is configured. `running`: whether the daemon runs; `address`: what browsers open.
pub(in super::super) fn address(
    seen: Result<AddressSeen, io::Error>,
    running: bool,
    address: &str,
    listen: &str,
) -> Finding {
    match (seen, running) {
        (Ok(AddressSeen::Answers), true) => Finding::with(Code::PageAnswers, address),
        (Ok(AddressSeen::Answers), false) => Finding::with(Code::PagePortTaken, listen),
        (Ok(AddressSeen::Free), true) => Finding::with(Code::PageNotListening, listen),
        (Ok(AddressSeen::Free), false) => Finding::with(Code::PageReady, address),
        (Ok(AddressSeen::Foreign), _) => Finding::with(Code::PageAddressForeign, listen),
        (Ok(AddressSeen::Refused), _) => Finding::with(Code::PagePortRefused, listen),
        (Err(error), _) => Finding::with(Code::PagePortTaken, format!("{listen}: {error}")),
    }
}

/// One line for each name that does not lead to the page, or one for all.
pub(in super::super) fn names(seen: &[(String, NameSeen)]) -> Vec<Finding> {
    let odd: Vec<_> = seen
        .iter()
        .filter_map(|(name, seen)| match seen {
            NameSeen::Here => None,
            NameSeen::Elsewhere(addresses) => {
                Some(Finding::with(Code::PageNameElsewhere, format!("{name} → {addresses}")))
            }
            NameSeen::Unknown => Some(Finding::with(Code::PageNameUnknown, name)),
        })
        .collect();
    if odd.is_empty() {
        let all: Vec<_> = seen.iter().map(|(name, _)| name.as_str()).collect();
        return vec![Finding::with(Code::PageNameFound, all.join(", "))];
    }
    odd
}

/// What browsers are shown, and for how long yet.
pub(in super::super) fn certificate(seen: TlsSeen, now: Timestamp) -> Finding {
    let Validity { not_before, not_after } = match seen {
        TlsSeen::Given(validity) => validity,
        TlsSeen::GivenUnusable(why) => return Finding::with(Code::PageCertificateUnusable, why),
        TlsSeen::Convinces(authority) => {
            return Finding::with(Code::PageCertificateOwn, format!("認証局の SHA-256 {authority}"));
        }
        TlsSeen::Doubtful(why) => return Finding::with(Code::PageCertificateDoubtful, why),
        TlsSeen::NotShown => return Finding::new(Code::PageCertificateUnknown),
    };
    let left = || format!("あと{}日", upkeep::days_left(not_after, now));
    if now < not_before {
        return Finding::new(Code::PageCertificateNotYet);
    }
    match upkeep::nearness(not_after, now) {
        // Certificates that renew themselves are replaced thirty days before they end at the latest.
        None | Some(Nearness::SixtyDays) => Finding::with(Code::PageCertificateValid, left()),
        Some(Nearness::Ended) => Finding::new(Code::PageCertificateEnded),
        Some(Nearness::ThirtyDays | Nearness::FourteenDays | Nearness::SevenDays | Nearness::OneDay) => {
            Finding::with(Code::PageCertificateEndsSoon, left())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_judged_by_whether_the_daemon_should_be_there() {
        for (seen, running, expected) in [
            (AddressSeen::Answers, true, Code::PageAnswers),
            (AddressSeen::Answers, false, Code::PagePortTaken),
            (AddressSeen::Free, true, Code::PageNotListening),
            (AddressSeen::Free, false, Code::PageReady),
            (AddressSeen::Foreign, true, Code::PageAddressForeign),
            (AddressSeen::Foreign, false, Code::PageAddressForeign),
            (AddressSeen::Refused, false, Code::PagePortRefused),
        ] {
            let found = address(Ok(seen), running, "https://a.local/", "192.168.0.10:443");
            assert_eq!(found.code, expected, "{seen:?} {running}");
        }
    }

    #[test]
    fn every_name_that_leads_elsewhere_gets_a_line_and_the_others_one_together() {
        let seen = |names: &[(&str, NameSeen)]| -> Vec<_> {
            let names: Vec<_> = names.iter().map(|(name, seen)| ((*name).to_owned(), seen.clone())).collect();
            self::names(&names).into_iter().map(|finding| (finding.code, finding.detail)).collect()
        };
        let elsewhere = NameSeen::Elsewhere("192.168.0.99".to_owned());
        assert_eq!(
            seen(&[("a.local", NameSeen::Here), ("b.local", NameSeen::Here)]),
            [(Code::PageNameFound, "a.local, b.local".to_owned())]
        );
        assert_eq!(
            seen(&[("a.local", NameSeen::Here), ("b.local", elsewhere), ("c.local", NameSeen::Unknown)]),
            [
                (Code::PageNameElsewhere, "b.local → 192.168.0.99".to_owned()),
                (Code::PageNameUnknown, "c.local".to_owned()),
            ]
        );
    }

    #[test]
    fn a_given_certificate_is_judged_by_its_days() {
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        let validity =
            Validity { not_before: at("2026-01-01T00:00:00Z"), not_after: at("2026-12-31T00:00:00Z") };
        for (now, expected) in [
            ("2025-12-31T23:59:59Z", Code::PageCertificateNotYet),
            ("2026-11-20T00:00:00Z", Code::PageCertificateValid),
            ("2026-12-02T00:00:00Z", Code::PageCertificateEndsSoon),
            ("2027-01-01T00:00:00Z", Code::PageCertificateEnded),
        ] {
            assert_eq!(certificate(TlsSeen::Given(validity), at(now)).code, expected, "{now}");
        }
    }
}
