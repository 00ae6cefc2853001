//! The terminals at which checks are carried out, as staff see them.

use super::{Checks, CreateError, Terminal, reader_choice};
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

    /// The configured terminal that an enrolled one of this name is; the only one there is where it is none, or nothing is enrolled.
    pub fn terminal_at(&self, enrolled: Option<&str>) -> Option<TerminalId> {
        let all = self.parts.terminals.as_slice();
        let own = all.iter().find(|terminal| Some(terminal.id.0.as_str()) == enrolled);
        let only = || if let [only] = all { Some(only) } else { None };
        own.or_else(only).map(|terminal| terminal.id.clone())
    }

    pub(super) fn terminal(&self, wanted: Option<&TerminalId>) -> Result<&Terminal, CreateError> {
        match (wanted, self.parts.terminals.as_slice()) {
            (None, [only]) => Ok(only),
            (None, _) => Err(CreateError::UnknownTerminal),
            (Some(id), all) => {
                all.iter().find(|terminal| terminal.id == *id).ok_or(CreateError::UnknownTerminal)
            }
        }
    }

    /// The readers that stand beside other terminals.
    pub(super) fn readers_of_others(&self, own: &Terminal) -> Vec<&ReaderName> {
        let others = self.parts.terminals.iter().filter(|terminal| terminal.id != own.id);
        others.filter_map(|terminal| terminal.reader.as_ref()).collect()
    }
}
