//! The truth: a central system in memory that knows a few people, confirms whoever proves to be one of them, and
//! remembers every confirmation it gave and every inquiry number it took.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use daemon::domain::eligibility::{Eligibility, Field, format_date};
use daemon::domain::identifiers::InsuranceIdentifiers;
use daemon::domain::personal::Personal;
use daemon::domain::retention::{jst_datetime, jst_day};
use data_encoding::BASE64;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::judge::Truth;
use crate::dice::Dice;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    SignIn,
    Challenge,
    Confirm,
    Results,
    Announcements,
    InquiryNumber,
}

impl Question {
    /// Every kind, for what is kept per kind.
    pub(super) const ALL: [Self; 6] = [
        Self::SignIn,
        Self::Challenge,
        Self::Confirm,
        Self::Results,
        Self::Announcements,
        Self::InquiryNumber,
    ];

    /// By the end of its default path.
    pub(super) fn of(path: &str) -> Option<Self> {
        let ends = [
            ("/account/auth", Self::SignIn),
            ("/card/challenge", Self::Challenge),
            ("/card/confirm", Self::Confirm),
            ("/results/search", Self::Results),
            ("/announcements/list", Self::Announcements),
            ("/reference-number/register", Self::InquiryNumber),
        ];
        ends.into_iter().find(|(end, _)| path.ends_with(end)).map(|(_, question)| question)
    }
}

/// The people of one schedule: they live together, so that much of what is known of them is the same.
#[derive(Debug, Clone)]
pub(super) struct People(Vec<Vec<(Field, String)>>);

