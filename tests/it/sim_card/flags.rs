//! Every switch of the shipped `sim-card`, seen from the reader: the test plays vpcd.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{SELECT_JPKI, VERIFY_1234, hex, sign_command};

const READ_EXTENDED: &str = "00B08A00000000";

/// A virtual reader with the card of a running `sim-card`; the process ends with it.
struct Reader {
    stream: TcpStream,
    process: Child,
}

impl Reader {
    fn with(flags: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let process = Command::new(env!("CARGO_BIN_EXE_sim-card"))
            .args(["--persona", "taro", "--vpcd", &address])
            .args(flags)
            .stdout(Stdio::null())
            .spawn()
            .expect("sim-card starts");
        let (stream, _) = listener.accept().expect("the card connects");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        let mut reader = Self { stream, process };
        reader.frame(&[0x01]);
        reader
    }

    fn frame(&mut self, payload: &[u8]) {
        let length = u16::try_from(payload.len()).expect("a short frame").to_be_bytes();
        self.stream.write_all(&[&length, payload].concat()).expect("a frame is sent");
    }

    /// The answer to a frame, `None` if the card left.
    fn asked(&mut self, payload: &[u8]) -> Option<Vec<u8>> {
        self.frame(payload);
        let mut length = [0; 2];
        self.stream.read_exact(&mut length).ok()?;
        let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
        self.stream.read_exact(&mut answer).ok()?;
        Some(answer)
    }

    fn send(&mut self, command: &str) -> Option<(u16, Vec<u8>)> {
        let mut answer = self.asked(&hex(command))?;
        let status = answer.split_off(answer.len() - 2);
        Some((u16::from_be_bytes([status[0], status[1]]), answer))
    }

    #[track_caller]
    fn transcript(&mut self, lines: &[(&str, u16)]) {
        for (command, expected) in lines {
            let (status, _) = self.send(command).expect("the card is there");
            assert_eq!(status, *expected, "{command}: {status:04X}, expected {expected:04X}");
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn an_atr_is_given_by_name_or_in_hexadecimal() {
    for (flag, expected) in [("contactless-3", "3B888001004B51FF0081D100BC"), ("3b80010203", "3B80010203")] {
        assert_eq!(Reader::with(&["--atr", flag]).asked(&[0x04]), Some(hex(expected)));
    }
}

#[test]
fn filler_lies_behind_the_certificate_and_short_only_refuses_extended_length() {
    let mut reader = Reader::with(&[]);
    reader.transcript(&[(SELECT_JPKI, 0x9000)]);
    let (_, plain) = reader.send(READ_EXTENDED).expect("an answer");
    let mut reader = Reader::with(&["--filler", "300"]);
    reader.transcript(&[(SELECT_JPKI, 0x9000)]);
    let (_, filled) = reader.send(READ_EXTENDED).expect("an answer");
    assert_eq!(filled.len(), plain.len() + 300);
    assert!(filled.ends_with(&[0; 300]));
    let mut reader = Reader::with(&["--short-only"]);
    reader.transcript(&[(SELECT_JPKI, 0x9000), (READ_EXTENDED, 0x6700), ("00B08A0000", 0x9000)]);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long a command takes is what the switch is about")]
fn every_command_takes_the_delay() {
    let mut reader = Reader::with(&["--delay-ms", "40"]);
    let began = Instant::now();
    reader.transcript(&[(SELECT_JPKI, 0x9000), ("00200098", 0x63C3)]);
    assert!(began.elapsed() >= Duration::from_millis(80));
}

#[test]
fn scripted_status_words_replace_answers() {
    let mut reader = Reader::with(&["--status", "0=6F00", "--status", "2=6984"]);
    reader.transcript(&[
        (SELECT_JPKI, 0x6F00),
        (SELECT_JPKI, 0x9000),
        ("002000980439393939", 0x6984),
        ("00200098", 0x63C3), // nothing was executed
    ]);
}

#[test]
fn a_card_is_torn_out_after_a_number_of_commands() {
    for flags in [&["--tear-after", "1"][..], &["--tear-after", "1", "--tear-executes"]] {
        let mut reader = Reader::with(flags);
        reader.transcript(&[(SELECT_JPKI, 0x9000)]);
        assert_eq!(reader.send(VERIFY_1234), None, "{flags:?}");
    }
}

#[test]
fn tries_and_the_lifetime_of_the_pin_are_switched() {
    let sign = sign_command("97");
    let mut reader = Reader::with(&["--tries", "2"]);
    reader.transcript(&[(SELECT_JPKI, 0x9000), ("00200098", 0x63C2), (VERIFY_1234, 0x9000)]);
    reader.transcript(&[(SELECT_JPKI, 0x9000), (&sign, 0x9000)]);
    reader.frame(&[0x02]);
    reader.transcript(&[(&sign, 0x9000)]);

    let mut reader = Reader::with(&["--reselect-clears"]);
    reader.transcript(&[
        (SELECT_JPKI, 0x9000),
        (VERIFY_1234, 0x9000),
        (SELECT_JPKI, 0x9000),
        (&sign, 0x6982),
    ]);

    let mut reader = Reader::with(&["--warm-reset-clears"]);
    reader.transcript(&[(SELECT_JPKI, 0x9000), (VERIFY_1234, 0x9000)]);
    reader.frame(&[0x02]);
    reader.transcript(&[(&sign, 0x6A82), (SELECT_JPKI, 0x9000), (&sign, 0x6982)]);
}

#[test]
fn what_cannot_be_followed_is_refused_and_help_names_every_switch() {
    let run =
        |flags: &[&str]| Command::new(env!("CARGO_BIN_EXE_sim-card")).args(flags).output().expect("it runs");
    for flags in [["--status", "6F00"], ["--status", "0=6F"], ["--atr", "no-such-card"], ["--tries", "4"]] {
        let refused = run(&[&["--persona", "taro"], &flags[..]].concat());
        assert!(!refused.status.success() && !refused.stderr.is_empty(), "{flags:?}");
    }
    let help = String::from_utf8(run(&["--help"]).stdout).expect("text");
    for switch in [
        "--atr",
        "--short-only",
        "--tries",
        "--filler",
        "--delay-ms",
        "--tear-after",
        "--tear-executes",
        "--status",
        "--reselect-clears",
        "--warm-reset-clears",
    ] {
        assert!(help.contains(switch), "{switch} is not in --help");
    }
}
