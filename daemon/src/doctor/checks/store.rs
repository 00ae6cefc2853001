//! Secrets, store, SQLite and disk.

use std::io;

use super::super::codes::Code;
use super::super::machine::{SecretFile, SecretSeen};
use super::super::report::Finding;
use crate::store::{FileError, Inspection, OpenError};

/// Free space below which somebody should make room, in bytes; or twice what new checks need, if that is more.
const LOW: u64 = 500 << 20;

/// One line for each file that is not as it should be, or one for all.
pub(in super::super) fn secrets(files: &[SecretFile]) -> Vec<Finding> {
    let found: Vec<_> = files
        .iter()
        .filter_map(|SecretFile { key, path, seen }| {
            let named = format!("{key}: {}", path.display());
            match seen {
                SecretSeen::Private => None,
                SecretSeen::Open(0) => Some(Finding::with(Code::SecretOpen, named)),
                SecretSeen::Open(mode) => {
                    Some(Finding::with(Code::SecretOpen, format!("{named}, {mode:04o}")))
                }
                SecretSeen::Missing => Some(Finding::with(Code::SecretMissing, named)),
                SecretSeen::Unreadable => Some(Finding::with(Code::SecretUnreadable, named)),
            }
        })
        .collect();
    if found.is_empty() {
        return vec![Finding::with(Code::SecretsPrivate, format!("{}個", files.len()))];
    }
    found
}

/// Whether a daemon holds the store.
pub(in super::super) fn daemon(in_use: Result<bool, FileError>) -> Finding {
    match in_use {
        Ok(true) => Finding::new(Code::DaemonRunning),
        Ok(false) => Finding::new(Code::DaemonStopped),
        Err(error) => Finding::with(Code::DaemonUnknown, error.to_string()),
    }
}

/// Whether the store would open. `marked`: the mode its directory is marked with; `wanted`: the configured one.
pub(in super::super) fn store(
    inspected: Result<Inspection, OpenError>,
    marked: Option<&str>,
    wanted: &str,
) -> Finding {
    if let Some(marked) = marked.filter(|marked| *marked != wanted) {
        return Finding::with(Code::StoreOtherMode, format!("データは {marked}、設定は {wanted}"));
    }
    let error = match inspected {
        Ok(Inspection::New) => return Finding::new(Code::StoreNew),
        Ok(Inspection::InUse) => return Finding::new(Code::StoreInUse),
        Ok(Inspection::Usable { schema }) => {
            return Finding::with(Code::StoreUsable, format!("スキーマ {schema}"));
        }
        Err(error) => error,
    };
    let code = match error {
        OpenError::File(_) => Code::StoreRefused,
        OpenError::MasterKeyNotApart(_) => Code::StoreKeyNotApart,
        OpenError::MasterKeyMissing(_) | OpenError::ExternalKey { .. } | OpenError::KeyringMissing(_) => {
            Code::StoreKeyMissing
        }
        OpenError::KeyNotHanded(_) => return Finding::new(Code::StoreKeyUnseen),
        OpenError::KeyringUnreadable(_) => Code::StoreKeysMismatch,
        OpenError::InUse(_) => Code::StoreInUse,
        OpenError::NewerSchema(_) => Code::StoreNewer,
        OpenError::Damaged(_) | OpenError::SetAside(_) | OpenError::RestoreUnfinished => Code::StoreDamaged,
        OpenError::UpgradeFailed(_)
        | OpenError::SqliteTooOld(_)
        | OpenError::Setting(_)
        | OpenError::DiskFull
        | OpenError::Database(_) => Code::StoreFailed,
    };
    Finding::with(code, error.to_string())
}

/// Whether this SQLite keeps what it commits.
pub(in super::super) fn sqlite(version: Result<String, OpenError>) -> Finding {
    match version {
        Ok(version) => Finding::with(Code::SqliteOk, version),
        Err(OpenError::SqliteTooOld(version)) => Finding::with(Code::SqliteOld, version),
        Err(error) => Finding::with(Code::StoreFailed, error.to_string()),
    }
}

