//! Readers and health.

use serde::Serialize;
use utoipa::ToSchema;

use super::{CollectHealth, MaintenanceHealth, Method};
use crate::codes::Code;
use crate::words::words;

/// カードリーダーの一覧と、選べる本人確認の方法。
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Readers {
    /// PC/SCサービスが応答しているか。
    pub service_available: bool,
    /// この環境と設定で選べる本人確認の方法。最初のものが既定です。
    pub methods: Vec<Method>,
    /// 暗証番号がロックされたとき、続けて目視で確認できるか（visual_after_lock_of）。
    pub visual_after_lock: bool,
    /// カードリーダー。
    pub readers: Vec<Reader>,
    /// 設定された端末と、いま資格確認を始めると使うカードリーダー。
    pub terminals: Vec<TerminalReader>,
}

/// 端末と、そのカードリーダー。
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TerminalReader {
    /// 端末。
    #[schema(example = "uketsuke-1")]
    pub terminal: String,
    /// カードリーダー。見つからないか、どれか決まらないときはありません。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "Sony RC-S300/P 00 00")]
    pub reader: Option<String>,
}

/// カードリーダー。
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Reader {
    /// 名前。
    #[schema(example = "Sony RC-S300/P 00 00")]
    pub name: String,
    /// 状態。
    pub state: ReaderState,
    /// 使用中の資格確認の番号。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "01J2ZK3M9Q4R8T6V7W5X1Y0ABC")]
    pub check_id: Option<String>,
}

words! {
    /// カードリーダーの状態。
    ReaderState {
        /// カードがありません。
        Empty = "empty",
        /// カードがあります。
        Card = "card",
        /// 応答しないものが置かれています。
        Mute = "mute",
        /// カードリーダーが応答しません。
        Unavailable = "unavailable",
    }
}

/// 稼働の状態。
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Health {
    /// 全体の状態。各部のうち最も悪い状態です。
    pub state: HealthState,
    /// ソフトウェアの版。
    #[schema(example = "0.1.0")]
    pub version: String,
    /// サンドボックス（模擬）として動いているか。
    pub sandbox: bool,
    /// カードリーダー。
    pub card: HealthPart,
    /// オンライン資格確認等システムとの接続。
    pub upstream: HealthPart,
    /// 結果の保存。
    pub store: HealthPart,
    /// ほかの端末やスマートフォンで行った資格確認の結果の取込。
    pub collect: CollectHealth,
    /// お知らせで予告された停止。
    pub maintenance: MaintenanceHealth,
    /// 保存期間の過ぎたデータの消去。
    pub retention: RetentionPart,
    /// オンライン資格確認等システムとの接続の詳しい状態。
    pub link: UpstreamLink,
    /// 接続について知っておくべきこと、すべきこと。急ぐものから順に並びます。
    pub notices: Vec<Notice>,
    /// 照会番号の送信。
    pub queue: QueueHealth,
    /// OQSフォルダー。
    pub folders: FoldersHealth,
}

/// オンライン資格確認等システムとの接続の詳しい状態。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct UpstreamLink {
    /// 問い合わせを通しているか。
    pub circuit: CircuitState,
    /// open のとき、次に問い合わせを試みる日時（日本時間、RFC 3339）。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "2026-10-08T10:00:05+09:00")]
    pub circuit_open_until: Option<String>,
    /// 最後に応答を得た日時（日本時間、RFC 3339）。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "2026-10-08T10:00:00+09:00")]
    pub last_success_at: Option<String>,
    /// 最後に失敗した日時（日本時間、RFC 3339）。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "2026-10-08T09:00:00+09:00")]
    pub last_failure_at: Option<String>,
    /// 最後の失敗のコード。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub last_failure_code: Option<Code>,
    /// オンライン資格確認等システムの時計が、このパソコンの時計より何秒進んでいるか。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 0)]
    pub clock_offset_seconds: Option<i64>,
    /// 接続用のクライアント証明書（中間証明書を含む）の有効期限（日本時間、RFC 3339）。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "2027-03-31T23:59:59+09:00")]
    pub client_certificate_not_after: Option<String>,
    /// 有効期限までの日数。切れた後は負の数です。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 174)]
    pub days_left: Option<i64>,
    /// 入れ替えた接続用のファイルを使い始めた日時（日本時間、RFC 3339）。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "2026-10-08T10:00:00+09:00")]
    pub files_renewed_at: Option<String>,
}

words! {
    /// 問い合わせを通しているか。
    CircuitState {
        /// 通している。
        Closed = "closed",
        /// 失敗が続いたため、しばらく止めている。
        Open = "open",
        /// 1件だけ通して、回復したか試している。
        Trying = "trying",
    }
}

