//! Announcements of the simulated operators, and the closures they announce, by the simulated clock.

use daemon::domain::retention::jst_datetime;
use jiff::Timestamp;
use serde_json::{Value, json};

/// An announcement as it is sent: nothing here is checked or cleaned, that is the daemon's work.
#[derive(Debug, Clone)]
pub struct Announced {
    /// Its id.
    pub id: String,
    /// When it was published.
    pub published_at: Timestamp,
    /// `1` notice, `2` outage, `3` maintenance.
    pub kind: String,
    /// Its title.
    pub title: String,
    /// Its text.
    pub body: Option<String>,
    /// Where more can be read.
    pub url: Option<String>,
    /// What is closed: from, until, and `1` everything or `2` card-use registration.
    pub closes: Option<(Timestamp, Timestamp, String)>,
}

impl Announced {
    /// A plain notice.
    pub fn notice(id: &str, title: &str, published_at: Timestamp) -> Self {
        Self {
            id: id.to_owned(),
            published_at,
            kind: "1".to_owned(),
            title: title.to_owned(),
            body: None,
            url: None,
            closes: None,
        }
    }

    /// Maintenance that closes everything, or card-use registration alone.
    pub fn maintenance(id: &str, from: Timestamp, until: Timestamp, everything: bool) -> Self {
        let scope = if everything { "1" } else { "2" };
        Self {
            kind: "3".to_owned(),
            closes: Some((from, until, scope.to_owned())),
            ..Self::notice(id, "システムメンテナンスのお知らせ", from)
        }
    }

    /// Whether everything is closed at an instant.
    pub(super) fn closes_everything(&self, at: Timestamp) -> bool {
        self.closes.as_ref().is_some_and(|(from, until, scope)| scope == "1" && (*from..*until).contains(&at))
    }

    /// The announcement in the message.
    pub(super) fn message(&self) -> Value {
        let mut item = json!({
            "Id": self.id,
            "PublishedAt": date_time(self.published_at),
            "Kind": self.kind,
            "Title": self.title,
            "Body": self.body,
            "Url": self.url,
        });
        if let Some((from, until, scope)) = &self.closes {
            item["ClosedFrom"] = json!(date_time(*from));
            item["ClosedUntil"] = json!(date_time(*until));
            item["ClosedScope"] = json!(scope);
        }
        item
    }
}

/// `YYYYMMDDhhmmss` in Japan time.
fn date_time(at: Timestamp) -> String {
    jst_datetime(at).strftime("%Y%m%d%H%M%S").to_string()
}
