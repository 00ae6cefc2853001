//! The archive's form: header, recovery key, sealed portions. Bytes in, bytes out.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::super::crypto::{CryptoError, Key};
use crate::app::ports::Random;

const MAGIC: &str = "shikaku backup 1\n";
/// Plain bytes of one portion.
pub(super) const PORTION: usize = 1 << 20;
const LONGEST_HEADER: usize = 4096;
const SEALED_KEY: usize = 32 + 24 + 16;
/// How the text of a recovery key begins.
const KEY_WORD: &str = "shikaku-recovery-1";

/// What an archive says about itself in clear; bound to its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// When it was made, microseconds since 1970.
    pub created_us: i64,
    /// From when on none of its results may be restored; none if it holds none.
    pub results_expire_us: Option<i64>,
    /// How many results it holds.
    pub results: u64,
    /// The database's schema.
    pub schema: i64,
    /// `production` or `sandbox`.
    pub mode: String,
}

/// The key that opens archives; kept by the administrator, away from the machine.
pub struct RecoveryKey(Key);

impl RecoveryKey {
    /// A new key as text: a word and 256 bits in Base32, groups of four, so that it can be typed from paper.
    pub fn generate(random: &dyn Random) -> Zeroizing<String> {
        let key = Key::generate(random);
        let text = Zeroizing::new(data_encoding::BASE32_NOPAD.encode(key.expose()));
        let groups: Vec<&str> =
            (0..text.len()).step_by(4).filter_map(|at| text.get(at..(at + 4).min(text.len()))).collect();
        Zeroizing::new(format!("{KEY_WORD} {}\n", groups.join("-")))
    }

    /// Reads the text back; hyphens, spaces and case do not matter.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.trim().strip_prefix(KEY_WORD)?;
        let letters: Zeroizing<String> = Zeroizing::new(
            rest.chars()
                .filter(|c| !c.is_whitespace() && *c != '-')
                .map(|c| c.to_ascii_uppercase())
                .collect(),
        );
        let bytes = Zeroizing::new(data_encoding::BASE32_NOPAD.decode(letters.as_bytes()).ok()?);
        Some(Self(Key::from_bytes(&bytes)?.derive("backup").ok()?))
    }
}

/// Why an archive was not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum FormatError {
    /// Not an archive, or a damaged one, or another recovery key.
    #[error("not an archive of this key")]
    Foreign,
    /// It ends in the middle.
    #[error("cut off")]
    CutOff,
    /// Reading or writing failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<CryptoError> for FormatError {
    fn from(_: CryptoError) -> Self {
        Self::Foreign
    }
}

fn place(number: u64, is_last: bool) -> [u8; 9] {
    let mut place = [0; 9];
    place[..8].copy_from_slice(&number.to_be_bytes());
    place[8] = u8::from(is_last);
    place
}

/// Writes an archive: everything that `content` yields.
pub(super) fn write(
    to: &mut dyn Write,
    content: &mut dyn Read,
    header: &Header,
    recovery: &RecoveryKey,
    random: &dyn Random,
) -> Result<(), FormatError> {
    let head = format!("{MAGIC}{}\n", serde_json::to_string(header).map_err(io::Error::other)?);
    let key = Key::generate(random);
    to.write_all(head.as_bytes())?;
    to.write_all(&recovery.0.seal(random, head.as_bytes(), key.expose())?)?;
    let mut number = 0;
    let mut portion = read_portion(content)?;
    loop {
        let next = read_portion(content)?;
        let sealed = key.seal(random, &place(number, next.is_empty()), &portion)?;
        let length = u32::try_from(sealed.len()).map_err(io::Error::other)?;
        to.write_all(&length.to_be_bytes())?;
        to.write_all(&sealed)?;
        if next.is_empty() {
            return Ok(());
        }
        portion = next;
        number += 1;
    }
}

fn read_portion(from: &mut dyn Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut portion = Zeroizing::new(Vec::with_capacity(PORTION));
    from.take(PORTION as u64).read_to_end(&mut portion)?;
    Ok(portion)
}

/// Reads only what an archive says in clear.
pub(super) fn read_header(from: &mut dyn Read) -> Result<(Header, String), FormatError> {
    let mut head = Vec::new();
    let mut byte = [0];
    let mut lines = 0;
    while lines < 2 {
        if head.len() >= LONGEST_HEADER || from.read(&mut byte)? == 0 {
            return Err(FormatError::Foreign);
        }
        lines += u32::from(byte == *b"\n");
        head.extend_from_slice(&byte);
    }
    let head = String::from_utf8(head).map_err(|_| FormatError::Foreign)?;
    let json = head.strip_prefix(MAGIC).ok_or(FormatError::Foreign)?;
    Ok((serde_json::from_str(json).map_err(|_| FormatError::Foreign)?, head))
}

/// Reads an archive and hands its portions to `take`, each only after it proved whole.
pub(super) fn read(
    from: &mut dyn Read,
    recovery: &RecoveryKey,
    take: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> Result<Header, FormatError> {
    let (header, head) = read_header(from)?;
    let mut sealed = [0; SEALED_KEY];
    from.read_exact(&mut sealed).map_err(|_| FormatError::CutOff)?;
    let key = recovery.0.open(head.as_bytes(), &sealed)?;
    let key = Key::from_bytes(&key).ok_or(FormatError::Foreign)?;
    let mut number = 0;
    loop {
        let mut length = [0; 4];
        from.read_exact(&mut length).map_err(|_| FormatError::CutOff)?;
        let length = u32::from_be_bytes(length) as usize;
        if length > PORTION + 64 {
            return Err(FormatError::Foreign);
        }
        let mut sealed = vec![0; length];
        from.read_exact(&mut sealed).map_err(|_| FormatError::CutOff)?;
        if let Ok(portion) = key.open(&place(number, true), &sealed) {
            take(&portion)?;
            let more = from.read(&mut [0])? > 0;
            return if more { Err(FormatError::Foreign) } else { Ok(header) };
        }
        take(&key.open(&place(number, false), &sealed)?)?;
        number += 1;
    }
}
