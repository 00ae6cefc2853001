//! `shikakud support-bundle`: what somebody who helps from afar needs to see, in one file, and nothing of any patient, account or secret.
//!
//! Everything in it is put together from what is known to hold none of that; nothing is copied whole but lines of the log.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, Header};

use super::new_file::new_private;
use super::progress::Place;
use super::{ConfigFile, Failure, ask, look};
use crate::control::{Command as ControlCommand, show};
use crate::doctor;
use crate::system::{about_system, credentials_directory, owned};

/// The last lines of the log that are taken along.
const LINES: usize = 2_000;

#[derive(Debug, clap::Args)]
pub(super) struct SupportBundle {
    #[command(flatten)]
    file: ConfigFile,
    /// 作るファイル（.tar.gz）。すでにあるファイルには書きません
    target: PathBuf,
}

pub(super) fn run(asked: &SupportBundle) -> Result<(), Failure> {
    let parts = parts(&asked.file)?;
    write(&asked.target, &parts).map_err(|error| Failure::Target(asked.target.clone(), error))?;
    let mut out = io::stdout();
    writeln!(
        out,
        "{} に書きました。患者の情報、アカウント名、パスワードは含みません。中身は次のとおりです。",
        asked.target.display()
    )?;
    for (name, bytes) in &parts {
        writeln!(out, "  {name}\t{} バイト", bytes.len())?;
    }
    Ok(())
}

type Part = (&'static str, Vec<u8>);

/// A part that cannot be had says why in its place: the rest is needed all the more.
fn parts(file: &ConfigFile) -> Result<Vec<Part>, Failure> {
    let mut parts = vec![("versions.txt", versions().into_bytes())];
    parts.push(("doctor.json", examine(file)?));
    let text = fs::read_to_string(&file.config).map_err(|error| error.to_string());
    let shown = text.and_then(|text| without_comments(&text));
    parts.push(("config.toml", shown.unwrap_or_else(|error| error).into_bytes()));
    let Ok(config) = file.load() else { return Ok(parts) };
    parts.push(("retention.json", retention(file)));
    parts.push(("files.txt", files(&config.store.directory).into_bytes()));
    if let Some(path) = &config.log.file {
        parts.push(("log.jsonl", last_lines(path)));
    }
    Ok(parts)
}

fn versions() -> String {
    let mut text = format!("shikakud {}\n", env!("CARGO_PKG_VERSION"));
    for (source, said) in about_system() {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{source}\n{said}");
    }
    text
}

/// Cards are left alone: somebody may be holding theirs on the reader.
fn examine(file: &ConfigFile) -> Result<Vec<u8>, Failure> {
    let credentials = credentials_directory();
    let asked =
        doctor::Asked { configuration: &file.config, credentials: credentials.as_deref(), touch_card: false };
    let report = look(&asked, Place::stderr())?;
    let mut text = Vec::new();
    report.show(doctor::Form::Json, &mut text)?;
    Ok(text)
}

/// The configuration names files of secrets and holds none. Its comments are left out, because people write down there what they
/// like, and so is whoever signs in at the central system or a proxy.
fn without_comments(text: &str) -> Result<String, String> {
    let mut table: toml::Table = text.parse().map_err(|error: toml::de::Error| error.message().to_owned())?;
    leave_out(&mut table);
    toml::to_string(&table).map_err(|error| error.to_string())
}

/// What stands for a value that is left out.
const LEFT_OUT: &str = "***";

fn leave_out(table: &mut toml::Table) {
    for (key, value) in table.iter_mut() {
        let tells_who = ["account", "user", "url"].contains(&key.as_str());
        match value {
            toml::Value::Table(inner) => leave_out(inner),
            toml::Value::Array(items) => {
                items.iter_mut().filter_map(toml::Value::as_table_mut).for_each(leave_out);
            }
            toml::Value::String(text) if tells_who => LEFT_OUT.clone_into(text),
            _ => {}
        }
    }
}

fn retention(file: &ConfigFile) -> Vec<u8> {
    let mut text = Vec::new();
    match ask(file, ControlCommand::RetentionStatus, Place::Nowhere) {
        // Writing into memory cannot fail.
        Ok(reply) => drop(show::json(&reply, false, &mut text)),
        Err(failure) => text.extend_from_slice(failure.to_string().as_bytes()),
    }
    text
}

/// Names, sizes, modes and owners of what lies in the data directory.
fn files(directory: &Path) -> String {
    let mut text = format!("bytes\t{}\tname\n", owned::RIGHTS);
    let Ok(entries) = fs::read_dir(directory) else { return text };
    for entry in entries.flatten() {
        let (name, Ok(found)) = (entry.file_name(), entry.metadata()) else { continue };
        let rights = owned::rights(&entry.path(), &found);
        let _ = writeln!(text, "{}\t{rights}\t{}", found.len(), name.to_string_lossy());
    }
    text
}

/// Only whole JSON lines.
fn last_lines(path: &Path) -> Vec<u8> {
    let Ok(file) = File::open(path) else { return Vec::new() };
    let lines = BufReader::new(file).lines().map_while(Result::ok);
    let mut last = std::collections::VecDeque::new();
    for line in lines.filter(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()) {
        if last.len() == LINES {
            last.pop_front();
        }
        last.push_back(line);
    }
    last.into_iter().flat_map(|line| (line + "\n").into_bytes()).collect()
}

fn write(target: &Path, parts: &[Part]) -> io::Result<()> {
    let file = new_private(target)?;
    let mut archive = Builder::new(GzEncoder::new(file, Compression::default()));
    for (name, bytes) in parts {
        let mut header = Header::new_gnu();
        header.set_size(u64::try_from(bytes.len()).unwrap_or_default());
        header.set_mode(0o600);
        header.set_cksum();
        archive.append_data(&mut header, Path::new("support").join(name), bytes.as_slice())?;
    }
    archive.into_inner()?.finish()?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_names_stay_here_and_everything_else_is_shown() {
        let shown = without_comments(
            "mode = \"sandbox\" # CANARY-1\n[upstream]\naccount = \"CANARY-2\"\n[upstream.proxy]\n\
             url = \"http://u:CANARY-3@proxy\"\nuser = \"CANARY-4\"\n[[terminals]]\nid = \"uketsuke-1\"\n",
        );
        let shown = shown.unwrap();
        assert!(!shown.contains("CANARY"), "{shown}");
        assert!(shown.contains("mode = \"sandbox\"") && shown.contains("uketsuke-1"), "{shown}");
        // What is no TOML is not shown, not even its faulty line.
        assert!(!without_comments("a = CANARY-5").unwrap_err().contains("CANARY"));
    }
}
