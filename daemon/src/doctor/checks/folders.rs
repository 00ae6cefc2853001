//! OQS folders: are they there, can they be used, and who else can read them.

use super::super::codes::Code;
use super::super::report::Finding;
use crate::folders::Surveyed;

/// One line a folder.
pub(in super::super) fn folders(found: &[(String, Surveyed)]) -> Vec<Finding> {
    found.iter().map(|(name, seen)| folder(name, seen)).collect()
}

fn folder(name: &str, seen: &Surveyed) -> Finding {
    match seen {
        Surveyed::Usable { others, .. } if *others != 0 => {
            Finding::with(Code::FolderOpen, format!("{name}, {others:o}"))
        }
        Surveyed::Usable { network: false, .. } => Finding::with(Code::FolderUsable, name),
        Surveyed::Usable { network: true, .. } => Finding::with(Code::FolderUsableShare, name),
        Surveyed::Missing(path) => Finding::with(Code::FolderMissing, path),
        Surveyed::NoDirectory(path) => Finding::with(Code::FolderNoDirectory, path),
        Surveyed::ReadOnly(path) => Finding::with(Code::FolderReadOnly, path),
        Surveyed::Unreadable(path) => Finding::with(Code::FolderUnreadable, path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_everybody_can_read_is_told_whatever_else_it_is() {
        let usable = |others, network| Surveyed::Usable { others, network };
        for (seen, expected) in [
            (usable(0, false), Code::FolderUsable),
            (usable(0, true), Code::FolderUsableShare),
            (usable(5, true), Code::FolderOpen),
            (Surveyed::Missing("/srv/oqs/res".to_owned()), Code::FolderMissing),
            (Surveyed::NoDirectory("/srv/oqs".to_owned()), Code::FolderNoDirectory),
            (Surveyed::ReadOnly("/srv/oqs/face".to_owned()), Code::FolderReadOnly),
            (Surveyed::Unreadable("/srv/oqs".to_owned()), Code::FolderUnreadable),
        ] {
            assert_eq!(folders(&[("receipt".to_owned(), seen)])[0].code, expected);
        }
        assert!(folders(&[]).is_empty(), "where there are none, nothing is said");
    }
}
