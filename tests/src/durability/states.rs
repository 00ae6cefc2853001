//! What a disk may hold after a power loss, from the calls that were made.
//!
//! Certain is only what a sync has made durable: a file's content by a sync of the file, its name by a sync of its
//! directory. Everything since then may be there or not, each write for itself, and of a write each sector for itself;
//! after a sync that failed, what it should have written may be lost although the next one succeeds. A rename happens
//! whole or not at all. That is less than any real file system promises.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::trace::Event;
use crate::dice::Dice;

/// What a drive writes whole.
const SECTOR: usize = 512;

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Directory,
    File(usize),
}

#[derive(Debug, Clone)]
enum Change {
    Write { offset: usize, data: Vec<u8> },
    Truncate(usize),
}

#[derive(Debug, Clone)]
struct Pending {
    change: Change,
    /// A sync of it has failed.
    doomed: bool,
}

#[derive(Debug, Clone)]
enum NameChange {
    Add(PathBuf, Target),
    Rename(PathBuf, PathBuf, Target),
    Remove(PathBuf),
}

impl NameChange {
    fn directory(&self) -> &Path {
        let (Self::Add(path, _) | Self::Rename(_, path, _) | Self::Remove(path)) = self;
        path.parent().unwrap_or(Path::new("/"))
    }
}

#[derive(Debug, Default, Clone)]
struct Content {
    durable: Vec<u8>,
    pending: Vec<Pending>,
}

/// The disk and the names as the process saw them.
pub(super) struct Disk {
    contents: Vec<Content>,
    by_inode: HashMap<u64, usize>,
    seen: BTreeMap<PathBuf, Target>,
    durable: BTreeMap<PathBuf, Target>,
    pending: Vec<NameChange>,
    /// Whether what a failed sync should have written is lost.
    forgets: bool,
}

/// A state of the disk: directories, and files with their content.
pub(super) type State = BTreeMap<PathBuf, Option<Vec<u8>>>;

impl Disk {
    /// An empty disk.
    pub(super) fn new(forgets: bool) -> Self {
        Self {
            contents: Vec::new(),
            by_inode: HashMap::new(),
            seen: BTreeMap::new(),
            durable: BTreeMap::new(),
            pending: Vec::new(),
            forgets,
        }
    }

    /// Goes on by one call.
    pub(super) fn apply(&mut self, event: &Event) {
        match event {
            Event::Create(path, inode) => {
                self.contents.push(Content::default());
                let target = Target::File(self.contents.len() - 1);
                self.by_inode.insert(*inode, self.contents.len() - 1);
                self.seen.insert(path.clone(), target);
                self.pending.push(NameChange::Add(path.clone(), target));
            }
            Event::MakeDirectory(path) => {
                self.seen.insert(path.clone(), Target::Directory);
                self.pending.push(NameChange::Add(path.clone(), Target::Directory));
            }
            Event::Write(inode, offset, data) => {
                self.change(*inode, Change::Write { offset: *offset, data: data.clone() });
            }
            Event::Truncate(inode, length) => self.change(*inode, Change::Truncate(*length)),
            Event::Sync(inode) => self.sync(*inode),
            Event::SyncFailed(inode) => {
                let pending = self.content(*inode).pending.iter_mut();
                for pending in pending {
                    pending.doomed = true;
                }
            }
            Event::SyncNames(directory) => {
                let (now, later) = self.pending.drain(..).partition(|change| change.directory() == directory);
                self.pending = later;
                let now: Vec<NameChange> = now;
                for change in &now {
                    rename(&mut self.durable, change);
                }
            }
            Event::Rename(from, to) => {
                let target = self.seen.remove(from).expect("what is renamed was seen");
                self.seen.insert(to.clone(), target);
                self.pending.push(NameChange::Rename(from.clone(), to.clone(), target));
            }
            Event::Unlink(path) => {
                self.seen.remove(path);
                self.pending.push(NameChange::Remove(path.clone()));
            }
            Event::SyncNamesFailed | Event::Said(_) => {}
        }
    }

