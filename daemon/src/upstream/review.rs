//! Checks every setting and every file of the connection by itself, for `shikakud config check`: an administrator wants all
//! that is wrong at once, not the first of it. Connects to nothing and shows no content of a file.

use std::sync::Arc;

use super::config::{ConfigError, UpstreamConfig, check_settings};
use super::credentials::{Credentials, Files, judge};
use super::lines::validity;
use super::tls::Clients;
use crate::app::ports::Clock;
use crate::domain::upkeep;

/// One line of the review.
#[derive(Debug)]
pub struct Reviewed {
    /// What was looked at: a key of the configuration, or several.
    pub what: &'static str,
    /// In order, with a remark for people; or what is wrong.
    pub outcome: Result<String, String>,
}

/// Looks at everything.
pub fn review(config: &UpstreamConfig, clock: &Arc<dyn Clock>) -> Vec<Reviewed> {
    let line = |what, outcome: Result<String, String>| Reviewed { what, outcome };
    let told = |outcome: Result<(), ConfigError>| outcome.map(|()| String::new()).map_err(|e| e.to_string());
    let mut lines = vec![line("upstream", told(check_settings(config)))];
    lines.extend(judge(config).into_iter().map(|(what, outcome)| line(what, told(outcome))));
    let whole = Files::read(config).and_then(|files| Credentials::read(config, &files));
    if let Ok(credentials) = whole {
        let pair = Clients::new(config, &credentials, Arc::clone(clock)).map(|_| ());
        let pair = pair.map_err(|_| "鍵が証明書と対になっていません".to_owned());
        lines.push(line("client_certificate_file + client_key_file", pair.map(|()| String::new())));
        lines.push(line("client_certificate_file", dates(&credentials, clock.as_ref())));
    }
    lines
}

fn dates(credentials: &Credentials, clock: &dyn Clock) -> Result<String, String> {
    let now = clock.now();
    let mut first = None;
    for der in credentials.chain() {
        let validity = validity(der).ok_or("証明書の有効期間を読めません")?;
        if now < validity.not_before {
            return Err("証明書の有効期間がまだ始まっていません。このPCの時計を確認してください".to_owned());
        }
        first = Some(first.map_or(validity.not_after, |end| validity.not_after.min(end)));
    }
    let end = first.ok_or("証明書がありません")?;
    let days = upkeep::days_left(end, now);
    match upkeep::nearness(end, now) {
        Some(upkeep::Nearness::Ended) => Err("証明書の有効期限が切れています".to_owned()),
        Some(_) => Ok(format!("有効期限まであと{days}日です。新しい証明書の発行を受けてください")),
        None => Ok(format!("有効期限まであと{days}日")),
    }
}