/// Whether there is room for results, given the free bytes and those below which the daemon refuses new checks.
pub(in super::super) fn disk(free: io::Result<u64>, low_water: u64) -> Finding {
    let free = match free {
        Ok(free) => free,
        Err(error) => return Finding::with(Code::DiskUnknown, error.to_string()),
    };
    let code = if free < low_water {
        Code::DiskFull
    } else if free < LOW.max(low_water.saturating_mul(2)) {
        Code::DiskLow
    } else {
        Code::DiskOk
    };
    Finding::with(code, format!("空き {} MiB", free >> 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_disk_is_judged_by_its_free_space() {
        for (free, low_water, expected) in [
            (0, 256 << 20, Code::DiskFull),
            ((256 << 20) - 1, 256 << 20, Code::DiskFull),
            (256 << 20, 256 << 20, Code::DiskLow),
            ((500 << 20) - 1, 0, Code::DiskLow),
            ((512 << 20) - 1, 256 << 20, Code::DiskLow),
            (512 << 20, 256 << 20, Code::DiskOk),
            (500 << 20, 0, Code::DiskOk),
        ] {
            assert_eq!(disk(Ok(free), low_water).code, expected, "{free} {low_water}");
        }
        assert_eq!(disk(Err(io::ErrorKind::PermissionDenied.into()), 0).code, Code::DiskUnknown);
    }

    #[test]
    fn each_reason_why_a_store_does_not_open_has_its_own_remedy() {
        let path = || "/x".into();
        for (error, expected) in [
            (OpenError::MasterKeyMissing(path()), Code::StoreKeyMissing),
            (OpenError::ExternalKey { name: String::new(), problem: String::new() }, Code::StoreKeyMissing),
            (OpenError::KeyNotHanded("credential:master-key".to_owned()), Code::StoreKeyUnseen),
            (OpenError::KeyringMissing(path()), Code::StoreKeyMissing),
            (OpenError::KeyringUnreadable(path()), Code::StoreKeysMismatch),
            (OpenError::MasterKeyNotApart(path()), Code::StoreKeyNotApart),
            (OpenError::InUse(path()), Code::StoreInUse),
            (OpenError::NewerSchema(9), Code::StoreNewer),
            (OpenError::Damaged(String::new()), Code::StoreDamaged),
            (FileError::NotPrivate { path: path(), problem: "" }.into(), Code::StoreRefused),
            (OpenError::DiskFull, Code::StoreFailed),
        ] {
            let shown = format!("{error:?}");
            assert_eq!(store(Err(error), None, "sandbox").code, expected, "{shown}");
        }
    }

    #[test]
    fn a_store_of_the_other_mode_is_told_whatever_else_is_wrong() {
        for inspected in [Ok(Inspection::Usable { schema: 6 }), Ok(Inspection::InUse)] {
            assert_eq!(store(inspected, Some("sandbox"), "production").code, Code::StoreOtherMode);
        }
        let usable = Ok(Inspection::Usable { schema: 6 });
        assert_eq!(store(usable, Some("sandbox"), "sandbox").code, Code::StoreUsable);
        assert_eq!(store(Ok(Inspection::New), None, "sandbox").code, Code::StoreNew);
    }

    #[test]
    fn a_version_of_sqlite_that_loses_rows_is_a_problem() {
        assert_eq!(sqlite(Ok("3.51.3".to_owned())).code, Code::SqliteOk);
        assert_eq!(sqlite(Err(OpenError::SqliteTooOld("3.46.0".to_owned()))).code, Code::SqliteOld);
    }

    #[test]
    fn each_secret_that_is_not_private_has_its_line() {
        let file = |seen| SecretFile { key: "key", path: "/secret".into(), seen };
        assert_eq!(secrets(&[file(SecretSeen::Private)]), [Finding::with(Code::SecretsPrivate, "1個")]);
        let found = secrets(&[
            file(SecretSeen::Private),
            file(SecretSeen::Open(0o644)),
            file(SecretSeen::Missing),
            file(SecretSeen::Unreadable),
        ]);
        let codes: Vec<_> = found.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, [Code::SecretOpen, Code::SecretMissing, Code::SecretUnreadable]);
        assert_eq!(found[0].detail, "key: /secret, 0644");
    }
}
