//! Which reader a check uses. Pure.
//!
//! PC/SC names a reader `NAME DD SS`: the device's number and the slot's number in it, two hexadecimal digits each
//! (pcsc-lite). The device's number may change whenever it is plugged in. The rules, in this order:
//!
//! 1. A reader that was named, by the request or for the terminal, is that reader and no other. If it is not listed under
//!    its full name, the one listed reader with the same name and slot but another device number is taken for it, as long
//!    as no other terminal's reader has that name: of two readers of one model nobody can tell which is which.
//! 2. With no name, the only reader is taken. Several slots of one device (dual readers, and virtual readers with a slot
//!    that is always empty) count as one reader: the slot that holds a card, or the first slot while none does.
//! 3. Several devices and no name: refused, even if just one holds a card. It may be another desk's patient.

use super::CreateError;
use crate::app::ports::{CardService, DeskView, ReaderName, ReaderState, ReaderView};

/// Chooses the reader of a new check. `others` are the readers that stand beside other terminals.
pub(super) fn choose(
    view: &DeskView,
    wanted: Option<&ReaderName>,
    others: &[&ReaderName],
) -> Result<ReaderName, CreateError> {
    match view.service {
        CardService::Available => {}
        CardService::Gone => return Err(CreateError::CardServiceUnavailable),
        CardService::Refused => return Err(CreateError::CardServiceRefused),
    }
    if view.readers.is_empty() {
        return Err(CreateError::NoReader);
    }
    let chosen = match wanted {
        Some(name) => named(view, name, others).ok_or(CreateError::ReaderUnavailable)?,
        None => only(&view.readers).ok_or(CreateError::ReaderRequired)?,
    };
    match chosen.state {
        ReaderState::Empty | ReaderState::Card(_) | ReaderState::Mute => Ok(chosen.name.clone()),
        ReaderState::Unavailable => Err(CreateError::ReaderUnavailable),
    }
}

fn named<'a>(view: &'a DeskView, name: &ReaderName, others: &[&ReaderName]) -> Option<&'a ReaderView> {
    let listed = find_named(view.readers.iter().map(|reader| &reader.name), name, others)?;
    view.readers.iter().find(|reader| reader.name == *listed)
}

/// Which of the listed readers a name means; rule 1. `others` are the readers that stand beside other terminals.
pub(crate) fn find_named<'a>(
    listed: impl Iterator<Item = &'a ReaderName> + Clone,
    name: &ReaderName,
    others: &[&ReaderName],
) -> Option<&'a ReaderName> {
    if let Some(exact) = listed.clone().find(|listed| *listed == name) {
        return Some(exact);
    }
    let wanted = Parts::of(name)?;
    if others.iter().any(|other| base(other) == wanted.base) {
        return None;
    }
    let is_renamed = |listed: &&ReaderName| Parts::of(listed).is_some_and(|parts| parts.is_renamed(&wanted));
    single(listed.filter(is_renamed))
}

fn only(readers: &[ReaderView]) -> Option<&ReaderView> {
    if let [only] = readers {
        return Some(only);
    }
    let device = Parts::of(&readers.first()?.name)?;
    let is_slot =
        |reader: &ReaderView| Parts::of(&reader.name).is_some_and(|parts| parts.is_slot_of(&device));
    if !readers.iter().all(is_slot) {
        return None;
    }
    let occupied = |reader: &&ReaderView| matches!(reader.state, ReaderState::Card(_) | ReaderState::Mute);
    match readers.iter().filter(occupied).count() {
        0 => readers.iter().min_by(|one, other| one.name.cmp(&other.name)),
        1 => readers.iter().find(occupied),
        _ => None,
    }
}

fn single<T>(mut found: impl Iterator<Item = T>) -> Option<T> {
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

/// A name without its numbers; the whole name if it has none.
fn base(name: &ReaderName) -> &str {
    Parts::of(name).map_or(&name.0, |parts| parts.base)
}

/// A reader's name taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Parts<'a> {
    base: &'a str,
    device: &'a str,
    slot: &'a str,
}

impl<'a> Parts<'a> {
    /// `None` if the name does not end in two numbers: not from pcsc-lite.
    fn of(name: &'a ReaderName) -> Option<Self> {
        let is_number = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let (rest, slot) = name.0.rsplit_once(' ')?;
        let (base, device) = rest.rsplit_once(' ')?;
        (is_number(slot) && is_number(device)).then_some(Self { base, device, slot })
    }

    fn is_renamed(&self, other: &Self) -> bool {
        (self.base, self.slot) == (other.base, other.slot)
    }

