//! Scripted misbehaviour of a card. Commands are counted from 0 since the script was set.

use std::collections::BTreeMap;
use std::time::Duration;

/// A script of faults; the default has none.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// After this many answered commands the card is torn out: the next one gets no answer.
    pub tear_after: Option<usize>,
    /// Whether the command that gets no answer is still executed (a VERIFY then costs its try).
    pub tear_executes: bool,
    /// Commands answered with this status word instead of being executed: 6F00 for the first after power-on, 6700 for
    /// an extended READ of a reader that passes none.
    pub status: BTreeMap<usize, u16>,
    /// Commands that are executed, but whose answer arrives as these bytes instead (not even a status word, if they are
    /// fewer than two).
    pub garbled: BTreeMap<usize, Vec<u8>>,
    /// Time every command takes besides its own work.
    pub delay: Duration,
}
