//! Character sets: what a receipt computer that reads Shift_JIS gets of a name.

use std::io::Write as _;
use std::process::{Command, Stdio};

use daemon::formats::charset::{Charset, Counts, Encoder, LOST};
use encoding_rs::SHIFT_JIS;
use harness::{fuzz_targets, kanji};
use proptest::prelude::*;

const JIS: Encoder = Encoder::new(Charset::JisX0208);
const WINDOWS: Encoder = Encoder::new(Charset::Cp932);
const UTF8: Encoder = Encoder::new(Charset::Utf8);

const NOTHING: Counts = Counts { reduced: 0, lost: 0 };

fn encoded(encoder: Encoder, text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    encoder.encode(text, &mut bytes);
    bytes
}

/// What a program on Windows reads.
fn read(bytes: &[u8]) -> String {
    let text = SHIFT_JIS.decode_without_bom_handling_and_without_replacement(bytes);
    text.expect("valid Shift_JIS").into_owned()
}

/// Levels 1 and 2 by their place in the code: rows 16 to 84.
fn levels_1_and_2() -> impl Iterator<Item = char> {
    let leads = (0x88..=0x9F_u8).chain(0xE0..=0xEA);
    let places = leads.flat_map(|lead| (0x40..=0xFC_u8).map(move |trail| [lead, trail]));
    places.filter(|place| place[0] != 0x88 || place[1] >= 0x9F).filter_map(|place| {
        let text = SHIFT_JIS.decode_without_bom_handling_and_without_replacement(&place)?;
        text.chars().next()
    })
}

/// `make kanji` packs it anew.
#[test]
#[expect(clippy::disallowed_methods, reason = "blessing is asked for by a variable, as in insta")]
fn the_packed_table_is_made_of_the_reviewed_ones() {
    let packed = kanji::pack(&kanji::tables().expect("reviewed tables")).expect("a small table");
    let path = kanji::folder().join("kanji.bin");
    if std::env::var_os("UPDATE_KANJI").is_some() {
        std::fs::write(&path, &packed).expect("a writable table");
    }
    assert!(std::fs::read(path).expect("kanji.bin") == packed, "kanji.bin is out of date: make kanji");
}

#[test]
fn names_are_reduced_to_the_forms_that_the_registers_give() {
    const REDUCED: &str = "髙高 﨑崎 𠮷吉 德徳 栁柳 桒桑 曻昇 靏鶴 靍鶴 靎鶴 瀨瀬 賴頼 黑黒 淸清 增増 緖緒 尙尚 郞郎 冝宜 﨔欅 \
        﨟臈 𣘺橋 槗橋 圡土 𡈽土 𠀋丈 巢巣 嵓嵒 鷗鴎 俠侠 俱倶 𠮟叱 𫝆今 閒間 敎教 悅悦 濵濱 㟢嵜 㐂喜 \u{FA19}神 凞熈 ①１ ⑩１０";
    for pair in REDUCED.split_whitespace() {
        let from: String = pair.chars().take(1).collect();
        let expected = &pair[from.len()..];
        let (reduced, counts) = JIS.reduce(&from);
        assert_eq!((reduced.as_ref(), counts), (expected, Counts { reduced: 1, lost: 0 }), "{from}");
        assert_eq!(read(&encoded(JIS, &from)), expected, "{from}");
    }
    let (reduced, counts) = JIS.reduce("㈱Ⅲ㈲");
    assert_eq!((reduced.as_ref(), counts.reduced), ("（株）ＩＩＩ（有）", 3));
}

#[test]
fn what_has_no_form_in_levels_1_and_2_stands_as_a_black_circle() {
    for name in
        ["彅", "鄧", "橳", "﨏", "𩸽", "鶿", "♥", "㎡", "😀", "\u{E000}", "\u{80}", "\u{FFFD}", "ñ", "한"]
    {
        assert_eq!(JIS.reduce(name), (LOST.to_string().into(), Counts { reduced: 0, lost: 1 }), "{name}");
        assert_eq!(encoded(JIS, name), [0x81, 0x9C], "{name}");
    }
    let (reduced, counts) = JIS.reduce("草彅　●太郎");
    assert_eq!((reduced.as_ref(), counts), ("草●　●太郎", Counts { reduced: 0, lost: 1 }));
}

#[test]
fn levels_1_and_2_and_their_old_forms_pass_unchanged() {
    let all: String = levels_1_and_2().collect();
    assert_eq!(all.chars().count(), 6355);
    for encoder in [JIS, WINDOWS] {
        assert_eq!(encoder.reduce(&all), (all.as_str().into(), NOTHING));
        assert_eq!(read(&encoded(encoder, &all)), all);
    }
    assert!("邉邊濱齋瀧眞".chars().all(|old| all.contains(old)));
}

#[test]
fn windows_keeps_the_extensions_of_nec_and_ibm_and_reduces_the_rest() {
    let (reduced, counts) = WINDOWS.reduce("髙﨑彅①㈱Ⅲ\u{FA19}鄧𠮷鶿");
    assert_eq!((reduced.as_ref(), counts), ("髙﨑彅①㈱Ⅲ\u{FA19}鄧吉●", Counts { reduced: 1, lost: 1 }));
    assert_eq!(encoded(WINDOWS, "髙﨑①"), [0xFB, 0xFC, 0xFA, 0xB1, 0x87, 0x40]);
}

