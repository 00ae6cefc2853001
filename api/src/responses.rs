//! Error answers in the document: per operation the codes it can give, grouped by status.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use utoipa::IntoResponses;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Content, Ref, RefOr, Response, ResponseBuilder};

use crate::codes::Code;
use crate::problem::PROBLEM_JSON;

/// Codes of the guard and the listener: every operation can answer with them.
const ALWAYS: &[Code] = &[
    Code::InvalidRequest,
    Code::HostNotAllowed,
    Code::OriginNotAllowed,
    Code::ClientCertificateRequired,
    Code::BodyTooLarge,
    Code::TooManyConnections,
];

/// Codes of every operation that does something.
const WORK: &[Code] = &[Code::RequestTimeout, Code::Internal];

/// Codes of every operation that needs a session.
const SESSION: &[Code] = &[
    Code::SessionRequired,
    Code::ForbiddenRole,
    Code::PasswordChangeRequired,
    Code::StoreFull,
    Code::RateLimited,
];

/// Codes of every operation with a body.
const BODY: &[Code] = &[Code::UnsupportedMediaType];

/// Codes of setting one inquiry number.
const INQUIRY: &[Code] = &[
    Code::InquiryNumberInvalid,
    Code::InquiryPersonNotFound,
    Code::InquiryNumberInUse,
    Code::InquiryQueueFull,
    Code::UpstreamRefused,
];

/// Codes of every operation that can be named by a key.
const KEY: &[Code] = &[Code::IdempotencyKeyInUse, Code::IdempotencyKeyReused];

fn document(groups: &[&[Code]]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in groups.iter().copied().flatten() {
        let same_status = by_status.entry(code.status().as_u16()).or_default();
        if !same_status.contains(code) {
            same_status.push(*code);
        }
    }
    by_status.into_iter().map(|(status, codes)| (status.to_string(), RefOr::T(response(&codes)))).collect()
}

fn line(code: Code) -> String {
    format!("`{}`: {}", code.as_str(), code.title())
}

/// Of readiness: what keeps the program from its work comes as the same document as that nothing does.
pub(crate) struct ReadinessErrors;

impl IntoResponses for ReadinessErrors {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let mut responses = document(&[ALWAYS, WORK]);
        let unready = Content::new(Some(Ref::from_schema_name("Readiness")));
        if let Some(RefOr::T(unavailable)) = responses.get_mut("503") {
            unavailable.description =
                format!("応えられません。理由は reasons にあります。\n\n{}", unavailable.description);
            unavailable.content.insert("application/json".to_owned(), RefOr::T(unready));
        }
        responses
    }
}

/// Of operations whose answers have tags: that the client has the answer.
pub(crate) struct NotModified;

impl IntoResponses for NotModified {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let known = ResponseBuilder::new()
            .description("変わっていません。本文はありません。")
            .header("ETag", text("持っている応答の印。"))
            .build();
        BTreeMap::from([("304".to_owned(), RefOr::T(known))])
    }
}

/// Adds a code to an operation that has answers of its status already.
pub(crate) fn add(operation: &mut Operation, code: Code) {
    let status = code.status().as_u16().to_string();
    if let Some(RefOr::T(response)) = operation.responses.responses.get_mut(&status) {
        response.description = format!("{}\n\n{}", response.description, line(code));
        response.headers.extend(headers(&[code]));
    }
}

fn response(codes: &[Code]) -> Response {
    let lines: Vec<String> = codes.iter().map(|code| line(*code)).collect();
    let mut response = ResponseBuilder::new()
        .description(lines.join("\n\n"))
        .content(PROBLEM_JSON, Content::new(Some(Ref::from_schema_name("Problem"))))
        .build();
    response.headers.extend(headers(codes));
    response
}

//------------ Headers ------------------------------------------------------------------------------------------------

/// The headers that answers with these codes carry beside those of every answer.
fn headers(codes: &[Code]) -> BTreeMap<String, RefOr<Header>> {
    let any = |holds: fn(Code) -> bool| codes.iter().copied().any(holds);
    let each = [
        (
            any(says_when),
            "Retry-After",
            seconds("もう一度試せるまでの秒数。本文の retry_after と同じ値です。"),
        ),
        (any(asks_for_a_session), "WWW-Authenticate", text("常に Bearer です。")),
        (
            any(|code| code == Code::CsrfTokenInvalid),
            "Set-Cookie",
            text("受付ページの待ち受けだけ：セッションの Cookie を消します。"),
        ),
    ];
    each.into_iter()
        .filter(|(sent, ..)| *sent)
        .map(|(_, name, header)| (name.to_owned(), RefOr::T(header)))
        .collect()
}

