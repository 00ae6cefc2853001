//! `shikakud doctor`, the shipped binary: every fault it is there to find, and that it harms nothing while it looks.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;
use std::sync::Arc;

use daemon::app::ports::Clock;
use daemon::doctor::{Code, State};
use daemon::system::SystemClock;
use harness::ambient::HeldClock;
use harness::card::{Behaviour, Faults, SimCard};
use harness::lane::READER;
use harness::personas::Personas;
use harness::pki::CardPki;
use harness::process::{Site, free_address};
use harness::upstream::Endpoint;
use harness::upstream::pki::TestPki;
use jiff::SignedDuration;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::Value;

use crate::lane;

/// An installation and its central system; nothing runs but what the test starts.
async fn installed() -> Site {
    installed_by(Arc::new(SystemClock)).await
}

async fn installed_by(clock: Arc<dyn Clock>) -> Site {
    Site::with_clock(clock, READER.to_str().ok(), "info").await
}

/// The doctor's visit.
trait Visit {
    fn doctor(&self, arguments: &[&str]) -> Found;

    fn told(&self, arguments: &[&str]) -> Output;
}

impl Visit for Site {
    fn told(&self, arguments: &[&str]) -> Output {
        self.output(&[&["doctor"], arguments].concat())
    }

    fn doctor(&self, arguments: &[&str]) -> Found {
        let output = self.told(&[&["--json"], arguments].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said, "", "the report goes to standard output");
        let json: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
        assert_eq!(Some(json["exit_code"].as_i64()), output.status.code().map(|code| Some(code.into())));
        Found(json)
    }
}

/// A report in its machine form.
struct Found(Value);

impl Found {
    fn codes(&self) -> Vec<&str> {
        let findings = self.0["findings"].as_array().expect("findings");
        findings.iter().map(|finding| finding["code"].as_str().expect("a code")).collect()
    }

    #[track_caller]
    fn assert(&self, exit_code: i64, expected: &[Code]) {
        for code in expected {
            assert!(self.codes().contains(&code.word()), "{code:?} is missing: {:#}", self.0);
        }
        assert_eq!(self.0["exit_code"], exit_code, "{:#}", self.0);
    }

    /// Nothing else is wrong than what is expected.
    #[track_caller]
    fn assert_problems(&self, expected: &[Code]) {
        let problems: Vec<_> = Code::ALL
            .iter()
            .filter(|code| code.state() == State::Problem && self.codes().contains(&code.word()))
            .copied()
            .collect();
        assert_eq!(problems, expected, "{:#}", self.0);
        self.assert(i64::from(!expected.is_empty()), expected);
    }
}

fn card(persona: &str) -> SimCard {
    let persona = Personas::builtin().by_name(persona).expect("a built-in persona");
    SimCard::for_persona(persona, &CardPki::new(), SystemClock.now())
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime").block_on(work)
}

/// What must hold of a card after any number of examinations.
#[track_caller]
fn assert_untouched(card: &SimCard) {
    assert_eq!((card.verify_count(), card.tries_left()), (0, 3));
    assert!(card.log().iter().all(|record| matches!(record.header[1], 0xA4 | 0xB0)), "{:?}", card.log());
}

#[test]
fn all_is_well_beside_a_running_daemon_and_without_one() {
    lane::run("doctor::all_is_well_beside_a_running_daemon_and_without_one", |lane| {
        block_on(async {
            let site = installed().await;
            let link = lane.insert(card("taro"));

            let new = site.doctor(&[]);
            new.assert_problems(&[]);
            new.assert(0, &[Code::StoreNew, Code::DaemonStopped, Code::CardReadable]);
            assert!(!site.path("data").exists(), "looking creates nothing");
            insta::assert_snapshot!(stable(&new));

            let running = site.run();
            let beside = site.doctor(&[]);
            beside.assert_problems(&[]);
            beside.assert(
                0,
                &[Code::DaemonRunning, Code::StoreInUse, Code::CardReadable, Code::CertificateValid],
            );
            assert!(running.stop().success());

            let after = site.doctor(&["--no-card"]);
            after.assert_problems(&[]);
            after.assert(0, &[Code::StoreUsable, Code::DaemonStopped, Code::CardNotAsked]);

            let text = String::from_utf8(site.told(&[]).stdout).expect("text");
            assert!(
                text.contains("[ OK ] カードリーダー") && text.ends_with("見つかりませんでした。\n"),
                "{text}"
            );

            assert_untouched(&link.card().lock().expect("the card"));
            assert_eq!(site.upstream.requests(Endpoint::Auth), 0, "no one-time code is used up");
        });
    });
}

