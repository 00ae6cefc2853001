//! The words of answers: what became of a request, as a file of the protocol.

use jiff::Timestamp;

use super::Folder;
use super::intake::{Fault, Refused};
use crate::app::folders::BulkItems;
use crate::app::ports::{Echo, FileBytes, InquiryEnd, InquiryFailure};
use crate::domain::identifiers::InquiryNumber;
use crate::domain::queue::BulkId;
use crate::formats::charset::Encoder;
use crate::formats::reply::{Envelope, Item, Reply, Why, write};

/// Why a well-formed request could not be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Impossible {
    /// It was changed after its number had been taken in.
    Changed,
    /// Its number's retention has ended before the central system answered.
    Expired,
    /// No bulk of this folder has this receipt number.
    ReceptionUnknown,
}

impl Impossible {
    fn why(self) -> Why<'static> {
        let (code, message) = match self {
            Self::Changed => ("folder_request_changed", "受け付けた後に依頼のファイルが書き換えられました。"),
            Self::Expired => (
                "folder_request_expired",
                "保存期間が過ぎたため、結果が分かりません。もう一度依頼してください。",
            ),
            Self::ReceptionUnknown => ("folder_reception_unknown", "この受付番号の一括登録はありません。"),
        };
        Why { code, message }
    }
}

fn why(failure: &InquiryFailure) -> Why<'static> {
    let message = match failure {
        InquiryFailure::ResultNotFound => "資格確認の結果が見つかりません。",
        InquiryFailure::PersonUnknown => "結果に被保険者等記号・番号等がありません。",
        InquiryFailure::PersonAmbiguous => "該当する人を1人に決められません。",
        InquiryFailure::PersonNotFound => "この被保険者等記号・番号等の人が見つかりません。",
        InquiryFailure::NumberInUse => "この照会番号はほかの人に使われています。",
        InquiryFailure::Refused { .. } => "オンライン資格確認等システムが受け付けませんでした。",
    };
    Why { code: failure.code(), message }
}

/// Whether a value can be repeated in the folder's character set as it is.
pub(super) fn fits(folder: &Folder, value: &str) -> bool {
    let (written, counts) = Encoder::new(folder.charset).reduce(value);
    written == value && counts.lost == 0
}

/// What an answer repeats of its request.
pub(super) fn echo(folder: &Folder, identifier: Option<String>, number: Option<InquiryNumber>) -> Echo {
    Echo { institution: folder.institution.as_str().to_owned(), identifier, number }
}

fn file(folder: &Folder, institution: &str, identifier: Option<&str>, reply: &Reply<'_>) -> FileBytes {
    FileBytes::new(write(&Envelope { institution, identifier, charset: folder.charset }, reply))
}

fn about(folder: &Folder, echo: &Echo, reply: &Reply<'_>) -> FileBytes {
    file(folder, &echo.institution, echo.identifier.as_deref(), reply)
}

/// The request is at fault. A code of another institution is repeated, so that its sender knows the answer.
pub(super) fn refused(folder: &Folder, refused: &Refused) -> FileBytes {
    let institution = refused.institution.as_ref().unwrap_or(&folder.institution).as_str();
    let identifier = refused.identifier.as_deref().filter(|identifier| fits(folder, identifier));
    let message = refused.fault.message();
    let why = Why { code: refused.fault.code(), message: &message };
    file(folder, institution, identifier, &Reply::Fault(why))
}

/// A value that the folder's character set does not have.
pub(super) fn unwritable(item: Option<usize>) -> Fault {
    Fault::Value { item, rule: "このフォルダーの文字コードで書けない文字があります" }
}

/// The request cannot be carried out.
pub(super) fn impossible(folder: &Folder, echo: &Echo, impossible: Impossible) -> FileBytes {
    about(folder, echo, &Reply::Fault(impossible.why()))
}

/// How a number's registration ended.
pub(super) fn single(folder: &Folder, echo: &Echo, end: &InquiryEnd) -> FileBytes {
    let failure = failure_of(end);
    let number = echo.number.as_ref().map_or("", InquiryNumber::expose);
    about(folder, echo, &Reply::Single(Item { number, failure }))
}

fn failure_of(end: &InquiryEnd) -> Option<Why<'static>> {
    match end {
        InquiryEnd::Registered => None,
        InquiryEnd::Failed(failure) => Some(why(failure)),
    }
}

/// A bulk was taken in.
pub(super) fn received(folder: &Folder, echo: &Echo, bulk: BulkId, at: Timestamp) -> FileBytes {
    about(folder, echo, &Reply::Received { number: &bulk.0.to_string(), at })
}

/// What became of a bulk.
pub(super) fn outcome(folder: &Folder, echo: &Echo, bulk: BulkId, items: &BulkItems) -> FileBytes {
    let number = bulk.0.to_string();
    if items.running {
        return about(folder, echo, &Reply::Running { number: &number });
    }
    let item = |(number, end): &(InquiryNumber, Option<InquiryEnd>)| {
        let failure = end.as_ref().and_then(failure_of);
        (number.expose().to_owned(), failure)
    };
    let ended: Vec<_> = items.items.iter().map(item).collect();
    let items = ended.iter().map(|(number, failure)| Item { number, failure: *failure }).collect();
    about(folder, echo, &Reply::Ended { number: &number, items })
}
