//! A master key that only this machine opens: made once, sealed, and never written down in clear.

use std::io::{self, Write};
use std::path::Path;

use zeroize::Zeroizing;

use super::super::ambient;
use super::SetupError;
use crate::config::Config;
use crate::start::store_paths;

/// Makes the key unless it is there. Without it nothing that is stored can be read again, so it is never made anew.
#[cfg(unix)]
pub(super) fn make_once(config: &Config, out: &mut dyn Write) -> Result<(), SetupError> {
    let Some(name) = config.store.credential() else { return Ok(()) };
    let file = Path::new(STORE).join(format!("shikaku-bridge.{name}"));
    if !crate::system::owned::is_administrator() || file.exists() {
        return Ok(());
    }
    refuse_beside_data(config, &file)?;
    seal(name, &file, &*new_key()).map_err(|_| SetupError::Seal)?;
    told(&file, out)
}

/// Makes the key unless it is there. Without it nothing that is stored can be read again, so it is never made anew.
#[cfg(windows)]
pub(super) fn make_once(config: &Config, out: &mut dyn Write) -> Result<(), SetupError> {
    use crate::system::{owned, seal};
    let Some(file) = config.store.sealed_file() else { return Ok(()) };
    if file.exists() {
        return Ok(());
    }
    refuse_beside_data(config, &file)?;
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

/// A new key beside a keyring that an older one sealed opens nothing, and would pass for the right one.
fn refuse_beside_data(config: &Config, file: &Path) -> Result<(), SetupError> {
    let keyring = store_paths(config).keyring;
    if keyring.exists() { Err(SetupError::KeyGone { keyring, sealed: file.to_owned() }) } else { Ok(()) }
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
        .args(sealing_arguments(name))
        .arg(file)
        .stdin(Stdio::piped())
        .spawn()?;
    // Closed when it is dropped: the key ends there.
    sealing.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?.write_all(key)?;
    if sealing.wait()?.success() { Ok(()) } else { Err(io::ErrorKind::Other.into()) }
}

/// By default a TPM would open the key only while its PCR 7 stays as it is, and that changes with Secure Boot, its lists of revoked
/// signatures and the firmware: an update of the BIOS would lock all data out. Without PCRs the key still opens with this machine's TPM
/// alone.
#[cfg(unix)]
fn sealing_arguments(name: &str) -> [String; 4] {
    ["encrypt".to_owned(), "--tpm2-pcrs=".to_owned(), format!("--name={name}"), "-".to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn no_update_of_the_firmware_locks_the_key_in() {
        assert_eq!(sealing_arguments("master-key"), ["encrypt", "--tpm2-pcrs=", "--name=master-key", "-"]);
    }

    #[test]
    fn no_new_key_is_made_beside_data() {
        let directory = std::env::temp_dir().join(format!("shikaku-sealed-{}", std::process::id()));
        std::fs::create_dir_all(directory.join("data")).unwrap();
        let text = "institution_code = \"1312345678\"\nmode = \"sandbox\"\n[store]\ndirectory = \"data\"\n\
             master_key_file = \"key\"\n[[terminals]]\nid = \"a\"\n[upstream]\nbase_url = \"https://localhost\"\n\
             account = \"a\"\ntotp_secret_file = \"a\"\nroots_file = \"a\"\nclient_certificate_file = \"a\"\n\
             client_key_file = \"a\"\n";
        let config = Config::from_text(text, &directory.join("config.toml"), None).unwrap();
        let sealed = Path::new("/etc/credstore.encrypted/shikaku-bridge.master-key");
        refuse_beside_data(&config, sealed).unwrap();
        std::fs::write(directory.join("data/keyring"), "").unwrap();
        let refused = refuse_beside_data(&config, sealed).unwrap_err().to_string();
        assert!(
            refused.contains("RECOVERY.md") && refused.contains("shikaku-bridge.master-key"),
            "{refused}"
        );
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
