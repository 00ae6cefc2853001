//! OpenSC, an independent client, takes the simulated card behind a real pcscd for a JPKI card.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use harness::lane::VPCD;
use harness::pki::CardPki;
use pcsc::State;

use crate::lane;

/// The `sim-card` program, ended with the test.
struct Program(Child);

impl Program {
    fn start(persona: &str) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_sim-card"))
            .args(["--persona", persona, "--vpcd", VPCD, "--atr", "opensc"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("sim-card starts");
        Self(child)
    }

    /// Ends the program and returns what it printed.
    fn end(mut self) -> Vec<String> {
        self.0.kill().expect("sim-card runs");
        let output = self.0.stdout.take().expect("its output is piped");
        BufReader::new(output).lines().map(|line| line.expect("text")).collect()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Fails only if it has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a program of OpenSC prints; fails with all of it.
fn opensc(program: &str, arguments: &[&str]) -> String {
    let path = Path::new("/usr/bin").join(program);
    assert!(path.exists(), "{} is missing: install the Debian package opensc", path.display());
    let output = Command::new(path).args(arguments).output().expect("the program starts");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program} {}\n{stdout}\n{stderr}", output.status);
    stdout.into_owned()
}

/// The DER inside a PEM text.
fn der_of(pem: &str) -> Vec<u8> {
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    data_encoding::BASE64.decode(base64.as_bytes()).expect("base64")
}

#[test]
fn opensc_lists_reads_and_signs() {
    lane::run("opensc::opensc_lists_reads_and_signs", |lane| {
        let program = Program::start("taro");
        lane.wait_for(State::PRESENT);

        let listing = opensc("pkcs15-tool", &["--list-certificates"]);
        assert!(listing.contains("[User Authentication Certificate]"), "{listing}");
        let certificate = der_of(&opensc("pkcs15-tool", &["--read-certificate", "1"]));
        let holder = CardPki::new().read_certificate(&certificate).expect("the synthetic JPKI issued it");
        assert_eq!(CardPki::new().persona_of_subject_cn(&holder.subject_cn), Some("taro"));

        fs::write("/run/message", b"challenge").expect("the lane's own /run is writable");
        let sign = ["--login", "--pin", "1234", "--sign", "--id", "01", "-m", "SHA256-RSA-PKCS"];
        opensc("pkcs11-tool", &[&sign[..], &["-i", "/run/message", "-o", "/run/signature"]].concat());
        let signature = fs::read("/run/signature").expect("pkcs11-tool wrote it");
        holder.verify(b"challenge", &signature).expect("the signature verifies");

        let printed = program.end();
        assert!(printed.iter().any(|line| line.starts_with("802A0080 Lc 51")), "{printed:#?}");
        assert!(printed.iter().all(|line| !line.contains("31323334")), "no PIN is printed");
    });
}
