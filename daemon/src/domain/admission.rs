//! Which checks may begin: the security setting 目視確認で本人認証, the kind of card as staff state it, and who enters the PIN
//! or holds the card (manual chapter 2, section 2, and chapter 3, questions 2 to 4).

use jiff::{SignedDuration, Timestamp};

use super::check::{Failure, Method, Phase, Token};

/// What staff see on a plastic card: the chip does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CardKind {
    /// 顔写真あり.
    WithPhoto,
    /// 顔写真なし: applied for before the first birthday.
    WithoutPhoto,
    /// 顔認証マイナンバーカード: its PIN cannot be used.
    FaceAuthentication,
}

/// Who enters the PIN, or holds card or phone on the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EnteredBy {
    /// 患者本人, the rule.
    Patient,
    /// 法定代理人 of an infant or an adult ward (成年被後見人).
    LegalRepresentative,
    /// A family member, carer or member of staff who lends a hand because the patient asked for it.
    Helper,
}

/// Who consented to card-use registration (健康保険証利用登録).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConsentedBy {
    /// 患者本人, the rule.
    Patient,
    /// 法定代理人 of an infant or an adult ward (成年被後見人).
    LegalRepresentative,
}

/// What was decided about card-use registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Consent {
    /// The card is to be registered.
    Given(ConsentedBy),
    /// It is not.
    Declined,
}

/// Security settings (セキュリティ設定) of the facility.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecuritySettings {
    /// 「目視確認で本人認証」: on, staff may compare the photo; off, a plastic card needs its PIN.
    pub visual_confirmation: bool,
    /// Whether operators need a six-digit code beside their password; receipt computers and administrators always do.
    pub operators_need_code: bool,
}

/// How long after a lock the check may go on by sight.
pub const SWITCH_WITHIN: SignedDuration = SignedDuration::from_mins(15);

/// What is asked for, as far as the rules look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// How the identity is to be confirmed.
    pub method: Method,
    /// What staff see on the card, if they said so.
    pub card_kind: Option<CardKind>,
    /// Whether the request names a lock after which it goes on by sight, and whether that holds ([`allows_switch`]).
    pub switch: Option<bool>,
}

/// Why a check may not begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// A kind of plastic card was stated for a phone, or a switch to another method than `visual` asked for.
    Contradiction,
    /// There is no photo to compare: the PIN, by the patient or the legal representative.
    NoPhoto,
    /// A 顔認証カード has no usable PIN.
    NoPin,
    /// The named check is not a lock that allows the switch.
    NoLock,
    /// The security setting asks for the PIN.
    VisualDisabled,
    /// By sight is not possible on this installation.
    VisualImpossible,
}

/// Whether a check may begin.
pub fn admit(request: Request, settings: SecuritySettings, visual_possible: bool) -> Result<(), Refusal> {
    let is_visual = request.method == Method::Visual;
    if request.method.token() != Token::Plastic && request.card_kind.is_some()
        || !is_visual && request.switch.is_some()
    {
        return Err(Refusal::Contradiction);
    }
    match (request.method, request.card_kind) {
        (Method::Visual, Some(CardKind::WithoutPhoto)) => return Err(Refusal::NoPhoto),
        (Method::CardPin, Some(CardKind::FaceAuthentication)) => return Err(Refusal::NoPin),
        (Method::Visual | Method::CardPin | Method::Iphone | Method::AndroidPin, _) => {}
    }
    if !is_visual {
        return Ok(());
    }
    if !visual_possible {
        return Err(Refusal::VisualImpossible);
    }
    match request.switch {
        Some(true) => Ok(()),
        Some(false) => Err(Refusal::NoLock),
        None if settings.visual_confirmation => Ok(()),
        None => Err(Refusal::VisualDisabled),
    }
}

/// The methods to offer without further ado, the default first.
pub fn offered(settings: SecuritySettings, visual_possible: bool) -> Vec<Method> {
    let plastic: &[Method] = if settings.visual_confirmation && visual_possible {
        &[Method::Visual, Method::CardPin]
    } else {
        &[Method::CardPin]
    };
    [plastic, &[Method::Iphone, Method::AndroidPin]].concat()
}

