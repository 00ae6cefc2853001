//! Calls the adapters, each for its look, and puts the lines in order.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::checks::{desk, folders, link, store};
use super::codes::Code;
use super::machine::{self, SecretFile};
use super::page;
use super::report::{Finding, Report};
use crate::app::ports::{Clock, KernelClock as _};
use crate::card::survey::{SurveyError, SurveyedReader, survey_within};
use crate::config::{Config, ConfigError};
use crate::control::client;
use crate::folders::{Surveyed, survey};
use crate::start::{Surroundings, marked_mode, store_paths};
use crate::store::{self as storage, Inspection};
use crate::system::{TimeService, owned};
use crate::upstream::{self as central, Credentials, Probed};

/// Longer than any reading of a card over a slow reader; a service that takes longer hangs.
const DESK_LIMIT: Duration = Duration::from_secs(15);

/// What to look at.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The configuration file.
    pub configuration: &'a Path,
    /// Where systemd put the credentials of the service, if it did.
    pub credentials: Option<&'a Path>,
    /// Whether cards are read (never with a PIN).
    pub touch_card: bool,
}

/// Looks at everything. Takes at most fifteen seconds, or the connection timeout and five seconds, whichever is longer.
pub async fn examine(asked: &Asked<'_>, around: Surroundings) -> Report {
    let at = around.clock.now();
    let config = match Config::load(asked.configuration, asked.credentials) {
        Ok(config) => config,
        Err(error) => return Report { at, findings: vec![unusable(&error)] },
    };
    let mut findings = vec![Finding::new(Code::ConfigOk)];
    findings.extend(store::secrets(&secret_files(&config)));
    let store = look_at_store(&config).await;
    let running = store.iter().any(|finding| finding.code == Code::DaemonRunning);
    findings.extend(store);
    let clock = Arc::clone(&around.clock);
    let (survey, line, page) = tokio::join!(
        look_at_desk(around, asked.touch_card),
        look_at_line(&config, Arc::clone(&clock)),
        page::look(&config, running, &clock)
    );
    findings.extend(desk::desk(&desk::Desk {
        survey: &survey,
        usb: &machine::usb_readers(Path::new(machine::USB)),
        has_driver: cfg!(windows) || machine::has_driver(&machine::DRIVERS),
        terminals: &config.terminals(),
        touch_card: asked.touch_card,
        now: at,
    }));
    findings.extend(folders::folders(&look_at_folders(&config).await));
    findings.extend(line);
    findings.extend(page);
    Report { at, findings }
}

fn unusable(error: &ConfigError) -> Finding {
    let code = match error {
        ConfigError::Unreadable { .. } => Code::ConfigUnreadable,
        ConfigError::Form { .. } | ConfigError::Value { .. } => Code::ConfigInvalid,
    };
    Finding::with(code, error.to_string())
}

/// The files of the connection must be there; those of the store come with the first start.
fn secret_files(config: &Config) -> Vec<SecretFile> {
    let upstream = &config.upstream;
    let paths = store_paths(config);
    let connection = [
        ("upstream.totp_secret_file", Some(&upstream.totp_secret_file)),
        ("upstream.client_key_file", Some(&upstream.client_key_file)),
        ("upstream.password_file", upstream.password_file.as_ref()),
        ("page.key_file", config.page.as_ref().and_then(|page| page.key_file.as_ref())),
    ];
    let master = paths.master_file().map(|path| ("store.master_key_file", path.to_owned()));
    let own: Vec<_> = master.into_iter().chain([("keyring", paths.keyring)]).collect();
    let connection = connection.into_iter().filter_map(|(key, path)| Some(machine::secret_file(key, path?)));
    let own = own.iter().map(|(key, path)| machine::secret_file(key, path));
    connection.chain(own.filter(|file| file.seen != machine::SecretSeen::Missing)).collect()
}

async fn look_at_store(config: &Config) -> Vec<Finding> {
    let paths = store_paths(config);
    let rest = [
        store::sqlite(storage::sqlite_version().await),
        store::disk(machine::free_bytes(&paths.data_dir), paths.room.low_water),
    ];
    // To root every file of the service's user looks like a stranger's; the advice to give them to root would break the installation.
    if cfg!(unix) && owned::is_administrator() && owned::is_of_another(&paths.data_dir) {
        let daemon = store::daemon(Ok(client::is_served(&paths.data_dir).await));
        return [daemon, Finding::new(Code::StoreOfAnother)].into_iter().chain(rest).collect();
    }
    let inspected = storage::inspect(&paths).await;
    let daemon = match &inspected {
        Ok(Inspection::InUse) => Ok(true),
        _ => storage::is_in_use(&paths.data_dir),
    };
    // An unreadable mark is told by the store's own line: the mark lies beside the database.
    let marked = marked_mode(&paths.data_dir).ok().flatten();
    let store = store::store(inspected, marked.as_deref(), config.mode.word());
    [store::daemon(daemon), store].into_iter().chain(rest).collect()
}

async fn look_at_desk(around: Surroundings, touch: bool) -> Result<Vec<SurveyedReader>, SurveyError> {
    let survey = move || survey_within(DESK_LIMIT, around.readers, touch);
    match tokio::task::spawn_blocking(survey).await {
        Ok(survey) => survey,
        Err(error) => Err(SurveyError::Thread(std::io::Error::other(error))),
    }
}

/// A share that hangs is one that cannot be looked at.
async fn look_at_folders(config: &Config) -> Vec<(String, Surveyed)> {
    let mut found = Vec::new();
    for section in &config.folders {
        let root = section.root.clone();
        let looking = tokio::task::spawn_blocking(move || survey(&root));
        let seen = match tokio::time::timeout(DESK_LIMIT, looking).await {
            Ok(Ok(seen)) => seen,
            Ok(Err(_)) | Err(_) => Surveyed::Unreadable(section.root_text()),
        };
        found.push((section.name.clone(), seen));
    }
    found
}

async fn look_at_line(config: &Config, clock: Arc<dyn Clock>) -> Vec<Finding> {
    let now = clock.now();
    let synchronised = TimeService.is_synchronised().await;
    let invalid = |error: &central::ConfigError| Finding::with(Code::UpstreamFilesInvalid, error.to_string());
    let credentials = match Credentials::load(&config.upstream) {
        Ok(credentials) => credentials,
        Err(error) => {
            let unknown = [Code::ClientCertificateUnknown, Code::UpstreamUnknown].map(Finding::new);
            let clock = link::clock(None, synchronised);
            return [invalid(&error)].into_iter().chain(unknown).chain([clock]).collect();
        }
    };
    let certificate = link::client_certificate(credentials.client_certificate(), now);
    let (files, upstream, probed): (_, _, Option<Probed>) =
        match central::probe(&config.upstream, &credentials, clock).await {
            Ok(probed) => (Finding::new(Code::UpstreamFilesOk), link::upstream(&probed), Some(probed)),
            Err(error) => (invalid(&error), Finding::new(Code::UpstreamUnknown), None),
        };
    vec![files, certificate, upstream, link::clock(probed.as_ref(), synchronised)]
}
