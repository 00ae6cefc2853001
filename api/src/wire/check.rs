//! Checks (資格確認).

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::SecretText;
use crate::codes::{Code, Who};
use crate::words::words;

words! {
    /// 本人確認の方法（運用マニュアル 第2章 2）。
    Method {
        /// 【A】顔写真の目視。使える環境でのみ選べます。
        Visual = "visual",
        /// 【B】数字4桁の暗証番号。
        CardPin = "card_pin",
    }
}

/// 資格確認の開始。
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCheck {
    /// 本人確認の方法。
    pub method: Method,
    /// 資格確認を行う端末。省略すると既定の端末です。
    #[schema(nullable = false, example = "uketsuke-1", min_length = 1, max_length = 64)]
    pub terminal: Option<String>,
    /// 使用するカードリーダーの名前（GET /v1/readers）。1台だけ接続されていれば省略できます。
    #[schema(nullable = false, example = "Sony RC-S300/P 00 00", min_length = 1, max_length = 255)]
    pub reader: Option<String>,
}

/// 患者が入力した暗証番号。この資格確認で1回だけカードに照合し、すぐに消去します。
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PinEntry {
    /// 利用者証明用電子証明書の暗証番号（半角数字4桁。先頭の0も必要です）。
    #[schema(value_type = String, write_only, example = "1234", min_length = 1, max_length = 64)]
    pub pin: SecretText,
}

/// 変化を待つ条件。
#[derive(Debug, Clone, Copy, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CheckWait {
    /// この revision より後の変化を待ちます。
    #[param(nullable = false, minimum = 0, example = 3)]
    pub after_revision: Option<i64>,
    /// 待つ最大の秒数。after_revision と一緒に使います。変化がなければ、そのときの状態を返します。
    #[param(nullable = false, minimum = 0, maximum = 25, default = 0, example = 25)]
    pub wait_seconds: Option<u32>,
}

words! {
    /// 資格確認の段階。done、failed、cancelled、timed_out は終わりで、以後変わりません。
    CheckPhase {
        /// オンライン資格確認等システムに署名の対象を求めています。
        FetchingChallenge = "fetching_challenge",
        /// 患者の暗証番号の入力を待っています。
        WaitingForPin = "waiting_for_pin",
        /// カードがかざされるのを待っています。
        WaitingForCard = "waiting_for_card",
        /// カードを読み取っています。カードを動かさないでください。
        Reading = "reading",
        /// 暗証番号の残りが1回です。患者に確認し、confirm-last-try か中止を送ってください。
        ConfirmingLastTry = "confirming_last_try",
        /// オンライン資格確認等システムに資格を確認しています。
        AskingUpstream = "asking_upstream",
        /// 終わりました。result_id の結果を確認してください。
        Done = "done",
        /// できませんでした。failure に理由と対応があります。
        Failed = "failed",
        /// 中止しました。
        Cancelled = "cancelled",
        /// 時間内に進まなかったため終わりました。
        TimedOut = "timed_out",
    }
}

/// 資格確認の状態。変わるたびに revision が増えます。
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Check {
    /// 資格確認の番号。
    #[schema(example = "01J2ZK3M9Q4R8T6V7W5X1Y0ABC")]
    pub id: String,
    /// 変更の通し番号。after_revision に渡すと、次の変更まで待てます。
    #[schema(example = 3, minimum = 1)]
    pub revision: i64,
    /// 本人確認の方法。
    pub method: Method,
    /// 段階。
    pub phase: CheckPhase,
    /// 資格確認を行う端末。
    #[schema(example = "uketsuke-1")]
    pub terminal: String,
    /// 使用しているカードリーダー。
    #[schema(example = "Sony RC-S300/P 00 00")]
    pub reader: String,
    /// 開始した日時（日本時間、RFC 3339）。
    #[schema(format = DateTime, example = "2026-07-08T12:00:00+09:00")]
    pub created_at: String,
    /// 保存された結果の番号。phase が done のときだけあります。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 42)]
    pub result_id: Option<i64>,
    /// できなかった理由。phase が failed のときだけあります。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub failure: Option<CheckFailure>,
}

/// 資格確認ができなかった理由と対応。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CheckFailure {
    /// 問題のコード。
    pub code: Code,
    /// 何が起きたか。
    #[schema(example = "暗証番号が違います。")]
    pub title: String,
    /// 担当者と患者が今できること。
    #[schema(example = "残りの入力回数を患者に伝え、もう一度資格確認を始めてください。")]
    pub guidance: String,
    /// 対応できる人。
    pub who: Who,
    /// 暗証番号の残りの入力回数。code が wrong_pin のときにあります。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 2, minimum = 0, maximum = 3)]
    pub tries_left: Option<u8>,
    /// オンライン資格確認等システムのエラーコード。code が upstream_refused のときにあります。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "ASRV00001E")]
    pub upstream_code: Option<String>,
}

impl CheckFailure {
    /// A failure with the texts of the table of codes.
    pub fn new(code: Code) -> Self {
        Self {
            code,
            title: code.title().to_owned(),
            guidance: code.guidance().to_owned(),
            who: code.who(),
            tries_left: None,
            upstream_code: None,
        }
    }
}
