//! Hostile files: links, directories, pipes and names that point elsewhere, in every subdirectory and in the place of one.
//! Whatever happens outside the root is an escape.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use daemon::config::FolderSection;
use daemon::control::Command;
use jiff::SignedDuration;
use rustix::fs::{CWD, FileType, Mode};
use tempfile::TempDir;

use super::{Careful, Kind, Place, info};
use crate::ambient::HeldClock;
use crate::clinic::{Clinic, NOON, Plan};

/// Longer than anything that works takes.
const PATIENCE: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_millis(5);

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escapes {
    /// Hostile things that were put there.
    pub planted: usize,
    /// Files outside the root that came, went or changed; and answers that hold what lies outside.
    pub escapes: usize,
    /// Honest requests beside them that were answered.
    pub answered: usize,
}

/// What lies outside, by its path: what it is and what it holds.
type Snapshot = BTreeMap<PathBuf, (u32, u64, i64, Vec<u8>)>;

/// Plants everything, lets the daemon work, and compares.
pub async fn escapes() -> Escapes {
    let directory = TempDir::new().expect("a directory");
    let (outside, place) = (directory.path().join("outside"), Place::make(directory.path()));
    fs::create_dir_all(outside.join("folder")).expect("a directory");
    let clock = Arc::new(HeldClock::at(NOON.parse().expect("an instant")));
    let clinic_directory = TempDir::new().expect("a directory");
    let mut plan = Plan::held(clinic_directory.path(), clock.clone());
    plan.folders
        .push(FolderSection { poll_seconds: 1, ..FolderSection::new("receipt", place.root().to_owned()) });
    let clinic = Clinic::open(plan).await;
    let careful = Careful::new(&place, &clinic.config.institution_code);
    let text = super::message(&clinic.config.institution_code, "outside", &info("taro", "STOLEN"));
    fs::write(outside.join("request"), super::shift_jis(&text)).expect("a file");
    fs::write(outside.join("old"), "x").expect("a file");
    let planted = plant(&place, &outside);
    let before = snapshot(&outside);
    clinic.control(Command::FoldersAccept { accept: true }).await.expect("accepted");

    // A result whose name in `face/` leads elsewhere, and requests whose answers do.
    clinic.upstream.add_result("taro", "elsewhere", clinic.now());
    let mut receipt = clinic.visitor();
    receipt.sign_in(&clinic.credentials("receipt")).await;
    let collected = receipt.post("/v1/results/collect", &serde_json::json!({})).await;
    assert_eq!(collected.status, 200, "{}", collected.code());
    let mut answered = 0;
    for number in 100..110 {
        careful.ask(Kind::Single, number, &info("taro", &format!("K-{number}")));
        answered += usize::from(wait(|| careful.take(Kind::Single, number)).await.is_some());
    }
    // Long enough for half-written files to be taken for whole.
    clock.advance(SignedDuration::from_secs(11));
    careful.ask(Kind::Single, 110, &info("taro", "K-110"));
    answered += usize::from(wait(|| careful.take(Kind::Single, 110)).await.is_some());

    // A subdirectory becomes a link while the daemon works.
    fs::rename(place.path("res"), place.path("res.away")).expect("a folder");
    symlink(outside.join("folder"), place.path("res")).expect("a link");
    careful.ask(Kind::Single, 111, &info("taro", "K-111"));
    while receipt.get("/v1/health").await.json()["folders"]["part"]["code"] != "folder_unavailable" {
        tokio::time::sleep(LOOK).await;
    }
    fs::remove_file(place.path("res")).expect("the link");
    fs::rename(place.path("res.away"), place.path("res")).expect("a folder");
    answered += usize::from(wait(|| careful.take(Kind::Single, 111)).await.is_some());

    let stolen = clinic.upstream.inquiry_number("taro").is_some_and(|number| number == "STOLEN");
    let after = snapshot(&outside);
    let changed = before.iter().filter(|(path, was)| after.get(*path) != Some(was)).count()
        + after.keys().filter(|path| !before.contains_key(*path)).count();
    clinic.close().await;
    Escapes { planted, escapes: changed + usize::from(stolen), answered }
}

async fn wait<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let looking = async {
        loop {
            if let Some(found) = look() {
                return found;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.ok()
}

/// Puts hostile things everywhere; returns how many.
fn plant(place: &Place, outside: &Path) -> usize {
    let req = place.path("req");
    let link = |target: &Path, at: PathBuf| symlink(target, at).expect("a link");
    // Requests that are links, to a request and to a secret and to a device, and one that leads in a circle.
    link(&outside.join("request"), req.join(Kind::Single.request(1)));
    link(Path::new("../../outside/request"), req.join(Kind::Single.request(2)));
    link(Path::new("/etc/passwd"), req.join(Kind::Single.request(3)));
    link(Path::new("/dev/zero"), req.join(Kind::Single.request(4)));
    link(&req.join(Kind::Single.request(5)), req.join(Kind::Single.request(5)));
    fs::create_dir(req.join(Kind::Bulk.request(6))).expect("a directory");
    let mode = Mode::RUSR | Mode::WUSR;
    rustix::fs::mknodat(CWD, req.join(Kind::Outcome.request(7)), FileType::Fifo, mode, 0).expect("a pipe");
    // Names that would lead out if anybody put a path together from them.
    for name in ["..xml", "OQSsiimm01req_..%2f..%2fx.xml", "OQSsiimm01req_202607010008.xml\u{202E}"] {
        fs::write(req.join(name), "x").expect("a file");
    }
    // Entities that would bring something in.
    let entity = format!(
        "<!DOCTYPE XmlMsg [<!ENTITY x SYSTEM \"file://{}\">]><XmlMsg>&x;</XmlMsg>",
        outside.join("request").display()
    );
    fs::write(req.join(Kind::Single.request(9)), entity).expect("a file");
    // Answers and results whose names, final and temporary, lead elsewhere.
    for number in 100..105 {
        let name = Kind::Single.answer(number);
        link(&outside.join(format!("answer-{number}")), place.path("res").join(format!(".{name}.tmp")));
    }
    link(&outside.join("answer"), place.path("res").join(Kind::Single.answer(120)));
    link(&outside.join("old"), place.path("face").join("OQSsiquc01res_face_1_20200101000000.xml"));
    link(&outside.join("old"), place.path("trash").join("OQSsiquc01res_face_2_20200101000000.xml"));
    // Where the request of an answer would be moved to.
    link(&outside.join("moved"), place.path("trash").join(Kind::Single.request(101)));
    22
}

fn snapshot(folder: &Path) -> Snapshot {
    let mut found = Snapshot::new();
    for entry in fs::read_dir(folder).expect("a directory").flatten() {
        let (path, stat) = (entry.path(), entry.metadata().expect("its state"));
        let content = if stat.is_file() { fs::read(&path).expect("readable") } else { Vec::new() };
        if stat.is_dir() {
            found.extend(snapshot(&path));
        }
        found.insert(path, (stat.mode(), stat.ino(), stat.mtime(), content));
    }
    found
}
