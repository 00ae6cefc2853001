//! Inquiry numbers: wire → use case → wire.

use api::codes::Code;
use api::service::{InquiryOutcome, ServiceError};
use api::wire as w;

use super::errors;
use super::wire::jst;
use crate::app::inquiries::{BulkTaken, JobView, Registration};
use crate::app::ports::{BulkStand, InquiryEnd, InquiryFailure, InquiryRequest, JobState, Subject};
use crate::domain::check::ResultId;
use crate::domain::identifiers::{InquiryNumber, InsuranceIdentifiers, Invalid};
use crate::domain::queue::{BulkId, JobId};

const DEFAULT_LIMIT: u32 = 500;
const DEFAULT_JOBS: u32 = 100;

pub(super) fn number(text: &str) -> Result<InquiryNumber, ServiceError> {
    InquiryNumber::parse(text).map_err(|invalid| bad_number(&invalid, ""))
}

pub(super) fn person(insurance: &w::Insurance) -> Result<InsuranceIdentifiers, ServiceError> {
    identifiers(insurance).map_err(|invalid| bad_identifiers(&invalid, ""))
}

fn identifiers(insurance: &w::Insurance) -> Result<InsuranceIdentifiers, Invalid> {
    InsuranceIdentifiers::parse(
        &insurance.insurer_number,
        insurance.insured_card_symbol.as_deref(),
        &insurance.insured_identification_number,
        insurance.insured_branch_number.as_deref(),
    )
}

fn bad_number(invalid: &Invalid, place: &str) -> ServiceError {
    let field = format!("{place}{}", invalid.field);
    ServiceError::new(Code::InquiryNumberInvalid).field(field).detail(invalid.rule)
}

fn bad_identifiers(invalid: &Invalid, place: &str) -> ServiceError {
    let field = format!("{place}insurance.{}", invalid.field);
    ServiceError::new(Code::InvalidRequest).field(field).detail(invalid.rule)
}

/// The items of a bulk; the first that breaks a rule refuses them all.
pub(super) fn items(request: &w::BulkInquiry) -> Result<Vec<InquiryRequest>, ServiceError> {
    let read = |(index, item): (usize, &w::BulkInquiryItem)| {
        let place = format!("items[{index}].");
        let number =
            InquiryNumber::parse(&item.inquiry_number).map_err(|invalid| bad_number(&invalid, &place))?;
        let subject = match (item.result, &item.insurance) {
            (Some(id), None) => Subject::Result(ResultId(id)),
            (None, Some(insurance)) => {
                Subject::Person(identifiers(insurance).map_err(|invalid| bad_identifiers(&invalid, &place))?)
            }
            (Some(_), Some(_)) | (None, None) => {
                return Err(ServiceError::new(Code::InvalidRequest)
                    .field(format!("{place}result"))
                    .detail("result と insurance のどちらか一方を指定してください"));
            }
        };
        Ok(InquiryRequest { subject, number })
    };
    request.items.iter().enumerate().map(read).collect()
}

pub(super) fn jobs_query(query: w::InquiryJobQuery) -> (Option<JobState>, Option<JobId>, u32) {
    let state = query.state.map(|state| match state {
        w::InquiryJobFilter::Queued => JobState::Queued,
        w::InquiryJobFilter::Registered => JobState::Registered,
        w::InquiryJobFilter::Failed => JobState::Failed,
    });
    (state, query.before.map(JobId), query.limit.unwrap_or(DEFAULT_JOBS))
}

pub(super) fn page(query: w::BulkQuery) -> (u32, u32) {
    (query.position.unwrap_or_default(), query.limit.unwrap_or(DEFAULT_LIMIT))
}

pub(super) fn outcome(registration: Registration, number: &InquiryNumber) -> InquiryOutcome {
    match registration {
        Registration::Registered { job, results } => InquiryOutcome::Registered(w::InquiryNumberSet {
            job: job.0,
            state: w::InquiryState::Registered,
            inquiry_number: number.expose().to_owned(),
            results: ids(&results),
        }),
        Registration::Queued(view) => InquiryOutcome::Queued(job(&view)),
    }
}

pub(super) fn job(view: &JobView) -> w::InquiryJob {
    let (state, failure) = state(view);
    w::InquiryJob {
        job: view.job.id.0,
        state,
        taken_at: jst(view.job.taken_at),
        receipt: view.job.bulk.map(|bulk| bulk.0),
        results: ids(&view.job.results),
        failure,
    }
}

fn state(view: &JobView) -> (w::InquiryState, Option<w::InquiryFailure>) {
    match &view.job.end {
        None if view.sending => (w::InquiryState::Sending, None),
        None => (w::InquiryState::Queued, None),
        Some(InquiryEnd::Registered) => (w::InquiryState::Registered, None),
        Some(InquiryEnd::Failed(why)) => (w::InquiryState::Failed, Some(failure(why))),
    }
}

pub(super) fn failure(why: &InquiryFailure) -> w::InquiryFailure {
    let upstream_code = match why {
        InquiryFailure::Refused { code } => Some(code.clone()),
        InquiryFailure::ResultNotFound
        | InquiryFailure::PersonUnknown
        | InquiryFailure::PersonAmbiguous
        | InquiryFailure::PersonNotFound
        | InquiryFailure::NumberInUse => None,
    };
    w::InquiryFailure::new(errors::inquiry_failure(why), upstream_code)
}

fn ids(results: &[ResultId]) -> Vec<i64> {
    results.iter().map(|id| id.0).collect()
}

pub(super) fn receipt(taken: BulkTaken, count: usize) -> w::BulkReceipt {
    w::BulkReceipt {
        receipt: taken.id.0,
        state: w::BulkState::Processing,
        taken_at: jst(taken.taken_at),
        items: u32::try_from(count).unwrap_or(u32::MAX),
    }
}

pub(super) fn stand(id: BulkId, stand: &BulkStand, page: &[JobView]) -> w::BulkStand {
    let outcomes: Vec<_> = page
        .iter()
        .map(|view| {
            let (state, failure) = state(view);
            let position = view.job.position.unwrap_or_default();
            w::BulkOutcome { position, state, results: ids(&view.job.results), failure }
        })
        .collect();
    let next = outcomes.last().map(|last| last.position.saturating_add(1));
    let done = stand.registered.saturating_add(stand.failed) >= stand.items;
    w::BulkStand {
        receipt: id.0,
        state: if done { w::BulkState::Done } else { w::BulkState::Processing },
        taken_at: jst(stand.taken_at),
        items: stand.items,
        registered: stand.registered,
        failed: stand.failed,
        outcomes,
        next_position: next.filter(|next| *next < stand.items),
    }
}
