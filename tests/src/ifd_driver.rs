//! Our own PC/SC driver of virtual readers (`tests/ifd/ifd.c`).

use std::path::{Path, PathBuf};

use crate::c_library;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/ifd/ifd.c");

/// What building needs, and the Debian package it comes from.
const NEEDED: [(&str, &str); 2] =
    [("/usr/bin/gcc", "gcc"), ("/usr/include/PCSC/ifdhandler.h", "libpcsclite-dev")];

/// The driver, built anew if its source has changed.
///
/// # Panics
/// A Debian package is missing; the message names it. Or the source is broken.
pub fn path() -> PathBuf {
    c_library::path("libifd-lane.so", Path::new(SOURCE), &["-I/usr/include/PCSC"], &NEEDED)
}