/// 知らせ。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Notice {
    /// コード。
    pub code: Code,
    /// 何が起きているか。
    #[schema(example = "接続用のクライアント証明書の有効期限が近づいています。")]
    pub title: String,
    /// 今できること。
    #[schema(example = "期限が切れる前に新しい証明書の発行を受けてください。")]
    pub guidance: String,
}

impl Notice {
    /// A notice in the words of the table of codes.
    pub fn of(code: Code) -> Self {
        Self { code, title: code.title().to_owned(), guidance: code.guidance().to_owned() }
    }
}

/// 照会番号の送信の状態。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct QueueHealth {
    /// 送信の状態。
    pub part: HealthPart,
    /// まだ終わっていない件数。
    #[schema(example = 0, minimum = 0)]
    pub depth: u64,
    /// 最も古いものを受け付けてからの秒数。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 90, minimum = 0)]
    pub oldest_s: Option<u64>,
}

/// OQSフォルダーの状態。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FoldersHealth {
    /// 状態。フォルダーが設定されていなければ unknown です。
    pub part: HealthPart,
    /// まだ回答を書いていない依頼の件数。
    #[schema(minimum = 0, example = 0)]
    pub waiting: u64,
    /// 書くことが決まり、まだフォルダーに置かれていないファイルの数。
    #[schema(minimum = 0, example = 0)]
    pub due: u64,
    /// 扱えないため、そのままにしているファイルの数。
    #[schema(minimum = 0, example = 0)]
    pub refused: u64,
    /// 起動してから、前に置いたかどうか分からず、同じ内容で（もう一度）置いたファイルの数。
    #[schema(minimum = 0, example = 0)]
    pub ambiguous: u64,
}

/// 保存期間の過ぎたデータの消去の状態。過ぎたデータは、消去の前でも表示されません。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RetentionPart {
    /// 状態。
    pub state: HealthState,
    /// 問題のコード。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub code: Option<Code>,
    /// 何が起きているか。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "保存期間の過ぎたデータの消去が終わっていません。")]
    pub title: Option<String>,
    /// 今できること。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "管理者がディスクの空きを確認してください。")]
    pub guidance: Option<String>,
    /// 保存期間が過ぎてから消去を待っている秒数。待っているものがなければ0。
    #[schema(minimum = 0, example = 0)]
    pub lag_seconds: i64,
    /// 日時が正しいと確認できているか。確認できるまで消去は行いません。
    pub clock: ClockState,
}

impl RetentionPart {
    /// The part with how long something waits and what is known of the clock.
    pub fn new(part: HealthPart, lag_seconds: i64, clock: ClockState) -> Self {
        let HealthPart { state, code, title, guidance } = part;
        Self { state, code, title, guidance, lag_seconds, clock }
    }
}

words! {
    /// パソコンの日時の確認。
    ClockState {
        /// OSの時刻同期で確認しました。
        Synchronised = "synchronised",
        /// オンライン資格確認等システムの時刻と一致しています。
        Confirmed = "confirmed",
        /// まだ確認できていません。
        Unknown = "unknown",
        /// OSの時刻同期ができていません。
        Unsynchronised = "unsynchronised",
        /// オンライン資格確認等システムの時刻と30秒を超えて違います。
        Wrong = "wrong",
    }
}

/// 各部の状態。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct HealthPart {
    /// 状態。
    pub state: HealthState,
    /// 問題のコード。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub code: Option<Code>,
    /// 何が起きているか。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "カードリーダーが見つかりません。")]
    pub title: Option<String>,
    /// 今できること。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "汎用カードリーダーを差し直してください。")]
    pub guidance: Option<String>,
}

impl HealthPart {
    /// A part without a problem.
    pub fn well(state: HealthState) -> Self {
        Self { state, code: None, title: None, guidance: None }
    }

    /// A part with a problem, in the words of the table of codes.
    pub fn troubled(state: HealthState, code: Code) -> Self {
        Self {
            state,
            code: Some(code),
            title: Some(code.title().to_owned()),
            guidance: Some(code.guidance().to_owned()),
        }
    }
}

words! {
    /// 稼働の状態の種類。
    HealthState {
        /// 正常。
        Ok = "ok",
        /// まだ分からない（起動後に使われていない）。
        Unknown = "unknown",
        /// 一部が使えない。
        Degraded = "degraded",
        /// 使えない。
        Failed = "failed",
    }
}

/// プロセスが動いていることだけを表します。
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Liveness {
    /// 常に true。
    pub alive: bool,
}
