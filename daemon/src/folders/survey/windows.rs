//! What a path tells by itself: whether somebody may write there, Windows says only when it is tried.

use std::io;
use std::path::{Component, Path, Prefix};

use super::{LOOKED_AT, Surveyed};

/// Looks at the root and its four subdirectories.
pub fn survey(root: &Path) -> Surveyed {
    for name in LOOKED_AT {
        let path = if name.is_empty() { root.to_owned() } else { root.join(name) };
        let shown = path.display().to_string();
        match std::fs::symlink_metadata(&path) {
            Ok(found) if found.is_symlink() || !found.is_dir() => return Surveyed::NoDirectory(shown),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Surveyed::Missing(shown),
            Err(_) => return Surveyed::Unreadable(shown),
        }
    }
    Surveyed::Usable { others: 0, network: is_network(root) }
}

/// Whether it is named as a share (`\\server\share`). The service knows no drive letters of people.
fn is_network(root: &Path) -> bool {
    matches!(
        root.components().next(),
        Some(Component::Prefix(prefix)) if matches!(prefix.kind(), Prefix::UNC(..) | Prefix::VerbatimUNC(..))
    )
}
