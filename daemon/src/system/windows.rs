//! What only Windows has: its places, its service's account, and keys that only this machine opens.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use zeroize::Zeroizing;

use super::owned::{self, Exposure};

/// The service's name; also the source of its entries in the event log.
pub const SERVICE_NAME: &str = "ShikakuBridge";

/// The account that Windows makes for the service by its name, without a password.
pub const SERVICE_ACCOUNT: &str = r"NT SERVICE\ShikakuBridge";

/// Its SID: `S-1-5-80-` and the SHA-1 of the name in capitals, so the same on every machine (`sc showsid ShikakuBridge`).
pub const SERVICE_SID: &str = "S-1-5-80-3903245165-824785896-911061599-201999046-4260518858";

/// Goes into the seal, so that no other program's call opens it by mistake. No secret: that is the access list's matter.
const PURPOSE: &[u8] = b"shikaku-bridge master key 1";

pub(super) fn since_start() -> Duration {
    Duration::from_millis(winsafe::GetTickCount64())
}

/// Where configuration, data and keys lie: `%ProgramData%\Shikaku`.
#[expect(clippy::disallowed_methods, reason = "Windows names the place in the environment")]
pub fn home() -> PathBuf {
    let everybody =
        std::env::var_os("ProgramData").map_or_else(|| PathBuf::from(r"C:\ProgramData"), PathBuf::from);
    everybody.join("Shikaku")
}

/// What `ver` says, in whatever language.
pub(super) fn windows_version() -> String {
    let said = std::process::Command::new(system_program("cmd.exe")).args(["/d", "/c", "ver"]).output();
    said.map_or_else(
        |error| error.to_string(),
        |said| String::from_utf8_lossy(&said.stdout).trim().to_owned(),
    )
}

/// A program of Windows itself, never one that lies elsewhere under the same name.
#[expect(clippy::disallowed_methods, reason = "Windows names the place in the environment")]
pub(super) fn system_program(name: &str) -> PathBuf {
    let root = std::env::var_os("SystemRoot").map_or_else(|| PathBuf::from(r"C:\Windows"), PathBuf::from);
    root.join("System32").join(name)
}

/// What to do about a home that somebody else has made: nobody knows what is in it.
const FOREIGN_HOME: &str = "ほかのユーザーが作ったフォルダーです。使わずに別の場所へ移してから（中身は信用しないでください）、もう一度実行してください";

/// What to do about a configuration that others may have written.
const EXPOSED: &str = "ほかのユーザーが書き換えられます。中身を確かめ、管理者のコマンドプロンプトで shikakud service install を実行してください";

/// What to do about a configuration that somebody else has laid there.
const PLANTED: &str = "ほかのユーザーが置いたファイル（またはリンク）です。使わずに別の場所へ移し、shikakud setup で作り直してください。\
     自分で置いたものなら、中身を確かめ、管理者のコマンドプロンプトで icacls ファイル /setowner *S-1-5-32-544、\
     続けて shikakud service install を実行してください";

/// Makes sure that nobody else has written a configuration that lies in the home: it decides where keys are and who is let in, and
/// before the installation anybody may lay one there.
///
/// # Errors
/// What is wrong and what to do, or the system's refusal.
pub fn refuse_planted(configuration: &Path) -> io::Result<()> {
    // Whoever finds none, or may not enter it, reads nothing there.
    let Ok(home) = std::fs::canonicalize(home()) else { return Ok(()) };
    let absolute = std::path::absolute(configuration)?;
    // Both as they are, whatever letters and drives the path is written with.
    if !std::fs::canonicalize(absolute.parent().unwrap_or(&absolute))?.starts_with(home) {
        return Ok(());
    }
    let found = std::fs::symlink_metadata(configuration)?;
    if found.is_symlink() {
        return Err(io::Error::other(PLANTED));
    }
    match owned::exposure(configuration, &found)? {
        Exposure::Private => Ok(()),
        Exposure::OfAnother => Err(io::Error::other(PLANTED)),
        Exposure::Open(_) => Err(io::Error::other(EXPOSED)),
    }
}

/// Makes the home, or makes sure of it: closed to everybody else with all that lies in it, and not one that somebody has laid there
/// beforehand.
///
/// # Errors
/// It belongs to somebody else, or the system refuses.
pub fn prepare_home() -> io::Result<()> {
    let home = home();
    match std::fs::symlink_metadata(&home) {
        Ok(found) if found.is_dir() && !found.is_symlink() => {
            if owned::exposure(&home, &found)? == Exposure::OfAnother {
                return Err(io::Error::other(FOREIGN_HOME));
            }
            owned::close_directory(&home)?;
            owned::close_below(&home)
        }
        Ok(_) => Err(io::ErrorKind::NotADirectory.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => owned::create_directory(&home),
        Err(error) => Err(error),
    }
}

/// Whether standard error is a terminal that takes codes for colours and for writing a line over: Windows 10 has to be asked for it,
/// and its predecessors never do.
pub fn terminal_takes_codes() -> bool {
    let asked = winapi_util::console::Console::stderr()
        .and_then(|mut terminal| terminal.set_virtual_terminal_processing(true));
    asked.is_ok()
}

/// Ends the process without any tidying up, and without the error report that would take a copy of its memory.
pub fn end_at_once() -> ! {
    let _ = winsafe::HPROCESS::GetCurrentProcess().TerminateProcess(3);
    std::process::exit(3)
}

/// Seals a key so that only this machine opens it (DPAPI, machine scope).
///
/// # Errors
/// The system's refusal.
pub fn seal(key: &[u8]) -> io::Result<Vec<u8>> {
    windows_dpapi::encrypt_data(key, windows_dpapi::Scope::Machine, Some(PURPOSE)).map_err(io::Error::other)
}

/// Opens what [`seal`] sealed.
///
/// # Errors
/// It was sealed on another machine, or is damaged.
pub fn unseal(sealed: &[u8]) -> io::Result<Zeroizing<Vec<u8>>> {
    let opened = windows_dpapi::decrypt_data(sealed, windows_dpapi::Scope::Machine, Some(PURPOSE));
    opened.map(Zeroizing::new).map_err(io::Error::other)
}
