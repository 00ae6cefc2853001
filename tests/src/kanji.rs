//! Packs the reviewed tables of kanji reduction (`daemon/src/formats/charset/data/*.tsv`) into the form that the daemon
//! searches, `kanji.bin`; the layout is described at its reader, `daemon/src/formats/charset/reduction.rs`.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Values from here on number a line of the text.
const SEVERAL: u16 = 0xE000;

/// Where the tables lie.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../daemon/src/formats/charset/data")
}

/// Character and what it is reduced to. The table of the National Tax Agency is asked first.
pub fn tables() -> Result<BTreeMap<char, String>, String> {
    let mut found = BTreeMap::new();
    for name in ["nta.tsv", "mj.tsv"] {
        let text =
            std::fs::read_to_string(folder().join(name)).map_err(|error| format!("{name}: {error}"))?;
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (character, target) = entry(line).ok_or_else(|| format!("{name}: {line}"))?;
            found.entry(character).or_insert_with(|| target.to_owned());
        }
    }
    Ok(found)
}

/// `U+XXXX`, the same character itself, what it is reduced to, on what ground.
fn entry(line: &str) -> Option<(char, &str)> {
    let [point, itself, target, _ground] = line.split('\t').collect::<Vec<_>>()[..] else { return None };
    let character = char::from_u32(u32::from_str_radix(point.strip_prefix("U+")?, 16).ok()?)?;
    (itself.chars().eq([character]) && !target.is_empty()).then_some((character, target))
}

/// The tables as the daemon searches them. Fails where a number does not fit its place.
pub fn pack(tables: &BTreeMap<char, String>) -> Result<Vec<u8>, std::num::TryFromIntError> {
    let mut lines: Vec<&str> = Vec::new();
    let (mut narrow, mut wide) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    for (character, target) in tables {
        let mut characters = target.chars();
        let value = match (characters.next(), characters.next()) {
            (Some(only), None) => u16::try_from(u32::from(only))?,
            _ => SEVERAL + u16::try_from(line(&mut lines, target))?,
        };
        let [_, key @ ..] = u32::from(*character).to_be_bytes();
        let (keys, values) = if key[0] == 0 { &mut narrow } else { &mut wide };
        keys.extend_from_slice(if key[0] == 0 { &key[1..] } else { &key });
        values.extend_from_slice(&value.to_be_bytes());
    }
    let text: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
    let mut packed = Vec::new();
    for count in [narrow.1.len() / 2, wide.1.len() / 2, text.len()] {
        packed.extend_from_slice(&u16::try_from(count)?.to_be_bytes());
    }
    for part in [&narrow.0, &narrow.1, &wide.0, &wide.1, &text.into_bytes()] {
        packed.extend_from_slice(part);
    }
    Ok(packed)
}

/// The number of the line that holds the text; a new one if none does.
fn line<'a>(lines: &mut Vec<&'a str>, text: &'a str) -> usize {
    lines.iter().position(|line| *line == text).unwrap_or_else(|| {
        lines.push(text);
        lines.len() - 1
    })
}
