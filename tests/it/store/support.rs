//! A store in a temporary directory, with a clock that the test moves and invented people.

use std::borrow::Cow;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use daemon::app::ports::{
    AuditEntry, AuditSource, Clock, Inquiry, InquiryEnd, InquiryQueue as _, NewResult, Origin, Random,
    ResultStore, Source, StoredResult, TerminalId,
};
use daemon::app::tasks::Tasks;
use daemon::domain::check::{Method, ResultId};
use daemon::domain::eligibility::{Confirmation, Eligibility, Field, Validity};
use daemon::domain::identifiers::{InquiryNumber, InsuranceIdentifiers};
use daemon::domain::personal::Personal;
use daemon::domain::retention::jst_day;
use daemon::service::JsonForm;
use daemon::store::{OpenError, Room, Store, StoreConfig};
use jiff::Timestamp;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use sqlx::ConnectOptions as _;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tempfile::TempDir;

/// A clock that stands still until the test moves it.
pub struct TestClock(AtomicI64);

impl TestClock {
    pub fn set(&self, at: Timestamp) {
        self.0.store(at.as_microsecond(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.0.load(Ordering::SeqCst)).expect("a time within the calendar")
    }
}

/// Repeatable bytes; no two instances give the same ones, so keys and nonces differ after a restart.
struct TestRandom(Mutex<ChaCha20Rng>);

impl TestRandom {
    fn new() -> Self {
        static SEED: AtomicU64 = AtomicU64::new(1);
        Self(Mutex::new(ChaCha20Rng::seed_from_u64(SEED.fetch_add(1, Ordering::Relaxed))))
    }
}

impl Random for TestRandom {
    fn fill(&self, buffer: &mut [u8]) {
        self.0.lock().expect("nobody panics while drawing").fill_bytes(buffer);
    }
}

/// A clinic's machine: directories and a clock that survive restarts of the store.
pub struct Machine {
    pub clock: Arc<TestClock>,
    root: TempDir,
}

/// A running store; stop it before starting the next one.
pub struct Running {
    pub store: Arc<Store>,
    tasks: Tasks,
}

impl Running {
    pub async fn stop(self) {
        self.store.close().await;
        self.tasks.finish().await;
    }
}

impl Machine {
    pub fn at(now: &str) -> Self {
        let clock = Arc::new(TestClock(AtomicI64::new(0)));
        clock.set(at(now));
        Self { clock, root: TempDir::new().expect("a temporary directory") }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub fn config(&self) -> StoreConfig {
        StoreConfig {
            data_dir: self.path("data"),
            keyring: self.path("keys/keyring"),
            master_key: self.path("master/master.key").into(),
            readers: 2,
            room: Room { ballast: 0, low_water: 0 },
            anchor: None,
        }
    }

    pub async fn open(&self, config: &StoreConfig) -> Result<Running, OpenError> {
        let tasks = Tasks::default();
        let clock: Arc<dyn Clock> = self.clock.clone();
        let store =
            Store::open(config, clock, Arc::new(TestRandom::new()), Arc::new(JsonForm), &tasks).await?;
        Ok(Running { store: Arc::new(store), tasks })
    }

    pub async fn start(&self) -> Running {
        self.open(&self.config()).await.expect("the store opens")
    }

    /// The error of a start that must be refused.
    pub async fn refused(&self) -> OpenError {
        match self.open(&self.config()).await {
            Ok(_) => panic!("the store must not open"),
            Err(error) => error,
        }
    }

    /// Every file below the machine's directories, with its content.
    pub fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        for directory in ["data", "keys", "master"] {
            read_all(&self.path(directory), &mut files);
        }
        files
    }
}

fn read_all(directory: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in std::fs::read_dir(directory).expect("the directory is there") {
        let path = entry.expect("a directory entry").path();
        if path.is_dir() {
            read_all(&path, files);
        } else {
            let content = std::fs::read(&path).expect("a file");
            files.push((path, content));
        }
    }
}

pub fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// One microsecond before.
pub fn just_before(instant: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(instant.as_microsecond() - 1).expect("a time")
}

/// An invented person's eligibility.
pub fn person(name: &str, number: &str) -> Eligibility {
    Eligibility::from_fields([
        (Field::InsurerNumber, Personal::new("  138057")),
        (Field::InsuredCardSymbol, Personal::new("１２ー３４")),
        (Field::InsuredIdentificationNumber, Personal::new(number)),
        (Field::InsuredBranchNumber, Personal::new("01")),
        (Field::Name, Personal::new(name)),
        (Field::Birthdate, Personal::new("19690410")),
    ])
}

/// The same eligibility with one field more.
pub fn with(eligibility: &Eligibility, field: Field, value: &str) -> Eligibility {
    let fields = eligibility.iter().map(|(field, value)| (field, value.clone()));
    Eligibility::from_fields(fields.chain([(field, Personal::new(value))]))
}

pub fn result(check: &str, processed_at: Timestamp, eligibilities: Vec<Eligibility>) -> NewResult {
    NewResult {
        source: Source::Own { check_id: check.to_owned(), method: Method::CardPin },
        terminal: TerminalId("uketsuke-1".to_owned()),
        origin: Origin::Sandbox,
        confirmation: Confirmation {
            upstream_id: None,
            processed_at,
            confirmed_for: jst_day(processed_at),
            validity: if eligibilities.is_empty() { Validity::NotFound } else { Validity::Valid },
            note: None,
            eligibilities,
        },
    }
}

pub fn audit(action: &'static str) -> AuditEntry {
    AuditEntry {
        actor: "uketsuke".to_owned(),
        action,
        source: AuditSource::Daemon,
        terminal: Some(TerminalId("uketsuke-1".to_owned())),
        results: Vec::new(),
        outcome: "ok".to_owned(),
    }
}

/// Stores a result of a person and returns its number.
pub async fn insert(store: &Store, check: &str, processed_at: &str, eligibility: Eligibility) -> ResultId {
    let new = result(check, at(processed_at), vec![eligibility]);
    store.insert(&new, &audit("check.done")).await.expect("stored")
}

pub async fn get(store: &Store, id: ResultId) -> Option<StoredResult> {
    store.get(id).await.expect("readable")
}

/// A new database with the schema of an earlier version of the program, private to its owner.
pub async fn earlier_schema(path: &Path, newest: i64) -> SqliteConnection {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations");
    let all = Migrator::new(folder).await.expect("the migrations");
    let migrations: Vec<_> = all.iter().filter(|migration| migration.version <= newest).cloned().collect();
    let earlier = Migrator { migrations: Cow::Owned(migrations), ..Migrator::DEFAULT };
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut db = options.connect().await.expect("a database");
    earlier.run(&mut db).await.expect("the earlier schema");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("private");
    db
}

/// Registers an inquiry number for the person with this insured number, as the queue does; returns the results changed.
pub async fn set_number(store: &Store, of: &str, text: &str) -> Vec<ResultId> {
    let inquiry = Inquiry {
        person: InsuranceIdentifiers::of(&person("", of)).expect("identifiers"),
        number: InquiryNumber::parse(text).expect("an inquiry number"),
        result: None,
    };
    let taken = store.take_in(&inquiry, &audit("inquiry_number.queued"), None).await.expect("written");
    let (job, _) = taken.expect("nobody has the number");
    let ended = store.end(&[(job, InquiryEnd::Registered)]).await.expect("ended");
    ended.into_iter().flatten().collect()
}