/// What programs may rely on, one finding a line.
fn stable(found: &Found) -> String {
    let field = |finding: &Value, name: &str| finding[name].as_str().expect("a word").to_owned();
    let findings = found.0["findings"].as_array().expect("findings");
    let line = |finding: &Value| ["check", "code", "state"].map(|name| field(finding, name)).join(" ");
    findings.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn each_fault_of_the_desk_is_found() {
    lane::run("doctor::each_fault_of_the_desk_is_found", |lane| {
        block_on(async {
            let site = installed().await;
            site.doctor(&[]).assert(0, &[Code::CardAbsent, Code::CertificateUnknown]);

            let link = lane.insert(card("taro"));
            let refuse = |status| {
                let status = [(0, status)].into_iter().collect();
                let card = link.card();
                let mut card = card.lock().expect("the card");
                card.set_faults(Faults { status, ..Faults::default() });
            };
            refuse(0x6A82);
            site.doctor(&[]).assert_problems(&[Code::CardForeign]);
            refuse(0x6985);
            site.doctor(&[]).assert_problems(&[Code::CardUnusable]);

            {
                let context = pcsc::Context::establish(pcsc::Scope::System).expect("pcscd answers");
                let _other = context
                    .connect(READER, pcsc::ShareMode::Exclusive, pcsc::Protocols::ANY)
                    .expect("another program connects");
                let found = site.doctor(&[]);
                found.assert_problems(&[]);
                found.assert(0, &[Code::CardInUse]);
            }
            assert_untouched(&link.card().lock().expect("the card"));

            let config = site.path("shikakud.toml");
            let text = fs::read_to_string(&config).expect("the configuration");
            fs::write(&config, text.replace("Lane 00 00", "Other 00 00")).expect("a writable file");
            site.doctor(&["--no-card"]).assert_problems(&[Code::ReaderConfiguredMissing]);
            fs::write(&config, text.replace("reader = \"Lane 00 00\"", "")).expect("a writable file");
            site.doctor(&["--no-card"]).assert(0, &[Code::ReaderAmbiguous]);
            fs::write(&config, text).expect("a writable file");

            lane.stop_pcscd();
            site.doctor(&[]).assert_problems(&[Code::PcscStopped]);
            fs::remove_file("/run/lane-readers/lane").expect("the reader's configuration");
            lane.start_pcscd();
            site.doctor(&[]).assert(1, &[Code::PcscRunning, Code::AccessGranted, Code::ReaderNone]);
        });
    });
}

#[test]
fn certificates_of_cards_are_judged_by_kind_and_state() {
    lane::run("doctor::certificates_of_cards_are_judged_by_kind_and_state", |lane| {
        block_on(async {
            let site = installed().await;
            for (persona, problems, expected) in [
                ("in-grace", &[][..], Code::CertificateInGrace),
                ("past-grace", &[Code::CertificatePast], Code::CertificatePast),
                ("android", &[], Code::CardProtected),
            ] {
                let link = lane.insert(card(persona));
                let found = site.doctor(&[]);
                found.assert_problems(problems);
                found.assert(i64::from(!problems.is_empty()), &[expected]);
                assert_untouched(&link.card().lock().expect("the card"));
                drop(link);
                lane.wait_for(pcsc::State::EMPTY);
            }
            // A reader without extended length, a card with filler: more commands, the same answer.
            let mut slow = card("taro");
            slow.behaviour = Behaviour { extended: false, filler: 100, ..Behaviour::default() };
            let link = lane.insert(slow);
            site.doctor(&[]).assert(0, &[Code::CertificateValid]);
            assert_untouched(&link.card().lock().expect("the card"));
        });
    });
}

#[test]
fn each_fault_of_the_connection_is_found() {
    block_on(async {
        let site = installed().await;
        let secrets = site.path("secrets");
        let certificate = secrets.join("upstream-client.pem");
        let key = secrets.join("upstream-client-key.pem");
        let own = site.upstream.pki().client();
        let link_problems = |found: &Found| {
            let of_the_link = ["upstream_files", "client_certificate", "upstream", "clock", "secrets"];
            let findings = found.0["findings"].as_array().expect("findings").clone();
            let wrong = findings.into_iter().filter(|finding| {
                finding["state"] == "problem"
                    && of_the_link.contains(&finding["check"].as_str().unwrap_or(""))
            });
            wrong.map(|finding| finding["code"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
        };
        let check = |expected: &[Code]| {
            let expected: Vec<_> = expected.iter().map(|code| code.word()).collect();
            assert_eq!(link_problems(&site.doctor(&["--no-card"])), expected);
        };
        check(&[]);

        let other = TestPki::new();
        fs::write(&certificate, &other.client().certificate_pem).expect("a writable file");
        fs::write(&key, &other.client().key_pem).expect("a writable file");
        check(&[Code::UpstreamClientRefused]);
        let ended = site.upstream.pki().expired_client();
        fs::write(&certificate, &ended.certificate_pem).expect("a writable file");
        fs::write(&key, &ended.key_pem).expect("a writable file");
        check(&[Code::ClientCertificateEnded, Code::UpstreamClientRefused]);
        fs::write(&certificate, &own.certificate_pem).expect("a writable file");
        // A key of another certificate.
        check(&[Code::UpstreamFilesInvalid]);
        fs::write(&key, &own.key_pem).expect("a writable file");

        let roots = secrets.join("upstream-roots.pem");
        fs::write(&roots, other.authority_pem()).expect("a writable file");
        check(&[Code::UpstreamServerUntrusted]);
        fs::write(&roots, site.upstream.pki().authority_pem()).expect("a writable file");

        let mode = |mode| fs::set_permissions(&key, fs::Permissions::from_mode(mode)).expect("our own file");
        mode(0o644);
        check(&[Code::SecretOpen, Code::UpstreamFilesInvalid]);
        mode(0o600);

        assert_eq!(site.upstream.requests(Endpoint::Auth), 0, "nobody signed in");
        site.upstream.stop().await;
        check(&[Code::UpstreamUnreachable]);
    });
}

#[test]
fn a_clock_that_differs_from_the_central_systems_is_found() {
    block_on(async {
        let ahead = HeldClock::at(SystemClock.now());
        ahead.advance(SignedDuration::from_mins(3));
        let site = installed_by(Arc::new(ahead)).await;
        let found = site.doctor(&["--no-card"]);
        assert!(found.codes().contains(&Code::ClockOff.word()), "{:#}", found.0);
        assert_eq!(found.0["exit_code"], 1);
    });
}

#[test]
fn faults_of_the_store_are_found_and_nothing_is_repaired_behind_anybodys_back() {
    block_on(async {
        let site = installed().await;
        site.installation.add_account("receipt", "receipt-computer");
        let contains = |code: Code| {
            let found = site.doctor(&["--no-card"]);
            assert!(found.codes().contains(&code.word()), "{code:?}: {:#}", found.0);
        };
        contains(Code::StoreUsable);

        let master = site.path("key/master.key");
        let kept = fs::read(&master).expect("the master key");
        fs::remove_file(&master).expect("our own file");
        contains(Code::StoreKeyMissing);
        assert!(!master.exists(), "no new key for old data");
        fs::write(&master, vec![7; kept.len()]).expect("a writable directory");
        fs::set_permissions(&master, fs::Permissions::from_mode(0o600)).expect("our own file");
        contains(Code::StoreKeysMismatch);
        fs::write(&master, kept).expect("a writable file");
        contains(Code::StoreUsable);

        let data = site.path("data");
        fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).expect("our own directory");
        contains(Code::StoreRefused);
        fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).expect("our own directory");

        let config = site.path("shikakud.toml");
        let text = fs::read_to_string(&config).expect("the configuration");
        fs::write(&config, text.replace("\"sandbox\"", "\"production\"")).expect("a writable file");
        contains(Code::StoreOtherMode);
    });
}

/// Where the page is to listen, and how it is called.
fn page(site: &Site, listen: SocketAddr, more: &str) {
    site.installation.configure(&format!("[page]\nlisten = \"{listen}\"\n{more}"));
}

#[test]
fn a_page_for_this_pc_is_ready_answers_or_finds_its_port_taken() {
    block_on(async {
        let site = installed().await;
        let contains = |expected: Code| {
            let found = site.doctor(&["--no-card"]);
            let of_page = |code: &&str| code.starts_with("page_");
            assert_eq!(found.codes().into_iter().filter(of_page).collect::<Vec<_>>(), [expected.word()]);
        };
        contains(Code::PageOff);
        let listen = free_address();
        page(&site, listen, "");
        contains(Code::PageReady);
        let running = site.run();
        contains(Code::PageAnswers);
        assert!(running.stop().success());
        let _other = TcpListener::bind(listen).expect("a free port");
        contains(Code::PagePortTaken);
    });
}

#[test]
fn a_page_for_the_clinic_is_looked_at_by_address_name_and_certificate() {
    block_on(async {
        let site = installed().await;
        let listen = free_address();
        page(&site, listen, "hosts = [\"uketsuke-of-nobody.local\"]\n");
        let contains = |found: &Found, expected: &[Code]| {
            for code in expected {
                assert!(found.codes().contains(&code.word()), "{code:?}: {:#}", found.0);
            }
        };
        let stopped = site.doctor(&["--no-card"]);
        contains(&stopped, &[Code::PageReady, Code::PageNameUnknown, Code::PageCertificateUnknown]);
        let running = site.run();
        let found = site.doctor(&["--no-card"]);
        contains(&found, &[Code::PageAnswers, Code::PageNameUnknown, Code::PageCertificateOwn]);
        let shown = site.installation.command(&["page", "ca"]).output().expect("shikakud starts");
        let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
        let findings = found.0["findings"].as_array().expect("findings");
        let own = findings.iter().find(|finding| finding["code"] == "page_certificate_own").expect("a line");
        let fingerprint = own["detail"].as_str().and_then(|text| text.rsplit(' ').next()).expect("a word");
        assert!(fingerprint.len() == 64 && shown.contains(fingerprint), "{shown}");
        assert!(running.stop().success());
    });
}

#[test]
fn a_given_certificate_of_the_page_is_looked_at_before_the_start() {
    block_on(async {
        let site = installed().await;
        let secrets = site.path("secrets");
        let give = |name: &str, not_after: (i32, u8, u8)| {
            let key = KeyPair::generate().expect("a key");
            let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(not_after.0, not_after.1, not_after.2);
            let made = params.self_signed(&key).expect("a certificate");
            fs::write(secrets.join("page.pem"), made.pem()).expect("written");
            fs::write(secrets.join("page-key.pem"), key.serialize_pem()).expect("written");
            fs::set_permissions(secrets.join("page-key.pem"), fs::Permissions::from_mode(0o600))
                .expect("ours");
        };
        page(
            &site,
            free_address(),
            "hosts = [\"uketsuke.clinic.example\"]\ncertificate_file = \"secrets/page.pem\"\nkey_file = \"secrets/page-key.pem\"\n",
        );
        let config_check = || {
            let output = site.installation.command(&["config", "check"]).output().expect("shikakud starts");
            let said = [output.stdout, output.stderr].concat();
            (output.status.code(), String::from_utf8(said).expect("text"))
        };
        let judged = |expected: Code, exit_code: Option<i32>| {
            let found = site.doctor(&["--no-card"]);
            assert!(found.codes().contains(&expected.word()), "{expected:?}: {:#}", found.0);
            let (code, said) = config_check();
            assert_eq!(code, exit_code, "{said}");
            said
        };
        give("uketsuke.clinic.example", (2120, 1, 1));
        let said = judged(Code::PageCertificateValid, Some(0));
        assert!(said.contains("OK    page.listen  https://uketsuke.clinic.example:"), "{said}");
        assert!(said.contains("OK    page.certificate_file  有効期限まであと"), "{said}");
        give("uketsuke.clinic.example", (2021, 1, 1));
        let said = judged(Code::PageCertificateEnded, Some(2));
        assert!(said.contains("問題  page.certificate_file"), "{said}");
        give("other.clinic.example", (2120, 1, 1));
        let said = judged(Code::PageCertificateUnusable, Some(2));
        assert!(said.contains("uketsuke.clinic.example"), "{said}");
        fs::set_permissions(secrets.join("page-key.pem"), fs::Permissions::from_mode(0o644)).expect("ours");
        judged(Code::SecretOpen, Some(2));
    });
}

#[test]
fn an_unusable_configuration_ends_the_examination_with_code_2() {
    block_on(async {
        let site = installed().await;
        let config = site.path("shikakud.toml");
        let text = fs::read_to_string(&config).expect("the configuration");
        fs::write(&config, text.replace("[log]\nfilter", "[log]\nfliter")).expect("a writable file");
        let found = site.doctor(&[]);
        found.assert(2, &[Code::ConfigInvalid]);
        assert_eq!(found.codes().len(), 1);
        fs::remove_file(&config).expect("our own file");
        site.doctor(&[]).assert(2, &[Code::ConfigUnreadable]);
        let shown = site.told(&[]);
        assert_eq!(shown.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&shown.stdout).contains("[問題] 設定ファイル"));
    });
}

#[test]
fn a_report_shows_no_secret_and_nothing_of_a_certificate() {
    lane::run("doctor::a_report_shows_no_secret_and_nothing_of_a_certificate", |lane| {
        block_on(async {
            let site = installed().await;
            let link = lane.insert(card("taro"));
            let facility = site.upstream.facility();
            let subject = link.card().lock().expect("the card").identity().subject_cn.clone();
            let secrets = [
                subject,
                facility.password.clone(),
                facility.account.clone(),
                facility.institution_code.clone(),
                data_encoding::BASE32_NOPAD.encode(&facility.totp_secret),
            ];
            for form in [&["--json"][..], &[]] {
                let output = site.told(form);
                let shown = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
                assert!(shown.contains("カードの電子証明書"), "{shown}");
                for secret in &secrets {
                    assert!(!shown.contains(secret), "{secret} is shown in {shown}");
                }
            }
        });
    });
}
