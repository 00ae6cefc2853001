//! The judge: holds what is stored after a schedule against what the central system knows to be true. Knows nothing of how
//! it came about.

use std::collections::{HashMap, HashSet};

use daemon::app::ports::{Source, StoredResult};
use daemon::domain::check::ResultId;
use daemon::domain::eligibility::{Eligibility, Field};
use daemon::domain::personal::Personal;
use jiff::Timestamp;

/// A confirmation that the central system gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Truth {
    /// Its id.
    pub id: String,
    /// For whom, by number.
    pub person: usize,
    /// When.
    pub at: Timestamp,
}

/// A check that came to its end.
#[derive(Debug, Clone)]
pub(super) struct EndedCheck {
    /// Its id.
    pub id: String,
    /// Whose card it read.
    pub person: usize,
    /// Its result, if it says that there is one.
    pub result: Option<ResultId>,
}

/// Everything that is known after a schedule whose last act was a collection over a good network.
#[derive(Debug, Clone, Default)]
pub(super) struct Evidence {
    /// What is true of everybody, without inquiry numbers.
    pub people: Vec<Eligibility>,
    /// What the central system confirmed.
    pub truths: Vec<Truth>,
    /// Numbers the central system took, and for whom.
    pub taken: HashSet<(usize, String)>,
    /// The checks.
    pub checks: Vec<EndedCheck>,
    /// What is stored.
    pub rows: Vec<StoredResult>,
}

/// What the judge says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Rows beyond one for each confirmation.
    pub double_rows: u64,
    /// Results, checks and numbers that are with another person than theirs.
    pub mixups: u64,
    /// Each broken promise.
    pub findings: Vec<String>,
}

impl Verdict {
    fn double(&mut self, finding: String) {
        self.double_rows += 1;
        self.findings.push(finding);
    }

    fn mixup(&mut self, finding: String) {
        self.mixups += 1;
        self.findings.push(finding);
    }
}

/// Whose result a row is.
fn person_of(people: &[Eligibility], row: &StoredResult) -> Option<usize> {
    let [found] = row.content.confirmation.eligibilities.as_slice() else { return None };
    people.iter().position(|person| without_number(person).eq(without_number(found)))
}

fn without_number(eligibility: &Eligibility) -> impl Iterator<Item = (Field, &Personal)> {
    eligibility.iter().filter(|(field, _)| *field != Field::ReferenceNumber)
}

/// Judges.
pub(super) fn judge(evidence: &Evidence) -> Verdict {
    let mut verdict = Verdict::default();
    look_at_rows(evidence, &mut verdict);
    look_at_checks(evidence, &mut verdict);
    verdict
}

/// Every confirmation has one row, every row one confirmation, and both are of one person.
fn look_at_rows(evidence: &Evidence, verdict: &mut Verdict) {
    let truths: HashMap<&str, &Truth> =
        evidence.truths.iter().map(|truth| (truth.id.as_str(), truth)).collect();
    let mut seen = HashSet::new();
    for row in &evidence.rows {
        let person = person_of(&evidence.people, row);
        let confirmation = &row.content.confirmation;
        match confirmation.upstream_id.as_ref().map(|id| truths.get(id.as_str())) {
            None => verdict.double(format!("result {} is none of those confirmed", row.id.0)),
            Some(None) => verdict.findings.push(format!("result {} was never confirmed", row.id.0)),
            Some(Some(truth)) => {
                if !seen.insert(truth.id.as_str()) {
                    verdict.double(format!("{} is stored twice", truth.id));
                }
                if person != Some(truth.person) || confirmation.processed_at != truth.at {
                    verdict
                        .mixup(format!("{} is of person {}, stored for {person:?}", truth.id, truth.person));
                }
            }
        }
        if let Some(number) = &row.inquiry_number {
            let taken =
                person.is_some_and(|person| evidence.taken.contains(&(person, number.expose().to_owned())));
            if !taken {
                verdict.mixup(format!("result {} of person {person:?} has another's number", row.id.0));
            }
        }
    }
    let missing = evidence.truths.iter().filter(|truth| !seen.contains(truth.id.as_str()));
    verdict.findings.extend(missing.map(|truth| format!("{} is not stored", truth.id)));
}

/// A check that is done has its own row, of the person whose card it read; one that is not has none.
fn look_at_checks(evidence: &Evidence, verdict: &mut Verdict) {
    for check in &evidence.checks {
        let is_own = |row: &&StoredResult| matches!(&row.content.source, Source::Own { check_id, .. } if *check_id == check.id);
        let rows: Vec<_> = evidence.rows.iter().filter(is_own).collect();
        match (check.result, rows.as_slice()) {
            (None, []) => {}
            (Some(result), [row]) if row.id == result => {
                let person = person_of(&evidence.people, row);
                if person != Some(check.person) {
                    verdict.mixup(format!("a check of person {} stored {person:?}", check.person));
                }
            }
            (Some(result), []) => {
                verdict.findings.push(format!("a check says {} and has no row", result.0));
            }
            (Some(_), [_]) => verdict.mixup(format!("the check {} has another row than it says", check.id)),
            (None, [_]) => verdict.findings.push(format!("the check {} failed and has a row", check.id)),
            (_, [_, _, ..]) => verdict.double(format!("the check {} has several rows", check.id)),
        }
    }
}

