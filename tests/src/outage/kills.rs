//! Real processes, killed without warning while numbers wait and while they are sent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use daemon::system::SystemClock;
use serde_json::json;

use crate::clinic::Visitor;
use crate::personas::Personas;
use crate::process::{Installation, Running, Site};
use crate::upstream::SimUpstream;

/// People known to the simulated central system.
const PEOPLE: [&str; 3] = ["taro", "hanako", "kokuho"];
/// Numbers for each person in a round; the last one counts.
const NUMBERS: usize = 3;
/// Longer than the queue's first waits and a new sign-in, shorter than a hung test.
const PATIENCE: Duration = Duration::from_mins(1);

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kills {
    /// How often the process was killed.
    pub kills: u32,
    /// Numbers that were acknowledged.
    pub acknowledged: usize,
    /// People who ended a round with another number than the last one acknowledged for them.
    pub lost: usize,
}

/// In each round the central system refuses connections, numbers are acknowledged, the process is killed, the central
/// system returns and the process is started again; every third time it is killed once more while it sends.
pub async fn kills(rounds: u32) -> Kills {
    let Site { installation, upstream, directory: _directory } = Site::open("warn").await;
    let credentials = installation.add_account("receipt", "receipt-computer");
    let mut visitor = Visitor::at(installation.api, Arc::new(SystemClock));
    let mut seen = Kills { kills: 0, acknowledged: 0, lost: 0 };
    for round in 0..rounds {
        upstream.refuse_connections(usize::MAX);
        let running = start(&installation, &upstream);
        if visitor.token().is_none() {
            visitor.sign_in(&credentials).await;
        }
        let expected = register(&visitor, round).await;
        seen.acknowledged += PEOPLE.len() * NUMBERS;
        // Dropping it is `kill -9`.
        drop(running);
        seen.kills += 1;
        upstream.refuse_connections(0);
        let mut running = start(&installation, &upstream);
        if round % 3 == 0 {
            drop(running);
            seen.kills += 1;
            running = start(&installation, &upstream);
        }
        drained(&visitor, &running).await;
        let wrong =
            |(person, number): &(&&str, &String)| upstream.inquiry_number(person).as_ref() != Some(*number);
        seen.lost += expected.iter().filter(wrong).count();
    }
    upstream.stop().await;
    seen
}

fn start(installation: &Installation, upstream: &SimUpstream) -> Running {
    upstream.forget_used_codes();
    let mut running = installation.run();
    running.wait_ready();
    running
}

/// Registers numbers one after the other; returns the last one of each person.
async fn register(visitor: &Visitor, round: u32) -> BTreeMap<&'static str, String> {
    let mut last = BTreeMap::new();
    for index in 0..NUMBERS {
        for name in PEOPLE {
            let persona = Personas::builtin().by_name(name).expect("a persona");
            let known = persona.identifiers().into_iter().next().expect("identifiers");
            let number = format!("{name}-{round}-{index}");
            let body = json!({ "inquiry_number": number, "insurance": {
                "insurer_number": known.insurer_number.trim_start(),
                "insured_card_symbol": known.symbol.unwrap_or_default(),
                "insured_identification_number": known.number,
                "insured_branch_number": known.branch.unwrap_or_default(),
            }});
            let reply = visitor.put("/v1/inquiry-numbers", &body).await;
            assert_eq!(reply.status, 202, "{}", reply.code());
            last.insert(persona.person(), number);
        }
    }
    last
}

/// Waits until nothing is on its way any more.
async fn drained(visitor: &Visitor, running: &Running) {
    let wait = async {
        while visitor.get("/v1/health").await.json()["queue"]["depth"] != 0 {
            tokio::task::yield_now().await;
        }
    };
    let done = tokio::time::timeout(PATIENCE, wait).await;
    assert!(done.is_ok(), "numbers are still waiting:\n{}", running.log());
}
