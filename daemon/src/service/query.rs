//! Conditions and cursors of result lists: wire text → query.
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
use crate::domain::check::ResultId;
use crate::domain::eligibility::Validity;
use crate::domain::retention::start_of_jst_day;

const DEFAULT_LIMIT: u32 = 100;
const MOST: u32 = 200;

/// Conditions, start and size of a page.
pub(super) fn page(query: &w::ResultQuery) -> Result<(ResultQuery, Option<PageAfter>, u32), ServiceError> {
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MOST).contains(&limit) {
        return Err(bad("limit", "limit は1以上200以下です"));
    }
    let after = match &query.cursor {
        Some(text) => Some(read_cursor(query, text).ok_or_else(|| {
            bad("cursor", "cursor が正しくないか、別の条件のものです。同じ条件で最初から取得してください")
        })?),
        None => None,
    };
    Ok((conditions(query)?, after, limit))
}

/// The conditions alone.
pub(super) fn conditions(query: &w::ResultQuery) -> Result<ResultQuery, ServiceError> {
    let from = query.from.as_deref().map(|text| day("from", text)).transpose()?;
    let to = query.to.as_deref().map(|text| day("to", text)).transpose()?;
    if let (Some(from), Some(to)) = (from, to)
        && from > to
    {
        return Err(bad("to", "to は from 以後の日付にしてください"));
    }
    Ok(ResultQuery {
        from: from.map(|day| start("from", day)).transpose()?,
        until: to.map(|day| start("to", day.tomorrow().map_err(|_| out_of_range("to"))?)).transpose()?,
        terminal: query.terminal.clone().map(TerminalId),
        inquiry_number: None,
        person: PersonFilter::default(),
        validity: query.validity.map(|validity| match validity {
            w::ValidityFilter::Valid => Validity::Valid,
            w::ValidityFilter::Invalid => Validity::Invalid,
            w::ValidityFilter::InvalidNewExists => Validity::InvalidNewExists,
            w::ValidityFilter::Multiple => Validity::Multiple,
        }),
    })
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

/// The cursor that continues after a result.
pub(super) fn cursor(query: &w::ResultQuery, after: PageAfter) -> String {
    let mut bytes = Vec::with_capacity(24);
    bytes.extend_from_slice(&after.checked_at_us.to_be_bytes());
    bytes.extend_from_slice(&after.id.0.to_be_bytes());
    bytes.extend_from_slice(&digest(query));
    BASE64URL_NOPAD.encode(&bytes)
}

fn read_cursor(query: &w::ResultQuery, text: &str) -> Option<PageAfter> {
    let bytes: [u8; 24] = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?.try_into().ok()?;
    let (at, rest) = bytes.split_first_chunk::<8>()?;
    let (id, conditions) = rest.split_first_chunk::<8>()?;
    (*conditions == digest(query)).then_some(PageAfter {
        checked_at_us: i64::from_be_bytes(*at),
        id: ResultId(i64::from_be_bytes(*id)),
    })
}

fn digest(query: &w::ResultQuery) -> [u8; 8] {
    let conditions = (&query.from, &query.to, &query.terminal, query.validity);
    let hash = Sha256::digest(format!("{conditions:?}"));
    let mut short = [0; 8];
    short.copy_from_slice(hash.get(..8).unwrap_or(&[0; 8]));
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(from: &str, to: &str) -> w::ResultQuery {
        w::ResultQuery { from: Some(from.to_owned()), to: Some(to.to_owned()), ..Default::default() }
    }

    #[test]
    fn days_are_japanese_days_and_both_ends_count() {
        let conditions = conditions(&query("2026-07-01", "2026-07-31")).unwrap();
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
            let error = conditions(&query(from, to)).unwrap_err();
            assert_eq!(
                (error.code, error.field.as_deref()),
                (Code::InvalidRequest, Some(field)),
                "{from} {to}"
            );
        }
        for limit in [0, 201, u32::MAX] {
            let error = page(&w::ResultQuery { limit: Some(limit), ..Default::default() }).unwrap_err();
            assert_eq!(error.field.as_deref(), Some("limit"));
        }
    }

    #[test]
    fn a_cursor_continues_only_its_own_list() {
        let july = query("2026-07-01", "2026-07-31");
        let after = PageAfter { checked_at_us: 1_783_479_600_000_000, id: ResultId(42) };
        let text = cursor(&july, after);
        let with = |query: &w::ResultQuery, text: &str| {
            let query = w::ResultQuery { cursor: Some(text.to_owned()), ..query.clone() };
            page(&query).map(|(_, after, _)| after)
        };
        assert_eq!(with(&july, &text).unwrap(), Some(after));
        assert!(with(&query("2026-07-01", "2026-07-30"), &text).is_err());
        for tampered in ["", "A", &text[1..], &format!("{text}A"), "!!!!"] {
            assert!(with(&july, tampered).is_err(), "{tampered:?}");
        }
    }
}
