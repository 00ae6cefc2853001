//! Retention over eighty years: the rule against a calendar of its own, and the real store at every change of month.

use daemon::app::ports::{ResultQuery, ResultStore as _, Source};
use daemon::domain::check::{Method, ResultId};
use daemon::domain::retention::{expiry, start_of_jst_day};
use daemon::store::Store;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _};
use tokio::task::JoinSet;

use super::site::{OpenStore, Site, scratch};
use super::work::{INSERTED, entry, result_of};

/// The days that are looked at: all of 2024 to 2104.
pub const DAYS: u64 = 29_585;
const FIRST: Date = Date::constant(2024, 1, 1);
const END: Date = Date::constant(2105, 1, 1);

/// The rule at four instants of every day: its first, the one before, noon, and its last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rule {
    /// Days looked at.
    pub days: u64,
    /// Instants at which the rule says something else than the calendar here.
    pub wrong: Vec<String>,
}

/// Compares the rule with a calendar that counts days (H. Hinnant, "chrono-compatible low-level date algorithms").
pub fn check_rule() -> Rule {
    const JST_US: i64 = 9 * 3_600 * 1_000_000;
    const DAY_US: i64 = 86_400 * 1_000_000;
    let mut rule = Rule::default();
    for day in days_from_civil(2024, 1, 1)..days_from_civil(2105, 1, 1) {
        rule.days += 1;
        let midnight = day * DAY_US - JST_US;
        for instant in [midnight, midnight - 1, midnight + DAY_US / 2, midnight + DAY_US - 1] {
            let (year, month) = month_of((instant + JST_US).div_euclid(DAY_US));
            let (year, month) = if month > 10 { (year + 1, month - 10) } else { (year, month + 2) };
            let gone = days_from_civil(year, month, 1) * DAY_US - JST_US;
            let checked = Timestamp::from_microsecond(instant).expect("an instant");
            if expiry(checked).as_microsecond() != gone {
                rule.wrong.push(format!("{checked} expires at {} instead of {gone} µs", expiry(checked)));
            }
        }
    }
    rule
}

/// Days since 1970 of a date.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Year and month of a day since 1970.
fn month_of(day: i64) -> (i64, i64) {
    let day = day + 719_468;
    let (era, day_of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month)
}

/// What the store served.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Served {
    /// Results stored, one a day.
    pub days: u64,
    /// Results that were served at or after their end.
    pub late: u64,
    /// Results that were not served at their last instant.
    pub early: u64,
    /// Months whose keys a purge destroyed.
    pub months_purged: u64,
}

/// Stores a result for every day, asks for a month's results at their last instant and one microsecond later, by list,
/// by count and by number, and purges once a year.
pub async fn serve() -> Served {
    let directory = scratch();
    let open = Site::at(directory.path()).open(before(start(FIRST))).await.expect("the store opens");
    let mut served = Served::default();
    let mut first = FIRST;
    // The month before the last, with its results; and the last.
    let mut months: [Vec<ResultId>; 2] = [Vec::new(), Vec::new()];
    while first < END {
        let [oldest, _] = &months;
        at_end_of_month(&open, first, oldest, &mut served).await;
        if first.month() == 1 {
            served.months_purged += open.store.purge(start(first)).await.expect("a purge").months;
        }
        let inserted = insert_month(&open, first).await;
        served.days += inserted.len() as u64;
        let [_, newer] = months;
        months = [newer, inserted];
        first += 1.month();
    }
    open.close().await;
    served
}

/// `oldest` are the results of the month that ends its retention when `first` begins.
async fn at_end_of_month(open: &OpenStore, first: Date, oldest: &[ResultId], served: &mut Served) {
    let (two_back, one_back) = (start(first - 2.months()), start(first - 1.month()));
    open.clock.set(before(start(first)));
    let at_last = listed(&open.store, two_back, one_back).await;
    served.early += (oldest.len() as u64).saturating_sub(at_last);
    open.clock.set(start(first));
    served.late += listed(&open.store, Timestamp::MIN, one_back).await;
    for id in oldest {
        served.late += u64::from(open.store.get(*id).await != Ok(None));
    }
}

/// One result a day at one of the day's four edges; a month's results go in together, as one commit.
async fn insert_month(open: &OpenStore, first: Date) -> Vec<ResultId> {
    let mut running = JoinSet::new();
    for day in (0..i64::from(first.days_in_month())).map(|day| first + day.days()) {
        let seconds = [0, 1, 43_200, 86_399][usize::from(day.day().unsigned_abs()) % 4];
        let mut result = result_of("07-day");
        result.source = Source::Own { check_id: day.to_string(), method: Method::CardPin };
        result.confirmation.processed_at =
            Timestamp::from_second(start(day).as_second() + seconds).expect("an instant");
        let store = open.store.clone();
        running
            .spawn(async move { store.insert(&result, &entry("receipt", INSERTED)).await.expect("stored") });
    }
    running.join_all().await
}

/// How many results of checks from `from` to before `until` are listed; the count must say the same.
async fn listed(store: &Store, from: Timestamp, until: Timestamp) -> u64 {
    let query = ResultQuery { from: Some(from), until: Some(until), ..ResultQuery::default() };
    let page = store.page(&query, None, 1_000).await.expect("a page").rows.len() as u64;
    assert_eq!(store.count(&query).await, Ok(page), "list and count from {from} to {until}");
    page
}

fn start(day: Date) -> Timestamp {
    start_of_jst_day(day).expect("a day within the calendar")
}

fn before(instant: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(instant.as_microsecond() - 1).expect("an instant")
}
