//! The word of the machine's time service on the wall clock.

use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use tokio::process::Command;

use crate::app::ports::KernelClock;

/// Whether the clock is synchronised, as the service that synchronises it says.
///
/// On Linux systemd-timedated passes on the kernel's flag, which any time service (timesyncd, chrony, ntpsec) sets and which a
/// clock set by hand clears; `adjtimex` itself has no safe binding. Where it does not answer, the mark of systemd-timesyncd
/// counts, which only says that the clock was synchronised once since the start. On Windows it is W32Time that says.
#[derive(Debug, Clone, Copy, Default)]
pub struct TimeService;

/// How long the answer may take: the service may be started by the question, and whoever asks holds up what must be destroyed.
const PATIENCE: Duration = Duration::from_secs(5);

#[async_trait]
impl KernelClock for TimeService {
    #[cfg(unix)]
    async fn is_synchronised(&self) -> Option<bool> {
        let mut ask = Command::new("timedatectl");
        ask.args(["show", "--property=NTPSynchronized", "--value"]);
        // It tells a service manager how it has ended, which is not meant for ours.
        ask.env_remove("NOTIFY_SOCKET");
        let said = answer_within(PATIENCE, &mut ask).await;
        said.and_then(|said| yes_or_no(&said)).or_else(timesyncd)
    }

    #[cfg(windows)]
    async fn is_synchronised(&self) -> Option<bool> {
        let mut ask = Command::new(super::system_program("w32tm.exe"));
        ask.args(["/query", "/status"]);
        status_of_w32time(&answer_within(PATIENCE, &mut ask).await?)
    }
}

/// What a program writes if it ends well in time; one that does not is killed.
async fn answer_within(patience: Duration, program: &mut Command) -> Option<Vec<u8>> {
    let asked = program.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(patience, asked).await.ok()?.ok()?;
    output.status.success().then_some(output.stdout)
}

#[cfg(any(unix, test))]
fn yes_or_no(said: &[u8]) -> Option<bool> {
    match said.trim_ascii() {
        b"yes" => Some(true),
        b"no" => Some(false),
        _ => None,
    }
}

#[cfg(unix)]
fn timesyncd() -> Option<bool> {
    let state = std::path::Path::new("/run/systemd/timesync");
    state.is_dir().then(|| state.join("synchronized").exists())
}

/// What a clock refers to that nobody synchronises: nothing, or itself (`LOCL`).
#[cfg(any(windows, test))]
const FREE_RUNNING: [&[u8]; 2] = [b"0x00000000", b"0x4c4f434c"];

/// What `w32tm /query /status` says, in the words and the code page of the system but with the same numbers: a clock that runs free
/// has no warning in its leap indicator either, so what it refers to must be a clock elsewhere.
#[cfg(any(windows, test))]
fn status_of_w32time(said: &[u8]) -> Option<bool> {
    const DIGITS: usize = "0x00000000".len();
    if !leap_indicator(said)? {
        return Some(false);
    }
    // The one number of eight digits in it; without any, it is not what was asked for.
    let mut words = said.split(|byte| !byte.is_ascii_alphanumeric()).map(<[u8]>::to_ascii_lowercase);
    let reference = words.find(|word| word.len() == DIGITS && word.starts_with(b"0x"))?;
    Some(!FREE_RUNNING.contains(&reference.as_slice()))
}

/// The first line is the leap indicator, with its number before a bracket: 0 to 2 are synchronised, 3 is not (RFC 5905, figure 9).
#[cfg(any(windows, test))]
fn leap_indicator(said: &[u8]) -> Option<bool> {
    let line = said.split(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty())?;
    let bracket = line.iter().position(|byte| *byte == b'(')?;
    match line.get(bracket.checked_sub(1)?)? {
        b'0'..=b'2' => Some(true),
        b'3' => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[tokio::test]
    async fn a_program_that_hangs_is_given_up_and_one_that_fails_says_nothing() {
        let hung = answer_within(Duration::from_millis(20), Command::new("sleep").arg("600")).await;
        assert_eq!(hung, None);
        let patience = Duration::from_mins(1);
        assert_eq!(answer_within(patience, &mut Command::new("false")).await, None);
        assert_eq!(answer_within(patience, &mut Command::new("/no/such/program")).await, None);
        assert_eq!(
            answer_within(patience, Command::new("echo").arg("no")).await.as_deref(),
            Some(&b"no\n"[..])
        );
    }

    #[test]
    fn only_a_plain_yes_or_no_counts() {
        for (said, meant) in
            [(&b"yes\n"[..], Some(true)), (b"no\n", Some(false)), (b"", None), (b"yes no", None)]
        {
            assert_eq!(yes_or_no(said), meant);
        }
    }

    #[test]
    fn windows_tells_by_a_number_in_whatever_language() {
        for (said, meant) in [
            (
                &b"Leap Indicator: 0(no warning)\r\nStratum: 3 (secondary reference - syncd by (S)NTP)\r\n\
                   ReferenceId: 0x0A000001 (source IP:  10.0.0.1)\r\nSource: time.windows.com,0x8\r\n"[..],
                Some(true),
            ),
            (
                b"\r\n\x89[\x82\xa4\x95b: 0(\x8cx\x8d\x90\x82\xc8\x82\xb5)\r\n\
                  \x8eQ\x8f\xc6 ID: 0x0A000001 (10.0.0.1)\r\n",
                Some(true),
            ),
            // It runs free: it refers to itself, or to nothing.
            (
                b"Leap Indicator: 0(no warning)\r\nStratum: 1 (primary reference - syncd by radio clock)\r\n\
                  ReferenceId: 0x4C4F434C (source name:  \"LOCL\")\r\nSource: Local CMOS Clock\r\n",
                Some(false),
            ),
            (
                b"\x89[\x82\xa4\x95b: 0(\x8cx\x8d\x90\x82\xc8\x82\xb5)\r\n\
                  \x8eQ\x8f\xc6 ID: 0x00000000 (\x8ew\x92\xe8\x82\xc8\x82\xb5)\r\n",
                Some(false),
            ),
            (
                b"Leap Indicator: 3(not synchronized)\r\nReferenceId: 0x00000000 (unspecified)\r\n",
                Some(false),
            ),
            (b"Leap Indicator: 0(no warning)\r\nStratum: 3\r\n", None),
            (b"The service has not been started. (0x80070426)\r\n", None),
            (b"(", None),
            (b"", None),
        ] {
            assert_eq!(status_of_w32time(said), meant, "{}", String::from_utf8_lossy(said));
        }
    }
}
