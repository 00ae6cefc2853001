//! A store with its retention, a clock and a kernel that do as they are told, and results of invented people.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use daemon::app::ports::{
    AuditEntry, AuditSource, Clock as _, ClockWitness, NewResult, Origin, ResultStore as _, Source,
    StoreError, TerminalId,
};
use daemon::app::retention::{Retention, RetentionParts};
use daemon::app::tasks::Tasks;
use daemon::domain::check::{Method, ResultId};
use daemon::domain::eligibility::{Confirmation, Eligibility, Field, Validity};
use daemon::domain::personal::Personal;
use daemon::domain::retention::jst_day;
use daemon::store::{Room, Store, StoreConfig};
use jiff::{SignedDuration, Timestamp};

use crate::ambient::{HeldClock, HeldKernel, SeededRandom};

/// A witness of the time who says what it is told to.
#[derive(Default)]
pub(super) struct HeldWitness(Mutex<Option<(Timestamp, SignedDuration)>>);

impl HeldWitness {
    pub(super) fn hear(&self, at: Timestamp, ahead: SignedDuration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((at, ahead));
    }
}

impl ClockWitness for HeldWitness {
    fn offset(&self) -> Option<(Timestamp, SignedDuration)> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Directories, clock and witnesses; they outlive restarts of the store.
pub(super) struct Site {
    directory: PathBuf,
    room: Room,
    starts: u64,
    pub(super) clock: Arc<HeldClock>,
    pub(super) kernel: Arc<HeldKernel>,
    pub(super) witness: Arc<HeldWitness>,
}

/// A running store and its retention.
pub(super) struct Open {
    pub(super) store: Arc<Store>,
    pub(super) retention: Retention,
    tasks: Tasks,
}

impl Open {
    pub(super) async fn stop(self) {
        self.store.close().await;
        self.tasks.finish().await;
    }
}

impl Site {
    pub(super) fn new(directory: &Path, now: Timestamp, room: Room) -> Self {
        Self {
            directory: directory.to_owned(),
            room,
            starts: 0,
            clock: Arc::new(HeldClock::at(now)),
            kernel: Arc::default(),
            witness: Arc::default(),
        }
    }

    pub(super) async fn open(&mut self) -> Open {
        self.starts += 1;
        let config = StoreConfig {
            data_dir: self.directory.join("data"),
            keyring: self.directory.join("data/keyring"),
            master_key: self.directory.join("key/master.key").into(),
            readers: 4,
            room: self.room,
            anchor: None,
        };
        let tasks = Tasks::default();
        let random = Arc::new(SeededRandom::new(self.starts));
        let store =
            Store::open(&config, self.clock.clone(), random, Arc::new(daemon::service::JsonForm), &tasks)
                .await
                .expect("the store opens");
        let store = Arc::new(store);
        let retention = Retention::new(RetentionParts {
            store: store.clone(),
            room: store.clone(),
            clock: self.clock.clone(),
            kernel: self.kernel.clone(),
            witness: Some(self.witness.clone()),
        });
        Open { store, retention, tasks }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// Stores a result whose check stands in clear and whose person does not.
pub(super) async fn store(store: &Store, check: &str, at: Timestamp) -> Result<ResultId, StoreError> {
    let eligibility = Eligibility::from_fields([
        (Field::InsurerNumber, Personal::new("  138057")),
        (Field::InsuredCardSymbol, Personal::new("１２ー３４")),
        (Field::InsuredIdentificationNumber, Personal::new(check)),
        (Field::Name, Personal::new("資格 太郎")),
    ]);
    let result = NewResult {
        source: Source::Own { check_id: check.to_owned(), method: Method::CardPin },
        terminal: TerminalId("uketsuke-1".to_owned()),
        origin: Origin::Sandbox,
        confirmation: Confirmation {
            processed_at: at,
            confirmed_for: jst_day(at),
            validity: Validity::Valid,
            note: None,
            eligibilities: vec![eligibility],
            upstream_id: None,
        },
    };
    let audit = AuditEntry {
        actor: "uketsuke".to_owned(),
        action: "check.done",
        source: AuditSource::Daemon,
        terminal: Some(TerminalId("uketsuke-1".to_owned())),
        results: Vec::new(),
        outcome: "ok".to_owned(),
    };
    store.insert(&result, &audit).await
}
