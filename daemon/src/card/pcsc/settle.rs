//! Waits until what is seen of a new card is all of it.
//!
//! pcscd tells that a card is present a moment before it counts the event, and a client can look in between: it then sees
//! the card with the event count of the removal before. A card event made of that would be stale at once, and the check
//! that it begins would end as if the card had been taken away.

use crate::card::readers::{Observed, Presence};

/// Further looks at most. One is enough unless pcscd's thread is suspended between two statements.
const LOOKS: usize = 3;

/// Looks again until two looks in a row are the same, if the first one shows a card that was not there in `before`.
pub fn settle<E>(
    before: &[Observed],
    mut seen: Vec<Observed>,
    mut look: impl FnMut() -> Result<Vec<Observed>, E>,
) -> Result<Vec<Observed>, E> {
    let is_new = |reader: &Observed| reader.presence == Presence::Card && !before.contains(reader);
    if seen.iter().any(is_new) {
        for _ in 0..LOOKS {
            let again = look()?;
            if again == seen {
                break;
            }
            seen = again;
        }
    }
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::app::ports::ReaderName;

    fn one(presence: Presence, event_count: u32) -> Vec<Observed> {
        vec![Observed { name: ReaderName("A".to_owned()), presence, event_count }]
    }

    /// What comes out, and how many further looks it took.
    fn play(before: &[Observed], looks: &[Vec<Observed>]) -> (Vec<Observed>, usize) {
        let mut rest = looks.iter().cloned();
        let mut further = 0;
        let first = rest.next().expect("a first look");
        let seen = settle::<Infallible>(before, first, || {
            further += 1;
            Ok(rest.next().expect("no more looks than were seen"))
        });
        (seen.expect("cannot fail"), further)
    }

    #[test]
    fn a_card_seen_before_its_event_was_counted_is_taken_with_its_own_count() {
        let half_way = one(Presence::Card, 7);
        let whole = one(Presence::Card, 8);
        for before in [one(Presence::Card, 6), one(Presence::Empty, 7)] {
            let looks = [half_way.clone(), whole.clone(), whole.clone()];
            assert_eq!(play(&before, &looks), (whole.clone(), 2));
        }
    }

    #[test]
    fn what_is_known_and_what_is_no_card_needs_no_further_look() {
        let card = one(Presence::Card, 8);
        assert_eq!(play(&card, std::slice::from_ref(&card)), (card.clone(), 0));
        let empty = one(Presence::Empty, 9);
        assert_eq!(play(&card, std::slice::from_ref(&empty)), (empty, 0));
    }

    #[test]
    fn a_reader_that_never_lies_still_is_shown_as_last_seen() {
        let looks: Vec<_> = (1..10).map(|count| one(Presence::Card, count)).collect();
        assert_eq!(play(&[], &looks), (one(Presence::Card, 4), LOOKS));
    }
}