    /// The names that a power loss now could undo.
    pub(super) fn names_not_durable(&self) -> Vec<&Path> {
        let changed = |change: &NameChange| match change {
            NameChange::Add(path, _) | NameChange::Rename(_, path, _) | NameChange::Remove(path) => {
                path.clone()
            }
        };
        let changed: Vec<PathBuf> = self.pending.iter().map(changed).collect();
        let undone = |path: &&Path| self.seen.get(*path) != self.durable.get(*path);
        let seen = self.seen.keys().chain(self.durable.keys()).map(PathBuf::as_path);
        seen.filter(|path| changed.iter().any(|changed| changed == path)).filter(undone).collect()
    }

    fn content(&mut self, inode: u64) -> &mut Content {
        let index = *self.by_inode.get(&inode).expect("a file that was created under our eyes");
        &mut self.contents[index]
    }

    fn change(&mut self, inode: u64, change: Change) {
        self.content(inode).pending.push(Pending { change, doomed: false });
    }

    fn sync(&mut self, inode: u64) {
        let forgets = self.forgets;
        let content = self.content(inode);
        for pending in std::mem::take(&mut content.pending) {
            if !(pending.doomed && forgets) {
                write(&mut content.durable, &pending.change, None);
            }
        }
    }

    /// One state that a power loss now may leave.
    pub(super) fn after_power_loss(&self, dice: &mut Dice) -> State {
        let chances = [0, 50, 100, dice.below(101)];
        let (kept_data, kept_names, torn) = (dice.pick(&chances), dice.pick(&chances), dice.percent(50));
        let in_order = dice.percent(50);
        let mut names = self.durable.clone();
        for change in &self.pending {
            if dice.percent(kept_names) {
                rename(&mut names, change);
            } else if in_order {
                break;
            }
        }
        let mut state = State::new();
        for (path, target) in names {
            let Target::File(index) = target else {
                state.insert(path, None);
                continue;
            };
            let content = &self.contents[index];
            let mut bytes = content.durable.clone();
            for pending in &content.pending {
                if dice.percent(kept_data) {
                    write(&mut bytes, &pending.change, torn.then_some(&mut *dice));
                }
            }
            state.insert(path, Some(bytes));
        }
        state
    }
}

fn rename(names: &mut BTreeMap<PathBuf, Target>, change: &NameChange) {
    match change {
        NameChange::Add(path, target) => drop(names.insert(path.clone(), *target)),
        NameChange::Rename(from, to, target) => {
            if names.get(from) == Some(target) {
                names.remove(from);
            }
            names.insert(to.clone(), *target);
        }
        NameChange::Remove(path) => drop(names.remove(path)),
    }
}

/// Applies a change; with dice, of a write each sector or not.
fn write(bytes: &mut Vec<u8>, change: &Change, mut dice: Option<&mut Dice>) {
    match change {
        Change::Truncate(length) => bytes.resize(*length, 0),
        Change::Write { offset, data } => {
            let mut from = 0;
            while from < data.len() {
                let to = data.len().min((offset + from) / SECTOR * SECTOR + SECTOR - offset);
                if dice.as_mut().is_none_or(|dice| dice.percent(50)) {
                    if bytes.len() < offset + to {
                        bytes.resize(offset + to, 0);
                    }
                    bytes[offset + from..offset + to].copy_from_slice(&data[from..to]);
                }
                from = to;
            }
        }
    }
}

/// Writes a state that was recorded below one root below another.
pub(super) fn restore(state: &State, recorded: &Path, root: &Path) {
    for (path, content) in state {
        let path = root.join(path.strip_prefix(recorded).expect("below the root"));
        if !path.parent().is_some_and(Path::is_dir) {
            // Its directory is lost, and it with it.
            continue;
        }
        let mode = if let Some(content) = content {
            fs::write(&path, content).expect("a file");
            0o600
        } else {
            fs::create_dir(&path).expect("a directory");
            0o700
        };
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("our own file");
    }
}
