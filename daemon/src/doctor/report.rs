//! The findings, and their two forms: lines for people, JSON for programs.

use std::fmt::Write as _;
use std::io;

use jiff::Timestamp;
use serde::Serialize;

use super::codes::{Code, State};

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The outcome.
    pub code: Code,
    /// What exactly was seen: names of readers and files, numbers. Nothing secret, nothing personal.
    pub detail: String,
}

impl Finding {
    /// An outcome without more to say.
    pub fn new(code: Code) -> Self {
        Self { code, detail: String::new() }
    }

    /// An outcome and what exactly was seen.
    pub fn with(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }
}

/// How a report is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Lines in Japanese.
    Text,
    /// One JSON object; see [`Report::json`].
    Json,
}

/// Everything that was found, in the order of the checks.
#[derive(Debug, Clone)]
pub struct Report {
    /// When.
    pub at: Timestamp,
    /// What.
    pub findings: Vec<Finding>,
}

#[derive(Serialize)]
struct JsonReport<'a> {
    format: u8,
    version: &'static str,
    at: String,
    exit_code: u8,
    findings: Vec<JsonFinding<'a>>,
}

#[derive(Serialize)]
struct JsonFinding<'a> {
    check: &'static str,
    code: &'static str,
    state: &'static str,
    title: &'static str,
    message: &'static str,
    detail: &'a str,
    advice: &'static str,
}

impl Report {
    /// 0: no problem (there may be warnings, and checks that were left out); 1: a problem; 2: the configuration is not
    /// usable, so that nothing else was looked at.
    pub fn exit_code(&self) -> u8 {
        let found = |state| self.findings.iter().any(|finding| finding.code.state() == state);
        match (found(State::Unusable), found(State::Problem)) {
            (true, _) => 2,
            (false, true) => 1,
            (false, false) => 0,
        }
    }

    /// Writes the report.
    ///
    /// # Errors
    /// The output cannot be written to.
    pub fn show(&self, form: Form, out: &mut dyn io::Write) -> io::Result<()> {
        match form {
            Form::Text => out.write_all(self.text().as_bytes()),
            Form::Json => {
                serde_json::to_writer_pretty(&mut *out, &self.json_form()).map_err(io::Error::from)?;
                writeln!(out)
            }
        }
    }

    /// The machine form: `format` (1; changes only when a field changes its meaning), `version` of the program, `at`
    /// (RFC 3339, UTC), `exit_code`, and `findings` in the order of the checks. Of each finding `check`, `code` and
    /// `state` (`ok`, `warning`, `problem`, `skipped`, `unusable`) are stable; the other fields are Japanese words for
    /// people and may change. A check may have several findings (one for each reader), and new ones may come.
    pub fn json(&self) -> serde_json::Value {
        serde_json::to_value(self.json_form()).unwrap_or_default()
    }

    fn json_form(&self) -> JsonReport<'_> {
        let findings = self.findings.iter().map(|Finding { code, detail }| JsonFinding {
            check: code.check().word(),
            code: code.word(),
            state: code.state().word(),
            title: code.check().title(),
            message: code.message(),
            detail,
            advice: code.advice(),
        });
        JsonReport {
            format: 1,
            version: env!("CARGO_PKG_VERSION"),
            at: self.at.to_string(),
            exit_code: self.exit_code(),
            findings: findings.collect(),
        }
    }

    fn text(&self) -> String {
        let widest = self.findings.iter().map(|finding| columns(finding.code.check().title())).max();
        let mut text = String::new();
        for Finding { code, detail } in &self.findings {
            let title = code.check().title();
            let padding = " ".repeat(widest.unwrap_or_default() - columns(title));
            let detail = if detail.is_empty() { String::new() } else { format!("（{detail}）") };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{} {title}{padding}  {}{detail}", code.state().mark(), code.message());
            if !code.advice().is_empty() {
                let _ = writeln!(text, "{:indent$}→ {}", "", code.advice(), indent = 7);
            }
        }
        let count = |state| self.findings.iter().filter(|finding| finding.code.state() == state).count();
        let problems = count(State::Problem) + count(State::Unusable);
        let _ = match (problems, count(State::Warning)) {
            (0, 0) => writeln!(text, "\n問題は見つかりませんでした。"),
            (0, warnings) => writeln!(text, "\n問題は見つかりませんでした。注意が{warnings}件あります。"),
            (problems, _) => writeln!(text, "\n問題が{problems}件あります。→ のとおりに直してください。"),
        };
        text
    }
}

/// Columns on a terminal: two for each Japanese character, one for ASCII.
fn columns(text: &str) -> usize {
    text.chars().map(|character| if character.is_ascii() { 1 } else { 2 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(findings: Vec<Finding>) -> Report {
        Report { at: "2026-04-10T00:00:00Z".parse().unwrap(), findings }
    }

    #[test]
    fn the_exit_code_is_that_of_the_worst_finding() {
        for (codes, expected) in [
            (&[Code::PcscRunning][..], 0),
            (&[Code::PcscRunning, Code::DiskLow, Code::CardAbsent], 0),
            (&[Code::DiskLow, Code::PcscStopped], 1),
            (&[Code::ConfigInvalid], 2),
            (&[Code::PcscStopped, Code::ConfigInvalid], 2),
        ] {
            let findings = codes.iter().map(|code| Finding::new(*code)).collect();
            assert_eq!(report(findings).exit_code(), expected, "{codes:?}");
        }
    }

    #[test]
    fn lines_are_aligned_by_columns_and_followed_by_what_to_do() {
        let shown = report(vec![
            Finding::with(Code::DiskOk, "空き 12 GiB"),
            Finding::new(Code::PcscStopped),
            Finding::new(Code::CardNotAsked),
        ]);
        let text = shown.text();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "[ OK ] ディスク       空きは十分です（空き 12 GiB）");
        assert!(lines[1].starts_with("[問題] PC/SCサービス  "), "{text}");
        assert!(lines[2].starts_with("       → "), "{text}");
        assert!(lines[3].starts_with("[省略] カード         "), "{text}");
        assert_eq!(lines.last(), Some(&"問題が1件あります。→ のとおりに直してください。"));
    }

    #[test]
    fn the_machine_form_has_stable_words() {
        let json = report(vec![Finding::with(Code::ClockOff, "90秒")]).json();
        assert_eq!(json["format"], 1);
        assert_eq!(json["exit_code"], 1);
        assert_eq!(json["at"], "2026-04-10T00:00:00Z");
        let finding = &json["findings"][0];
        assert_eq!(
            (finding["check"].as_str(), finding["code"].as_str(), finding["state"].as_str()),
            (Some("clock"), Some("clock_off"), Some("problem"))
        );
        assert_eq!(finding["detail"], "90秒");
    }
}
