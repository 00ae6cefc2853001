//! The anchor on a disk that is gone for a while.

use std::path::{Path, PathBuf};

use super::*;
use crate::app::ports::Random;
use crate::store::keyring::Keyring;

struct Sevens;

impl Random for Sevens {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(7);
    }
}

/// A private directory, which is there until this is dropped.
struct Disk(PathBuf);

impl Disk {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("shikaku-{name}-{}", std::process::id()));
        files::private_directory(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("audit.anchor")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

fn mark(batch: i64) -> Mark {
    Mark { batch, count: batch * 3, head: [9; 32] }
}

/// An anchor whose handle takes nothing more, as one on a disk that was pulled out; two marks were written before.
async fn cut_off(path: &Path, keys: &Arc<SystemKeys>) -> Anchor {
    let mut anchor = Anchor::open(path, Arc::clone(keys), mark(0)).unwrap();
    for batch in [1, 2] {
        anchor.keep(mark(batch)).await.unwrap();
    }
    anchor.file = Arc::new(File::open(path).unwrap());
    anchor
}

fn keys() -> Arc<SystemKeys> {
    Keyring::in_memory(Arc::new(Sevens)).unwrap().system()
}

#[tokio::test]
async fn the_anchor_of_a_disk_that_came_back_goes_on_without_a_restart() {
    let (disk, keys) = (Disk::new("back"), keys());
    let mut anchor = cut_off(&disk.file(), &keys).await;
    assert!(anchor.keep(mark(3)).await.is_err(), "the old handle is dead");
    assert_eq!(anchor.stands(), mark(3), "the mark is owed");
    anchor.settle().await.unwrap();
    assert_eq!(read(&disk.file(), &keys).unwrap(), Seen::Mark(mark(3)));
}

#[tokio::test]
async fn that_it_cannot_be_written_shows_without_news_and_holds_the_next_commit_up() {
    let (disk, keys) = (Disk::new("idle"), keys());
    let mut anchor = cut_off(&disk.file(), &keys).await;
    assert!(anchor.affirm().await.is_err());
    std::fs::rename(disk.file(), disk.0.join("away")).unwrap();
    assert!(anchor.settle().await.is_err(), "its disk is still away");
    std::fs::rename(disk.0.join("away"), disk.file()).unwrap();
    anchor.settle().await.unwrap();
    anchor.affirm().await.unwrap();
    assert_eq!(read(&disk.file(), &keys).unwrap(), Seen::Mark(mark(2)));
}

#[tokio::test]
async fn whatever_else_lies_there_is_not_gone_on_with() {
    let (disk, keys) = (Disk::new("other"), keys());
    let mut anchor = cut_off(&disk.file(), &keys).await;
    assert!(anchor.keep(mark(3)).await.is_err());
    let as_it_was = std::fs::read(disk.file()).unwrap();
    // An empty mount point, zeros, and the anchor as it was one commit before the last.
    std::fs::remove_file(disk.file()).unwrap();
    assert!(anchor.settle().await.is_err());
    assert!(!disk.file().exists(), "nothing is made in its place");
    for slots in [[0; 2 * SLOT].to_vec(), [[0; SLOT].as_slice(), &as_it_was[SLOT..]].concat()] {
        std::fs::write(disk.file(), slots).unwrap();
        owned_alone(&disk.file());
        assert!(anchor.settle().await.is_err());
    }
    std::fs::write(disk.file(), as_it_was).unwrap();
    anchor.settle().await.unwrap();
}

fn owned_alone(path: &Path) {
    crate::system::owned::close_to_others(&File::options().write(true).open(path).unwrap()).unwrap();
}
