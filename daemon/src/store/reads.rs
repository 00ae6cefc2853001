//! Reading results: single ones, pages, changes, counts, and the search for a person.
//!
//! Every statement reads the view `live_results` and binds the present instant besides, so nothing expired is ever
//! returned. Every read is short: what needs many rows reads them in portions, each a read transaction of its own, so
//! that none holds up the checkpoint of a purge.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use super::error::read_failed;
use super::keyring::{Keyring, MonthKeys};
use super::marks::{Mark, mark_columns, with_marks};
use super::results::inquiry_index;
use super::row::{self, Place, corrupt};
use super::{Store, body};
use crate::app::ports::{Page, PageAfter, ReadyResult, ResultForm, ResultQuery, StoreError, StoredResult};
use crate::domain::check::ResultId;
use crate::domain::person_search::PersonSearch;
use crate::domain::retention::JstMonth;

/// Rows that a search for a person opens in one read.
const PORTION: u32 = 500;
/// Rows that a page of such a search opens at most; then it is a short page.
const MOST_OPENED: u32 = 5_000;

/// What every reading of a stored result begins with.
macro_rules! stored {
    ($rest:literal) => {
        concat!(
            "SELECT results.id, month, results.version, COALESCE(marks.change, results.change), payload, ",
            mark_columns!(),
            "FROM live_results AS results ",
            with_marks!(),
            $rest
        )
    };
}

/// What every reading of a ready result begins with: the payload only where there is no body of the form `?1`, or a mark that
/// the body does not have.
macro_rules! ready {
    ($rest:literal) => {
        concat!(
            "SELECT results.id, month, results.version, COALESCE(marks.change, results.change) AS changed, \
             checked_at_us, CASE WHEN marks.id IS NULL THEN body END, \
             CASE WHEN bodies.id IS NULL OR marks.id IS NOT NULL THEN payload END, ",
            mark_columns!(),
            "FROM live_results AS results ",
            with_marks!(),
            "LEFT JOIN result_bodies AS bodies ON bodies.id = results.id AND bodies.form = ?1 ",
            $rest
        )
    };
}

/// Results in the order of their changes: `?2` now, `?3` after which change, `?4` how many. Rows with a mark are found by its
/// change, the others by their own.
const CHANGED: &str = concat!(
    "SELECT * FROM (",
    ready!(
        "WHERE marks.id IS NULL AND searchable = 1 AND expires_at_us > ?2 AND results.change > ?3 \
         ORDER BY results.change LIMIT ?4"
    ),
    ") UNION ALL SELECT * FROM (",
    ready!(
        "WHERE searchable = 1 AND expires_at_us > ?2 AND marks.change > ?3 ORDER BY marks.change LIMIT ?4"
    ),
    ") ORDER BY changed LIMIT ?4"
);

/// Searchable results of a period: `?2` now, `?3` to `?7` conditions, `?8` how many.
macro_rules! listed {
    () => {
        "WHERE searchable = 1 AND expires_at_us > ?2 AND checked_at_us >= ?3 \
         AND (checked_at_us, results.id) < (?4, ?5) \
         AND (?6 IS NULL OR terminal = ?6) AND (?7 IS NULL OR validity = ?7) "
    };
}

const NEWEST_FIRST: &str = "ORDER BY checked_at_us DESC, results.id DESC LIMIT ?8";

/// A stored result and the place of its last change.
struct Opened {
    stored: StoredResult,
    change: i64,
}

/// What opens rows.
#[derive(Clone)]
struct Opener {
    keyring: Arc<Keyring>,
    form: Arc<dyn ResultForm>,
}

impl Opener {
    fn keys(&self, place: Place) -> Result<Arc<MonthKeys>, StoreError> {
        self.keyring.month(place.month).ok_or_else(|| corrupt(place.id, "its month has no key"))
    }

    /// A row of `stored!`.
    fn stored(&self, row: &Row<'_>) -> Result<Opened, StoreError> {
        let place = place(row)?;
        let change = row.get(3).map_err(|e| read_failed(&e))?;
        let payload = row.get_ref(4).and_then(|value| Ok(value.as_blob()?)).map_err(|e| read_failed(&e))?;
        let mark = Mark::read(row, 5).map_err(|e| read_failed(&e))?;
        Ok(Opened { stored: mark.put_on(row::open(&*self.keys(place)?, place, payload)?)?, change })
    }

