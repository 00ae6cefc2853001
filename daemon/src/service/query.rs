//! Conditions and cursors of results: wire text → query.
//!
//! A cursor carries a digest of the conditions it was made for, so that it cannot continue another list.

use api::codes::Code;
use api::service::ServiceError;
use api::wire as w;
use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;
use jiff::civil::Date;
use sha2::{Digest, Sha256};

use crate::app::ports::{PageAfter, PersonFilter, ResultQuery, TerminalId};
use crate::app::results::{CutOff, Followed, Start};
use crate::domain::check::ResultId;
use crate::domain::eligibility::Validity;
use crate::domain::identifiers::InquiryNumber;
use crate::domain::personal::Personal;
use crate::domain::retention::{JstMonth, start_of_jst_day};

/// Results of a page, if nothing else is asked for.
pub(super) const DEFAULT_LIMIT: u32 = 100;

/// Identifies the conditions of a list.
pub(super) type Conditions = [u8; 8];

/// Conditions, start and size of a page.
pub(super) fn page(query: &w::ResultQuery) -> Result<(ResultQuery, Option<PageAfter>, u32), ServiceError> {
    let conditions = of_period(query.from.as_deref(), query.to.as_deref())?;
    let conditions = narrowed(conditions, query.terminal.as_ref(), query.validity);
    let after = after(query.cursor.as_deref(), || digest(query))?;
    Ok((conditions, after, query.limit.unwrap_or(DEFAULT_LIMIT)))
}

/// The conditions of a count.
pub(super) fn count(query: &w::CountQuery) -> Result<ResultQuery, ServiceError> {
    let conditions = of_period(query.from.as_deref(), query.to.as_deref())?;
    Ok(narrowed(conditions, query.terminal.as_ref(), query.validity))
}

/// Conditions, start and size of a page of a search.
pub(super) fn search(
    search: &w::ResultSearch,
) -> Result<(ResultQuery, Option<PageAfter>, u32), ServiceError> {
    let conditions = of_period(search.from.as_deref(), search.to.as_deref())?;
    let personal = |text: &Option<w::SecretText>| text.as_ref().map(|text| Personal::new(text.expose()));
    let number = search.inquiry_number.as_ref().map(|number| InquiryNumber::parse(number.expose()));
    let birthdate = search.birthdate.as_ref().map(|text| day("birthdate", text.expose()));
    let conditions = ResultQuery {
        inquiry_number: number.transpose().map_err(|invalid| bad("inquiry_number", invalid.rule))?,
        person: PersonFilter {
            name: personal(&search.name),
            kana: personal(&search.kana),
            birthdate: birthdate.transpose()?,
            insurer_number: personal(&search.insurer_number),
        },
        ..narrowed(conditions, search.terminal.as_ref(), search.validity)
    };
    let after = after(search.cursor.as_deref(), || search_digest(search))?;
    Ok((conditions, after, search.limit.unwrap_or(DEFAULT_LIMIT)))
}

/// Conditions and start of an export.
pub(super) fn export(query: &w::ExportQuery) -> Result<(ResultQuery, Start), ServiceError> {
    let conditions = of_period(query.from.as_deref(), query.to.as_deref())?;
    let conditions = narrowed(conditions, query.terminal.as_ref(), query.validity);
    let start = match (&query.cursor, query.after_id) {
        (Some(text), _) => read_export_cursor(text, export_digest(query)).ok_or_else(bad_cursor)?,
        (None, Some(id)) => Start::Result(ResultId(id)),
        (None, None) => Start::Newest,
    };
    Ok((conditions, start))
}

fn of_period(from: Option<&str>, to: Option<&str>) -> Result<ResultQuery, ServiceError> {
    let (from, until) = period(from, to)?;
    Ok(ResultQuery { from, until, ..ResultQuery::default() })
}

fn narrowed(
    query: ResultQuery,
    terminal: Option<&String>,
    validity: Option<w::ValidityFilter>,
) -> ResultQuery {
    ResultQuery {
        terminal: terminal.cloned().map(TerminalId),
        validity: validity.map(|validity| match validity {
            w::ValidityFilter::Valid => Validity::Valid,
            w::ValidityFilter::Invalid => Validity::Invalid,
            w::ValidityFilter::InvalidNewExists => Validity::InvalidNewExists,
            w::ValidityFilter::Multiple => Validity::Multiple,
        }),
        ..query
    }
}

/// Japanese days, both ends included, as instants: from the first on, before the second.
pub(super) fn period(
    from: Option<&str>,
    to: Option<&str>,
) -> Result<(Option<Timestamp>, Option<Timestamp>), ServiceError> {
    let from = from.map(|text| day("from", text)).transpose()?;
    let to = to.map(|text| day("to", text)).transpose()?;
    if let (Some(from), Some(to)) = (from, to)
        && from > to
    {
        return Err(bad("to", "to は from 以後の日付にしてください"));
    }
    let after = to.map(|day| start("to", day.tomorrow().map_err(|_| out_of_range("to"))?)).transpose()?;
    Ok((from.map(|day| start("from", day)).transpose()?, after))
}

