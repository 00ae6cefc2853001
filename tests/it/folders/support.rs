//! A clinic with an OQS folder.

use std::time::Duration;

use daemon::app::ports::Role;
use daemon::config::FolderSection;
use daemon::control::Command;
use harness::clinic::{OpenClinic, Plan, Visitor};
use harness::folders::{Careful, Place};
use harness::personas::Personas;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A clinic with a folder that is looked at every second, and a careful receipt computer at it.
pub(super) struct Site {
    pub(super) open: OpenClinic,
    pub(super) place: Place,
    pub(super) careful: Careful,
    /// Where the folder lies; removed at the end.
    _share: TempDir,
}

impl Site {
    /// Readers of the folder are accepted.
    pub(super) async fn accepted() -> Self {
        let site = Self::with(|_| {}).await;
        site.accept(true).await;
        site
    }

    pub(super) async fn with(change: impl FnOnce(&mut Plan)) -> Self {
        let share = TempDir::new().expect("a directory");
        let place = Place::make(share.path());
        let section =
            FolderSection { poll_seconds: 1, ..FolderSection::new("receipt", place.root().to_owned()) };
        let open = OpenClinic::with(|plan| {
            plan.folders.push(section);
            plan.accounts.push(("kanrisha", Role::Administrator));
            change(plan);
        })
        .await;
        let careful = Careful::new(&place, &open.clinic.config.institution_code);
        Self { open, place, careful, _share: share }
    }

    pub(super) async fn accept(&self, accept: bool) {
        self.open.clinic.control(Command::FoldersAccept { accept }).await.expect("the daemon answers");
    }

    pub(super) async fn administrator(&self) -> Visitor {
        let mut visitor = self.open.clinic.visitor();
        visitor.sign_in(&self.open.clinic.credentials("kanrisha")).await;
        visitor
    }

    /// The folders' part of health.
    pub(super) async fn health(&self) -> Value {
        self.open.visitor.get("/v1/health").await.json()["folders"].clone()
    }

    /// Looks until health says so.
    pub(super) async fn health_says(&self, fits: impl Fn(&Value) -> bool) -> Value {
        let looking = async {
            loop {
                let health = self.health().await;
                if fits(&health) {
                    return health;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, looking).await.expect("health says so")
    }

    /// A check at the desk; returns the result's number.
    pub(super) async fn check(&self, persona: &str) -> i64 {
        self.open.clinic.next_patient(&self.open.visitor, persona).await;
        let pin = &Personas::builtin().by_name(persona).expect("a persona").card.pin;
        let done = self.open.visitor.check_with_pin(pin).await;
        done["result_id"].as_i64().expect("a result")
    }

    /// Rows of the audit log by the folders: action, source, results.
    pub(super) async fn audit(&self) -> Vec<(String, String, Value)> {
        self.open.clock.advance(jiff::SignedDuration::from_secs(31));
        let rows = self.administrator().await.get("/v1/audit?limit=200").await.json();
        let rows = rows["rows"].as_array().expect("rows").clone();
        let ours = rows.into_iter().filter(|row| row["actor"] == "folders");
        ours.map(|row| (text(&row["action"]), text(&row["source"]), row["results"].clone())).collect()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

const PATIENCE: Duration = Duration::from_mins(1);

/// Looks until something is there.
pub(super) async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look() {
                return found;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.unwrap_or_else(|_| panic!("{what}"))
}

/// What accepting is asked with.
pub(super) fn access(accepted: bool) -> Value {
    json!({ "readers_need_no_mfa": accepted })
}
