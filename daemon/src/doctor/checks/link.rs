//! The connection to the central system: files, client certificate, answer, clock.

use jiff::Timestamp;

use super::super::codes::Code;
use super::super::report::Finding;
use super::validity::Validity;
use crate::domain::upkeep::{self, Nearness};
use crate::upstream::Probed;

/// How long our client certificate still runs.
pub(in super::super) fn client_certificate(der: &[u8], now: Timestamp) -> Finding {
    let Some(validity) = Validity::of(der) else {
        return Finding::new(Code::ClientCertificateUnreadable);
    };
    let days = || format!("あと{}日", upkeep::days_left(validity.not_after, now));
    if now < validity.not_before {
        return Finding::new(Code::ClientCertificateNotYet);
    }
    match upkeep::nearness(validity.not_after, now) {
        None => Finding::with(Code::ClientCertificateValid, days()),
        Some(Nearness::Ended) => Finding::new(Code::ClientCertificateEnded),
        Some(
            Nearness::SixtyDays
            | Nearness::ThirtyDays
            | Nearness::FourteenDays
            | Nearness::SevenDays
            | Nearness::OneDay,
        ) => Finding::with(Code::ClientCertificateEndsSoon, days()),
    }
}

/// How the central system answered.
pub(in super::super) fn upstream(probed: &Probed) -> Finding {
    match probed {
        Probed::Answers { status, .. } => Finding::with(Code::UpstreamAnswers, format!("HTTP {status}")),
        Probed::Unreachable { cause } => Finding::with(Code::UpstreamUnreachable, cause),
        Probed::Timeout => Finding::new(Code::UpstreamTimeout),
        Probed::ServerUntrusted { cause } => Finding::with(Code::UpstreamServerUntrusted, cause),
        Probed::ServerOutOfDate => Finding::new(Code::UpstreamServerOutOfDate),
        Probed::ClientRefused => Finding::new(Code::UpstreamClientRefused),
        Probed::TlsFailed { cause } => Finding::with(Code::UpstreamTlsFailed, cause),
        Probed::Renegotiation => Finding::new(Code::UpstreamRenegotiation),
        Probed::Garbled { cause } => Finding::with(Code::UpstreamGarbled, cause),
    }
}

/// Whether our clock agrees with the central system's. `synchronised`: what the machine's time service says.
pub(in super::super) fn clock(probed: Option<&Probed>, synchronised: Option<bool>) -> Finding {
    let service = match synchronised {
        Some(true) => "NTP同期済み",
        Some(false) => "NTP未同期",
        None => "NTP同期は不明",
    };
    let Some(Probed::Answers { ahead: Some(ahead), .. }) = probed else {
        return Finding::with(Code::ClockUnknown, service);
    };
    let code = if upkeep::is_clock_off(*ahead) { Code::ClockOff } else { Code::ClockOk };
    let seconds = ahead.abs().as_secs();
    let side = if ahead.is_positive() { "遅れ" } else { "進み" };
    let difference =
        if seconds == 0 { "差は1秒未満".to_owned() } else { format!("{seconds}秒の{side}") };
    Finding::with(code, format!("{difference}、{service}"))
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_clock_more_than_thirty_seconds_off_is_a_problem_either_way() {
        let answer =
            |ahead: Option<i64>| Probed::Answers { status: 200, ahead: ahead.map(SignedDuration::from_secs) };
        for (ahead, expected, side) in [
            (Some(0), Code::ClockOk, "1秒未満"),
            (Some(30), Code::ClockOk, "30秒の遅れ"),
            (Some(-30), Code::ClockOk, "30秒の進み"),
            (Some(31), Code::ClockOff, "31秒の遅れ"),
            (Some(-31), Code::ClockOff, "31秒の進み"),
            (None, Code::ClockUnknown, ""),
        ] {
            let finding = clock(Some(&answer(ahead)), Some(true));
            assert_eq!(finding.code, expected, "{ahead:?}");
            assert!(finding.detail.contains(side), "{finding:?}");
        }
        assert_eq!(clock(None, None).code, Code::ClockUnknown);
        assert_eq!(clock(Some(&Probed::Timeout), Some(false)).code, Code::ClockUnknown);
    }

    #[test]
    fn each_way_of_not_answering_has_its_own_remedy() {
        let cause = || String::from("cause");
        for (probed, expected) in [
            (Probed::Answers { status: 404, ahead: None }, Code::UpstreamAnswers),
            (Probed::Unreachable { cause: cause() }, Code::UpstreamUnreachable),
            (Probed::Timeout, Code::UpstreamTimeout),
            (Probed::ServerUntrusted { cause: cause() }, Code::UpstreamServerUntrusted),
            (Probed::ServerOutOfDate, Code::UpstreamServerOutOfDate),
            (Probed::ClientRefused, Code::UpstreamClientRefused),
            (Probed::TlsFailed { cause: cause() }, Code::UpstreamTlsFailed),
            (Probed::Renegotiation, Code::UpstreamRenegotiation),
            (Probed::Garbled { cause: cause() }, Code::UpstreamGarbled),
        ] {
            assert_eq!(upstream(&probed).code, expected, "{probed:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_certificate_are_told() {
        let now = "2026-04-10T00:00:00Z".parse().unwrap();
        assert_eq!(client_certificate(b"text", now).code, Code::ClientCertificateUnreadable);
    }
}
