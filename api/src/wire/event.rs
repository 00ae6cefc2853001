//! Events (`text/event-stream`): what a client is told as it happens. Nothing in them is about a person.

use serde::Serialize;
use utoipa::ToSchema;

use super::{CheckPhase, ReaderState, ValidityCode};
use crate::words::words;

/// 保存された、または変わった結果。内容は GET /v1/results/{id} で取得してください。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ResultEvent {
    /// 結果の番号。
    #[schema(example = 42)]
    pub id: i64,
    /// 保存した結果が変わるたびに増える番号。1なら新しい結果です。
    #[schema(example = 1, minimum = 1)]
    pub version: i64,
    /// 資格有効性。
    pub validity: ValidityCode,
    /// 資格確認を行った端末。
    #[schema(example = "uketsuke-1")]
    pub terminal: String,
}

/// 自分のアカウントの資格確認が進んだこと。内容は GET /v1/checks/{id} で取得してください。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CheckEvent {
    /// 資格確認の番号。
    #[schema(example = "01J2ZK3M9Q4R8T6V7W5X1Y0ABC")]
    pub id: String,
    /// 変わるたびに増える番号。
    #[schema(example = 3, minimum = 1)]
    pub revision: i64,
    /// 段階。
    pub phase: CheckPhase,
}

/// カードリーダーの今の状態。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReadersEvent {
    /// カードリーダーのサービス（PC/SC）が使えるか。
    pub service_available: bool,
    /// カードリーダー。
    pub readers: Vec<SeenReader>,
}

/// カードリーダー1台。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SeenReader {
    /// 名前。
    #[schema(example = "Sony RC-S300/P 00 00")]
    pub name: String,
    /// 状態。
    pub state: ReaderState,
}

/// 月が変わり、参照できなくなった結果があること。取得済みのものも消去してください。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ExpiredEvent {
    /// この日時（日本時間、RFC 3339）より前に行った資格確認の結果は、もう参照できません。
    #[schema(format = DateTime, example = "2026-06-01T00:00:00+09:00")]
    pub expired_before: String,
}

words! {
    /// ストリームが終わる理由。
    EndReason {
        /// 資格ブリッジが終了します。少し待って、つなぎ直してください。
        Stopping = "stopping",
        /// セッションが終わりました。ログインし直してください。
        SessionEnded = "session_ended",
    }
}

/// ストリームの終わり。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct EndEvent {
    /// 理由。
    pub reason: EndReason,
}

/// 内容のないもの。
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct NoContent {}

/// An event with its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The stream has begun; its id is where it stands.
    Ready,
    /// A result was stored or changed.
    Result(ResultEvent),
    /// A check of the caller's account moved on.
    Check(CheckEvent),
    /// Readers or cards changed.
    Readers(ReadersEvent),
    /// The announcements changed.
    Announcements,
    /// A month has ended.
    Expired(ExpiredEvent),
    /// Events were left out: what the client keeps must be read anew.
    Resync,
    /// The last event.
    End(EndReason),
}

impl Event {
    /// The event in the form of `text/event-stream`; with an id, a client that lost its connection goes on after it.
    pub fn frame(&self, id: Option<&str>) -> Vec<u8> {
        let empty = NoContent {};
        let (name, data) = match self {
            Self::Ready => ("ready", json(&empty)),
            Self::Result(event) => ("result", json(event)),
            Self::Check(event) => ("check", json(event)),
            Self::Readers(event) => ("readers", json(event)),
            Self::Announcements => ("announcements", json(&empty)),
            Self::Expired(event) => ("expired", json(event)),
            Self::Resync => ("resync", json(&empty)),
            Self::End(reason) => ("end", json(&EndEvent { reason: *reason })),
        };
        let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
        // JSON on one line: no line break of a value can end the event.
        format!("event: {name}\n{id}data: {data}\n\n").into_bytes()
    }
}

fn json(content: &impl Serialize) -> String {
    // Strings and numbers cannot fail to serialise.
    serde_json::to_string(content).unwrap_or_default()
}

/// Keeps a connection without events open, and finds out that the other side is gone.
pub const HEARTBEAT: &[u8] = b": heartbeat\n\n";
