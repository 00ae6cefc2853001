//! The storm: requests of every kind go on coming while the daemon is killed without warning and the folder is lost and found.
//! Afterwards every request must have been answered, under one name and with one content.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use super::{Careful, Kind, Place, info};
use crate::dice::Dice;
use crate::process::{Installation, Running, Site};
use crate::upstream::SimUpstream;

/// People known to the simulated central system.
const PEOPLE: [&str; 3] = ["taro", "hanako", "kokuho"];
/// Requests between two blows.
const BETWEEN: u32 = 25;
/// Longer than a restart, a new sign-in and the queue's waits; shorter than a hung run.
const PATIENCE: Duration = Duration::from_mins(3);
/// Between two looks of the receipt computer.
const LOOK: Duration = Duration::from_millis(20);

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Storm {
    /// Requests that were put into `req/`.
    pub requests: u32,
    /// Requests without an answer at the end.
    pub unanswered: u32,
    /// Requests whose answer had two contents, or came back after it had been taken.
    pub answered_twice: u32,
    /// How often the process was killed.
    pub kills: u32,
    /// How often the folder was lost.
    pub losses: u32,
    /// Answers by what they say, to see that all kinds were played.
    pub said: BTreeMap<String, u32>,
    /// Some requests without an answer.
    pub left: Vec<String>,
    /// What the daemon logged, if any was left.
    pub log: String,
}

/// What is asked, and what was seen of its answer.
struct Asked {
    kind: Kind,
    number: u32,
    taken: bool,
    contents: HashSet<Vec<u8>>,
    came_back: bool,
}

/// Plays at least `count` requests with this seed.
pub async fn storm(count: u32, seed: u64) -> Storm {
    let Site { installation, upstream, directory } = Site::open("warn").await;
    let place = Place::make(directory.path());
    installation.configure("[[folders]]\nname = \"receipt\"\nroot = \"oqs\"\npoll_seconds = 1");
    let accepted = installation.command(&["folders", "accept"]).output().expect("shikakud starts");
    assert!(accepted.status.success(), "the administrator accepts");
    let consumer = Careful::new(&place, &upstream.facility().institution_code);
    let mut play = Play {
        place,
        consumer,
        dice: Dice::new(seed),
        asked: Vec::new(),
        receipts: HashMap::new(),
        seen: Storm::default(),
    };
    let mut running = start(&installation, &upstream);
    while play.seen.requests < count {
        play.ask();
        if play.seen.requests.is_multiple_of(BETWEEN) {
            running = play.blow(running, &installation, &upstream).await;
        }
        play.look();
    }
    play.finish(&running).await;
    drop(running);
    upstream.stop().await;
    play.seen
}

fn start(installation: &Installation, upstream: &SimUpstream) -> Running {
    upstream.forget_used_codes();
    let mut running = installation.run();
    running.wait_ready();
    running
}

struct Play {
    place: Place,
    consumer: Careful,
    dice: Dice,
    asked: Vec<Asked>,
    /// Receipt numbers of bulks that were taken in.
    receipts: HashMap<u32, String>,
    seen: Storm,
}

impl Play {
    fn next(&self) -> u32 {
        u32::try_from(self.asked.len()).expect("few")
    }

    /// Asks for something; every request has a number of its own, whatever its kind.
    fn ask(&mut self) {
        let number = self.next();
        let throw = self.dice.below(100);
        let (kind, body) = match throw {
            0..70 => {
                let person = self.dice.pick(&PEOPLE);
                (Kind::Single, info(person, &format!("{person}-{number}")))
            }
            70..80 => (Kind::Bulk, PEOPLE.map(|person| info(person, &format!("{person}-{number}"))).concat()),
            80..90 => {
                let known = self.receipts.values().next().cloned().unwrap_or("999999".to_owned());
                (Kind::Outcome, format!("<ReceptionNumber>{known}</ReceptionNumber>"))
            }
            // Somebody whom the central system does not know, and what is no request at all.
            90..95 => (Kind::Single, info("taro", &format!("x-{number}")).replace("00", "99")),
            _ => (Kind::Single, "<Nothing/>".to_owned()),
        };
        if self.consumer.ask(kind, number, &body) {
            self.asked.push(Asked { kind, number, taken: false, contents: HashSet::new(), came_back: false });
            self.seen.requests += 1;
        }
    }

    /// Something happens: the process dies, the folder goes away, or both.
    async fn blow(
        &mut self,
        running: Running,
        installation: &Installation,
        upstream: &SimUpstream,
    ) -> Running {
        let after = Duration::from_millis(u64::try_from(self.dice.below(300)).expect("small"));
        tokio::time::sleep(after).await;
        let (dies, goes) = (self.dice.percent(80), self.dice.percent(40));
        if goes {
            self.place.lose();
            self.seen.losses += 1;
        }
        let mut running = running;
        if dies {
            // Dropping it is `kill -9`.
            drop(running);
            self.seen.kills += 1;
            running = start(installation, upstream);
        } else {
            tokio::time::sleep(after).await;
        }
        if goes {
            self.place.find();
        }
        running
    }

    /// The receipt computer looks for answers, also for those that it has taken.
    fn look(&mut self) -> usize {
        let there: HashSet<String> = self.place.names("res").into_iter().collect();
        let mut taken = 0;
        for asked in &mut self.asked {
            if !there.contains(&asked.kind.answer(asked.number)) {
                continue;
            }
            let Some(bytes) = self.consumer.seen(asked.kind, asked.number) else { continue };
            asked.contents.insert(bytes);
            asked.came_back |= asked.taken;
            let Some(response) = self.consumer.take(asked.kind, asked.number) else { continue };
            asked.taken = true;
            taken += 1;
            let said = response.one("ErrorCode").or_else(|| response.all("ProcessingResultCode").pop());
            *self.seen.said.entry(said.unwrap_or_else(|| "ok".to_owned())).or_default() += 1;
            if let (Kind::Bulk, Some(receipt)) = (asked.kind, response.one("ReceptionNumber")) {
                self.receipts.insert(asked.number, receipt);
            }
        }
        taken
    }

    /// Waits until everything is answered, or nothing has come for long; then once more, for what should not come.
    async fn finish(&mut self, running: &Running) {
        let (mut quiet, mut left) = (Duration::ZERO, self.asked.iter().filter(|one| !one.taken).count());
        while left > 0 && quiet < PATIENCE {
            let taken = self.look();
            quiet = if taken > 0 { Duration::ZERO } else { quiet + LOOK };
            left = self.asked.iter().filter(|one| !one.taken).count();
            tokio::time::sleep(LOOK).await;
        }
        for _ in 0..100 {
            self.look();
            tokio::time::sleep(LOOK).await;
        }
        self.seen.unanswered = u32::try_from(left).expect("few");
        let twice = self.asked.iter().filter(|one| one.contents.len() > 1 || one.came_back).count();
        self.seen.answered_twice = u32::try_from(twice).expect("few");
        let names = self.asked.iter().filter(|one| !one.taken).map(|one| one.kind.request(one.number));
        self.seen.left = names.take(5).collect();
        if left > 0 {
            self.seen.log = running.log();
        }
    }
}
