//! Announcements: asked for and read. One that cannot be used is left out, the others are shown all the same.

use serde::Deserialize;
use url::Url;

use super::answer::{Read, instant, open, text};
use super::{Correlation, request};
use crate::domain::announcement::{
    Announcement, Closure, Kind, LONGEST_BODY, LONGEST_ID, LONGEST_TITLE, LONGEST_URL, MOST, Scope, clean,
};
use crate::domain::maintenance::Window;

/// Asks for the announcements.
pub(in crate::upstream) fn announcements(correlation: Correlation<'_>) -> Vec<u8> {
    request::header_only(correlation)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Item {
    #[serde(deserialize_with = "text")]
    id: Option<String>,
    #[serde(deserialize_with = "text")]
    published_at: Option<String>,
    #[serde(deserialize_with = "text")]
    kind: Option<String>,
    #[serde(deserialize_with = "text")]
    title: Option<String>,
    #[serde(deserialize_with = "text")]
    body: Option<String>,
    #[serde(deserialize_with = "text")]
    url: Option<String>,
    #[serde(deserialize_with = "text")]
    closed_from: Option<String>,
    #[serde(deserialize_with = "text")]
    closed_until: Option<String>,
    #[serde(deserialize_with = "text")]
    closed_scope: Option<String>,
}

impl Item {
    fn read(self) -> Option<Announcement> {
        let line = |text: Option<String>, longest| {
            text.map(|text| clean(&text, longest, false)).filter(|text| !text.is_empty())
        };
        let closure = self.closure();
        Some(Announcement {
            id: self
                .id
                .filter(|id| id.len() <= LONGEST_ID && id.bytes().all(|byte| byte.is_ascii_graphic()))?,
            published_at: self.published_at.as_deref().and_then(instant)?,
            // A kind of the future is at least a notice.
            kind: match self.kind.as_deref() {
                Some("2") => Kind::Outage,
                Some("3") => Kind::Maintenance,
                Some(_) | None => Kind::Notice,
            },
            title: line(self.title, LONGEST_TITLE)?,
            body: self.body.map(|text| clean(&text, LONGEST_BODY, true)).filter(|text| !text.is_empty()),
            url: self.url.filter(|url| is_web_page(url)),
            closure,
        })
    }

    fn closure(&self) -> Option<Closure> {
        let from = self.closed_from.as_deref().and_then(instant)?;
        let until = self.closed_until.as_deref().and_then(instant)?;
        let scope = match self.closed_scope.as_deref() {
            Some("2") => Scope::Registration,
            Some("1") => Scope::Everything,
            Some(_) | None => return None,
        };
        (from < until).then_some(Closure { window: Window { from, until }, scope })
    }
}

/// Only an ordinary `https` address is shown as a link.
fn is_web_page(text: &str) -> bool {
    let plain = |url: &Url| {
        url.scheme() == "https"
            && url.host_str().is_some()
            && url.username().is_empty()
            && url.password().is_none()
    };
    text.len() <= LONGEST_URL
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && Url::parse(text).is_ok_and(|url| plain(&url))
}

/// Reads the announcements, the newest first; of two with one id the newer counts.
pub(in crate::upstream) fn read_announcements(
    bytes: &[u8],
    correlation: Correlation<'_>,
) -> Read<Vec<Announcement>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Body {
        #[serde(default)]
        announcements: Vec<Item>,
    }
    let (_, body) = open::<Body>(bytes, correlation)?;
    let sent = body.announcements.len();
    let mut read: Vec<Announcement> = body.announcements.into_iter().filter_map(Item::read).collect();
    if read.len() < sent {
        tracing::warn!(request = %correlation.request.0, left_out = sent - read.len(), "unusable announcements");
    }
    read.sort_by(|one, other| (other.published_at, &one.id).cmp(&(one.published_at, &other.id)));
    let mut seen = std::collections::HashSet::new();
    read.retain(|announcement| seen.insert(announcement.id.clone()));
    read.truncate(MOST);
    Ok(read)
}
