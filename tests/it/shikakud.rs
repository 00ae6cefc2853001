//! The shipped binary in front of a real pcscd: a check from tap to download, pcscd restarted, and nothing secret written.

use std::fs;
use std::sync::Arc;

use daemon::system::SystemClock;
use harness::card::SimCard;
use harness::clinic::{Credentials, Visitor};
use harness::lane::READER;
use harness::personas::Personas;
use harness::pki::CardPki;
use harness::process::{Running, Site};

use crate::lane;

/// An installation with its account.
pub(crate) struct Desk {
    site: Site,
    credentials: Credentials,
}

impl Desk {
    async fn build(log_filter: &str) -> Self {
        Self::with_reader(READER.to_str().expect("a name"), log_filter).await
    }

    pub(crate) async fn with_reader(reader: &str, log_filter: &str) -> Self {
        let site = Site::with_reader(Some(reader), log_filter).await;
        let credentials = site.installation.add_account("receipt", "receipt-computer");
        Self { site, credentials }
    }

    pub(crate) fn run(&self) -> Running {
        self.site.run()
    }

    pub(crate) async fn visitor(&self) -> Visitor {
        let mut visitor = Visitor::at(self.site.installation.api, Arc::new(SystemClock));
        visitor.sign_in(&self.credentials).await;
        visitor
    }
}

fn card(persona: &str) -> SimCard {
    let persona = Personas::builtin().by_name(persona).expect("a built-in persona");
    SimCard::for_persona(persona, &CardPki::new(), daemon::app::ports::Clock::now(&SystemClock))
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime").block_on(work)
}

#[test]
fn a_check_runs_through_a_real_pcscd_in_five_commands() {
    lane::run("shikakud::a_check_runs_through_a_real_pcscd_in_five_commands", |lane| {
        block_on(async {
            let desk = Desk::build("info").await;
            let running = desk.run();
            let link = lane.insert(card("taro"));
            let visitor = desk.visitor().await;
            let done = visitor.check_with_pin("1234").await;
            assert_eq!(done["phase"], "done", "{}", running.log());
            let result = visitor.get(&format!("/v1/results/{}", done["result_id"])).await.json();
            assert_eq!(result["eligibilities"][0]["name"], "資格 太郎");
            {
                let card = link.card();
                let card = card.lock().expect("the card");
                assert_eq!((card.apdu_count(), card.verify_count()), (5, 1));
            }
            assert!(running.stop().success());
        });
    });
}

#[test]
fn pcscd_may_be_restarted_under_the_daemon() {
    lane::run("shikakud::pcscd_may_be_restarted_under_the_daemon", |lane| {
        block_on(async {
            let desk = Desk::build("info").await;
            let running = desk.run();
            let _link = lane.insert(card("taro"));
            let visitor = desk.visitor().await;
            assert_eq!(visitor.check_with_pin("1234").await["phase"], "done", "{}", running.log());

            lane.stop_pcscd();
            wait_for_card_code(&visitor, "card_service_unavailable").await;
            lane.start_pcscd();
            wait_for_card_code(&visitor, "").await;
            // The card that already gave a result lost its power with pcscd: it is a new card event.
            lane.wait_for(pcsc::State::PRESENT);
            let done = visitor.check_with_pin("1234").await;
            assert_eq!(done["phase"], "done", "{done}\n{}", running.log());
        });
    });
}

async fn wait_for_card_code(visitor: &Visitor, code: &str) {
    let wait = async {
        while visitor.get("/v1/health").await.json()["card"]["code"].as_str().unwrap_or_default() != code {
            tokio::task::yield_now().await;
        }
    };
    // The daemon looks for a service that is away every half second.
    tokio::time::timeout(std::time::Duration::from_secs(10), wait).await.expect("health follows pcscd");
}

/// Fails if either call of `system::harden_process` is missing: the limit is read back, and the kernel gives the files in
/// `/proc` of a process that may not be dumped (nor traced by its own user) to root instead of its user.
#[test]
fn neither_a_core_dump_nor_another_process_of_its_user_gets_at_its_memory() {
    use std::os::unix::fs::MetadataExt as _;
    block_on(async {
        let desk = Desk::build("info").await;
        let mut running = desk.site.installation.run_unprivileged();
        running.wait_ready();
        let process = std::path::PathBuf::from(format!("/proc/{}", running.id()));
        let limits = fs::read_to_string(process.join("limits")).expect("its limits");
        let core = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).expect("a limit");
        assert_eq!(core.split_whitespace().take(2).collect::<Vec<_>>(), ["0", "0"]);

        let status = fs::read_to_string(process.join("status")).expect("its status");
        let user = status.lines().find_map(|line| line.strip_prefix("Uid:")).expect("its user");
        let user: u32 = user.split_whitespace().next().and_then(|id| id.parse().ok()).expect("a user id");
        assert_ne!(user, 0, "root may read everything: the test would show nothing");
        assert_eq!(fs::metadata(process.join("mem")).expect("its memory").uid(), 0);
        let own = fs::metadata("/proc/self/mem").expect("the test's memory").uid();
        assert_eq!(own, rustix::process::getuid().as_raw(), "an ordinary process owns its memory");
        assert!(running.stop().success());
    });
}

#[test]
fn the_command_line_says_what_is_wrong_with_its_exit_code() {
    block_on(async {
        let desk = Desk::build("info").await;
        let check = desk.site.installation.command(&["config", "check"]).output().expect("shikakud starts");
        assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));

        let config = desk.site.path("shikakud.toml");
        let text = fs::read_to_string(&config).expect("the configuration");
        fs::write(&config, text.replace("[log]\nfilter", "[log]\nfliter")).expect("a writable file");
        let refused = desk.site.installation.command(&["config", "check"]).output().expect("shikakud starts");
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains("log.fliter") || said.contains("fliter"), "{said}");
        fs::write(&config, &text).expect("a writable file");

        let taken =
            desk.site.installation.command(&["account", "add", "--role", "operator", "receipt"]).output();
        let taken = taken.expect("shikakud starts");
        assert_eq!(taken.status.code(), Some(1));
        assert!(taken.stdout.is_empty(), "no enrolment for an account that was not created");

        fs::write(&config, text.replace("mode = \"sandbox\"", "mode = \"production\""))
            .expect("a writable file");
        let mixed = desk.site.installation.command(&["run"]).output().expect("shikakud starts");
        assert_eq!(mixed.status.code(), Some(4));
        assert!(String::from_utf8_lossy(&mixed.stderr).contains("sandbox"));
    });
}
