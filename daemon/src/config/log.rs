//! `[log] filter`: a slip of the pen there silences the log, and nobody sees why.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// The programs' own parts that a filter may name alone.
const OURS: [&str; 2] = ["daemon", "api"];

/// Whether a filter says what is logged. A word that stands alone is a level or a part of ours: of any other word (`inof`) the library
/// makes the name of a part, and logs that part alone.
pub(super) fn is_filter(text: &str) -> bool {
    let is_name = |word: &str| word.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | ':'));
    let is_ours = |word: &str| word.split("::").next().is_some_and(|part| OURS.contains(&part));
    let is_known = |word: &str| !is_name(word) || is_ours(word) || word.parse::<LevelFilter>().is_ok();
    // Fields of a span, in brackets, may hold words and commas of their own.
    let mut words = text.split('[').next().unwrap_or_default().split(',').map(str::trim);
    !text.trim().is_empty()
        && words.all(|word| word.is_empty() || is_known(word))
        && EnvFilter::try_new(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_says_what_is_logged() {
        for right in [
            "info",
            "WARN",
            "off",
            "3",
            "daemon",
            "api=debug",
            "info,daemon::card=trace",
            "daemon[check]=debug",
        ] {
            assert!(is_filter(right), "{right}");
        }
        for wrong in ["", " ", "inof", "info,deamon", "daemon=inof", "warning", "=,="] {
            assert!(!is_filter(wrong), "{wrong}");
        }
    }
}