    /// A row of `ready!`.
    fn ready(&self, row: &Row<'_>) -> Result<ReadyResult, StoreError> {
        let place = place(row)?;
        let number = |column: usize| row.get::<_, i64>(column).map_err(|e| read_failed(&e));
        let bytes = |column: usize| {
            row.get_ref(column).and_then(|value| Ok(value.as_blob_or_null()?)).map_err(|e| read_failed(&e))
        };
        let keys = self.keys(place)?;
        let (version, body) = match (bytes(5)?, bytes(6)?) {
            (Some(body), _) => (place.version, body::open(&keys, place, self.form.number(), body)?),
            (None, Some(payload)) => {
                let mark = Mark::read(row, 7).map_err(|e| read_failed(&e))?;
                let stored = mark.put_on(row::open(&keys, place, payload)?)?;
                (stored.version, self.form.render(&stored)?)
            }
            (None, None) => return Err(corrupt(place.id, "it has no payload")),
        };
        Ok(ReadyResult {
            id: ResultId(place.id),
            version,
            change: number(3)?,
            checked_at_us: number(4)?,
            body,
        })
    }

    fn render(&self, opened: &Opened) -> Result<ReadyResult, StoreError> {
        let Opened { stored, change } = opened;
        Ok(ReadyResult {
            id: stored.id,
            version: stored.version,
            checked_at_us: stored.place().checked_at_us,
            change: *change,
            body: self.form.render(stored)?,
        })
    }
}

fn place(row: &Row<'_>) -> Result<Place, StoreError> {
    let read = || Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let (id, month, version) = read().map_err(|e: rusqlite::Error| read_failed(&e))?;
    let month = JstMonth::from_number(month).ok_or_else(|| corrupt(id, "its month is no month"))?;
    Ok(Place { id, month, version })
}

/// At most `limit` rows, and whether there was one more.
pub(super) fn rows<T>(
    db: &Connection,
    sql: &str,
    values: &[Value],
    limit: u32,
    mut open: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
) -> Result<(Vec<T>, bool), StoreError> {
    let mut statement = db.prepare_cached(sql).map_err(|e| read_failed(&e))?;
    let mut found = statement.query(params_from_iter(values)).map_err(|e| read_failed(&e))?;
    let mut opened = Vec::new();
    while let Some(row) = found.next().map_err(|e| read_failed(&e))? {
        if opened.len() >= limit as usize {
            return Ok((opened, true));
        }
        opened.push(open(row)?);
    }
    Ok((opened, false))
}

/// The conditions of a query as SQL binds them.
struct Conditions {
    values: Vec<Value>,
    /// Blind indexes of the inquiry number, one for each month that has a key.
    numbers: Option<Vec<Vec<u8>>>,
    up_to: Option<ResultId>,
}

impl Conditions {
    fn new(store: &Store, query: &ResultQuery) -> Result<Self, StoreError> {
        let text = |text: Option<&str>| text.map_or(Value::Null, |text| Value::Text(text.to_owned()));
        let from = query.from.map_or(i64::MIN, Timestamp::as_microsecond);
        let (until, until_id) = bound(query, None);
        let numbers = query.inquiry_number.as_ref().map(|number| {
            store.keyring.months().iter().map(|keys| inquiry_index(keys, number)).collect::<Result<_, _>>()
        });
        Ok(Self {
            values: vec![
                Value::Integer(store.form.number().into()),
                Value::Integer(store.clock.now_us()),
                Value::Integer(from),
                Value::Integer(until),
                Value::Integer(until_id),
                text(query.terminal.as_ref().map(|terminal| terminal.0.as_str())),
                text(query.validity.as_ref().map(crate::domain::eligibility::Validity::code)),
            ],
            numbers: numbers.transpose()?,
            up_to: query.up_to,
        })
    }

    /// The statement and its values from a place on. One row more is asked for, to know whether there is one.
    fn page(
        &self,
        select: &str,
        query: &ResultQuery,
        after: Option<PageAfter>,
        limit: u32,
    ) -> (String, Vec<Value>) {
        let mut values = self.values.clone();
        let (before, before_id) = bound(query, after);
        for (at, value) in [(3, before), (4, before_id)] {
            if let Some(slot) = values.get_mut(at) {
                *slot = Value::Integer(value);
            }
        }
        values.push(Value::Integer(i64::from(limit) + 1));
        let sql = [select, &self.besides(9, &mut values), NEWEST_FIRST].concat();
        (sql, values)
    }

