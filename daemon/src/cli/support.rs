//! `shikakud support-bundle`: what somebody who helps from afar needs to see, in one file, and nothing of any patient, account or secret.
//!
//! Everything in it is put together from what is known to hold none of that; nothing is copied whole but lines of the log.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, Header};

use super::new_file::new_private;
use super::progress::Place;
use super::{ConfigFile, Failure, look, runtime};
use crate::control::{Command as ControlCommand, client, show};
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
    let shown = text.as_ref().map_err(Clone::clone).and_then(|text| without_comments(text));
    parts.push(("config.toml", shown.unwrap_or_else(|error| error).into_bytes()));
    let places = file.load().map_or_else(
        |_| text.map(|text| Places::named_in(&text, &file.config)).unwrap_or_default(),
        |config| Places { store: Some(config.store.directory), log: config.log.file },
    );
    if let Some(directory) = &places.store {
        parts.push(("retention.json", retention(directory)?));
        parts.push(("files.txt", files(directory).into_bytes()));
    }
    if let Some(path) = &places.log {
        parts.push(("log.jsonl", last_lines(path).unwrap_or_else(|error| error.to_string().into_bytes())));
    }
    Ok(parts)
}

/// Where to look.
#[derive(Debug, Default, PartialEq, Eq)]
struct Places {
    store: Option<PathBuf>,
    log: Option<PathBuf>,
}

impl Places {
    /// As a configuration names them that is no good as a whole: then its log is needed most.
    fn named_in(text: &str, configuration: &Path) -> Self {
        let table: toml::Table = text.parse().unwrap_or_default();
        let base = configuration.parent().unwrap_or(Path::new("."));
        let named = |section: &str, key: &str| Some(base.join(table.get(section)?.get(key)?.as_str()?));
        Self { store: named("store", "directory"), log: named("log", "file") }
    }
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

/// What a running daemon says. Where none runs the store stays closed: opening it would bring its schema up to date and set a damaged
/// one aside, which is the last thing that somebody wants who is about to look at it.
fn retention(directory: &Path) -> io::Result<Vec<u8>> {
    let mut unheard = |_| {};
    let asked = client::through_daemon(directory, &ControlCommand::RetentionStatus, &mut unheard);
    let mut text = Vec::new();
    match runtime()?.block_on(asked) {
        Ok(Some(reply)) => show::json(&reply, false, &mut text)?,
        Ok(None) => text.extend_from_slice(NOT_RUNNING.as_bytes()),
        Err(error) => text.extend_from_slice(error.to_string().as_bytes()),
    }
    Ok(text)
}

const NOT_RUNNING: &str =
    "デーモンが動いていないため、保存したデータは開いていません。開けるかどうかは doctor.json にあります。\n";

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

/// Only whole JSON lines; those of the file before it come first, because a log may have been turned over a moment ago.
fn last_lines(path: &Path) -> io::Result<Vec<u8>> {
    let mut before = path.as_os_str().to_owned();
    before.push(".1");
    let older = match File::open(&before) {
        Ok(file) => Some(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let mut last = VecDeque::new();
    for file in older.into_iter().chain([File::open(path)?]) {
        for line in BufReader::new(file).split(b'\n') {
            let line = line?;
            // Half a line of a power cut, or what another program wrote there.
            if serde_json::from_slice::<serde_json::Value>(&line).is_err() {
                continue;
            }
            if last.len() == LINES {
                last.pop_front();
            }
            last.push_back(line);
        }
    }
    Ok(last.into_iter().flat_map(|line| [line, b"\n".to_vec()].concat()).collect())
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

    #[test]
    fn the_last_lines_go_over_garbage_and_into_the_file_before() {
        let directory = std::env::temp_dir().join(format!("shikaku-bundle-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("shikakud.log");
        let line = |number: usize| format!("{{\"line\":{number}}}\n");
        fs::write(directory.join("shikakud.log.1"), (0..LINES).map(line).collect::<String>()).unwrap();
        fs::write(
            &path,
            [line(LINES).as_bytes(), b"\xff\xfe\0half a l", b"\n", line(LINES + 1).as_bytes()].concat(),
        )
        .unwrap();
        let expected: String = (2..LINES + 2).map(line).collect();
        assert_eq!(String::from_utf8(last_lines(&path).unwrap()).unwrap(), expected);
        fs::remove_file(&path).unwrap();
        assert!(last_lines(&path).is_err(), "that it is not there is said in its place");
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn a_configuration_that_is_no_good_still_says_where_the_log_is() {
        let text = "institution_code = 7\n[store]\ndirectory = \"data\"\n[log]\nfile = \"/var/log/x\"\n";
        let places = Places::named_in(text, Path::new("/etc/shikaku/shikakud.toml"));
        let expected = Places { store: Some("/etc/shikaku/data".into()), log: Some("/var/log/x".into()) };
        assert_eq!(places, expected);
        assert_eq!(Places::named_in("a = b = c", Path::new("x.toml")), Places::default());
    }
}
