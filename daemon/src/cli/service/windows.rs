//! The service of Windows: who it is, how it starts again, and where it may read and write.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::time::Duration;

use windows_service::service::{
    Service, ServiceAccess, ServiceAction, ServiceActionType, ServiceErrorControl, ServiceFailureActions,
    ServiceFailureResetPeriod, ServiceInfo, ServiceStartType, ServiceState, ServiceType,
};
use windows_service::service_manager::{ServiceManager, ServiceManagerAccess};

use super::ServiceCommand;
use crate::cli::{ConfigFile, Failure, NEEDS_A_PERSON, logs, run as daemon, runtime};
use crate::service_manager;
use crate::system::event_log::{self, Severity};
use crate::system::{SERVICE_ACCOUNT, SERVICE_NAME, default_configuration, prepare_home};

const DISPLAYED: &str = "資格ブリッジ";
const DESCRIPTION: &str =
    "カードリーダーとオンライン資格確認等システムをレセコンにつなぎます。止めると資格確認ができません。";
/// After the first, second and every further failure.
const AGAIN_AFTER: [Duration; 3] = [Duration::from_secs(5), Duration::from_secs(30), Duration::from_mins(1)];
/// Failures are forgotten after a day without any.
const FORGET_AFTER: Duration = Duration::from_hours(24);
/// How long a start or stop is waited for, and how often it is looked at.
const WITHIN: Duration = Duration::from_mins(2);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// `ERROR_SERVICE_DOES_NOT_EXIST`, `ERROR_SERVICE_ALREADY_RUNNING`, `ERROR_SERVICE_NOT_ACTIVE`, `ERROR_INVALID_LEVEL`.
const UNKNOWN: i32 = 1060;
const RUNS: i32 = 1056;
const DOES_NOT_RUN: i32 = 1062;
const NO_SUCH_SETTING: i32 = 124;

pub(in crate::cli) fn run(asked: ServiceCommand) -> Result<(), Failure> {
    match asked {
        ServiceCommand::Install => install()?,
        ServiceCommand::Start => start()?,
        ServiceCommand::Stop => stop(&open()?)?,
        ServiceCommand::Remove => remove()?,
        ServiceCommand::Main { config } => {
            return Ok(service_manager::run_as_service(move || main(&ConfigFile { config }))?);
        }
    }
    Ok(writeln!(io::stdout(), "完了しました。")?)
}

/// What the service manager starts. There is no standard error: what goes wrong goes to the event log.
fn main(file: &ConfigFile) -> u32 {
    let outcome = || -> Result<(), Failure> {
        let config = file.load()?;
        logs::start(&config.log).map_err(Failure::Log)?;
        daemon::daemon(&config, Vec::new())
    };
    match outcome() {
        Ok(()) => 0,
        Err(failure) => {
            event_log::report(
                Severity::Error,
                &format!("shikakud を開始できないか、続けられません: {failure}"),
            );
            match failure.number() {
                // The manager starts a service again that failed, and lets one be that stopped. The event log has said why.
                NEEDS_A_PERSON => 0,
                number => u32::from(number),
            }
        }
    }
}

fn manager() -> Result<ServiceManager, Failure> {
    let access = ServiceManagerAccess::CONNECT | ServiceManagerAccess::CREATE_SERVICE;
    Ok(ServiceManager::local_computer(None::<&str>, access)?)
}

fn open() -> Result<Service, Failure> {
    Ok(manager()?.open_service(SERVICE_NAME, ServiceAccess::ALL_ACCESS)?)
}

fn number(error: &windows_service::Error) -> Option<i32> {
    match error {
        windows_service::Error::Winapi(error) => error.raw_os_error(),
        _ => None,
    }
}

/// Also for a service that is there: an installer lays it down without starting it, and this makes it start with the machine.
fn install() -> Result<(), Failure> {
    // First, because only an administrator gets it: a home that anybody else makes is one that nobody uses.
    let manager = manager()?;
    prepare_home().map_err(Failure::Home)?;
    // Named, so that the service reads what the administrator sees: Wine tells services another place.
    let mut arguments = ["service", "main", "--config"].map(OsString::from).to_vec();
    arguments.push(default_configuration().into());
    let info = ServiceInfo {
        name: SERVICE_NAME.into(),
        display_name: DISPLAYED.into(),
        service_type: ServiceType::OWN_PROCESS,
        start_type: ServiceStartType::AutoStart,
        error_control: ServiceErrorControl::Normal,
        executable_path: std::env::current_exe()?,
        launch_arguments: arguments,
        dependencies: Vec::new(),
        account_name: Some(SERVICE_ACCOUNT.into()),
        account_password: None,
    };
    let service = match manager.open_service(SERVICE_NAME, ServiceAccess::ALL_ACCESS) {
        Ok(service) => {
            service.change_config(&info)?;
            service
        }
        Err(error) if number(&error) == Some(UNKNOWN) => {
            manager.create_service(&info, ServiceAccess::ALL_ACCESS)?
        }
        Err(error) => return Err(error.into()),
    };
    service.set_description(DESCRIPTION)?;
    let again = |delay| ServiceAction { action_type: ServiceActionType::Restart, delay };
    service.update_failure_actions(ServiceFailureActions {
        reset_period: ServiceFailureResetPeriod::After(FORGET_AFTER),
        reboot_msg: None,
        command: None,
        actions: Some(AGAIN_AFTER.map(again).to_vec()),
    })?;
    // Also where it ends by itself, telling a failure. Windows has had this since Vista; Wine has not.
    match service.set_failure_actions_on_non_crash_failures(true) {
        Err(error) if number(&error) == Some(NO_SUCH_SETTING) => Ok(writeln!(
            io::stderr(),
            "警告: この Windows には、エラーを告げて終わったサービスを始め直す設定がありません。異常終了と応答なしのときだけ、自動で再び始まります。"
        )?),
        set => Ok(set?),
    }
}

fn start() -> Result<(), Failure> {
    let service = open()?;
    match service.start::<&str>(&[]) {
        Ok(()) => reach(&service, ServiceState::Running),
        Err(error) if number(&error) == Some(RUNS) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn stop(service: &Service) -> Result<(), Failure> {
    match service.stop() {
        Ok(_) => reach(service, ServiceState::Stopped),
        Err(error) if number(&error) == Some(DOES_NOT_RUN) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn remove() -> Result<(), Failure> {
    let service = open()?;
    stop(&service)?;
    Ok(service.delete()?)
}

/// Waits until the service is as it was asked to be; a start that ends with a stop has failed.
fn reach(service: &Service, wanted: ServiceState) -> Result<(), Failure> {
    let waiting = async {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        loop {
            looks.tick().await;
            let state = service.query_status()?.current_state;
            if state == wanted {
                return Ok(());
            }
            if state == ServiceState::Stopped {
                return Err(Failure::ServiceManager);
            }
        }
    };
    runtime()?.block_on(async {
        tokio::time::timeout(WITHIN, waiting).await.unwrap_or(Err(Failure::ServiceManager))
    })
}
