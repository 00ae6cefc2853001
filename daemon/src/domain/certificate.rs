//! Facts of a user-authentication certificate, and what they mean on the day it is used (manual chapter 2,
//! 電子証明書の有効期限切れ). They inform; whether a certificate is accepted is for the central system to decide.

use jiff::{Timestamp, ToSpan as _};

use super::check::Token;
use super::retention::{JstMonth, jst_day};

/// Generation of the certification authority that issued a certificate (all generations share one name).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Generation {
    /// 2015 to 2025.
    First,
    /// 2019 to 2029.
    Second,
    /// 2023 to 2033.
    Third,
}

/// What a certificate says about itself. Holds nothing that names or numbers its holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Begin of validity.
    pub not_before: Timestamp,
    /// Last instant of validity.
    pub not_after: Timestamp,
    /// Who issued it, by key identifier; `None` if that is none of the known generations.
    pub issuer: Option<Generation>,
}

/// Where a certificate stands at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Not valid yet: more likely this machine's clock is wrong.
    NotYetValid,
    /// Valid for more than three months.
    Valid,
    /// Ends within three months.
    ExpiresSoon,
    /// Ended; a plastic card is still usable for confirming eligibility.
    InGrace,
    /// Ended, and not usable any more.
    PastGrace,
}

/// First instant at which a token with this end of validity is of no more use: a plastic card after the third month that
/// follows the month of expiry (Japan time), a phone as soon as its certificate has ended.
pub fn usable_until(not_after: Timestamp, token: Token) -> Timestamp {
    let grace = || JstMonth::of(not_after).next().next().next().next().start();
    match token {
        Token::Plastic => grace().unwrap_or(Timestamp::MAX),
        Token::Android | Token::Iphone => not_after.checked_add(1.nanosecond()).unwrap_or(Timestamp::MAX),
    }
}

impl CertificateFacts {
    /// Where the certificate stands at an instant.
    pub fn standing(&self, token: Token, now: Timestamp) -> Standing {
        let last_quiet_day = jst_day(now).saturating_add(3.months());
        if now < self.not_before {
            Standing::NotYetValid
        } else if now <= self.not_after {
            if jst_day(self.not_after) <= last_quiet_day { Standing::ExpiresSoon } else { Standing::Valid }
        } else if now < usable_until(self.not_after, token) {
            Standing::InGrace
        } else {
            Standing::PastGrace
        }
    }
}

