//! Announcements and the accounts' marks. Public texts, so they lie in clear.

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::FromRow;

use super::Store;
use super::error::failed;
use super::writer::{Tx, write};
use crate::app::ports::{Announcements, KeptAnnouncement, StoreError};
use crate::domain::announcement::{Announcement, Closure, Kind, Scope};
use crate::domain::maintenance::Window;

#[derive(FromRow)]
struct Row {
    arrival: i64,
    id: String,
    published_at_us: i64,
    kind: String,
    title: String,
    body: Option<String>,
    url: Option<String>,
    closed_from_us: Option<i64>,
    closed_until_us: Option<i64>,
    closes: Option<String>,
}

const ALL: &str = "SELECT arrival, id, published_at_us, kind, title, body, url, closed_from_us, closed_until_us, \
                   closes FROM announcements ORDER BY published_at_us DESC, arrival DESC";

impl Row {
    fn read(self) -> Result<KeptAnnouncement, StoreError> {
        let row = self.arrival;
        let corrupt =
            |reason: &str| StoreError::Corrupt { table: "announcements", row, reason: reason.to_owned() };
        let instant =
            |us: i64| Timestamp::from_microsecond(us).map_err(|_| corrupt("an instant is unreadable"));
        let closure = match (self.closed_from_us, self.closed_until_us, self.closes.as_deref()) {
            (Some(from), Some(until), Some(closes)) => Some(Closure {
                window: Window { from: instant(from)?, until: instant(until)? },
                scope: match closes {
                    "everything" => Scope::Everything,
                    "registration" => Scope::Registration,
                    _ => return Err(corrupt("what it closes is unreadable")),
                },
            }),
            (_, _, _) => None,
        };
        Ok(KeptAnnouncement {
            arrival: self.arrival,
            content: Announcement {
                id: self.id,
                published_at: instant(self.published_at_us)?,
                kind: match self.kind.as_str() {
                    "notice" => Kind::Notice,
                    "outage" => Kind::Outage,
                    "maintenance" => Kind::Maintenance,
                    _ => return Err(corrupt("its kind is unreadable")),
                },
                title: self.title,
                body: self.body,
                url: self.url,
                closure,
            },
        })
    }
}

async fn replace(tx: &mut Tx, announcements: &[Announcement]) -> Result<(), StoreError> {
    let rows: Vec<Row> = sqlx::query_as(ALL).fetch_all(&mut tx.db).await.map_err(|e| failed(&e))?;
    let kept = rows.into_iter().map(Row::read).collect::<Result<Vec<_>, _>>()?;
    for old in kept.iter().filter(|old| !announcements.contains(&old.content)) {
        sqlx::query("DELETE FROM announcements WHERE arrival = ?1")
            .bind(old.arrival)
            .execute(&mut tx.db)
            .await
            .map_err(|e| failed(&e))?;
    }
    // The oldest first, so that arrivals grow with the time of publication.
    for new in announcements.iter().rev().filter(|new| kept.iter().all(|old| old.content != **new)) {
        insert(tx, new).await?;
    }
    Ok(())
}

async fn insert(tx: &mut Tx, new: &Announcement) -> Result<(), StoreError> {
    let microseconds = |at: fn(&Window) -> Timestamp| new.closure.map(|c| at(&c.window).as_microsecond());
    sqlx::query(
        "INSERT INTO announcements (id, published_at_us, kind, title, body, url, closed_from_us, closed_until_us, \
         closes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )
    .bind(&new.id)
    .bind(new.published_at.as_microsecond())
    .bind(match new.kind {
        Kind::Notice => "notice",
        Kind::Outage => "outage",
        Kind::Maintenance => "maintenance",
    })
    .bind(&new.title)
    .bind(new.body.as_ref())
    .bind(new.url.as_ref())
    .bind(microseconds(|window| window.from))
    .bind(microseconds(|window| window.until))
    .bind(new.closure.map(|closure| match closure.scope {
        Scope::Everything => "everything",
        Scope::Registration => "registration",
    }))
    .execute(&mut tx.db)
    .await
    .map_err(|e| failed(&e))?;
    Ok(())
}

#[async_trait]
impl Announcements for Store {
    async fn announcements(&self) -> Result<Vec<KeptAnnouncement>, StoreError> {
        let rows: Vec<Row> = sqlx::query_as(ALL).fetch_all(&self.readers).await.map_err(|e| failed(&e))?;
        rows.into_iter().map(Row::read).collect()
    }

    async fn replace_announcements(&self, announcements: &[Announcement]) -> Result<(), StoreError> {
        let announcements = announcements.to_vec();
        write(&self.writer, move |tx| Box::pin(async move { replace(tx, &announcements).await })).await
    }

    async fn signed_in(&self, account: &str) -> Result<i64, StoreError> {
        let account = account.to_owned();
        write(&self.writer, move |tx| {
            Box::pin(async move {
                sqlx::query_scalar(
                    "INSERT INTO announcement_marks (account, latest, previous) \
                     VALUES (?1, (SELECT COALESCE(MAX(arrival), 0) FROM announcements), 0) \
                     ON CONFLICT (account) DO UPDATE SET previous = latest, latest = max(latest, excluded.latest) \
                     RETURNING previous",
                )
                .bind(account)
                .fetch_one(&mut tx.db)
                .await
                .map_err(|e| failed(&e))
            })
        })
        .await
    }

    async fn seen_before(&self, account: &str) -> Result<i64, StoreError> {
        let seen: Option<i64> =
            sqlx::query_scalar("SELECT previous FROM announcement_marks WHERE account = ?1")
                .bind(account)
                .fetch_optional(&self.readers)
                .await
                .map_err(|e| failed(&e))?;
        Ok(seen.unwrap_or(0))
    }
}
