//! Inquiry numbers: one, and in bulk with a receipt number, a wait and an outcome for each item.

use axum::body::Bytes;
use axum::extract::State as Extract;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::answers;
use super::routes::{Sim, text};
use super::state::{BulkStand, State};
use crate::personas::{Identifiers, Personas};

/// Most items of one bulk.
const LARGEST_BULK: usize = 500;

/// One number as it was handed in.
#[derive(Clone)]
pub(super) struct Asked {
    identifiers: Identifiers,
    reference: String,
}

impl Asked {
    /// `None` if a rule of the message is broken.
    fn read(info: &Value) -> Option<Self> {
        let owned = |tag| text(info, tag).map(str::to_owned);
        let reference = owned("ReferenceNumber").filter(|text| (1..=50).contains(&text.chars().count()))?;
        let insurer_number = owned("InsurerNumber").filter(|text| text.chars().count() == 8)?;
        let number = owned("InsuredIdentificationNumber")?;
        let (symbol, branch) = (owned("InsuredCardSymbol"), owned("InsuredBranchNumber"));
        Some(Self { identifiers: Identifiers { insurer_number, symbol, number, branch }, reference })
    }

    /// Sets it; the error is the code to refuse with.
    pub(super) fn apply(&self, state: &State) -> Result<(), &'static str> {
        let person = Personas::builtin().person_by_identifiers(&self.identifiers).ok_or("PERSON_UNKNOWN")?;
        if state.set_inquiry_number(person, &self.reference) { Ok(()) } else { Err("NUMBER_IN_USE") }
    }

    /// Its body in an answer.
    pub(super) fn answer(&self, outcome: Result<(), &str>) -> Value {
        let mut body = match outcome {
            Ok(()) => json!({ "ProcessingResultStatus": "1" }),
            Err(code) => answers::outcome(code, "照会番号を登録できません。"),
        };
        body["ReferenceNumber"] = json!(self.reference);
        body
    }
}

pub(super) async fn single(Extract(sim): Sim, headers: HeaderMap, bytes: Bytes) -> Response {
    let (to, body) = match sim.open(&headers, &bytes) {
        Ok(opened) => opened,
        Err(refusal) => return refusal,
    };
    let info = body.get("ReferenceNumberRegistrationInfo").cloned().unwrap_or_default();
    match Asked::read(&info) {
        Some(asked) => sim.success(&to, &asked.answer(asked.apply(&sim.state))),
        None => sim.error(&to, "REQUEST_INVALID"),
    }
}

pub(super) async fn bulk(Extract(sim): Sim, headers: HeaderMap, bytes: Bytes) -> Response {
    let (to, body) = match sim.open(&headers, &bytes) {
        Ok(opened) => opened,
        Err(refusal) => return refusal,
    };
    let list = body.get("ReferenceNumberRegistrationInfo").and_then(Value::as_array);
    let items: Option<Vec<_>> = list.and_then(|list| list.iter().map(Asked::read).collect());
    match items {
        Some(items) if (1..=LARGEST_BULK).contains(&items.len()) => {
            let receipt = sim.state.receive_bulk(items);
            let at = answers::date_time(sim.state.now());
            sim.success(&to, &json!({ "ReceptionNumber": receipt, "ReceptionDateTime": at }))
        }
        Some(_) | None => sim.error(&to, "REQUEST_INVALID"),
    }
}

pub(super) async fn bulk_outcome(Extract(sim): Sim, headers: HeaderMap, bytes: Bytes) -> Response {
    let (to, body) = match sim.open(&headers, &bytes) {
        Ok(opened) => opened,
        Err(refusal) => return refusal,
    };
    match text(&body, "ReceptionNumber").and_then(|receipt| sim.state.ask_bulk(receipt)) {
        None => sim.error(&to, "RECEPTION_UNKNOWN"),
        Some(BulkStand::Running) => axum::Json(answers::running(&to, sim.state.now())).into_response(),
        Some(BulkStand::Done(items)) => {
            let list: Vec<_> = items.iter().map(|(asked, outcome)| asked.answer(*outcome)).collect();
            sim.success(
                &to,
                &json!({ "ProcessingResultStatus": "1", "ReferenceNumberRegistrationResult": list }),
            )
        }
    }
}
