//! A master key that only this machine's systemd can open: made once, sealed, and never written down in clear.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

use super::super::ambient;
use super::SetupError;

/// Where systemd looks for sealed credentials.
const STORE: &str = "/etc/credstore.encrypted";

/// Makes the credential unless it is there. Without it nothing that is stored can be read again, so it is never made anew.
pub(super) fn make_once(name: &str, out: &mut dyn Write) -> Result<(), SetupError> {
    let file = PathBuf::from(STORE).join(format!("shikaku-bridge.{name}"));
    if !rustix::process::getuid().is_root() || file.exists() {
        return Ok(());
    }
    let (_, random) = ambient();
    let mut key = Zeroizing::new([0; 32]);
    random.fill(&mut *key);
    seal(name, &file, &*key).map_err(|_| SetupError::Seal)?;
    let told = writeln!(
        out,
        "マスター鍵を作り、{} に封印しました。この機械でしか開けません。復旧鍵とバックアップを用意してください。",
        file.display()
    );
    told.map_err(|_| SetupError::Ended)
}

fn seal(name: &str, file: &Path, key: &[u8]) -> io::Result<()> {
    let mut sealing = Command::new("systemd-creds")
        .args(["encrypt", &format!("--name={name}"), "-"])
        .arg(file)
        .stdin(Stdio::piped())
        .spawn()?;
    // Closed when it is dropped: the key ends there.
    sealing.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?.write_all(key)?;
    if sealing.wait()?.success() { Ok(()) } else { Err(io::ErrorKind::Other.into()) }
}
