//! A master key that only this machine opens: made once, sealed, and never written down in clear.

use std::io::{self, Write};
use std::path::Path;

use zeroize::Zeroizing;

use super::super::ambient;
use super::SetupError;
use crate::config::StoreSection;

/// Makes the key unless it is there. Without it nothing that is stored can be read again, so it is never made anew.
#[cfg(unix)]
pub(super) fn make_once(store: &StoreSection, out: &mut dyn Write) -> Result<(), SetupError> {
    let Some(name) = store.credential() else { return Ok(()) };
    let file = Path::new(STORE).join(format!("shikaku-bridge.{name}"));
    if !crate::system::owned::is_administrator() || file.exists() {
        return Ok(());
    }
    seal(name, &file, &*new_key()).map_err(|_| SetupError::Seal)?;
    told(&file, out)
}

/// Makes the key unless it is there. Without it nothing that is stored can be read again, so it is never made anew.
#[cfg(windows)]
pub(super) fn make_once(store: &StoreSection, out: &mut dyn Write) -> Result<(), SetupError> {
    use crate::system::{owned, seal};
    let Some(file) = store.sealed_file() else { return Ok(()) };
    if file.exists() {
        return Ok(());
    }
    let write = || -> io::Result<()> {
        owned::create_directories(file.parent().unwrap_or(Path::new(".")))?;
        let sealed = seal(&*new_key())?;
        let mut target = owned::private_unfollowed().write(true).create_new(true).open(&file)?;
        target.write_all(&sealed)?;
        target.sync_all()
    };
    write().map_err(|error| SetupError::SealFile(file.clone(), error))?;
    told(&file, out)
}

fn new_key() -> Zeroizing<[u8; 32]> {
    let (_, random) = ambient();
    let mut key = Zeroizing::new([0; 32]);
    random.fill(&mut *key);
    key
}

fn told(file: &Path, out: &mut dyn Write) -> Result<(), SetupError> {
    let told = writeln!(
        out,
        "マスター鍵を作り、{} に封印しました。この機械でしか開けません。復旧鍵とバックアップを用意してください。",
        file.display()
    );
    told.map_err(|_| SetupError::Ended)
}

/// Where systemd looks for sealed credentials.
#[cfg(unix)]
const STORE: &str = "/etc/credstore.encrypted";

#[cfg(unix)]
fn seal(name: &str, file: &Path, key: &[u8]) -> io::Result<()> {
    use std::process::{Command, Stdio};
    let mut sealing = Command::new("systemd-creds")
        .args(["encrypt", &format!("--name={name}"), "-"])
        .arg(file)
        .stdin(Stdio::piped())
        .spawn()?;
    // Closed when it is dropped: the key ends there.
    sealing.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?.write_all(key)?;
    if sealing.wait()?.success() { Ok(()) } else { Err(io::ErrorKind::Other.into()) }
}
