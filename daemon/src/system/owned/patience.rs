//! What fails because another program has the file open for a moment is tried again. Pure.

use std::io;
#[cfg(windows)]
use std::time::Duration;

/// How often at most, the first time included.
const TRIES: u32 = 20;
/// How long between two tries.
#[cfg(windows)]
pub(super) const PAUSE: Duration = Duration::from_millis(25);

/// Does it until it is done, fails otherwise than for a moment, or has been tried often enough.
pub(super) fn tried<T>(
    is_for_a_moment: impl Fn(&io::Error) -> bool,
    mut pause: impl FnMut(),
    mut act: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    for _ in 1..TRIES {
        match act() {
            Err(error) if is_for_a_moment(&error) => pause(),
            outcome => return outcome,
        }
    }
    act()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often it was tried and paused, and how it ended, if the first so many tries fail with that error.
    fn after(failures: u32, kind: io::ErrorKind) -> (u32, u32, bool) {
        let (mut tries, mut pauses) = (0, 0);
        let outcome = tried(
            |error| error.kind() == io::ErrorKind::ResourceBusy,
            || pauses += 1,
            || {
                tries += 1;
                if tries > failures { Ok(()) } else { Err(kind.into()) }
            },
        );
        (tries, pauses, outcome.is_ok())
    }

    #[test]
    fn a_file_that_is_held_for_a_moment_is_tried_again_and_one_that_stays_held_is_given_up() {
        let held = io::ErrorKind::ResourceBusy;
        assert_eq!(after(0, held), (1, 0, true));
        assert_eq!(after(3, held), (4, 3, true));
        assert_eq!(after(19, held), (20, 19, true));
        assert_eq!(after(100, held), (20, 19, false));
    }

    #[test]
    fn what_does_not_pass_is_tried_once() {
        assert_eq!(after(100, io::ErrorKind::NotFound), (1, 0, false));
    }
}
