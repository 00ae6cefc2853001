//! A careless receipt computer: writes straight under the final name, a part now and a part later, forgets declaration and
//! character set, deletes answers instead of moving them, and uses a name again.

use std::fs::{self, File};
use std::io::Write as _;

use super::{Kind, Place};

/// A careless receipt computer.
#[derive(Debug, Clone)]
pub struct Careless {
    place: Place,
}

impl Careless {
    /// Looks at a place.
    pub fn new(place: &Place) -> Self {
        Self { place: place.clone() }
    }

    /// Begins a request and leaves the rest for later.
    pub fn begin(&self, name: &str, first: &[u8]) -> Unfinished {
        let mut file = File::create(self.place.path("req").join(name)).expect("a new file");
        file.write_all(first).and_then(|()| file.flush()).expect("a folder that can be written to");
        Unfinished(file)
    }

    /// Writes a request in place, whatever lies there.
    pub fn ask(&self, name: &str, bytes: &[u8]) {
        fs::write(self.place.path("req").join(name), bytes).expect("a folder that can be written to");
    }

    /// Reads an answer once and deletes it.
    pub fn take(&self, kind: Kind, number: u32) -> Option<Vec<u8>> {
        let path = self.place.path("res").join(kind.answer(number));
        let bytes = fs::read(&path).ok()?;
        fs::remove_file(&path).expect("it was there");
        Some(bytes)
    }
}

/// A request that is not whole yet.
pub struct Unfinished(File);

impl Unfinished {
    /// Writes more of it.
    pub fn more(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).and_then(|()| self.0.flush()).expect("a folder that can be written to");
    }
}