/// What staff should know or tell the patient, in Japanese; `None` if there is nothing.
pub fn advice(standing: Standing, token: Token, issuer: Option<Generation>) -> Option<String> {
    let about_validity = match (standing, token.is_phone()) {
        (Standing::Valid, _) => "",
        (Standing::NotYetValid, _) => {
            "電子証明書の有効期間がまだ始まっていません。このパソコンの日時が正しいか確認してください。"
        }
        (Standing::ExpiresSoon, false) => {
            "電子証明書の有効期限が3か月以内に切れます。市区町村の窓口で更新できることを患者にお伝えください。"
        }
        (Standing::ExpiresSoon, true) => {
            "スマートフォンの電子証明書の有効期限が3か月以内に切れます。期限を過ぎると、すぐに資格確認に使えなくなることを患者にお伝えください。"
        }
        (Standing::InGrace, _) => {
            "電子証明書の有効期限が切れています。猶予期間（有効期間満了日の属する月の末日から3か月間）のため資格確認はできますが、早めに市区町村の窓口で更新するよう患者にお伝えください。"
        }
        (Standing::PastGrace, false) => {
            "電子証明書の有効期限が切れ、猶予期間も過ぎています。資格確認書などで確認し、市区町村の窓口での更新を患者にご案内ください。"
        }
        (Standing::PastGrace, true) => {
            "スマートフォンの電子証明書の有効期限が切れています（猶予期間はありません）。まず実物のマイナンバーカードをお持ちか確認してください。"
        }
    };
    let about_issuer = match issuer {
        Some(_) => "",
        None => {
            "電子証明書の発行元が、本ソフトウェアの知る世代の認証局ではありません。使えるかどうかはオンライン資格確認等システムが判断します。"
        }
    };
    Some(format!("{about_validity}{about_issuer}")).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn facts(not_after: &str) -> CertificateFacts {
        let not_before = at("2020-01-01T00:00:00Z");
        CertificateFacts { not_before, not_after: at(not_after), issuer: Some(Generation::Third) }
    }

    #[test]
    fn a_plastic_card_is_usable_until_three_months_after_the_end_of_the_month_of_expiry() {
        for (not_after, until) in [
            // Certificates end at 23:59:59 in Japan.
            ("2026-02-17T23:59:59+09:00", "2026-06-01T00:00:00+09:00"),
            ("2026-01-31T23:59:59+09:00", "2026-05-01T00:00:00+09:00"),
            ("2026-02-01T23:59:59+09:00", "2026-06-01T00:00:00+09:00"),
            ("2026-11-30T23:59:59+09:00", "2027-03-01T00:00:00+09:00"),
            ("2027-11-30T23:59:59+09:00", "2028-03-01T00:00:00+09:00"),
            ("2026-12-31T23:59:59+09:00", "2027-04-01T00:00:00+09:00"),
            // The month is Japan's: this one is already March there.
            ("2026-02-28T15:00:00Z", "2026-07-01T00:00:00+09:00"),
            ("2026-02-28T14:59:59Z", "2026-06-01T00:00:00+09:00"),
        ] {
            assert_eq!(usable_until(at(not_after), Token::Plastic), at(until), "{not_after}");
        }
    }

    #[test]
    fn standings_change_at_their_instants() {
        let end = "2026-02-17T23:59:59+09:00";
        for (now, plastic, phone) in [
            ("2019-12-31T23:59:59Z", Standing::NotYetValid, Standing::NotYetValid),
            ("2020-01-01T00:00:00Z", Standing::Valid, Standing::Valid),
            ("2025-11-16T23:59:59+09:00", Standing::Valid, Standing::Valid),
            ("2025-11-17T00:00:00+09:00", Standing::ExpiresSoon, Standing::ExpiresSoon),
            ("2026-02-17T23:59:59+09:00", Standing::ExpiresSoon, Standing::ExpiresSoon),
            ("2026-02-18T00:00:00+09:00", Standing::InGrace, Standing::PastGrace),
            ("2026-05-31T23:59:59+09:00", Standing::InGrace, Standing::PastGrace),
            ("2026-06-01T00:00:00+09:00", Standing::PastGrace, Standing::PastGrace),
        ] {
            assert_eq!(facts(end).standing(Token::Plastic, at(now)), plastic, "{now}");
            for token in [Token::Android, Token::Iphone] {
                assert_eq!(facts(end).standing(token, at(now)), phone, "{now} {token:?}");
            }
        }
    }

    #[test]
    fn an_end_beyond_the_calendar_never_ends_the_grace() {
        let endless = CertificateFacts { not_after: Timestamp::MAX, ..facts("2026-02-17T23:59:59+09:00") };
        assert_eq!(endless.standing(Token::Plastic, at("2026-02-18T00:00:00Z")), Standing::Valid);
        assert_eq!(usable_until(Timestamp::MAX, Token::Plastic), Timestamp::MAX);
    }

    #[test]
    fn there_is_advice_where_somebody_has_to_do_something() {
        let known = Some(Generation::First);
        assert_eq!(advice(Standing::Valid, Token::Plastic, known), None);
        let phone = advice(Standing::PastGrace, Token::Iphone, known).unwrap();
        assert!(phone.contains("まず実物のマイナンバーカード"));
        let both = advice(Standing::ExpiresSoon, Token::Plastic, None).unwrap();
        assert!(both.contains("3か月以内") && both.contains("発行元"));
    }
}
