//! The mark of a data directory: sandbox data never mixes with real data.

use std::path::Path;

use crate::store::replace_private as write_mark;

/// Why a data directory is not usable in this mode.
#[derive(Debug, thiserror::Error)]
pub enum ModeError {
    /// It holds the other kind of data.
    #[error("{directory} は {found} のデータです。{wanted} には別の directory を設定してください")]
    Other {
        /// The directory.
        directory: std::path::PathBuf,
        /// What it holds.
        found: String,
        /// What was configured.
        wanted: &'static str,
    },
    /// Its mark could not be read or written.
    #[error("データの種類の印を読み書きできません: {0}")]
    Unreadable(#[from] std::io::Error),
    /// Its mark could not be written.
    #[error("データの種類の印を書けません: {0}")]
    Unwritable(#[from] crate::store::FileError),
}

/// The file that marks a data directory with its mode.
const MODE_MARK: &str = "mode";

/// The mode a data directory is marked with, if it is marked yet.
pub(crate) fn marked_mode(directory: &Path) -> std::io::Result<Option<String>> {
    match std::fs::read_to_string(directory.join(MODE_MARK)) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Marks a new data directory with its mode, for ever: sandbox data never mixes with real data.
pub(super) fn claim_mode(directory: &Path, wanted: &'static str) -> Result<(), ModeError> {
    let Some(found) = marked_mode(directory)? else {
        // Whole or not at all, also after a loss of power: half a mark would lock the owner out.
        write_mark(&directory.join(MODE_MARK), wanted.as_bytes())?;
        return Ok(());
    };
    if found == wanted {
        Ok(())
    } else {
        Err(ModeError::Other { directory: directory.to_owned(), found, wanted })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_directory_belongs_to_one_mode_for_ever() {
        let directory = std::env::temp_dir().join(format!("shikaku-mode-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        assert!(claim_mode(&directory, "sandbox").is_ok());
        assert!(claim_mode(&directory, "sandbox").is_ok());
        let refused = claim_mode(&directory, "production").unwrap_err();
        assert!(matches!(refused, ModeError::Other { found, .. } if found == "sandbox"));
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
