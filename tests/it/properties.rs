//! Properties of parsers and rules: they never panic, lose nothing, and stay monotone in time.

use daemon::card::apdu::Response;
use daemon::card::tlv::certificate_length;
use daemon::domain::breaker::{Admission, Breaker, Circuit};
use daemon::domain::eligibility::{Eligibility, Field, format_date, parse_date};
use daemon::domain::identifiers::{InquiryNumber, InstitutionCode};
use daemon::domain::lockout::{Verdict, verdict};
use daemon::domain::person_search::{PersonFilter, fold_kana, fold_name};
use daemon::domain::personal::{Personal, Pin};
use daemon::domain::remarks::{disclosure, remarks};
use daemon::domain::retention::{JstMonth, expiry, jst_day};
use daemon::domain::upkeep;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

fn instants() -> impl Strategy<Value = Timestamp> {
    // 2000 to 2200.
    (946_684_800_i64..7_258_118_400).prop_map(|second| Timestamp::from_second(second).expect("in range"))
}

fn fields() -> impl Strategy<Value = Vec<(Field, Personal)>> {
    let one =
        (0..Field::ALL.len(), ".{0,24}").prop_map(|(index, text)| (Field::ALL[index], Personal::new(text)));
    prop::collection::vec(one, 0..30)
}

proptest! {
    /// Whatever happens in whatever order: nothing goes through while it is open, one question at a time tries, nobody is
    /// held back for more than a minute, and a success always closes it.
    #[test]
    fn a_breaker_holds_nobody_back_for_more_than_a_minute(
        start in instants(),
        steps in prop::collection::vec((0_u8..5, 0_i64..90, any::<u32>()), 0..200),
    ) {
        let (mut breaker, mut now) = (Breaker::default(), start);
        for (step, seconds, chance) in steps {
            now += SignedDuration::from_secs(seconds);
            let before = breaker.circuit();
            match step {
                0 => match (breaker.admit(now), before) {
                    (Ok(Admission::Trial), Circuit::Open { until }) => prop_assert!(now >= until),
                    (Err(_), Circuit::Open { until }) => prop_assert!(now < until),
                    (Ok(Admission::Through), Circuit::Closed) | (Err(_), Circuit::Trying) => {}
                    other => prop_assert!(false, "{:?}", other),
                },
                1 => {
                    breaker.succeeded();
                    prop_assert_eq!(breaker.circuit(), Circuit::Closed);
                }
                2 => breaker.failed(now, chance),
                3 => breaker.abandoned(now),
                _ => breaker.told_to_wait(now, SignedDuration::from_secs(i64::from(chance))),
            }
            if let Circuit::Open { until } = breaker.circuit() {
                prop_assert!(until.duration_since(now) <= SignedDuration::from_secs(60));
            }
        }
    }

    #[test]
    fn a_certificates_end_only_ever_gets_nearer(end in instants(), from in instants(), later in 0_i64..9_000_000) {
        let later = from + SignedDuration::from_secs(later);
        prop_assert!(upkeep::nearness(end, from) <= upkeep::nearness(end, later));
        prop_assert!(upkeep::days_left(end, from) >= upkeep::days_left(end, later));
    }

    #[test]
    fn expiry_is_monotone_and_between_one_and_two_months_away(checked in instants(), later in 0_i64..10_000_000) {
        let later = checked + SignedDuration::from_secs(later);
        prop_assert!(expiry(checked) <= expiry(later));
        let kept = expiry(checked).duration_since(checked);
        prop_assert!(kept > SignedDuration::from_hours(24 * 28));
        prop_assert!(kept <= SignedDuration::from_hours(24 * 62));
        // Gone exactly at a month's first midnight in Japan.
        let before = expiry(checked) - SignedDuration::from_nanos(1);
        prop_assert_eq!(JstMonth::of(before), JstMonth::of(checked).next());
        prop_assert_eq!(jst_day(expiry(checked)).day(), 1);
    }

    #[test]
    fn a_lockout_never_outlasts_a_minute_nor_shortens_with_more_failures(
        failures in 0_u32..99, last in instants(), passed in 0_i64..120,
    ) {
        let now = last + SignedDuration::from_secs(passed);
        let wait = |failures| match verdict(failures, Some(last), now) {
            Verdict::Allowed => SignedDuration::ZERO,
            Verdict::Wait(until) => until.duration_since(now),
            Verdict::Locked => SignedDuration::MAX,
        };
        prop_assert!(wait(failures) <= SignedDuration::from_secs(60));
        prop_assert!(wait(failures) <= wait(failures + 1));
    }

    #[test]
    fn dates_read_back_what_they_wrote_and_refuse_the_rest(text in "\\PC{0,12}") {
        if let Some(date) = parse_date(&text) {
            prop_assert_eq!(format_date(date), text);
        }
    }

    #[test]
    fn text_from_people_never_panics_a_parser(text in "\\PC{0,64}") {
        let _ = (InstitutionCode::parse(&text).is_ok(), InquiryNumber::parse(&text).is_ok());
        prop_assert_eq!(Pin::parse(&text).is_ok(), text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit()));
    }

    #[test]
    fn any_answer_of_a_card_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(Some(length)) = certificate_length(&bytes) {
            prop_assert!(length >= 4);
        }
        prop_assert_eq!(Response::parse(bytes.clone()).is_some(), bytes.len() >= 2);
    }

    #[test]
    fn remarks_on_any_eligibility_show_nothing_of_it(fields in fields()) {
        let eligibility = Eligibility::from_fields(fields);
        let _ = disclosure(&eligibility);
        let said: String = remarks(&eligibility).iter().map(|remark| remark.message()).collect();
        for (_, value) in eligibility.iter().filter(|(_, value)| value.expose().chars().count() > 8) {
            prop_assert!(!said.contains(value.expose()));
        }
        let debug = format!("{eligibility:?}");
        for (_, value) in eligibility.iter().filter(|(_, value)| value.expose().chars().count() > 8) {
            prop_assert!(!debug.contains(value.expose()));
        }
    }
}

