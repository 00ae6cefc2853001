//! Whether the wall clock may be trusted: what is destroyed does not come back, so a clock must have a witness first.
//!
//! Any of these will do: the kernel says that its clock is synchronised; the central system (authenticated by TLS) named
//! the same time lately; an administrator says so. Witnesses that contradict each other are none. Hiding needs no
//! witness.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Who vouches for the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// The kernel: synchronised to a time server.
    Kernel,
    /// The central system named the same time lately.
    CentralSystem,
    /// An administrator said so, for once.
    Administrator,
}

/// Why the clock is not trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// Nobody has said anything about it.
    NoWitness,
    /// The kernel says that it is not synchronised.
    Unsynchronised,
    /// The central system named another time.
    CentralDisagrees {
        /// How far its time is ahead of ours.
        ahead: SignedDuration,
    },
    /// It was set while we were looking.
    JustSet,
}

/// How far the central system's time may be from ours: its `Date` has whole seconds and travels a while.
pub const TOLERANCE: SignedDuration = SignedDuration::from_secs(30);

/// How long what the central system said is carried on by the clock that nobody sets, which drifts by seconds a day at
/// most: from the last check of an evening over the boundary at midnight.
pub const LATELY: Duration = Duration::from_hours(12);

/// How far the wall clock may run from the steady one between two looks before it was set.
const STEP: SignedDuration = SignedDuration::from_secs(1);

/// Whether an instant that was set for later has come. One further away than the longest wait can be was set by a clock that ran
/// ahead: it has come as well, or a clock that is set back would stop what waits for the difference.
pub fn has_come(at: Timestamp, now: Timestamp, longest: SignedDuration) -> bool {
    now >= at || at.duration_since(now) > longest
}

/// Both clocks at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The wall clock.
    pub wall: Timestamp,
    /// The clock that nobody sets, since some fixed point.
    pub steady: Duration,
}

impl Reading {
    /// Whether nobody has set the wall clock since an earlier reading.
    pub fn follows(self, earlier: Self) -> bool {
        let passed = self.steady.saturating_sub(earlier.steady);
        let Ok(passed) = SignedDuration::try_from(passed) else { return false };
        (self.wall.duration_since(earlier.wall) - passed).abs() <= STEP
    }
}

/// Looks at the clock again and again; remembers what the central system said.
#[derive(Debug, Clone, Copy, Default)]
pub struct ClockWatch {
    last: Option<Reading>,
    heard: Option<Timestamp>,
    reference: Option<Reading>,
}

impl ClockWatch {
    /// Judges the clock. `before` and `now` were read before and after asking the kernel. `central`: when the central
    /// system was last heard, by our wall clock, and how far its time was ahead of ours then; it counts from the first
    /// look after it, and only if nobody set our clock between the looks.
    pub fn look(
        &mut self,
        before: Reading,
        kernel: Option<bool>,
        central: Option<(Timestamp, SignedDuration)>,
        now: Reading,
    ) -> Result<Trust, Doubt> {
        let unbroken = self.last.is_some_and(|last| now.follows(last) && last.wall <= now.wall);
        if let Some((at, ahead)) = central.filter(|(at, _)| self.heard != Some(*at)) {
            self.heard = Some(at);
            let within = self.last.is_some_and(|last| last.wall <= at && at <= now.wall);
            let age = Duration::try_from(now.wall.duration_since(at)).unwrap_or(Duration::MAX);
            let heard = now.steady.checked_sub(age).filter(|_| unbroken && within);
            let reference = heard.zip(at.checked_add(ahead).ok());
            self.reference = reference.map(|(steady, wall)| Reading { wall, steady }).or(self.reference);
        }
        self.last = Some(now);
        if !now.follows(before) {
            return Err(Doubt::JustSet);
        }
        judge(kernel, self.ahead(now))
    }

    /// How far the central system's time, carried on, is ahead of ours.
    fn ahead(&self, now: Reading) -> Option<SignedDuration> {
        let reference = self.reference?;
        let passed = now.steady.checked_sub(reference.steady).filter(|passed| *passed <= LATELY)?;
        let time = reference.wall.checked_add(SignedDuration::try_from(passed).ok()?).ok()?;
        Some(time.duration_since(now.wall))
    }
}

