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
        /// 【C】iPhone。患者がiPhoneで生体認証をしてからかざします。暗証番号は使いません。
        Iphone = "iphone",
        /// 【D】Androidスマートフォン。スマホ用利用者証明用電子証明書の数字4桁の暗証番号。
        AndroidPin = "android_pin",
    }

    /// 実物のマイナンバーカードの種類。ICチップからは分からないため、担当者が見て伝えます。
    CardKind {
        /// 顔写真があります。
        WithPhoto = "with_photo",
        /// 顔写真がありません（申請時に1歳未満）。目視では確認できません。
        WithoutPhoto = "without_photo",
        /// 顔認証マイナンバーカード。暗証番号は使えません。
        FaceAuthentication = "face_authentication",
    }

    /// 暗証番号を入力する人、またはカードやスマートフォンをかざす人。
    EnteredBy {
        /// 患者本人（原則）。
        Patient = "patient",
        /// 法定代理人。乳幼児または成年被後見人の場合です。
        LegalRepresentative = "legal_representative",
        /// 本人の希望により動作を補助する家族、介助者、資格確認担当者など。
        Helper = "helper",
    }

    /// かざされたもの。
    Token {
        /// 実物のマイナンバーカード。
        Plastic = "plastic",
        /// Androidスマートフォンのマイナンバーカード。
        Android = "android",
        /// iPhoneのマイナンバーカード。
        Iphone = "iphone",
    }

    /// 読み取ったときの電子証明書の状態。使えるかどうかは、オンライン資格確認等システムが判断します。
    CertificateState {
        /// 有効期間がまだ始まっていません。このパソコンの日時を確認してください。
        NotYetValid = "not_yet_valid",
        /// 有効です。
        Valid = "valid",
        /// 3か月以内に有効期限が切れます。
        ExpiresSoon = "expires_soon",
        /// 有効期限が切れ、猶予期間内です（実物のカードのみ）。
        InGrace = "in_grace",
        /// 有効期限と、実物のカードでは猶予期間が過ぎています。
        PastGrace = "past_grace",
    }
}

/// 資格確認の開始。
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCheck {
    /// 本人確認の方法。
    pub method: Method,
    /// 資格確認を行う端末。省略すると既定の端末です。
    #[serde(default, deserialize_with = "super::given")]
    #[schema(nullable = false, example = "uketsuke-1", min_length = 1, max_length = 64)]
    pub terminal: Option<String>,
    /// 使用するカードリーダーの名前（GET /v1/readers）。1台だけ接続されていれば省略できます。
    #[serde(default, deserialize_with = "super::given")]
    #[schema(nullable = false, example = "Sony RC-S300/P 00 00", min_length = 1, max_length = 255)]
    pub reader: Option<String>,
    /// カードの種類。method が visual か card_pin のときに指定できます。
    #[serde(default, deserialize_with = "super::given")]
    #[schema(nullable = false)]
    pub card_kind: Option<CardKind>,
    /// 暗証番号を入力する人、またはかざす人。省略は患者本人を意味します。
    #[serde(default, deserialize_with = "super::given")]
    #[schema(nullable = false)]
    pub entered_by: Option<EnteredBy>,
    /// 暗証番号のロック（pin_locked）で終わった資格確認の番号。method が visual のときだけ指定でき、「目視確認で本人認証」が無効でも、
    /// 同じ端末で15分以内に1回、目視で確認できます。監査ログに記録されます。
    #[serde(default, deserialize_with = "super::given")]
    #[schema(nullable = false, example = "01J2ZK3M9Q4R8T6V7W5X1Y0ABC", min_length = 1, max_length = 64)]
    pub visual_after_lock_of: Option<String>,
}

/// 患者が入力した暗証番号。この資格確認で1回だけカードに照合し、すぐに消去します。
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PinEntry {
    /// 利用者証明用電子証明書の暗証番号（半角数字4桁。先頭の0も必要です）。
    #[schema(value_type = String, write_only, example = "1234", min_length = 1, max_length = 64)]
    pub pin: SecretText,
}

words! {
    /// 利用登録に同意した人。
    ConsentedBy {
        /// 患者本人（原則）。
        Patient = "patient",
        /// 法定代理人。乳幼児または成年被後見人の場合です。
        LegalRepresentative = "legal_representative",
    }
}

/// 健康保険証利用登録についての患者の意思。
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CardUseRegistration {
    /// 実物のマイナンバーカードを健康保険証等として利用するための申込みに、患者が同意したか。true で登録に進み、false で終わります。
    #[schema(example = true)]
    pub consent: bool,
    /// 同意した人。省略は患者本人を意味します。consent が true のときに監査ログに記録されます。
    #[serde(default, deserialize_with = "super::given")]
    #[schema(nullable = false)]
    pub consented_by: Option<ConsentedBy>,
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
        /// 健康保険証としての利用登録がされていません。登録の申込みに患者が同意するか確認し、card-use-registration か中止を送ってください（5分以内）。
        OfferingRegistration = "offering_registration",
        /// 利用登録をしています（目安15秒、最長25秒）。中止できません。終わると結果に進みます。
        Registering = "registering",
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
    /// 伝えられたカードの種類。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub card_kind: Option<CardKind>,
    /// 伝えられた、暗証番号を入力する人、またはかざす人。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub entered_by: Option<EnteredBy>,
    /// 暗証番号のロックで終わり、この目視の前に行われた資格確認の番号。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "01J2ZK3M9Q4R8T6V7W5X1Y0ABC")]
    pub visual_after_lock_of: Option<String>,
    /// 読み取った電子証明書。資格確認の結果には保存されません。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub certificate: Option<Certificate>,
    /// 保存された結果の番号。phase が done のときだけあります。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 42)]
    pub result_id: Option<i64>,
    /// できなかった理由。phase が failed のときだけあります。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub failure: Option<CheckFailure>,
}

/// 利用者証明用電子証明書について、担当者と患者が知っておくとよいこと。
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Certificate {
    /// 有効期限（日本時間、RFC 3339）。
    #[schema(format = DateTime, example = "2028-02-17T23:59:59+09:00")]
    pub not_after: String,
    /// 状態。
    pub state: CertificateState,
    /// 発行元が、本ソフトウェアの知る世代の認証局か。
    pub issuer_known: bool,
    /// 知っておくこと、患者に伝えること。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "電子証明書の有効期限が3か月以内に切れます。")]
    pub warning: Option<String>,
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
    /// かざされたもの。code が wrong_token のときにあります。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub token: Option<Token>,
    /// 暗証番号の残りの入力回数。code が wrong_pin か wrong_pin_phone のときにあります。
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
            token: None,
            tries_left: None,
            upstream_code: None,
        }
    }
}