/// Whether an ended check allows one check by sight at the same terminal: its plastic card was locked a short while ago.
pub fn allows_switch(phase: &Phase, ended_at: Option<Timestamp>, now: Timestamp) -> bool {
    let recent = |ended: Timestamp| ended <= now && now.duration_since(ended) <= SWITCH_WITHIN;
    *phase == Phase::Failed(Failure::PinLocked) && ended_at.is_some_and(recent)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ON: SecuritySettings = SecuritySettings { visual_confirmation: true, operators_need_code: true };
    const OFF: SecuritySettings = SecuritySettings { visual_confirmation: false, operators_need_code: true };
    const ALL: [Method; 4] = [Method::Visual, Method::CardPin, Method::Iphone, Method::AndroidPin];

    fn request(method: Method, card_kind: Option<CardKind>, switch: Option<bool>) -> Request {
        Request { method, card_kind, switch }
    }

    #[test]
    fn the_setting_decides_about_the_photo_and_a_lock_opens_one_way_around_it() {
        for (settings, possible, switch, expected) in [
            (ON, true, None, Ok(())),
            (ON, true, Some(true), Ok(())),
            (ON, true, Some(false), Err(Refusal::NoLock)),
            (OFF, true, None, Err(Refusal::VisualDisabled)),
            (OFF, true, Some(true), Ok(())),
            (OFF, true, Some(false), Err(Refusal::NoLock)),
            (ON, false, None, Err(Refusal::VisualImpossible)),
            (OFF, false, None, Err(Refusal::VisualImpossible)),
            (OFF, false, Some(true), Err(Refusal::VisualImpossible)),
        ] {
            let asked = request(Method::Visual, Some(CardKind::WithPhoto), switch);
            assert_eq!(admit(asked, settings, possible), expected, "{settings:?} {possible} {switch:?}");
        }
    }

    #[test]
    fn pin_and_phones_never_depend_on_the_setting() {
        for method in [Method::CardPin, Method::Iphone, Method::AndroidPin] {
            for settings in [ON, OFF] {
                for possible in [true, false] {
                    assert_eq!(admit(request(method, None, None), settings, possible), Ok(()));
                    for switch in [true, false] {
                        let asked = request(method, None, Some(switch));
                        assert_eq!(admit(asked, settings, possible), Err(Refusal::Contradiction));
                    }
                }
            }
        }
    }

    #[test]
    fn the_kind_of_card_rules_methods_out() {
        use CardKind::{FaceAuthentication, WithPhoto, WithoutPhoto};
        for (method, kind, expected) in [
            (Method::Visual, WithPhoto, Ok(())),
            (Method::Visual, WithoutPhoto, Err(Refusal::NoPhoto)),
            (Method::Visual, FaceAuthentication, Ok(())),
            (Method::CardPin, WithPhoto, Ok(())),
            (Method::CardPin, WithoutPhoto, Ok(())),
            (Method::CardPin, FaceAuthentication, Err(Refusal::NoPin)),
            (Method::Iphone, WithPhoto, Err(Refusal::Contradiction)),
            (Method::Iphone, WithoutPhoto, Err(Refusal::Contradiction)),
            (Method::AndroidPin, FaceAuthentication, Err(Refusal::Contradiction)),
        ] {
            assert_eq!(admit(request(method, Some(kind), None), ON, true), expected, "{method:?} {kind:?}");
        }
        // Not even a lock makes a photo appear.
        let asked = request(Method::Visual, Some(WithoutPhoto), Some(true));
        assert_eq!(admit(asked, OFF, true), Err(Refusal::NoPhoto));
    }

    #[test]
    fn by_sight_is_the_default_where_it_is_on_and_possible() {
        assert_eq!(offered(ON, true), ALL);
        for (settings, possible) in [(ON, false), (OFF, true), (OFF, false)] {
            assert_eq!(offered(settings, possible), ALL[1..], "{settings:?} {possible}");
        }
        for method in offered(OFF, true) {
            assert_eq!(admit(request(method, None, None), OFF, true), Ok(()), "what is offered is admitted");
        }
    }

    #[test]
    fn only_a_plastic_card_locked_within_fifteen_minutes_allows_the_switch() {
        let now: Timestamp = "2026-07-08T03:00:00Z".parse().unwrap();
        let ago = |seconds: i64| Some(now - SignedDuration::from_secs(seconds));
        let locked = Phase::Failed(Failure::PinLocked);
        for (phase, ended, expected) in [
            (&locked, ago(0), true),
            (&locked, ago(15 * 60), true),
            (&locked, ago(15 * 60 + 1), false),
            (&locked, ago(-1), false),
            (&locked, None, false),
            (&Phase::Failed(Failure::PhonePinLocked), ago(1), false),
            (&Phase::Failed(Failure::WrongPin { tries_left: 1 }), ago(1), false),
            (&Phase::Cancelled, ago(1), false),
        ] {
            assert_eq!(allows_switch(phase, ended, now), expected, "{phase:?} {ended:?}");
        }
    }
}
