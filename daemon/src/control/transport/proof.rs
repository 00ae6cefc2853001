//! What stands in the file of a named pipe: its name, and by what the daemon proves that it knows the file. Pure.

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The daemon's proof.
#[derive(Clone)]
pub(super) struct Proof(Zeroizing<Vec<u8>>);

/// Who answered a nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    /// Whoever knows the file.
    Daemon,
    /// Nobody: the connection ended before the answer, as where too many commands run at once.
    Nobody,
    /// Somebody who does not know it.
    Stranger,
}

impl Proof {
    pub(super) fn new(secret: &[u8]) -> Self {
        Self(Zeroizing::new(secret.to_vec()))
    }

    fn over(&self, nonce: &[u8]) -> Option<Hmac<Sha256>> {
        Some(Hmac::<Sha256>::new_from_slice(&self.0).ok()?.chain_update(nonce))
    }

    /// The daemon's answer.
    pub(super) fn answer(&self, nonce: &[u8]) -> Option<String> {
        Some(HEXLOWER.encode(&self.over(nonce)?.finalize().into_bytes()))
    }

    /// Judges an answer; `None`: there was none.
    pub(super) fn judge(&self, nonce: &[u8], answer: Option<&[u8]>) -> Peer {
        let Some(answer) = answer else { return Peer::Nobody };
        let code = HEXLOWER.decode(answer).ok();
        let is_right = code.zip(self.over(nonce)).is_some_and(|(code, own)| own.verify_slice(&code).is_ok());
        if is_right { Peer::Daemon } else { Peer::Stranger }
    }
}

/// The file: the pipe's name and the proof, a line each.
pub(super) fn text(pipe: &str, secret: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(format!("{pipe}\n{}\n", HEXLOWER.encode(secret)))
}

/// Reads the file again.
pub(super) fn parse(content: &[u8]) -> Option<(String, Proof)> {
    let text = std::str::from_utf8(content).ok()?;
    let (pipe, proof) = text.trim_end().split_once('\n')?;
    let proof = Zeroizing::new(HEXLOWER.decode(proof.as_bytes()).ok()?);
    pipe.starts_with(r"\\.\pipe\shikakud-").then(|| (pipe.to_owned(), Proof(proof)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIPE: &str = r"\\.\pipe\shikakud-00";

    #[test]
    fn whoever_knows_the_file_proves_it_and_nobody_else() {
        let (pipe, known) = parse(text(PIPE, b"secret").as_bytes()).unwrap();
        assert_eq!(pipe, PIPE);
        let right = Proof::new(b"secret").answer(b"nonce").unwrap();
        assert_eq!(known.judge(b"nonce", Some(right.as_bytes())), Peer::Daemon);
        let others = [Proof::new(b"guess").answer(b"nonce").unwrap(), String::new(), "no hex".to_owned()];
        for other in others {
            assert_eq!(known.judge(b"nonce", Some(other.as_bytes())), Peer::Stranger, "{other}");
        }
        assert_eq!(known.judge(b"another nonce", Some(right.as_bytes())), Peer::Stranger);
    }

    #[test]
    fn a_connection_that_ends_before_the_proof_accuses_nobody() {
        assert_eq!(Proof::new(b"secret").judge(b"nonce", None), Peer::Nobody);
    }

    #[test]
    fn a_file_that_names_another_pipe_is_none() {
        for wrong in [&text(r"\\.\pipe\other", b"x")[..], PIPE, "", "\n"] {
            assert!(parse(wrong.as_bytes()).is_none(), "{wrong:?}");
        }
    }
}
