use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;

use rustix::fs::{CWD, FileType, Mode};

use super::*;

const NAME: &str = "OQSsiimm01res_202607080001.xml";

/// A directory of the test's own, removed at its end.
struct Own(PathBuf);

impl Own {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("shikaku-folders-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(path.join("root/res")).unwrap();
        std::fs::create_dir_all(path.join("root/trash")).unwrap();
        std::fs::create_dir_all(path.join("outside")).unwrap();
        Self(path)
    }

    fn root(&self) -> Root {
        Root::open(&self.0.join("root")).unwrap()
    }

    fn res(&self) -> Subdirectory {
        self.root().subdirectory("res").unwrap().unwrap()
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_file_has_its_name_only_whole_and_never_that_of_another() {
    let own = Own::new("publish");
    let res = own.res();
    assert!(res.publish(NAME, b"first").unwrap());
    assert!(!res.publish(NAME, b"second").unwrap(), "the name is taken");
    res.sync().unwrap();
    assert!(matches!(res.read(NAME, 100).unwrap(), Found::Whole(bytes, _) if bytes == b"first"));
    assert_eq!(res.names(|_| true).unwrap(), [".", "..", NAME], "nothing half written stays");
    assert!(matches!(res.read(NAME, 4).unwrap(), Found::TooLong(_)));
    assert_eq!(res.read("none", 4).unwrap(), Found::Absent);
}

#[test]
fn a_file_has_the_rights_of_its_folder() {
    let own = Own::new("rights");
    let folder = own.0.join("root/res");
    for (mode, expected) in [(0o770, 0o660), (0o750, 0o640), (0o700, 0o600), (0o777, 0o666)] {
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(mode)).unwrap();
        own.res().remove(NAME).unwrap();
        own.res().publish(NAME, b"x").unwrap();
        let written = std::fs::metadata(folder.join(NAME)).unwrap().permissions().mode() & 0o777;
        assert_eq!(written, expected, "{mode:o}");
    }
}

#[test]
fn no_link_leads_out_of_the_root() {
    let own = Own::new("links");
    let (outside, root) = (own.0.join("outside"), own.0.join("root"));
    std::fs::write(outside.join("secret"), "secret").unwrap();
    symlink(outside.join("secret"), root.join("res").join(NAME)).unwrap();
    let res = own.res();
    assert_eq!(res.read(NAME, 100).unwrap(), Found::NoFile);
    assert!(!res.publish(NAME, b"x").unwrap(), "the link is not written through and not replaced");
    assert_eq!(std::fs::read_to_string(outside.join("secret")).unwrap(), "secret");

    // A temporary name that somebody made a link of.
    let other = "OQSsiimm01res_202607080002.xml";
    symlink(outside.join("new"), root.join("res").join(temporary_name(other))).unwrap();
    assert!(res.publish(other, b"x").unwrap());
    assert!(!outside.join("new").exists());

    std::fs::remove_dir_all(root.join("trash")).unwrap();
    symlink(&outside, root.join("trash")).unwrap();
    assert!(own.root().subdirectory("trash").is_err(), "a subdirectory that is a link is not entered");
    symlink(&root, own.0.join("link")).unwrap();
    assert!(Root::open(&own.0.join("link")).is_err());
    assert!(own.root().subdirectory("face").unwrap().is_none(), "none is made");
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1);
}

#[test]
fn what_is_no_plain_file_is_not_opened() {
    let own = Own::new("kinds");
    std::fs::create_dir(own.0.join("root/res").join(NAME)).unwrap();
    assert_eq!(own.res().read(NAME, 100).unwrap(), Found::NoFile);
    let pipe = "OQSsiimm01res_202607080002.xml";
    let mode = Mode::RUSR | Mode::WUSR;
    rustix::fs::mknodat(CWD, own.0.join("root/res").join(pipe), FileType::Fifo, mode, 0).unwrap();
    assert_eq!(own.res().read(pipe, 100).unwrap(), Found::NoFile, "and not waited for");
}

#[test]
fn moving_never_replaces() {
    let own = Own::new("moving");
    let (res, trash) = (own.res(), own.root().subdirectory("trash").unwrap().unwrap());
    res.publish(NAME, b"1").unwrap();
    assert!(res.move_to(&trash, NAME).unwrap());
    res.publish(NAME, b"2").unwrap();
    assert!(!res.move_to(&trash, NAME).unwrap());
    assert!(matches!(trash.read(NAME, 9).unwrap(), Found::Whole(bytes, _) if bytes == b"1"));
}

#[test]
fn what_was_left_half_written_is_removed_and_nothing_else() {
    let own = Own::new("unfinished");
    let res = own.0.join("root/res");
    for name in [&*temporary_name(NAME), ".other.tmp", "note.tmp"] {
        std::fs::write(res.join(name), "x").unwrap();
    }
    own.res().remove_unfinished().unwrap();
    let mut left: Vec<_> = std::fs::read_dir(&res).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, [".other.tmp", "note.tmp"]);
}