/// Kana as a receipt computer may send it: each as hiragana or katakana, small or large, in full or half width.
fn kana() -> impl Strategy<Value = (String, String)> {
    let spellings = [
        ("あ", "ア", "ｱ"),
        ("か", "カ", "ｶ"),
        ("が", "ガ", "ｶﾞ"),
        ("ぱ", "パ", "ﾊﾟ"),
        ("し", "シ", "ｼ"),
        ("ゔ", "ヴ", "ｳﾞ"),
        ("ゃ", "ャ", "ｬ"),
        ("や", "ヤ", "ﾔ"),
        ("っ", "ッ", "ｯ"),
        ("ん", "ン", "ﾝ"),
        ("ー", "ー", "ｰ"),
        ("　", " ", ""),
    ];
    prop::collection::vec((0..spellings.len(), 0_usize..3, 0_usize..3), 0..12).prop_map(move |letters| {
        let spell = |(index, one, other): &(usize, usize, usize)| {
            let (hiragana, katakana, half) = spellings[*index];
            let ways = [hiragana, katakana, half];
            (ways[*one], ways[*other])
        };
        letters.iter().map(spell).unzip()
    })
}

proptest! {
    /// Folding twice is folding once, whatever the text.
    #[test]
    fn folding_a_name_leaves_nothing_to_fold(text in any::<String>()) {
        for fold in [fold_name, fold_kana] {
            let once = fold(&text);
            prop_assert_eq!(fold(&once), once);
        }
    }

    #[test]
    fn all_spellings_of_kana_fold_to_one((one, other) in kana(), rest in "[ァ-ヶ]{0,4}") {
        prop_assert_eq!(fold_kana(&one), fold_kana(&other));
        let longer = [one.as_str(), &rest].concat();
        prop_assert!(fold_kana(&longer).starts_with(&fold_kana(&other)));
        let folded = fold_kana(&one);
        prop_assert!(folded.chars().all(|letter| !"ァィゥェォッャュョヮヵヶ".contains(letter)));
    }

    /// A person is found by every beginning of the own name, spaces or not, and never by more than it.
    #[test]
    fn a_name_is_found_by_each_of_its_beginnings(name in "[一-龠ぁ-んァ-ヶ 　A-Za-zＡ-Ｚ]{1,12}", length in 0_usize..12) {
        let begin: String = name.chars().take(length).collect();
        let person = Eligibility::from_fields([(Field::Name, Personal::new(name.clone()))]);
        let by = |text: String| PersonFilter { name: Some(Personal::new(text)), ..PersonFilter::default() }.prepare();
        let (spaced, longer) = ([" ", &begin, "　"].concat(), [&name, "鬱"].concat());
        prop_assert!(by(begin).finds(std::slice::from_ref(&person)));
        prop_assert!(by(spaced).finds(std::slice::from_ref(&person)));
        prop_assert!(!by(longer).finds(&[person]));
    }
}
