//! What of a folder's file is sealed: its bytes, what a waiting request needs, the numbers of a bulk.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::super::keyring::{Keyring, MonthKeys};
use crate::app::ports::{Echo, FileBytes, Random, StoreError};
use crate::domain::identifiers::InquiryNumber;
use crate::domain::retention::JstMonth;

/// What a sealed column holds; part of the place it is sealed to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Column {
    Bytes,
    Echo,
    Numbers,
}

fn place(id: i64, month: JstMonth, column: Column) -> Vec<u8> {
    let word: &[u8] = match column {
        Column::Bytes => b"folder file",
        Column::Echo => b"folder echo",
        Column::Numbers => b"folder numbers",
    };
    [word, &id.to_be_bytes(), &month.number().to_be_bytes()].concat()
}

pub(super) fn corrupt(row: i64, reason: &str) -> StoreError {
    StoreError::Corrupt { table: "folder_files", row, reason: reason.to_owned() }
}

/// The month of a row.
pub(super) fn month_of(id: i64, month: i32) -> Result<JstMonth, StoreError> {
    JstMonth::from_number(month).ok_or_else(|| corrupt(id, "its month is no month"))
}

/// Seals a column of a row.
pub(super) fn seal(
    keys: &MonthKeys,
    random: &dyn Random,
    (id, month, column): (i64, JstMonth, Column),
    plain: &[u8],
) -> Result<Vec<u8>, StoreError> {
    Ok(keys.folder.seal(random, &place(id, month, column), plain)?)
}

fn open(
    keyring: &Keyring,
    (id, month, column): (i64, i32, Column),
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let month = month_of(id, month)?;
    let keys = keyring.month(month).ok_or_else(|| corrupt(id, "its month has no key"))?;
    let plain = keys.folder.open(&place(id, month, column), sealed);
    plain.map_err(|_| corrupt(id, "the payload does not open"))
}

/// The bytes of a file.
pub(super) fn open_bytes(
    keyring: &Keyring,
    id: i64,
    month: i32,
    sealed: &[u8],
) -> Result<FileBytes, StoreError> {
    Ok(FileBytes::new(std::mem::take(&mut *open(keyring, (id, month, Column::Bytes), sealed)?)))
}

/// As JSON; a field may be added with `#[serde(default)]`, never renamed.
#[derive(Serialize, Deserialize)]
struct EchoRow {
    institution: String,
    identifier: Option<String>,
    number: Option<String>,
}

/// An echo as it is sealed.
pub(super) fn echo_bytes(echo: &Echo) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let row = EchoRow {
        institution: echo.institution.clone(),
        identifier: echo.identifier.clone(),
        number: echo.number.as_ref().map(|number| number.expose().to_owned()),
    };
    json(&row)
}

/// An echo as it was sealed.
pub(super) fn open_echo(keyring: &Keyring, id: i64, month: i32, sealed: &[u8]) -> Result<Echo, StoreError> {
    let plain = open(keyring, (id, month, Column::Echo), sealed)?;
    // serde_json's message could quote the content.
    let row: EchoRow = serde_json::from_slice(&plain).map_err(|_| corrupt(id, "the echo is none"))?;
    let number = row.number.map(|number| InquiryNumber::parse(&number)).transpose();
    Ok(Echo {
        institution: row.institution,
        identifier: row.identifier,
        number: number.map_err(|_| corrupt(id, "the inquiry number is unreadable"))?,
    })
}

/// Numbers as they are sealed.
pub(super) fn number_bytes(numbers: &[InquiryNumber]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    json(&numbers.iter().map(InquiryNumber::expose).collect::<Vec<_>>())
}

/// Numbers as they were sealed.
pub(super) fn open_numbers(
    keyring: &Keyring,
    id: i64,
    month: i32,
    sealed: &[u8],
) -> Result<Vec<InquiryNumber>, StoreError> {
    let plain = open(keyring, (id, month, Column::Numbers), sealed)?;
    let rows: Vec<String> = serde_json::from_slice(&plain).map_err(|_| corrupt(id, "no numbers"))?;
    let numbers = rows.iter().map(|number| InquiryNumber::parse(number)).collect::<Result<_, _>>();
    numbers.map_err(|_| corrupt(id, "an inquiry number is unreadable"))
}

fn json(row: &impl Serialize) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let mut plain = Zeroizing::new(Vec::with_capacity(512));
    serde_json::to_writer(&mut *plain, row).map_err(|e| StoreError::Failed(e.to_string()))?;
    Ok(plain)
}