#[test]
fn utf_8_is_left_alone() {
    let text = "髙𠮷葛\u{E0100}か\u{3099}〜¥";
    assert_eq!(UTF8.reduce(text), (text.into(), NOTHING));
    assert_eq!(encoded(UTF8, text), text.as_bytes());
}

#[test]
fn signs_that_unicode_has_twice_are_spelt_as_windows_spells_them() {
    let (reduced, counts) = JIS.reduce("〜‖—¢£¬¥‾−Å");
    assert_eq!((reduced.as_ref(), counts), ("～∥―￠￡￢￥￣－\u{212B}", NOTHING));
    assert_eq!(encoded(JIS, "¥‾−"), [0x81, 0x8F, 0x81, 0x50, 0x81, 0x7C]);
}

#[test]
fn ascii_half_width_kana_and_control_characters_keep_their_byte() {
    let ascii: String = (0..0x80_u8).map(char::from).collect();
    assert_eq!(encoded(JIS, &ascii), ascii.as_bytes());
    let kana: String = ('\u{FF61}'..='\u{FF9F}').collect();
    assert_eq!(encoded(JIS, &kana), (0xA1..=0xDF).collect::<Vec<u8>>());
    assert_eq!(JIS.reduce(&kana), (kana.as_str().into(), NOTHING));
}

#[test]
fn marks_compose_and_variation_selectors_go() {
    let (reduced, counts) = JIS.reduce("か\u{3099}ハ\u{309A}ｶ\u{3099}e\u{301}n\u{303}");
    assert_eq!((reduced.as_ref(), counts), ("がパｶ゛ｅ●", Counts { reduced: 1, lost: 1 }));
    let (reduced, counts) = JIS.reduce("葛\u{E0100}城 \u{FE0F}髙\u{E0101}A\u{FE00}\u{E0100}");
    assert_eq!((reduced.as_ref(), counts.lost), ("葛城 高A", 0));
    assert_eq!(JIS.reduce("葛\u{E0100}城").1, Counts { reduced: 1, lost: 0 }, "the form was dropped");
    assert_eq!(JIS.reduce("髙\u{E0100}").1, Counts { reduced: 1, lost: 0 }, "one character, counted once");
    assert_eq!(JIS.reduce("\u{E0100}").1, Counts { reduced: 1, lost: 0 });
}

#[test]
fn everything_in_the_tables_is_reduced_to_what_they_say() {
    let tables = kanji::tables().expect("reviewed tables");
    assert!(tables.len() > 10_000);
    for (character, target) in &tables {
        let (reduced, counts) = JIS.reduce(target);
        assert_eq!((reduced.as_ref(), counts), (target.as_str(), NOTHING), "{target} is not in JIS X 0208");
        let from = character.to_string();
        assert_eq!(JIS.reduce(&from), (target.as_str().into(), Counts { reduced: 1, lost: 0 }), "{from}");
    }
}

/// Python's codecs were written by others: `shift_jis` is JIS X 0208 alone.
#[test]
fn another_codec_reads_every_character_of_unicode_back() {
    let all: String = ('\u{20}'..='\u{3FFFF}').filter(|character| *character != '\u{7F}').collect();
    for (encoder, codec) in [(JIS, "shift_jis"), (WINDOWS, "cp932")] {
        let bytes = encoded(encoder, &all);
        let script = format!(
            "import sys; b=sys.stdin.buffer.read(); t=b.decode('{codec}'); assert t.encode('{codec}') and chr(0xfffd) not in t; print(len(t))"
        );
        let mut python = Command::new("python3")
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3");
        python.stdin.take().expect("its input").write_all(&bytes).expect("written");
        let output = python.wait_with_output().expect("its answer");
        assert!(output.status.success(), "{codec} cannot read what was written");
        let length: usize = String::from_utf8_lossy(&output.stdout).trim().parse().expect("a length");
        assert_eq!(length, encoder.reduce(&all).0.chars().count(), "{codec}");
    }
}

/// Texts as names are, and texts as they are not.
fn texts() -> impl Strategy<Value = String> {
    let rare = prop::sample::select(
        "髙﨑𠮷彅鄧\u{FA19}葛ｶﾞ〜¥‾−?&#;●①㈱\u{3099}\u{309A}\u{301}\u{FE0F}\u{E0100}\u{80}\u{A0}Åé"
            .chars()
            .collect::<Vec<_>>(),
    );
    let character = prop_oneof![
        rare,
        any::<char>(),
        prop::char::range('\u{3400}', '\u{9FFF}'),
        prop::char::range('\u{20000}', '\u{323AF}')
    ];
    prop::collection::vec(character, 0..40).prop_map(String::from_iter)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn any_text_can_be_written_read_and_written_again(text in texts()) {
        fuzz_targets::charset(text.as_bytes());
    }
}