fn day(field: &'static str, text: &str) -> Result<Date, ServiceError> {
    let exact = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let date = if exact { text.parse().ok() } else { None };
    date.ok_or_else(|| bad(field, "日付は実在する日を YYYY-MM-DD の形で指定してください"))
}

fn start(field: &'static str, day: Date) -> Result<Timestamp, ServiceError> {
    start_of_jst_day(day).ok_or_else(|| out_of_range(field))
}

fn out_of_range(field: &'static str) -> ServiceError {
    bad(field, "日付が範囲の外です")
}

fn bad(field: &'static str, rule: &'static str) -> ServiceError {
    ServiceError::new(Code::InvalidRequest).field(field).detail(rule)
}

//------------ Cursors of lists ---------------------------------------------------------------------------------------

/// Why a cursor is not taken.
pub(super) fn bad_cursor() -> ServiceError {
    bad("cursor", "cursor が正しくないか、別の条件のものです。同じ条件で最初から取得してください")
}

/// The cursor that continues after a result.
pub(super) fn cursor(conditions: Conditions, after: PageAfter) -> String {
    encode(&[&after.checked_at_us.to_be_bytes(), &after.id.0.to_be_bytes(), &conditions])
}

fn after(text: Option<&str>, conditions: impl Fn() -> Conditions) -> Result<Option<PageAfter>, ServiceError> {
    let read = |text: &str| {
        let [at, id, digest] = decode::<3>(text)?;
        (digest == conditions()).then_some(place(at, id))
    };
    text.map(|text| read(text).ok_or_else(bad_cursor)).transpose()
}

/// The cursor that continues an export after a result, with its cut-off.
pub(super) fn export_cursor(query: &w::ExportQuery, after: PageAfter, cut_off: CutOff) -> String {
    let (at, id) = (after.checked_at_us.to_be_bytes(), after.id.0.to_be_bytes());
    let CutOff { newest, at: began } = cut_off;
    let (newest, began) = (newest.0.to_be_bytes(), began.as_microsecond().to_be_bytes());
    encode(&[&at, &id, &newest, &began, &export_digest(query)])
}

fn read_export_cursor(text: &str, conditions: Conditions) -> Option<Start> {
    let [at, id, newest, began, digest] = decode::<5>(text)?;
    let began = Timestamp::from_microsecond(i64::from_be_bytes(began)).ok()?;
    let cut_off = CutOff { newest: ResultId(i64::from_be_bytes(newest)), at: began };
    (digest == conditions).then_some(Start::Place { after: place(at, id), cut_off })
}

fn place(at: [u8; 8], id: [u8; 8]) -> PageAfter {
    PageAfter { checked_at_us: i64::from_be_bytes(at), id: ResultId(i64::from_be_bytes(id)) }
}

fn encode(words: &[&[u8; 8]]) -> String {
    BASE64URL_NOPAD.encode(&words.iter().flat_map(|word| word.iter().copied()).collect::<Vec<u8>>())
}

fn decode<const N: usize>(text: &str) -> Option<[[u8; 8]; N]> {
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
    let (words, rest) = bytes.as_chunks::<8>();
    if rest.is_empty() { words.try_into().ok() } else { None }
}

pub(super) fn digest(query: &w::ResultQuery) -> Conditions {
    short(&("list", &query.from, &query.to, &query.terminal, query.validity))
}

fn export_digest(query: &w::ExportQuery) -> Conditions {
    short(&("export", &query.from, &query.to, &query.terminal, query.validity))
}

pub(super) fn search_digest(search: &w::ResultSearch) -> Conditions {
    // Never printed: the digest is all that is made of it.
    let text = |text: &Option<w::SecretText>| text.as_ref().map(|text| text.expose().to_owned());
    let person =
        (text(&search.name), text(&search.kana), text(&search.birthdate), text(&search.insurer_number));
    let list = (&search.from, &search.to, &search.terminal, search.validity);
    short(&("search", list, text(&search.inquiry_number), person))
}

fn short(conditions: &impl std::fmt::Debug) -> Conditions {
    let hash: [u8; 32] = Sha256::digest(format!("{conditions:?}")).into();
    first(&hash)
}

fn first(hash: &[u8; 32]) -> [u8; 8] {
    hash.first_chunk().copied().unwrap_or_default()
}

//------------ Places in the sequence of changes ----------------------------------------------------------------------

/// A follower's place as text: cursor of changes and id of events.
pub(super) fn place_text(followed: Followed) -> String {
    let Followed { store, change, month } = followed;
    // Store and month share a word.
    let of = (u64::from(store) << 32) | u64::from(month.number().unsigned_abs());
    encode(&[&change.to_be_bytes(), &of.to_be_bytes(), &place_check(change, of)])
}

