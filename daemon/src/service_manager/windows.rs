//! The service control manager of Windows. It starts `shikakud service main`, hears how far that is, and asks it to stop.
//!
//! It opens no sockets and waits for no signs of life; so a thread of our own waits for them, and ends a process that hangs: the
//! recovery actions of the service start it again.

use std::ffi::OsString;
use std::io;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use windows_service::service::{
    ServiceControl, ServiceControlAccept, ServiceExitCode, ServiceState, ServiceStatus, ServiceType,
};
use windows_service::service_control_handler::{self, ServiceControlHandlerResult, ServiceStatusHandle};
use windows_service::{define_windows_service, service_dispatcher};

use super::HandedSocket;
use crate::system::event_log::{self, Severity};
use crate::system::{SERVICE_NAME, end_at_once};

/// How long the manager may wait for the start (a large store is checked first) and for the stop.
const START_WITHIN: Duration = Duration::from_mins(2);
const STOP_WITHIN: Duration = Duration::from_secs(10);
/// A process that gives no sign of life for so long hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the service does; its exit code.
type Work = Box<dyn FnOnce() -> u32 + Send>;

static WORK: Mutex<Option<Work>> = Mutex::new(None);
static STATUS: OnceLock<ServiceStatusHandle> = OnceLock::new();
static SIGNS: OnceLock<Sender<()>> = OnceLock::new();
static STOP: Notify = Notify::const_new();

define_windows_service!(service_main, as_service);

/// Does the work as the service that the manager has started, and ends the process with it.
///
/// # Errors
/// The program was not started by the manager.
pub fn run_as_service(work: impl FnOnce() -> u32 + Send + 'static) -> windows_service::Result<()> {
    *WORK.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(work));
    service_dispatcher::start(SERVICE_NAME, service_main)
}

fn as_service(_arguments: Vec<OsString>) {
    let work = WORK.lock().unwrap_or_else(PoisonError::into_inner).take();
    let (Some(work), Ok(status)) = (work, service_control_handler::register(SERVICE_NAME, control)) else {
        return;
    };
    let _ = STATUS.set(status);
    report(ServiceState::StartPending, START_WITHIN, 0);
    let code = work();
    report(ServiceState::Stopped, Duration::ZERO, code);
    // Nothing is left to do, and an installer that has heard of the stop replaces the program at once: it must not be in use then.
    std::process::exit(code.try_into().unwrap_or(1));
}

fn control(asked: ServiceControl) -> ServiceControlHandlerResult {
    match asked {
        ServiceControl::Stop | ServiceControl::Shutdown => {
            report(ServiceState::StopPending, STOP_WITHIN, 0);
            STOP.notify_one();
            ServiceControlHandlerResult::NoError
        }
        ServiceControl::Interrogate => ServiceControlHandlerResult::NoError,
        _ => ServiceControlHandlerResult::NotImplemented,
    }
}

/// A manager that cannot be told will judge by what it does not hear.
fn report(state: ServiceState, wait_hint: Duration, code: u32) {
    let Some(status) = STATUS.get() else { return };
    let controls_accepted = if state == ServiceState::Running {
        ServiceControlAccept::STOP | ServiceControlAccept::SHUTDOWN
    } else {
        ServiceControlAccept::empty()
    };
    let exit_code =
        if code == 0 { ServiceExitCode::Win32(0) } else { ServiceExitCode::ServiceSpecific(code) };
    let told = status.set_service_status(ServiceStatus {
        service_type: ServiceType::OWN_PROCESS,
        current_state: state,
        controls_accepted,
        exit_code,
        checkpoint: 0,
        wait_hint,
        process_id: None,
    });
    if let Err(error) = told {
        tracing::warn!(%error, ?state, "the service manager could not be told");
    }
}

/// The manager opens no sockets.
///
/// # Errors
/// None on this system.
pub fn take_sockets() -> io::Result<Vec<HandedSocket>> {
    Ok(Vec::new())
}

/// The program accepts connections.
pub fn ready() {
    event_log::report(
        Severity::Information,
        concat!("shikakud ", env!("CARGO_PKG_VERSION"), " を開始しました"),
    );
    if STATUS.get().is_none() {
        return;
    }
    report(ServiceState::Running, Duration::ZERO, 0);
    watch();
}

/// Starts the thread that waits for signs of life. It ends with the process.
#[expect(
    clippy::disallowed_methods,
    reason = "what hangs cannot watch itself: not on the runtime that is watched"
)]
fn watch() {
    let (signs, heard) = channel();
    if SIGNS.set(signs).is_err() {
        return;
    }
    std::thread::spawn(move || {
        loop {
            match heard.recv_timeout(PATIENCE) {
                Ok(()) => {}
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    event_log::report(
                        Severity::Error,
                        "応答がないため shikakud を終了します。サービスの回復の設定により再び始まります",
                    );
                    end_at_once();
                }
            }
        }
    });
}

/// The program ends.
pub fn stopping() {
    report(ServiceState::StopPending, STOP_WITHIN, 0);
    event_log::report(Severity::Information, "shikakud を停止します");
}

/// The program is alive.
pub fn alive() {
    if let Some(signs) = SIGNS.get() {
        // Nobody hears only while the process ends.
        let _ = signs.send(());
    }
}

/// How often a sign of life is to be given: three times in the patience, so that one late answer costs nothing.
pub fn sign_of_life_every() -> Option<Duration> {
    SIGNS.get().map(|_| PATIENCE / 3)
}

/// Requests to stop: from the manager, or Ctrl-C on a console.
pub struct StopRequests;

impl StopRequests {
    /// Listens from now on.
    ///
    /// # Errors
    /// None on this system.
    pub fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    /// Resolves when the program is to stop.
    pub async fn next(&mut self) {
        tokio::select! {
            () = STOP.notified() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    }
}