    /// The conditions that few questions have, whose values stand from the parameter `first` on.
    fn besides(&self, first: usize, values: &mut Vec<Value>) -> String {
        let (mut conditions, mut next) = (Vec::new(), first..);
        let mut mark = |value: Value| {
            values.push(value);
            format!("?{}", next.next().unwrap_or_default())
        };
        if let Some(numbers) = &self.numbers {
            let marks: Vec<String> =
                numbers.iter().cloned().map(|number| mark(Value::Blob(number))).collect();
            conditions.push(format!("AND inquiry_index IN ({}) ", marks.join(", ")));
        }
        if let Some(ResultId(last)) = self.up_to {
            conditions.push(format!("AND results.id <= {} ", mark(Value::Integer(last))));
        }
        conditions.concat()
    }
}

/// Only results before `(time, id)`: one bound for the period's end and for the page.
fn bound(query: &ResultQuery, after: Option<PageAfter>) -> (i64, i64) {
    let until = query.until.map_or((i64::MAX, i64::MAX), |until| (until.as_microsecond(), i64::MIN));
    let after = after.map_or((i64::MAX, i64::MAX), |after| (after.checked_at_us, after.id.0));
    until.min(after)
}

impl Store {
    fn opener(&self) -> Opener {
        Opener { keyring: Arc::clone(&self.keyring), form: Arc::clone(&self.form) }
    }

    pub(super) async fn read_one(&self, id: ResultId) -> Result<Option<StoredResult>, StoreError> {
        let (opener, now_us) = (self.opener(), self.clock.now_us());
        let sql = stored!("WHERE results.id = ?1 AND expires_at_us > ?2");
        let values = [Value::Integer(id.0), Value::Integer(now_us)];
        self.results
            .read(move |db| Ok(first(rows(db, sql, &values, 1, |row| opener.stored(row))?)))
            .await
            .map(|found| found.map(|opened| opened.stored))
    }

    pub(super) async fn read_ready(&self, id: ResultId) -> Result<Option<ReadyResult>, StoreError> {
        let (opener, now_us) = (self.opener(), self.clock.now_us());
        let sql = ready!("WHERE results.id = ?2 AND expires_at_us > ?3");
        let values = [self.form.number().into(), id.0, now_us].map(Value::Integer);
        self.results.read(move |db| Ok(first(rows(db, sql, &values, 1, |row| opener.ready(row))?))).await
    }

    pub(super) async fn read_changes(&self, after: i64, limit: u32) -> Result<Vec<ReadyResult>, StoreError> {
        let (opener, now_us) = (self.opener(), self.clock.now_us());
        let values = [self.form.number().into(), now_us, after, limit.into()].map(Value::Integer);
        let reading = move |db: &Connection| rows(db, CHANGED, &values, limit, |row| opener.ready(row));
        self.results.read(reading).await.map(|(found, _)| found)
    }

    /// Shows nothing of a result, so it may look at all of them.
    pub(super) async fn read_newest(&self) -> Result<ResultId, StoreError> {
        let sql = "SELECT coalesce(max(id), 0) FROM results";
        let number = |row: &Row<'_>| row.get::<_, i64>(0).map_err(|e| read_failed(&e));
        let found = self.results.read(move |db| rows(db, sql, &[], 1, number)).await?;
        Ok(ResultId(first(found).unwrap_or(0)))
    }

    pub(super) async fn read_page(
        &self,
        query: &ResultQuery,
        after: Option<PageAfter>,
        limit: u32,
    ) -> Result<Page<StoredResult>, StoreError> {
        if !query.person.is_empty() {
            let Page { rows, next } = self.search(query, after, limit).await?;
            return Ok(Page { rows: rows.into_iter().map(|opened| opened.stored).collect(), next });
        }
        let opener = self.opener();
        let (sql, values) =
            Conditions::new(self, query)?.page(concat!(stored!(""), listed!()), query, after, limit);
        let reading = move |db: &Connection| rows(db, &sql, &values, limit, |row| opener.stored(row));
        let (found, more) = self.results.read(reading).await?;
        let rows: Vec<StoredResult> = found.into_iter().map(|opened| opened.stored).collect();
        let next = rows.last().filter(|_| more).map(StoredResult::place);
        Ok(Page { rows, next })
    }

    pub(super) async fn read_ready_page(
        &self,
        query: &ResultQuery,
        after: Option<PageAfter>,
        limit: u32,
    ) -> Result<Page<ReadyResult>, StoreError> {
        let opener = self.opener();
        if !query.person.is_empty() {
            let Page { rows, next } = self.search(query, after, limit).await?;
            let rows = rows.iter().map(|opened| opener.render(opened)).collect::<Result<_, _>>()?;
            return Ok(Page { rows, next });
        }
        let (sql, values) =
            Conditions::new(self, query)?.page(concat!(ready!(""), listed!()), query, after, limit);
        let reading = move |db: &Connection| rows(db, &sql, &values, limit, |row| opener.ready(row));
        let (rows, more) = self.results.read(reading).await?;
        let next = rows.last().filter(|_| more).map(ReadyResult::place);
        Ok(Page { rows, next })
    }

