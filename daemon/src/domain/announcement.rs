//! Announcements (運営からのお知らせ, manual chapter 1): what the central system's operators tell the facilities.
//!
//! Their texts come from outside and are shown to people: they are cut and cleaned before anybody sees them.

use jiff::Timestamp;

use super::maintenance::Window;

/// Most characters of an id.
pub const LONGEST_ID: usize = 64;
/// Most characters of a title.
pub const LONGEST_TITLE: usize = 200;
/// Most characters of a text.
pub const LONGEST_BODY: usize = 2_000;
/// Most characters of a link.
pub const LONGEST_URL: usize = 500;
/// Most announcements kept: the newest.
pub const MOST: usize = 50;

/// What an announcement is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// お知らせ.
    Notice,
    /// 障害.
    Outage,
    /// メンテナンス.
    Maintenance,
}

/// What an announced closure closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The whole central system.
    Everything,
    /// Card-use registration (健康保険証利用登録) alone.
    Registration,
}

/// An announced closure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closure {
    /// When.
    pub window: Window,
    /// What.
    pub scope: Scope,
}

/// An announcement, cleaned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// The central system's id of it.
    pub id: String,
    /// When it was published.
    pub published_at: Timestamp,
    /// What it is about.
    pub kind: Kind,
    /// Its title, one line.
    pub title: String,
    /// Its text; lines are kept.
    pub body: Option<String>,
    /// Where more can be read; always `https`.
    pub url: Option<String>,
    /// When something is closed.
    pub closure: Option<Closure>,
}

/// Text fit to be shown: without control characters (line feeds stay if `lines`) and without the invisible ones that
/// change the direction of writing, at most `longest` characters.
pub fn clean(text: &str, longest: usize, lines: bool) -> String {
    let shown = |letter: &char| match letter {
        '\n' => lines,
        '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}' => false,
        other => !other.is_control(),
    };
    text.trim().chars().filter(shown).take(longest).collect()
}

/// The closures among announcements that close at least `scope`: whatever closes everything closes registration too.
pub fn closures(announcements: &[Announcement], scope: Scope) -> Vec<Window> {
    let closures = announcements.iter().filter_map(|announcement| announcement.closure);
    let closes = |closure: &Closure| closure.scope == Scope::Everything || closure.scope == scope;
    closures.filter(closes).map(|closure| closure.window).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_from_outside_are_cut_and_cleaned() {
        for (text, longest, lines, expected) in [
            (" お知らせ\r\n二行目 ", 20, true, "お知らせ\n二行目"),
            (" お知らせ\r\n二行目 ", 20, false, "お知らせ二行目"),
            ("\u{1b}[31m赤\u{7}\0", 20, false, "[31m赤"),
            ("abc\u{202E}txt.exe\u{2066}\u{FEFF}", 20, false, "abctxt.exe"),
            ("あいうえお", 3, false, "あいう"),
            ("", 3, false, ""),
        ] {
            assert_eq!(clean(text, longest, lines), expected, "{text:?}");
        }
    }

    #[test]
    fn what_closes_everything_closes_registration_too() {
        let window = |hour: i64| Window {
            from: Timestamp::from_second(hour * 3600).unwrap(),
            until: Timestamp::from_second(hour * 3600 + 60).unwrap(),
        };
        let of = |scope, hour: i64| Announcement {
            id: hour.to_string(),
            published_at: Timestamp::UNIX_EPOCH,
            kind: Kind::Maintenance,
            title: "メンテナンス".to_owned(),
            body: None,
            url: None,
            closure: Some(Closure { window: window(hour), scope }),
        };
        let notice = Announcement { closure: None, ..of(Scope::Everything, 9) };
        let all = [of(Scope::Everything, 1), of(Scope::Registration, 2), notice];
        assert_eq!(closures(&all, Scope::Everything), [window(1)]);
        assert_eq!(closures(&all, Scope::Registration), [window(1), window(2)]);
    }
}
