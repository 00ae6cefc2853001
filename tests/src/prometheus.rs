//! Reads figures in Prometheus's text format 0.0.4, strictly: for tests that hold `/metrics` against it.

#![expect(clippy::expect_used, reason = "a text that is no text of figures ends its test with the reason")]

use std::collections::{BTreeMap, BTreeSet};

/// The figures of one scrape.
pub struct Scrape {
    samples: BTreeMap<String, f64>,
    families: BTreeMap<String, String>,
}

impl Scrape {
    /// Reads a text.
    ///
    /// # Panics
    /// A line breaks the format, a sample stands outside its family, or anything comes twice.
    pub fn read(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line ends");
        let (mut samples, mut families) = (BTreeMap::new(), BTreeMap::new());
        let (mut helped, mut family) = (BTreeSet::new(), String::new());
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, words) = help.split_once(' ').expect("a name and words");
                assert!(!words.is_empty() && helped.insert(name.to_owned()), "{line}");
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').expect("a name and a type");
                assert!(["counter", "gauge", "histogram"].contains(&kind) && helped.contains(name), "{line}");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                name.clone_into(&mut family);
                assert!(families.insert(name.to_owned(), kind.to_owned()).is_none(), "{line}");
            } else {
                let (series, value) = line.rsplit_once(' ').expect("a series and a value");
                let name = series.split('{').next().unwrap_or_default();
                let suffixes = ["", "_bucket", "_sum", "_count"];
                assert!(suffixes.iter().any(|suffix| name == format!("{family}{suffix}")), "{line}");
                check_labels(series, name);
                let value: f64 = value.parse().expect("a number");
                assert!(samples.insert(series.to_owned(), value).is_none(), "{line}");
            }
        }
        let scrape = Self { samples, families };
        scrape.check_histograms();
        scrape
    }

    /// The value of a series, named as it stands in the text.
    pub fn get(&self, series: &str) -> Option<f64> {
        self.samples.get(series).copied()
    }

    /// The value of a series that must be there.
    ///
    /// # Panics
    /// It is not.
    pub fn value(&self, series: &str) -> f64 {
        self.get(series).unwrap_or_else(|| panic!("no {series}"))
    }

    /// The families, with or without samples.
    pub fn families(&self) -> impl Iterator<Item = &str> {
        self.families.keys().map(String::as_str)
    }

    /// Classes of a histogram only grow, and the last holds all.
    fn check_histograms(&self) {
        for (series, count) in self.samples.iter().filter(|(series, _)| series.contains("_count{")) {
            let (name, label) = series.split_once("_count{").expect("a label");
            let label = label.trim_end_matches('}');
            let text = |series: &&String| series.starts_with(&format!("{name}_bucket{{{label},le="));
            let bound = |series: &str| {
                let text = series.rsplit("le=\"").next().unwrap_or_default().trim_end_matches("\"}");
                if text == "+Inf" { f64::INFINITY } else { text.parse().expect("a bound") }
            };
            let mut classes: Vec<(f64, f64)> = self
                .samples
                .iter()
                .filter(|(series, _)| text(series))
                .map(|(series, value)| (bound(series), *value))
                .collect();
            classes.sort_by(|one, other| one.0.total_cmp(&other.0));
            assert!(classes.is_sorted_by_key(|(_, value)| *value), "{series}");
            let (last, all) = classes.last().expect("classes");
            assert!(last.is_infinite() && (all - count).abs() < f64::EPSILON, "{series}");
        }
    }
}

fn check_labels(series: &str, name: &str) {
    let rest = series.strip_prefix(name).unwrap_or_default();
    let plain =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    assert!(plain(name), "{series}");
    if rest.is_empty() {
        return;
    }
    let labels = rest.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).expect("labels in braces");
    for label in labels.split(',') {
        let (label, value) = label.split_once('=').expect("a label and its value");
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).expect("in quotes");
        let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"_.+-".contains(&byte);
        assert!(plain(label) && !value.is_empty() && value.bytes().all(harmless), "{series}");
    }
}