/// Reads a follower's place; `None` if it is none of ours.
pub(super) fn read_place(text: &str) -> Option<Followed> {
    let [change, of, check] = decode::<3>(text)?;
    let (change, of) = (i64::from_be_bytes(change), u64::from_be_bytes(of));
    let (store, month) = (u32::try_from(of >> 32).ok()?, i32::try_from(of & u64::from(u32::MAX)).ok()?);
    let followed = Followed { store, change, month: JstMonth::from_number(month)? };
    (check == place_check(change, of)).then_some(followed)
}

/// Tells a place from a cursor of another kind and from one that was changed on its way.
fn place_check(change: i64, of: u64) -> [u8; 8] {
    short(&("place", change, of))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(from: &str, to: &str) -> w::ResultQuery {
        w::ResultQuery { from: Some(from.to_owned()), to: Some(to.to_owned()), ..Default::default() }
    }

    #[test]
    fn days_are_japanese_days_and_both_ends_count() {
        let (conditions, ..) = page(&query("2026-07-01", "2026-07-31")).unwrap();
        assert_eq!(conditions.from, Some("2026-06-30T15:00:00Z".parse().unwrap()));
        assert_eq!(conditions.until, Some("2026-07-31T15:00:00Z".parse().unwrap()));
    }

    #[test]
    fn impossible_conditions_name_the_field() {
        for (from, to, field) in [
            ("2026-02-30", "2026-03-01", "from"),
            ("20260201", "2026-03-01", "from"),
            ("2026-02-01", "2026-3-1", "to"),
            ("2026-02-01", "2026-02-01T00", "to"),
            ("2026-03-02", "2026-03-01", "to"),
            ("2026-03-02", "9999-12-31", "to"),
        ] {
            let error = page(&query(from, to)).unwrap_err();
            let found = (error.code, error.field.as_deref());
            assert_eq!(found, (Code::InvalidRequest, Some(field)), "{from} {to}");
        }
        let secret = |text: &str| Some(w::SecretText::new(text.to_owned()));
        let wrong = w::ResultSearch { birthdate: secret("1954-02-30"), ..Default::default() };
        assert_eq!(search(&wrong).unwrap_err().field.as_deref(), Some("birthdate"));
        let wrong = w::ResultSearch { inquiry_number: secret(" K"), ..Default::default() };
        assert_eq!(search(&wrong).unwrap_err().field.as_deref(), Some("inquiry_number"));
    }

    #[test]
    fn a_cursor_continues_only_its_own_list() {
        let july = query("2026-07-01", "2026-07-31");
        let after = PageAfter { checked_at_us: 1_783_479_600_000_000, id: ResultId(42) };
        let text = cursor(digest(&july), after);
        let with = |query: &w::ResultQuery, text: &str| {
            let query = w::ResultQuery { cursor: Some(text.to_owned()), ..query.clone() };
            page(&query).map(|(_, after, _)| after)
        };
        assert_eq!(with(&july, &text).unwrap(), Some(after));
        assert!(with(&query("2026-07-01", "2026-07-30"), &text).is_err());
        for tampered in ["", "A", &text[1..], &format!("{text}A"), "!!!!"] {
            assert!(with(&july, tampered).is_err(), "{tampered:?}");
        }
        let person = |name: &str| w::ResultSearch {
            name: Some(w::SecretText::new(name.to_owned())),
            cursor: Some(cursor(
                search_digest(&w::ResultSearch {
                    name: Some(w::SecretText::new("資格".to_owned())),
                    ..Default::default()
                }),
                after,
            )),
            ..Default::default()
        };
        assert_eq!(search(&person("資格")).unwrap().1, Some(after));
        assert!(search(&person("別人")).is_err());
        let part = w::ExportQuery { from: july.from.clone(), to: july.to.clone(), ..Default::default() };
        let cut_off = CutOff { newest: ResultId(99), at: "2026-07-31T03:00:00Z".parse().unwrap() };
        let text = export_cursor(&part, after, cut_off);
        let next = w::ExportQuery { cursor: Some(text.clone()), ..part };
        assert_eq!(export(&next).unwrap().1, Start::Place { after, cut_off });
        assert!(with(&july, &text).is_err(), "the cursor of an export is none of a list");
    }

    #[test]
    fn a_place_reads_back_and_a_changed_one_does_not() {
        let followed = Followed { store: 7, change: 42, month: JstMonth::from_number(202_607).unwrap() };
        let text = place_text(followed);
        assert_eq!(text.len(), 32);
        assert_eq!(read_place(&text), Some(followed));
        for at in 0..text.len() {
            let mut tampered: Vec<char> = text.chars().collect();
            tampered[at] = if tampered[at] == 'A' { 'B' } else { 'A' };
            assert_eq!(read_place(&tampered.into_iter().collect::<String>()), None, "{at}");
        }
    }
}