fn judge(kernel: Option<bool>, ahead: Option<SignedDuration>) -> Result<Trust, Doubt> {
    match (kernel, ahead) {
        (_, Some(ahead)) if ahead.abs() > TOLERANCE => Err(Doubt::CentralDisagrees { ahead }),
        (Some(true), _) => Ok(Trust::Kernel),
        (_, Some(_)) => Ok(Trust::CentralSystem),
        (Some(false), None) => Err(Doubt::Unsynchronised),
        (None, None) => Err(Doubt::NoWitness),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(wall: i64, steady: u64) -> Reading {
        Reading { wall: Timestamp::from_second(wall).unwrap(), steady: Duration::from_secs(steady) }
    }

    fn ahead(seconds: i64) -> SignedDuration {
        SignedDuration::from_secs(seconds)
    }

    #[test]
    fn the_kernel_or_the_central_system_vouch_and_contradictions_do_not() {
        for (kernel, central, expected) in [
            (Some(true), None, Ok(Trust::Kernel)),
            (Some(true), Some(ahead(0)), Ok(Trust::Kernel)),
            (Some(false), None, Err(Doubt::Unsynchronised)),
            (Some(false), Some(ahead(-30)), Ok(Trust::CentralSystem)),
            (None, Some(ahead(30)), Ok(Trust::CentralSystem)),
            (None, None, Err(Doubt::NoWitness)),
            (None, Some(ahead(31)), Err(Doubt::CentralDisagrees { ahead: ahead(31) })),
            (Some(true), Some(ahead(-31)), Err(Doubt::CentralDisagrees { ahead: ahead(-31) })),
        ] {
            assert_eq!(judge(kernel, central), expected, "{kernel:?} {central:?}");
        }
    }

    fn at(watch: &mut ClockWatch, now: Reading, central: Option<(i64, i64)>) -> Result<Trust, Doubt> {
        let central = central.map(|(at, offset)| (Timestamp::from_second(at).unwrap(), ahead(offset)));
        watch.look(now, None, central, now)
    }

    #[test]
    fn what_the_central_system_said_is_carried_on_for_twelve_hours() {
        let mut watch = ClockWatch::default();
        let said = Some((1_010, 2));
        assert_eq!(at(&mut watch, reading(1_000, 0), None), Err(Doubt::NoWitness));
        assert_eq!(at(&mut watch, reading(1_020, 20), said), Ok(Trust::CentralSystem));
        assert_eq!(at(&mut watch, reading(1_010 + 43_200, 10 + 43_200), said), Ok(Trust::CentralSystem));
        assert_eq!(at(&mut watch, reading(1_010 + 43_201, 10 + 43_201), said), Err(Doubt::NoWitness));

        let mut watch = ClockWatch::default();
        at(&mut watch, reading(1_000, 0), None).unwrap_err();
        let late = at(&mut watch, reading(1_010 + 43_201, 10 + 43_201), said);
        assert_eq!(late, Err(Doubt::NoWitness), "it counts from when it was heard, not from the look");
    }

    #[test]
    fn a_jump_after_it_was_heard_is_noticed_however_small_and_one_before_makes_it_worthless() {
        for jump in [-86_400, -40, 40, 3_600, 315_360_000] {
            let mut watch = ClockWatch::default();
            let said = Some((1_000_000_010, 0));
            at(&mut watch, reading(1_000_000_000, 0), None).unwrap_err();
            assert_eq!(at(&mut watch, reading(1_000_000_020, 20), said), Ok(Trust::CentralSystem));
            let jumped = at(&mut watch, reading(1_000_000_040 + jump, 40), said);
            assert_eq!(jumped, Err(Doubt::CentralDisagrees { ahead: ahead(-jump) }));
            assert_eq!(at(&mut watch, reading(1_000_000_060, 60), said), Ok(Trust::CentralSystem));

            let mut watch = ClockWatch::default();
            at(&mut watch, reading(1_000_000_000, 0), None).unwrap_err();
            let jumped = at(&mut watch, reading(1_000_000_020 + jump, 20), said);
            assert_eq!(jumped, Err(Doubt::NoWitness), "{jump}");
        }
    }

    #[test]
    fn what_was_heard_before_the_first_look_counts_for_nothing() {
        let mut watch = ClockWatch::default();
        assert_eq!(at(&mut watch, reading(1_000, 0), Some((990, 0))), Err(Doubt::NoWitness));
        assert_eq!(at(&mut watch, reading(1_020, 20), Some((990, 0))), Err(Doubt::NoWitness));
        assert_eq!(at(&mut watch, reading(1_040, 40), Some((1_030, 0))), Ok(Trust::CentralSystem));
    }

    #[test]
    fn a_clock_that_is_set_while_the_kernel_is_asked_is_not_trusted() {
        let mut watch = ClockWatch::default();
        let set = watch.look(reading(1_000, 0), Some(true), None, reading(5_000, 0));
        assert_eq!(set, Err(Doubt::JustSet));
        assert_eq!(watch.look(reading(5_001, 1), Some(true), None, reading(5_001, 1)), Ok(Trust::Kernel));
    }
}