#[cfg(test)]
mod tests {
    use daemon::app::ports::{NewResult, Origin, TerminalId};
    use daemon::domain::check::Method;
    use daemon::domain::eligibility::{Confirmation, Validity};
    use daemon::domain::identifiers::{InquiryNumber, UpstreamResultId};
    use jiff::civil::Date;

    use super::*;

    fn person(branch: usize) -> Eligibility {
        Eligibility::from_fields([
            (Field::InsuredIdentificationNumber, Personal::new("1")),
            (Field::InsuredBranchNumber, Personal::new(format!("{branch:02}"))),
        ])
    }

    fn row(id: i64, of: usize) -> StoredResult {
        let check_id = format!("check-{of}");
        StoredResult {
            id: ResultId(id),
            expires_at: Timestamp::MAX,
            version: 1,
            inquiry_number: InquiryNumber::parse(&format!("K-{of}")).ok(),
            pending: None,
            content: NewResult {
                source: Source::Own { check_id, method: Method::CardPin },
                terminal: TerminalId("t".to_owned()),
                origin: Origin::Sandbox,
                confirmation: Confirmation {
                    upstream_id: UpstreamResultId::parse(&format!("R-{of}")).ok(),
                    processed_at: Timestamp::UNIX_EPOCH,
                    confirmed_for: Date::constant(2026, 7, 8),
                    validity: Validity::Valid,
                    note: None,
                    eligibilities: vec![person(of)],
                },
            },
        }
    }

    /// Two people, a check each, everything as it should be.
    fn good() -> Evidence {
        let truth = |person| Truth { id: format!("R-{person}"), person, at: Timestamp::UNIX_EPOCH };
        let check = |person| EndedCheck {
            id: format!("check-{person}"),
            person,
            result: i64::try_from(person).ok().map(ResultId),
        };
        Evidence {
            people: vec![person(0), person(1)],
            truths: vec![truth(0), truth(1)],
            taken: (0..2).map(|person| (person, format!("K-{person}"))).collect(),
            checks: vec![check(0), check(1)],
            rows: vec![row(0, 0), row(1, 1)],
        }
    }

    fn counts(evidence: &Evidence) -> (u64, u64, usize) {
        let Verdict { double_rows, mixups, findings } = judge(evidence);
        (double_rows, mixups, findings.len())
    }

    #[test]
    fn what_is_as_it_should_be_is_not_held_against_anyone() {
        assert_eq!(judge(&good()), Verdict::default());
    }

    #[test]
    fn another_persons_content_in_a_row_is_a_mixup() {
        let mut evidence = good();
        evidence.rows[0].content.confirmation.eligibilities = vec![person(1)];
        // The row, its number and its check.
        assert_eq!(counts(&evidence), (0, 3, 3));
    }

    #[test]
    fn another_persons_number_on_a_row_is_a_mixup() {
        let mut evidence = good();
        evidence.rows[0].inquiry_number = InquiryNumber::parse("K-1").ok();
        assert_eq!(counts(&evidence), (0, 1, 1));
    }

    #[test]
    fn a_check_that_shows_another_checks_row_is_a_mixup() {
        let mut evidence = good();
        evidence.checks[0].result = Some(ResultId(1));
        assert_eq!(counts(&evidence), (0, 1, 1));
    }

    #[test]
    fn one_confirmation_in_two_rows_is_a_double() {
        let mut evidence = good();
        let mut again = row(2, 1);
        again.content.source = Source::Elsewhere;
        evidence.rows.push(again.clone());
        assert_eq!(counts(&evidence), (1, 0, 1));
        evidence.rows[2].content.confirmation.upstream_id = None;
        assert_eq!(counts(&evidence), (1, 0, 1), "also where only the content says so");
    }

    #[test]
    fn what_is_lost_or_invented_is_found() {
        let mut evidence = good();
        evidence.rows.pop();
        assert_eq!(counts(&evidence), (0, 0, 2), "the confirmation and the check that says it is done");
        let mut evidence = good();
        evidence.truths.pop();
        assert_eq!(counts(&evidence), (0, 0, 1));
        let mut evidence = good();
        evidence.checks[0].result = None;
        assert_eq!(counts(&evidence), (0, 0, 1), "a check that failed left a row");
    }
}