    /// Opens rows of the period one after another until enough persons are found or enough rows were opened.
    async fn search(
        &self,
        query: &ResultQuery,
        after: Option<PageAfter>,
        limit: u32,
    ) -> Result<Page<Opened>, StoreError> {
        let (mut rows, mut after, mut opened) = (Vec::new(), after, 0);
        while opened < MOST_OPENED {
            let wanted = limit as usize - rows.len();
            let portion = self.portion(query, after, wanted).await?;
            rows.extend(portion.found);
            opened += portion.opened;
            after = portion.next;
            if after.is_none() || rows.len() >= limit as usize {
                break;
            }
        }
        Ok(Page { rows, next: after })
    }

    /// One read of a search: at most `wanted` results of the person, in order.
    async fn portion(
        &self,
        query: &ResultQuery,
        after: Option<PageAfter>,
        wanted: usize,
    ) -> Result<Portion, StoreError> {
        let opener = self.opener();
        let person: PersonSearch = query.person.prepare();
        let (sql, values) =
            Conditions::new(self, query)?.page(concat!(stored!(""), listed!()), query, after, PORTION);
        let reading = move |db: &Connection| {
            let (mut found, mut last, mut looked_at, mut enough) = (Vec::new(), None, 0, false);
            let (_, more) = rows(db, &sql, &values, PORTION, |row| {
                if enough {
                    return Ok(());
                }
                let one = opener.stored(row)?;
                looked_at += 1;
                last = Some(one.stored.place());
                if person.finds(&one.stored.content.confirmation.eligibilities) {
                    found.push(one);
                    enough = found.len() >= wanted;
                }
                Ok(())
            })?;
            Ok(Portion { found, opened: looked_at, next: last.filter(|_| more || enough) })
        };
        self.results.read(reading).await
    }

    pub(super) async fn read_count(&self, query: &ResultQuery) -> Result<u64, StoreError> {
        if !query.person.is_empty() {
            let (mut count, mut after) = (0, None);
            loop {
                let portion = self.portion(query, after, usize::MAX).await?;
                count += portion.found.len() as u64;
                after = portion.next;
                if after.is_none() {
                    return Ok(count);
                }
            }
        }
        let conditions = Conditions::new(self, query)?;
        let mut values = conditions.values.clone();
        let select = concat!("SELECT count(*) FROM live_results AS results ", listed!());
        let sql = [select, &conditions.besides(8, &mut values)].concat();
        // The form has no part in a count, but its parameter has its place.
        let reading = move |db: &Connection| {
            rows(db, &sql, &values, 1, |row| row.get::<_, i64>(0).map_err(|e| read_failed(&e)))
        };
        Ok(first(self.results.read(reading).await?).unwrap_or(0).unsigned_abs())
    }
}

/// One read of a search.
struct Portion {
    found: Vec<Opened>,
    opened: u32,
    next: Option<PageAfter>,
}

fn first<T>((rows, _): (Vec<T>, bool)) -> Option<T> {
    rows.into_iter().next()
}

#[cfg(test)]
mod tests {
    use rusqlite::{StatementStatus, params};
    use sqlx::sqlite::SqliteConnectOptions;
    use sqlx::{ConnectOptions as _, Connection as _};

    use super::super::database::MIGRATIONS;
    use super::super::readers::Readers;
    use super::*;

    #[tokio::test]
    async fn a_prepared_page_is_planned_once_whatever_is_bound() {
        let directory = std::env::temp_dir().join(format!("shikaku-plans-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let path = directory.join("store.db");
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let mut writing = options.connect().await.unwrap();
        MIGRATIONS.run(&mut writing).await.unwrap();
        writing.close().await.unwrap();
        let readers = Readers::open(&path, 1).unwrap();
        let reading = |db: &Connection| {
            let sql = [concat!(ready!(""), listed!()), NEWEST_FIRST].concat();
            let mut statement = db.prepare_cached(&sql).unwrap();
            for turn in 1..5_i64 {
                let values = params![2, turn, 0, turn, turn, None::<String>, Some("1"), turn];
                assert!(statement.query(values).unwrap().next().unwrap().is_none());
            }
            Ok(statement.get_status(StatementStatus::RePrepare))
        };
        assert_eq!(readers.read(reading).await, Ok(0));
        readers.close().await;
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