    fn is_slot_of(&self, device: &Self) -> bool {
        (self.base, self.device) == (device.base, device.device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::ports::CardEvent;

    const SONY: &str = "Sony RC-S300/P 00 00";
    const SONY_AGAIN: &str = "Sony RC-S300/P 01 00";
    const OTHER: &str = "ACS ACR39U 00 00";

    fn name(name: &str) -> ReaderName {
        ReaderName(name.to_owned())
    }

    fn empty(reader: &str) -> ReaderView {
        ReaderView { name: name(reader), state: ReaderState::Empty }
    }

    fn with_card(reader: &str) -> ReaderView {
        let card = CardEvent { reader: name(reader), insertion: 1 };
        ReaderView { name: name(reader), state: ReaderState::Card(card) }
    }

    fn dead(reader: &str) -> ReaderView {
        ReaderView { name: name(reader), state: ReaderState::Unavailable }
    }

    fn view(readers: &[ReaderView]) -> DeskView {
        DeskView { service: CardService::Available, readers: readers.to_vec() }
    }

    /// What is chosen; the refusal's name if none is.
    fn chosen(readers: &[ReaderView], wanted: Option<&str>, others: &[&str]) -> String {
        let others: Vec<ReaderName> = others.iter().map(|other| name(other)).collect();
        let others: Vec<&ReaderName> = others.iter().collect();
        match choose(&view(readers), wanted.map(name).as_ref(), &others) {
            Ok(reader) => reader.0,
            Err(error) => format!("{error:?}"),
        }
    }

    #[test]
    fn a_service_that_is_gone_or_refuses_is_told_before_anything_else() {
        for (service, expected) in [
            (CardService::Gone, CreateError::CardServiceUnavailable),
            (CardService::Refused, CreateError::CardServiceRefused),
        ] {
            let view = DeskView { service, readers: vec![empty(SONY)] };
            assert_eq!(choose(&view, Some(&name(SONY)), &[]), Err(expected));
        }
    }

    #[test]
    fn a_named_reader_is_that_reader_or_itself_under_a_new_number() {
        for (readers, wanted, other, expected) in [
            (vec![], SONY, None, "NoReader"),
            (vec![empty(SONY), empty(OTHER)], OTHER, None, OTHER),
            (vec![dead(SONY), empty(OTHER)], SONY, None, "ReaderUnavailable"),
            (vec![empty(OTHER)], SONY, None, "ReaderUnavailable"),
            (vec![with_card(OTHER)], "no numbers", None, "ReaderUnavailable"),
            // Plugged in again.
            (vec![empty(SONY_AGAIN), empty(OTHER)], SONY, None, SONY_AGAIN),
            (vec![dead(SONY_AGAIN)], SONY, None, "ReaderUnavailable"),
            (vec![empty(SONY), empty(SONY_AGAIN)], SONY_AGAIN, Some(SONY), SONY_AGAIN),
            // Another slot is another reader.
            (vec![empty("Sony RC-S300/P 01 01")], SONY, None, "ReaderUnavailable"),
            (vec![empty("Sony RC-S300/P 01 00"), empty("Sony RC-S300/P 01 01")], SONY, None, SONY_AGAIN),
            // Two of one model: nobody can tell which it is.
            (vec![empty(SONY_AGAIN), empty("Sony RC-S300/P 02 00")], SONY, None, "ReaderUnavailable"),
            (vec![with_card(SONY)], SONY_AGAIN, Some(SONY), "ReaderUnavailable"),
            (vec![with_card(SONY)], SONY_AGAIN, Some(OTHER), SONY),
            // An exact name is the reader even if another terminal names it too: the configuration says so.
            (vec![with_card(SONY)], SONY, Some(SONY), SONY),
        ] {
            assert_eq!(
                chosen(&readers, Some(wanted), other.as_slice()),
                expected,
                "{wanted} of {readers:?}, {other:?}"
            );
        }
    }

    #[test]
    fn without_a_name_it_is_the_only_device() {
        let slots = |first: fn(&str) -> ReaderView, second: fn(&str) -> ReaderView| {
            vec![first("Lane 00 00"), second("Lane 00 01")]
        };
        for (readers, expected) in [
            (vec![empty("any name")], "any name"),
            (vec![dead(SONY)], "ReaderUnavailable"),
            // Slots of one device.
            (slots(empty, empty), "Lane 00 00"),
            (slots(with_card, empty), "Lane 00 00"),
            (slots(empty, with_card), "Lane 00 01"),
            (slots(with_card, with_card), "ReaderRequired"),
            (slots(dead, with_card), "Lane 00 01"),
            (slots(dead, empty), "ReaderUnavailable"),
            (vec![empty("Lane 00 01"), empty("Lane 00 00")], "Lane 00 00"),
            // Several devices, whatever lies on them.
            (vec![empty(SONY), empty(OTHER)], "ReaderRequired"),
            (vec![with_card(SONY), empty(OTHER)], "ReaderRequired"),
            (vec![empty(SONY), dead(OTHER)], "ReaderRequired"),
            (vec![empty(SONY), empty(SONY_AGAIN)], "ReaderRequired"),
            (vec![empty("one"), empty("two")], "ReaderRequired"),
        ] {
            assert_eq!(chosen(&readers, None, &[]), expected, "{readers:?}");
        }
    }

    #[test]
    fn names_are_taken_apart_only_if_they_end_in_two_numbers() {
        for (text, expected) in [
            (SONY, Some(("Sony RC-S300/P", "00", "00"))),
            ("ACS ACR1281 [PICC] (000123) 0A 01", Some(("ACS ACR1281 [PICC] (000123)", "0A", "01"))),
            ("Sony RC-S300/P 0", None),
            ("Reader 00", None),
            ("Reader 0G 00", None),
            ("カードリーダー 00 00", Some(("カードリーダー", "00", "00"))),
            ("", None),
        ] {
            let text = name(text);
            let parts = Parts::of(&text).map(|parts| (parts.base, parts.device, parts.slot));
            assert_eq!(parts, expected, "{text:?}");
        }
    }
}
