//! The terminals at which checks are carried out, as staff see them.

use super::{Checks, Terminal, reader_choice};
use crate::app::ports::{ReaderName, TerminalId};

impl Checks {
    /// The terminals, and the reader that a check there would use now.
    pub fn terminals(&self) -> Vec<(TerminalId, Option<ReaderName>)> {
        let view = self.parts.desk.watch().borrow().clone();
        let reader = |terminal: &Terminal| {
            reader_choice::choose(&view, terminal.reader.as_ref(), &self.readers_of_others(terminal)).ok()
        };
        self.parts.terminals.iter().map(|terminal| (terminal.id.clone(), reader(terminal))).collect()
    }
}