/// Whether answers with a code may say when to come back.
fn says_when(code: Code) -> bool {
    [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&code.status())
        || code == Code::IdempotencyKeyInUse
}

fn asks_for_a_session(code: Code) -> bool {
    code.status() == StatusCode::UNAUTHORIZED
}

fn text(description: &str) -> Header {
    HeaderBuilder::new().description(Some(description)).build()
}

fn seconds(description: &str) -> Header {
    let number = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
    HeaderBuilder::new().schema(Some(number)).description(Some(description)).build()
}

//------------ Operations ---------------------------------------------------------------------------------------------

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident = [$($group:expr),+];)+) => {
        $(
            $(#[$doc])*
            pub(crate) struct $name;

            impl IntoResponses for $name {
                fn responses() -> BTreeMap<String, RefOr<Response>> {
                    document(&[$($group),+])
                }
            }
        )+
    };
}

errors! {
    /// Of operations without a session that only answer something fixed.
    FixedErrors = [ALWAYS];
    /// Of the figures.
    MetricsErrors = [ALWAYS, WORK, &[Code::NotFound]];
    /// Of signing in.
    SignInErrors = [ALWAYS, WORK, BODY, &[
        Code::SignInFailed, Code::SignInDelayed, Code::RateLimited, Code::StoreFull,
    ]];
    /// Of the first of two steps of signing in, which judges nothing.
    BeginErrors = [ALWAYS, WORK, BODY];
    /// Of enrolling a device.
    EnrolErrors = [ALWAYS, WORK, BODY, &[Code::EnrolmentCodeInvalid, Code::RateLimited, Code::StoreFull]];
    /// Of enrolling a machine.
    EnrolMachineErrors = [ALWAYS, WORK, BODY, &[
        Code::EnrolmentCodeInvalid, Code::CertificateRequestInvalid, Code::ClockUntrusted, Code::RateLimited,
        Code::StoreFull,
    ]];
    /// Of renewing a machine's certificate.
    RenewMachineErrors = [ALWAYS, WORK, SESSION, BODY, &[
        Code::CertificateRequestInvalid, Code::RenewalRefused, Code::ClockUntrusted,
    ]];
    /// Of asking for a passkey, without a session.
    AskErrors = [ALWAYS, WORK, &[Code::PasskeysUnavailable]];
    /// Of beginning to enrol a passkey.
    BeginPasskeyErrors = [ALWAYS, WORK, SESSION, BODY, &[
        Code::WrongCredentials, Code::SignInDelayed, Code::PasskeysUnavailable,
    ]];
    /// Of enrolling a passkey.
    AddPasskeyErrors = [ALWAYS, WORK, SESSION, BODY, &[
        Code::PasskeyRefused, Code::TooManyPasskeys, Code::PasskeysUnavailable,
    ]];
    /// Of removing one's own passkey.
    PasskeyErrors = [ALWAYS, WORK, SESSION, &[Code::PasskeyNotFound]];
    /// Of removing an account's passkeys.
    AccountPasskeysErrors = [ALWAYS, WORK, SESSION, &[Code::AccountNotFound]];
    /// Of keeping a checklist.
    ChecklistErrors = [ALWAYS, WORK, SESSION, BODY, &[Code::UnknownTerminal]];
    /// Of keeping an incident.
    IncidentErrors = [ALWAYS, WORK, SESSION, BODY, &[Code::UnknownTerminal, Code::ResultNotFound]];
    /// Of ending a session by its id.
    SessionErrors = [ALWAYS, WORK, SESSION, &[Code::SessionNotFound]];
    /// Of changing one's own account.
    OwnAccountErrors = [ALWAYS, WORK, SESSION, BODY, &[
        Code::WrongCredentials, Code::SignInDelayed, Code::PasswordUnacceptable, Code::TotpNotOffered,
    ]];
    /// Of accepting what OQS folders are.
    FolderErrors = [ALWAYS, WORK, SESSION, BODY, &[Code::FoldersNotConfigured]];
    /// Of creating an account.
    NewAccountErrors = [ALWAYS, WORK, SESSION, BODY, &[Code::AccountExists]];
    /// Of changing an account.
    AccountErrors = [ALWAYS, WORK, SESSION, &[
        Code::AccountNotFound, Code::LastAdministrator,
    ]];
    /// Of changing an account with a body.
    AccountBodyErrors = [ALWAYS, WORK, SESSION, BODY, &[Code::AccountNotFound, Code::LastAdministrator]];
    /// Of removing a terminal.
    TerminalErrors = [ALWAYS, WORK, SESSION, &[Code::TerminalNotFound]];
    /// Of operations without parameters.
    PlainErrors = [ALWAYS, WORK, SESSION];
    /// Of operations with a query.
    QueryErrors = [ALWAYS, WORK, SESSION];
    /// Of starting a check.
    NewCheckErrors = [ALWAYS, WORK, SESSION, BODY, KEY, &[
        Code::NoReader, Code::ReaderRequired, Code::ReaderBusy, Code::VisualNeedsTerminalMaterial,
        Code::UnknownTerminal, Code::CardServiceUnavailable,
        Code::CardServiceRefused, Code::ReaderUnavailable,
        Code::VisualWithoutPhoto, Code::PinOnFaceCard, Code::VisualDisabled, Code::VisualSwitchRefused,
        Code::CheckNotFound,
    ]];
    /// Of operations without parameters but a body.
    BodyErrors = [ALWAYS, WORK, SESSION, BODY];
    /// Of reading a check.
    CheckErrors = [ALWAYS, WORK, SESSION, &[Code::CheckNotFound]];
    /// Of moving a check on.
    CheckStepErrors = [ALWAYS, WORK, SESSION, &[Code::CheckNotFound, Code::WrongPhase]];
    /// Of entering the PIN.
    PinErrors = [ALWAYS, WORK, SESSION, BODY, &[Code::CheckNotFound, Code::WrongPhase, Code::PinFormat]];
    /// Of deciding about card-use registration.
    CardUseRegistrationErrors = [ALWAYS, WORK, SESSION, BODY, &[Code::CheckNotFound, Code::WrongPhase]];
    /// Of reading one result.
    ResultErrors = [ALWAYS, WORK, SESSION, &[Code::NotAcceptable, Code::ResultNotFound]];
    /// Of searching results.
    SearchErrors = [ALWAYS, WORK, SESSION, BODY];
    /// Of waiting for changes of results.
    ChangesErrors = [ALWAYS, WORK, SESSION, &[Code::TooManyStreams, Code::StreamsFull]];
    /// Of the stream of events.
    EventErrors = [ALWAYS, WORK, SESSION, &[Code::TooManyStreams, Code::StreamsFull]];
    /// Of exporting results.
    ExportErrors = [ALWAYS, WORK, SESSION, &[
        Code::NotAcceptable, Code::ResultNotFound, Code::TooManyExports, Code::ExportsFull,
    ]];
    /// Of fetching results from the central system.
    CollectErrors = [ALWAYS, WORK, SESSION, &[
        Code::UpstreamUnreachable, Code::UpstreamTimeout, Code::UpstreamMaintenance, Code::UpstreamCertificate,
        Code::UpstreamMalformed, Code::UpstreamRefused, Code::UpstreamRenegotiation,
    ]];
    /// Of setting the inquiry number of a result's person.
    InquiryNumberErrors = [ALWAYS, WORK, SESSION, BODY, KEY, INQUIRY, &[
        Code::ResultNotFound, Code::InquiryPersonUnknown, Code::InquiryPersonAmbiguous,
    ]];
    /// Of setting the inquiry number of a person by insurance identifiers.
    InquiryByInsuranceErrors = [ALWAYS, WORK, SESSION, BODY, KEY, INQUIRY];
    /// Of reading what became of an inquiry number.
    InquiryJobErrors = [ALWAYS, WORK, SESSION, &[Code::InquiryJobNotFound]];
    /// Of inquiry numbers in bulk.
    BulkErrors = [ALWAYS, WORK, SESSION, BODY, KEY, &[Code::InquiryNumberInvalid, Code::InquiryQueueFull]];
    /// Of reading what became of a bulk.
    BulkStandErrors = [ALWAYS, WORK, SESSION, &[Code::InquiryJobNotFound]];
}
