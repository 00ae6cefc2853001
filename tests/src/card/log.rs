//! What reached the card, without its data: tests count commands and look at status words.

/// One command that the card executed. Holds no command data, so no PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApduRecord {
    /// CLA, INS, P1, P2.
    pub header: [u8; 4],
    /// Number of bytes of command data.
    pub lc: usize,
    /// Number of bytes asked for; `None` if none.
    pub le: Option<usize>,
    /// Whether the command had extended lengths.
    pub extended: bool,
    /// Status word.
    pub sw: u16,
    /// Whether the answer left the card; `false` if it was torn out after executing.
    pub delivered: bool,
}

impl ApduRecord {
    /// Whether this was a VERIFY that presented a PIN (not a retry query).
    pub fn is_verify(&self) -> bool {
        self.header[1] == 0x20 && self.lc > 0
    }

    /// Whether this was a request to sign.
    pub fn is_sign(&self) -> bool {
        self.header[1] == 0x2A
    }
}