impl People {
    pub(super) fn of(seed: u64, count: usize, dice: &mut Dice) -> Self {
        let same_name = dice.percent(30);
        let person = |index: usize| {
            let name = if same_name { "架空 太郎".to_owned() } else { format!("架空 {index}郎") };
            vec![
                (Field::InsurerNumber, "  138990".to_owned()),
                (Field::InsuredCardSymbol, "架国".to_owned()),
                (Field::InsuredIdentificationNumber, format!("{seed:010}")),
                (Field::InsuredBranchNumber, format!("{index:02}")),
                (Field::Name, name),
            ]
        };
        Self((0..count).map(person).collect())
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// What is stored of a person, without an inquiry number.
    pub(super) fn eligibility(&self, person: usize) -> Eligibility {
        Eligibility::from_fields(
            self.0[person].iter().map(|(field, value)| (*field, Personal::new(value.as_str()))),
        )
    }

    pub(super) fn identifiers(&self, person: usize) -> InsuranceIdentifiers {
        InsuranceIdentifiers::of(&self.eligibility(person)).expect("everybody is insured")
    }
}

/// The certificate of a person's card: any bytes will do, the model only compares them.
pub(super) fn certificate(person: usize) -> Vec<u8> {
    format!("certificate of {person}").into_bytes()
}

/// The signature of a person's card over a challenge.
pub(super) fn signature(person: usize, challenge: &[u8]) -> Vec<u8> {
    [format!("signed by {person}: ").as_bytes(), challenge].concat()
}

/// The central system.
pub(super) struct Central {
    people: People,
    seed: u64,
    /// When its confirmations are given; several in the same second.
    base: Timestamp,
    /// Whether confirmations leave their id to the results of the period.
    hides_ids: bool,
    /// Most results in one answer.
    page: usize,
    /// Takes the first two people for each other: what the judge must find.
    confuses: bool,
    state: Mutex<State>,
}

struct State {
    dice: Dice,
    challenges_given: u64,
    challenges: HashMap<String, Vec<u8>>,
    truths: Vec<Truth>,
    numbers: HashMap<usize, String>,
    taken: HashSet<(usize, String)>,
}

impl Central {
    pub(super) fn new(people: People, seed: u64, base: Timestamp, confuses: bool, dice: &mut Dice) -> Self {
        Self {
            people,
            seed,
            base,
            hides_ids: dice.percent(50),
            page: 1 + dice.below(4),
            confuses,
            state: Mutex::new(State {
                dice: Dice::new(seed),
                challenges_given: 0,
                challenges: HashMap::new(),
                truths: Vec::new(),
                numbers: HashMap::new(),
                taken: HashSet::new(),
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every confirmation that was given, and every number that was ever taken for whom.
    pub(super) fn truth(&self) -> (Vec<Truth>, HashSet<(usize, String)>) {
        let state = self.state();
        (state.truths.clone(), state.taken.clone())
    }

    /// Processes a question and answers it.
    pub(super) fn answer(&self, question: Question, asked: &Value) -> Vec<u8> {
        let body = asked.pointer("/XmlMsg/MessageBody").unwrap_or(&Value::Null);
        let mut state = self.state();
        let answer = match question {
            // Tokens are the network's: it is the one that forgets them.
            Question::SignIn => return Vec::new(),
            Question::Challenge => Ok(challenge(&mut state)),
            Question::Confirm => self.confirm(&mut state, body),
            Question::Results => Ok(self.results(&state, body)),
            Question::Announcements => Ok(json!({ "Announcements": [] })),
            Question::InquiryNumber => self.inquiry_number(&mut state, body),
        };
        let mut header = asked.pointer("/XmlMsg/MessageHeader").cloned().unwrap_or_default();
        let at = state.truths.last().map_or(self.base, |truth| truth.at);
        header["ProcessExecutionTime"] = json!(date_time(at));
        header["QualificationConfirmationDate"] = json!(format_date(jst_day(at)));
        header["SegmentOfResult"] = json!(if answer.is_ok() { "1" } else { "9" });
        let message = match answer {
            Ok(body) => json!({ "MessageHeader": header, "MessageBody": body }),
            Err(code) => {
                header["ErrorCode"] = json!(code);
                json!({ "MessageHeader": header })
            }
        };
        json!({ "XmlMsg": message }).to_string().into_bytes()
    }

    fn confirm(&self, state: &mut State, body: &Value) -> Result<Value, &'static str> {
        let bytes = |field: &str| {
            body[field].as_str().and_then(|text| BASE64.decode(text.as_bytes()).ok()).unwrap_or_default()
        };
        let shown = bytes("Certificate");
        let person = (0..self.people.count()).find(|person| certificate(*person) == shown);
        let person = person.ok_or("CERTIFICATE_UNTRUSTED")?;
        if let Some(id) = body["ChallengeId"].as_str() {
            let challenge = state.challenges.remove(id).ok_or("CHALLENGE_UNKNOWN")?;
            if bytes("Signature") != signature(person, &challenge) {
                return Err("SIGNATURE_INVALID");
            }
        }
        let truth = Truth {
            id: format!("R{}-{}", self.seed, state.truths.len()),
            person,
            at: self.base + SignedDuration::from_secs(i64::from(state.dice.percent(30))),
        };
        state.truths.push(truth.clone());
        let told = if self.confuses { person ^ 1 } else { person };
        let mut answer = self.eligibility(state, told);
        if !self.hides_ids {
            answer["UpstreamResultId"] = json!(truth.id);
        }
        Ok(answer)
    }

    fn eligibility(&self, state: &State, person: usize) -> Value {
        let mut fields: Value =
            self.people.0[person].iter().map(|(field, value)| (field.tag(), value.as_str())).collect();
        if let Some(number) = state.numbers.get(&person) {
            fields[Field::ReferenceNumber.tag()] = json!(number);
        }
        json!({
            "ProcessingResultStatus": "1",
            "QualificationValidity": "1",
            "ResultList": [{ "ResultOfQualificationConfirmation": fields }],
        })
    }

    fn results(&self, state: &State, body: &Value) -> Value {
        let begin = body["Cursor"].as_str().and_then(|text| text.parse().ok()).unwrap_or(0);
        let rest = state.truths.get(begin..).unwrap_or_default();
        let entry = |truth: &Truth| {
            let mut entry = self.eligibility(state, truth.person);
            entry["UpstreamResultId"] = json!(truth.id);
            entry["Terminal"] = json!("model");
            entry["ProcessExecutionTime"] = json!(date_time(truth.at));
            entry["QualificationConfirmationDate"] = json!(format_date(jst_day(truth.at)));
            entry
        };
        let mut answer = json!({ "Results": rest.iter().take(self.page).map(entry).collect::<Vec<_>>() });
        if rest.len() > self.page {
            answer["NextCursor"] = json!((begin + self.page).to_string());
        }
        answer
    }

    fn inquiry_number(&self, state: &mut State, body: &Value) -> Result<Value, &'static str> {
        let asked = &body["ReferenceNumberRegistrationInfo"];
        let number = asked["ReferenceNumber"].as_str().ok_or("REQUEST_INVALID")?.to_owned();
        let branch = asked["InsuredBranchNumber"].as_str().and_then(|branch| branch.parse().ok());
        let person: usize = branch.filter(|person| *person < self.people.count()).ok_or("PERSON_UNKNOWN")?;
        if state.numbers.iter().any(|(holder, held)| *holder != person && *held == number) {
            return Ok(json!({ "ProcessingResultStatus": "2", "ProcessingResultCode": "NUMBER_IN_USE" }));
        }
        state.numbers.insert(person, number.clone());
        state.taken.insert((person, number.clone()));
        Ok(json!({ "ProcessingResultStatus": "1", "ReferenceNumber": number }))
    }
}

fn challenge(state: &mut State) -> Value {
    state.challenges_given += 1;
    let id = format!("challenge {:08}", state.challenges_given);
    let bytes = id.clone().into_bytes();
    let answer = json!({ "ChallengeId": id, "Challenge": BASE64.encode(&bytes) });
    state.challenges.insert(id, bytes);
    answer
}

fn date_time(at: Timestamp) -> String {
    jst_datetime(at).strftime("%Y%m%d%H%M%S").to_string()
}
