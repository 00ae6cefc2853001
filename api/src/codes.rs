//! Codes: every problem this API can report, in one table.
//!
//! A code never changes its meaning. Title and guidance are what the page and a receipt computer show to staff; they
//! follow chapters 2 and 3 of the operations manual (施術所等向け 運用マニュアル 1.80版). Where there is no field for it the
//! text never says which part of a sign-in was wrong, and never whether an account exists or is locked.

use std::borrow::Cow;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::words::words;

words! {
    /// 対応できる人。
    Who {
        /// 資格確認担当者。
        Staff = "staff",
        /// 施設の管理者。
        Administrator = "administrator",
        /// レセコンなど、連携するソフトウェアの開発元。
        Vendor = "vendor",
    }
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal, $status:ident, $who:ident, $title:literal, $guidance:expr;)+) => {
        /// 問題の種類を表す安定したコード。意味が変わることはありません。将来コードが増えることがあります。
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Code {
            $($(#[doc = $doc])+ #[serde(rename = $text)] $name,)+
        }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// What it means, in English, for documents.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+).trim_ascii_start(),)+ }
            }

            /// The code as it is written on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// The HTTP status of an answer with this code. A failed check carries its code inside a 200 answer instead.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)+ }
            }

            /// Who can do something about it.
            pub fn who(self) -> Who {
                match self { $(Self::$name => Who::$who,)+ }
            }

            /// What happened, in Japanese, in one short sentence.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)+ }
            }

            /// What staff and patient can do now, in Japanese.
            pub fn guidance(self) -> &'static str {
                match self { $(Self::$name => $guidance,)+ }
            }
        }
    };
}

/// Ways to confirm eligibility when the card cannot be used now (manual chapter 3, question 11 and its column).
macro_rules! other_ways {
    ($first:literal) => {
        concat!(
            $first,
            "オンライン資格確認ができないときは、次のいずれかで確認してください。",
            "①資格確認書の提示 ②実物のマイナンバーカードと資格情報のお知らせの提示 ",
            "③実物のマイナンバーカードとマイナポータルの資格情報画面（PDFも可）の提示。",
            "患者がスマートフォンのみ持参した場合は、その場でマイナポータルにログインした資格情報画面を提示。",
            "2回目以降の受療で必要な資格情報を把握していれば口頭で確認、初検であれば月内の次回受療時などに事後の確認が必須です。"
        )
    };
}

codes! {
    // --- Reader and card ---
    /// No reader is connected.
    NoReader = "no_reader", CONFLICT, Staff, "カードリーダーが見つかりません。",
        other_ways!("汎用カードリーダーがパソコンに接続されているか確認し、差し直してください。改善しない場合は管理者に連絡してください。");
    /// Several readers are connected and none was named.
    ReaderRequired = "reader_required", CONFLICT, Vendor, "使用するカードリーダーを指定してください。",
        "カードリーダーが複数接続されています。GET /v1/readers の一覧から選び、reader に名前を指定してください。";
    /// Another check is using the reader.
    ReaderBusy = "reader_busy", CONFLICT, Staff, "このカードリーダーは別の資格確認で使用中です。",
        "先に始めた資格確認が終わるのを待つか、それを中止してから、もう一度始めてください。";
    /// The PC/SC service is not running.
    CardServiceUnavailable = "card_service_unavailable", SERVICE_UNAVAILABLE, Administrator,
        "カードリーダーのサービス（PC/SC）が動いていません。",
        other_ways!("管理者がPC/SCサービス（pcscd、Windowsでは Smart Card サービス）の起動を確認してください。復旧すると自動で再接続します。");
    /// The PC/SC service refuses us.
    CardServiceRefused = "card_service_refused", SERVICE_UNAVAILABLE, Administrator,
        "カードリーダーのサービス（PC/SC）の使用が許可されていません。",
        other_ways!("管理者が、このサービスを実行するユーザーにPC/SCの使用を許可してください（polkitの org.debian.pcsc-lite.access_pcsc と org.debian.pcsc-lite.access_card）。許可されると自動で再接続します。");
    /// The reader is gone or does not answer.
    ReaderUnavailable = "reader_unavailable", SERVICE_UNAVAILABLE, Staff, "カードリーダーが応答しません。",
        other_ways!("汎用カードリーダーを差し直して、もう一度資格確認を始めてください。");
    /// Another program holds the card.
    CardInUse = "card_in_use", CONFLICT, Staff, "別のソフトウェアがカードを使用しています。",
        "マイナ資格確認アプリやブラウザなど、カードを使うほかのソフトウェアを終了してから、もう一度カードをかざしてください。";
    /// The card left before it was done.
    CardRemoved = "card_removed", CONFLICT, Staff, "読み取り中にカードが離れました。",
        "もう一度資格確認を始め、読み取りが終わるまでカードを動かさないよう患者にご案内ください。入力された暗証番号は破棄しました。";
    /// Not a My Number card.
    NotJpkiCard = "not_jpki_card", UNPROCESSABLE_ENTITY, Staff, "マイナンバーカードとして読み取れないカードです。",
        other_ways!("マイナンバーカードがかざされているか確認してください。ほかのカードと重ねてかざさないでください。");
    /// The card answered something unusable.
    CardUnreadable = "card_unreadable", UNPROCESSABLE_ENTITY, Staff, "カードを読み取れませんでした。",
        other_ways!("カードの位置を直して、もう一度お試しください。繰り返す場合はICチップの破損が考えられます。");
    /// The PIN was wrong; tries are left.
    WrongPin = "wrong_pin", UNPROCESSABLE_ENTITY, Staff, "暗証番号が違います。",
        "残りの入力回数を患者に伝え、利用者証明用電子証明書の数字4桁の暗証番号か確かめてから、もう一度資格確認を始めてください。連続で3回間違えるとロックされます。入力が難しい場合は、目視による確認もご検討ください。";
    /// The PIN is locked, or the card is a 顔認証カード.
    PinLocked = "pin_locked", UNPROCESSABLE_ENTITY, Staff, "暗証番号がロックされているか、顔認証マイナンバーカードです。",
        other_ways!("目視による確認ができる場合は、目視に切り替えてください（顔写真なしマイナンバーカードを除きます）。ロックの解除は住民票がある市区町村の窓口で行います。スマートフォンアプリとコンビニのキオスク端末による暗証番号の初期化でも解除できます。施術所等では解除できません。");
    /// The PIN of a phone's certificate was wrong; tries are left.
    WrongPinPhone = "wrong_pin_phone", UNPROCESSABLE_ENTITY, Staff, "スマートフォンの暗証番号が違います。",
        "残りの入力回数を患者に伝え、マイナンバーカードをスマートフォンに追加したときに設定した、スマホ用利用者証明用電子証明書の数字4桁の暗証番号か確かめてから、もう一度資格確認を始めてください。連続で3回間違えるとロックされます。実物のマイナンバーカードをお持ちであれば、そちらでも確認できます。";
    /// The PIN of a phone's certificate is locked.
    PinLockedPhone = "pin_locked_phone", UNPROCESSABLE_ENTITY, Staff, "スマートフォンの暗証番号がロックされています。",
        other_ways!("実物のマイナンバーカードをお持ちであれば、実物のカードで資格確認をしてください。患者が生体認証などでマイナポータルにログインできるときは、資格情報画面で確認してください。ロックの解除と暗証番号の初期化は、患者がマイナポータルアプリのマイページで行えます。");
    /// The phone did not sign because its owner was not recognised.
    PhoneNotUnlocked = "phone_not_unlocked", UNPROCESSABLE_ENTITY, Staff, "iPhoneで本人の認証が済んでいません。",
        "患者のiPhoneでAppleウォレットのマイナンバーカードを表示し、生体認証（Face IDまたはTouch ID）をしてからかざすようご案内のうえ、もう一度資格確認を始めてください。";
    /// Something else was held on the reader than the method is for.
    WrongToken = "wrong_token", UNPROCESSABLE_ENTITY, Staff, "選んだ方法と、かざされたものが違います。",
        "実物のマイナンバーカードは目視または暗証番号、iPhoneはiPhone、AndroidのスマートフォンはAndroidの方法を選び、もう一度資格確認を始めてください。暗証番号の照合は行っていません。";
    /// One try was left and nobody confirmed its use.
    LastTryUnconfirmed = "last_try_unconfirmed", CONFLICT, Staff, "暗証番号の最後の1回が確認されませんでした。",
        "次に間違えるとロックされます。患者に確認してからもう一度始めるか、目視による確認に切り替えてください。カードへの照合は行っていません。";
    /// Visual confirmation needs material that this installation does not have.
    VisualNeedsTerminalMaterial = "visual_needs_terminal_material", CONFLICT, Staff,
        "この端末では目視による確認を使えません。",
        other_ways!("暗証番号による確認をご利用ください。目視による確認には端末の認証情報が必要です。");
    /// A card without a photo cannot be confirmed by sight.
    VisualWithoutPhoto = "visual_without_photo", UNPROCESSABLE_ENTITY, Staff,
        "顔写真なしマイナンバーカードは目視で確認できません。",
        other_ways!("暗証番号による確認に切り替えてください。乳幼児または成年被後見人の場合は、法定代理人が患者に代わって暗証番号を入力できます。");
    /// A 顔認証カード has no usable PIN.
    PinOnFaceCard = "pin_on_face_card", UNPROCESSABLE_ENTITY, Staff,
        "顔認証マイナンバーカードでは暗証番号を使えません。",
        other_ways!("目視による確認ができる場合は、目視を選んでください。");
    /// The security setting asks for the PIN.
    VisualDisabled = "visual_disabled", CONFLICT, Staff, "目視による確認は、設定で無効になっています。",
        other_ways!("暗証番号による確認をご利用ください。暗証番号がロックされたときは、その資格確認に続けて目視に切り替えられます。設定は管理者が「目視確認で本人認証」で変更できます。");
    /// The named check does not allow the switch to visual.
    VisualSwitchRefused = "visual_switch_refused", CONFLICT, Staff, "この資格確認からは目視に切り替えられません。",
        "目視への切り替えは、同じ端末で暗証番号のロックにより終わった資格確認から15分以内に、1回だけ行えます。";
    /// The card is not registered as a health insurance card.
    CardUseNotRegistered = "card_use_not_registered", UNPROCESSABLE_ENTITY, Staff,
        "健康保険証としての利用登録がされていません。",
        other_ways!("利用登録を行う場合は、もう一度資格確認を始めてカードをかざし、患者の同意を得て登録してください（目安15秒。毎日午前3時から午前6時とメンテナンスの間は利用できません）。登録の画面に進まないときは、患者がマイナポータルなどで健康保険証利用の申込みを行えます。");
    /// The person of the phone's certificate is not registered.
    CardUseNotRegisteredPhone = "card_use_not_registered_phone", UNPROCESSABLE_ENTITY, Staff,
        "健康保険証としての利用登録がされていません（スマートフォン）。",
        other_ways!("患者のスマートフォンからマイナポータルにアクセスし、健康保険証利用の申込みを行うようご案内ください。登録の完了まで最長で5分かかります。完了したら、もう一度資格確認を始めてください。");
    /// Card-use registration is closed now.
    CardUseRegistrationClosed = "card_use_registration_closed", SERVICE_UNAVAILABLE, Staff,
        "健康保険証の利用登録は、今は受け付けていません。",
        other_ways!("このカードは健康保険証としての利用登録がされていません。利用登録は、毎日午前3時から午前6時と、メンテナンスの間は利用できません。メンテナンスの予定は施術所等向け総合ポータルサイトをご確認ください。今回は資格確認書等で資格を確認し、利用登録は受付の時間にもう一度カードをかざして行ってください。");
    /// The outcome of a card-use registration is not known yet.
    CardUseRegistrationPending = "card_use_registration_pending", GATEWAY_TIMEOUT, Staff,
        "健康保険証の利用登録の完了を確認できませんでした。",
        other_ways!("登録の処理は続いていることがあります。数分たってからもう一度資格確認を始め、カードをかざしてください。処理が完了していれば、通常どおり確認できます。");
    /// The certificate is past its grace period.
    CertificateExpired = "certificate_expired", UNPROCESSABLE_ENTITY, Staff,
        "カードの電子証明書の有効期限が切れています。",
        other_ways!("電子証明書の更新は市区町村の窓口で行えます。実物のカードの猶予期間（有効期間満了日の属する月の末日から3か月間）を過ぎると利用登録が解除され、資格確認書が交付されます。");
    /// The phone's certificate has ended.
    CertificateExpiredPhone = "certificate_expired_phone", UNPROCESSABLE_ENTITY, Staff,
        "スマートフォンの電子証明書の有効期限が切れています。",
        other_ways!("スマートフォンの電子証明書には猶予期間がありません。まず実物のマイナンバーカードをお持ちか確認し、お持ちであれば実物のカードで資格確認をしてください。");

    // --- Central system ---
    /// The central system cannot be reached.
    UpstreamUnreachable = "upstream_unreachable", BAD_GATEWAY, Staff,
        "オンライン資格確認等システムに接続できません。",
        other_ways!("ネットワークの接続を確認し、少し待ってからもう一度お試しください。続く場合は管理者に連絡してください。");
    /// The central system did not answer in time.
    UpstreamTimeout = "upstream_timeout", GATEWAY_TIMEOUT, Staff,
        "オンライン資格確認等システムから時間内に応答がありません。",
        other_ways!("少し待ってから、もう一度資格確認を始めてください。");
    /// The central system is closed for maintenance.
    UpstreamMaintenance = "upstream_maintenance", SERVICE_UNAVAILABLE, Staff,
        "オンライン資格確認等システムはメンテナンス中です。",
        other_ways!("メンテナンスの予定は施術所等向け総合ポータルサイトをご確認ください。");
    /// The TLS certificates were not accepted.
    UpstreamCertificate = "upstream_certificate", BAD_GATEWAY, Administrator,
        "オンライン資格確認等システムとの間で証明書が受け入れられません。",
        other_ways!("管理者がクライアント証明書の有効期限と設定、パソコンの日時を確認してください。");
    /// The central system wants TLS 1.2 renegotiation, which is not supported.
    UpstreamRenegotiation = "upstream_renegotiation", BAD_GATEWAY, Vendor,
        "対応していないTLS 1.2の再ネゴシエーションを要求されました。",
        other_ways!("設定を変えても待っても解決しません。発生日時を添えて本ソフトウェアの提供元に連絡してください。");
    /// Nothing is asked of the central system for a short time after failures in a row (health only).
    UpstreamPaused = "upstream_paused", BAD_GATEWAY, Staff,
        "接続の失敗が続いたため、問い合わせを一時的に止めています。",
        "最長でも1分ほどで自動的に再開します。続く場合はネットワークの接続を確認し、管理者に連絡してください。";
    /// This machine's clock differs from the central system's by more than 30 seconds (health only).
    ClockDisagrees = "clock_disagrees", BAD_GATEWAY, Administrator,
        "パソコンの時計がオンライン資格確認等システムと30秒を超えてずれています。",
        "パソコンの日時を正しくし、自動で合わせる設定（NTP）を有効にしてください。ずれているとサインインできません。";
    /// The client certificate ends within 60 days (health only).
    ClientCertificateEnding = "client_certificate_ending", BAD_GATEWAY, Administrator,
        "接続用のクライアント証明書の有効期限が近づいています。",
        "期限が切れる前に新しい証明書の発行を受け、証明書と秘密鍵のファイルを入れ替えてください。再起動は不要です。";
    /// The client certificate has ended (health only).
    ClientCertificateEnded = "client_certificate_ended", BAD_GATEWAY, Administrator,
        "接続用のクライアント証明書の有効期限が切れています。",
        other_ways!("管理者が新しい証明書の発行を受け、証明書と秘密鍵のファイルを入れ替えてください。再起動は不要です。");
    /// Changed certificates or secrets on disk are not usable; the old ones stay in use (health only).
    UpstreamFilesRefused = "upstream_files_refused", BAD_GATEWAY, Administrator,
        "入れ替えた接続用のファイルを使えないため、前のファイルのまま動いています。",
        "証明書と秘密鍵が対になっているか、ファイルの内容と権限を確認してください。shikakud config check で詳しく分かります。正しく置き直すと自動的に切り替わります。";
    /// The central system's answer could not be understood.
    UpstreamMalformed = "upstream_malformed", BAD_GATEWAY, Vendor,
        "オンライン資格確認等システムの応答を解釈できません。",
        other_ways!("結果は保存していません。もう一度お試しください。繰り返す場合は、発生日時を添えて本ソフトウェアの提供元に連絡してください。");
    /// The central system refused with its own code.
    UpstreamRefused = "upstream_refused", BAD_GATEWAY, Staff,
        "オンライン資格確認等システムがエラーを返しました。",
        other_ways!("表示されたエラーコードを控え、オンライン資格確認等コールセンター（0800-080-4583、通話無料）にお問い合わせください。");
    /// The result could not be stored.
    NotStored = "not_stored", INTERNAL_SERVER_ERROR, Administrator, "資格確認の結果を保存できませんでした。",
        other_ways!("結果は表示も保存もしていません。管理者がディスクの空きとデータの保存先を確認したあと、もう一度資格確認を行ってください。");
    /// The disk is full.
    StoreFull = "store_full", INSUFFICIENT_STORAGE, Administrator, "ディスクの空きが足りません。",
        "管理者がディスクの空きを増やしてください。再起動しなくても再開します。";
    /// Expired data is hidden but cannot be destroyed, because nobody vouches for the clock.
    RetentionWaitsForClock = "retention_waits_for_clock", SERVICE_UNAVAILABLE, Administrator,
        "日時を確認できないため、期限切れデータの消去を待っています。",
        "期限切れのデータは表示されません。管理者がOSの時刻同期を有効にしてください。日時が正しいことを確かめたうえで shikakud retention run --clock-is-right を実行すると、すぐに消去します。";
    /// Destroying expired data failed and is tried again.
    RetentionUnfinished = "retention_unfinished", SERVICE_UNAVAILABLE, Administrator,
        "保存期間の過ぎたデータの消去が終わっていません。",
        "期限切れのデータは表示されません。消去は自動で繰り返します。続く場合は、管理者がディスクの空きと、データベースを開いているほかのソフトウェアがないかを確認してください。";
    /// The clock is known to be wrong.
    ClockWrong = "clock_wrong", SERVICE_UNAVAILABLE, Administrator, "パソコンの日時が正しくありません。",
        "管理者がOSの時刻同期を有効にし、日時を確認してください。日時が正しくなるまで、期限切れデータの消去は行いません。";

    // --- Checks, results, inquiry numbers ---
    /// No such check, or it is too old.
    CheckNotFound = "check_not_found", NOT_FOUND, Vendor, "この資格確認は見つかりません。",
        "番号が正しいか確認してください。終了して時間がたった資格確認は参照できません。結果は GET /v1/results で確認できます。";
    /// The request does not fit the phase of the check.
    WrongPhase = "wrong_phase", CONFLICT, Vendor, "今の段階ではこの操作はできません。",
        "GET /v1/checks/{id} で資格確認の現在の段階を確認してください。終了した資格確認は変更できません。";
    /// The PIN is not four digits.
    PinFormat = "pin_format", UNPROCESSABLE_ENTITY, Staff, "暗証番号は数字4桁です。",
        "利用者証明用電子証明書の数字4桁の暗証番号を、半角数字で入力するよう患者にご案内ください。カードへの照合は行っていません。";
    /// The terminal is not known.
    UnknownTerminal = "unknown_terminal", UNPROCESSABLE_ENTITY, Administrator, "登録されていない端末です。",
        "管理者が端末の設定を確認してください。";
    /// No such result, or it is past its period.
    ResultNotFound = "result_not_found", NOT_FOUND, Staff, "この資格確認結果は見つかりません。",
        "番号が正しいか確認してください。結果を確認できるのは、資格確認を行った日の翌月末までです。";
    /// The inquiry number breaks its rules.
    InquiryNumberInvalid = "inquiry_number_invalid", UNPROCESSABLE_ENTITY, Staff, "照会番号の形式が正しくありません。",
        "照会番号は1文字以上50文字以内で、前後の空白と制御文字は使えません。";
    /// The result does not say whose inquiry number it would be.
    InquiryPersonUnknown = "inquiry_person_unknown", UNPROCESSABLE_ENTITY, Staff,
        "この結果では照会番号を登録する患者を特定できません。",
        "保険者番号と番号が含まれる結果を1件選んでください。該当資格なし、複数該当、不開示の結果には登録できません。";
    /// The result holds several insurances; whose number it is must be decided first.
    InquiryPersonAmbiguous = "inquiry_person_ambiguous", CONFLICT, Staff, "複数の資格が該当するため、照会番号を登録できません。",
        "どの資格で受療するかを患者と保険者に確認し、資格が1つに決まってからもう一度資格確認を行って登録してください。";

    /// The central system knows nobody with these identifiers.
    InquiryPersonNotFound = "inquiry_person_not_found", UNPROCESSABLE_ENTITY, Staff,
        "オンライン資格確認等システムに該当する加入者がいません。",
        "保険者番号、記号、番号、枝番が正しいか確認してください。資格が変わった患者は、もう一度資格確認を行ってから登録してください。";
    /// The inquiry number already belongs to another person.
    InquiryNumberInUse = "inquiry_number_in_use", CONFLICT, Staff, "この照会番号は、別の患者に使われています。",
        "照会番号と患者が正しいか確認し、患者ごとに異なる番号を登録してください。保険者が変わった同じ患者であれば、もう一度資格確認を行うと照会番号が引き継がれます。";
    /// Too many inquiry numbers wait for the central system.
    InquiryQueueFull = "inquiry_queue_full", SERVICE_UNAVAILABLE, Administrator,
        "送信を待つ照会番号が多すぎるため、受け付けられません。",
        "オンライン資格確認等システムに接続できるか確認してください。接続できると自動で送り、受け付けを再開します。";
    /// No such job or bulk, or it is past its period.
    InquiryJobNotFound = "inquiry_job_not_found", NOT_FOUND, Vendor, "照会番号の受け付けが見つかりません。",
        "番号が正しいか確認してください。参照できるのは、受け付けた日の翌月末までです。";

    // --- Sign-in and rights ---
    /// Sign-in refused; never says why.
    SignInFailed = "sign_in_failed", UNAUTHORIZED, Staff, "ログインできませんでした。",
        "機関コード、アカウント、パスワード、6桁の数字を確認し、認証アプリの次の数字が表示されてからもう一度お試しください。一度使った数字は使えません。失敗が続く場合は管理者に連絡してください。";
    /// Too many sign-in attempts; also answered for names that do not exist.
    SignInDelayed = "sign_in_delayed", TOO_MANY_REQUESTS, Staff, "しばらく待ってからログインしてください。",
        "ログインの試行が続いたため、一時的に受け付けていません。表示された秒数を待ってから、もう一度お試しください。";
    /// No session, or it has ended.
    SessionRequired = "session_required", UNAUTHORIZED, Staff, "ログインが必要です。",
        "ログインしてください。操作がない時間が続いた場合や、ログインから一定の時間がたった場合は、自動でログアウトします。";
    /// The account's role does not allow it.
    ForbiddenRole = "forbidden_role", FORBIDDEN, Administrator, "このアカウントではこの操作はできません。",
        "必要な権限を持つアカウントでログインするか、管理者に連絡してください。";

    /// The password was chosen by somebody else: it must be changed first.
    PasswordChangeRequired = "password_change_required", FORBIDDEN, Staff, "先にパスワードを変更してください。",
        "初回のログインと、管理者が再設定したあとのログインでは、パスワードの変更だけができます。PUT /v1/accounts/me/password で、自分だけが知るパスワードに変更してください。";
    /// The password or code asked for once more is wrong.
    WrongCredentials = "wrong_credentials", UNPROCESSABLE_ENTITY, Staff, "パスワードまたは6桁の数字が違います。",
        "現在のパスワード、または認証アプリに表示されている6桁の数字を確認して、もう一度お試しください。失敗はログインの失敗と同じように数えます。";
    /// The new password breaks its rules.
    PasswordUnacceptable = "password_unacceptable", UNPROCESSABLE_ENTITY, Staff, "このパスワードは使えません。",
        "13文字以上（6桁の数字と併用するアカウントは8文字以上）で、文字と数字か記号の両方を含め、よく使われる語やアカウント名を避けてください。";
    /// No authenticator waits for its first code.
    TotpNotOffered = "totp_not_offered", CONFLICT, Vendor, "確認を待っている認証アプリの登録がありません。",
        "先に POST /v1/accounts/me/totp で新しい登録を始めてください。";
    /// No such account.
    AccountNotFound = "account_not_found", NOT_FOUND, Administrator, "このアカウントは見つかりません。",
        "GET /v1/accounts の一覧で番号を確認してください。";
    /// The name is taken.
    AccountExists = "account_exists", CONFLICT, Administrator, "同じ名前のアカウントがあります。",
        "別のアカウント名を指定してください。";
    /// Nobody would be left to administer.
    LastAdministrator = "last_administrator", CONFLICT, Administrator, "最後の管理者は無効にも削除にもできません。",
        "先に別の管理者のアカウントを作ってください。";
    /// Passkeys are not set up: they need a host name.
    PasskeysUnavailable = "passkeys_unavailable", CONFLICT, Administrator, "パスキーは設定されていません。",
        "パスキーを使うには、管理者が画面のホスト名を設定する必要があります。パスワードと6桁の数字でログインしてください。";
    /// A new passkey was not taken: its answer is not one to our question, or it is known already.
    PasskeyRefused = "passkey_refused", UNPROCESSABLE_ENTITY, Staff, "パスキーを登録できませんでした。",
        "2分以内に、同じ画面で、生体認証か端末の暗証番号を使って登録してください。すでに登録した端末では、もう一度登録する必要はありません。";
    /// The account has as many passkeys as it may have.
    TooManyPasskeys = "too_many_passkeys", CONFLICT, Staff, "登録できるパスキーの数を超えています。",
        "使っていないパスキーを削除してから、もう一度登録してください。1つのアカウントに10個まで登録できます。";
    /// No such passkey.
    PasskeyNotFound = "passkey_not_found", NOT_FOUND, Staff, "このパスキーは登録されていません。",
        "GET /v1/accounts/me/passkeys の一覧で番号を確認してください。";
    /// No such session.
    SessionNotFound = "session_not_found", NOT_FOUND, Staff, "このセッションは見つかりません。",
        "すでに終了している可能性があります。GET /v1/sessions の一覧で確認してください。";
    /// No such terminal.
    TerminalNotFound = "terminal_not_found", NOT_FOUND, Administrator, "この端末は登録されていません。",
        "GET /v1/terminals の一覧で名前を確認してください。";
    /// The enrolment code is wrong, used or too old.
    EnrolmentCodeInvalid = "enrolment_code_invalid", UNPROCESSABLE_ENTITY, Administrator,
        "登録コードが違うか、使用済みか、期限が切れています。",
        "管理者が新しい登録コードを発行してください。登録コードは発行から1時間、1回だけ使えます。";
    /// The certificate request is no PKCS#10 in PEM with a P-256 key that signed it.
    CertificateRequestInvalid = "certificate_request_invalid", UNPROCESSABLE_ENTITY, Vendor,
        "証明書署名要求（CSR）が使えません。",
        "P-256 の鍵で作り、その鍵で署名した（ECDSA-SHA256）PKCS#10 を、PEM で送ってください。登録コードは使われていません。";
    /// Nobody vouches for the clock that begin and end of a certificate would come from.
    ClockUntrusted = "clock_untrusted", SERVICE_UNAVAILABLE, Administrator,
        "時計が正しいと確かめられないため、証明書を発行できません。",
        "管理者がOSの時刻同期を有効にしてください。中央システムと通信できていれば、その時刻でも確かめられます。登録コードは使われていません。確かめられたら、もう一度お試しください。";
    /// The session did not begin with a certificate, or the certificate is not near its end.
    RenewalRefused = "renewal_refused", CONFLICT, Vendor, "証明書は、今は更新できません。",
        "クライアント証明書でログインしたレセコンが、証明書の期限の60日前から更新できます。期限が切れたときは、管理者に新しい登録コードを発行してもらってください。";

    // --- Requests ---
    /// The request breaks the contract.
    InvalidRequest = "invalid_request", BAD_REQUEST, Vendor, "リクエストの形式が正しくありません。",
        "field に示された項目を、openapi.yaml の定義に合わせてください。";
    /// A request with the same key is being worked on.
    IdempotencyKeyInUse = "idempotency_key_in_use", CONFLICT, Vendor, "同じ Idempotency-Key の要求を処理しています。",
        "retry_after の秒数を待ってから、同じ要求を同じ Idempotency-Key で送り直してください。先の要求の結果が返ります。";
    /// The key was used with another request.
    IdempotencyKeyReused = "idempotency_key_reused", UNPROCESSABLE_ENTITY, Vendor,
        "この Idempotency-Key は、別の要求に使われています。",
        "要求ごとに新しい Idempotency-Key（UUIDなど）を使い、送り直すときだけ同じ値にしてください。何も実行していません。";
    /// Not `application/json`.
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, Vendor,
        "Content-Type が application/json ではありません。",
        "Content-Type: application/json を付けて、UTF-8 の JSON を送ってください。";
    /// The body is larger than allowed.
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, Vendor, "リクエストの本文が大きすぎます。",
        "本文は 64 KiB 以内、照会番号の一括登録では 4 MiB 以内にしてください。";
    /// The Host header is not one of ours.
    HostNotAllowed = "host_not_allowed", FORBIDDEN, Vendor, "許可されていない宛先（Host）です。",
        "設定された host:port（既定では 127.0.0.1、localhost、[::1] と待ち受けポート）に接続してください。";
    /// The request comes from a foreign web page.
    OriginNotAllowed = "origin_not_allowed", FORBIDDEN, Vendor, "ほかのWebサイトからの要求は受け付けません。",
        "ブラウザのページからではなく、レセコンなどのソフトウェアから呼び出してください。Origin を送る場合は管理者が許可する必要があります。";
    /// On the page's listener, a request that changes something does not carry the token of its session.
    CsrfTokenInvalid = "csrf_token_invalid", FORBIDDEN, Staff, "この画面からの操作と確かめられません。",
        "画面を開き直して、もう一度ログインしてください。ソフトウェアからは、ループバックかLANのAPIを使ってください。";
    /// No such path.
    NotFound = "not_found", NOT_FOUND, Vendor, "このURLはありません。", "パスを openapi.yaml で確認してください。LANの待ち受けでは、x-listeners に lan のある操作だけが使えます。";
    /// The path exists, the method does not.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, Vendor, "このURLではこのメソッドは使えません。",
        "使えるメソッドを openapi.yaml で確認してください。";
    /// The request took too long.
    RequestTimeout = "request_timeout", REQUEST_TIMEOUT, Vendor, "リクエストが時間内に終わりませんでした。",
        "本文をすぐに送り終えているか確認し、もう一度お試しください。";
    /// The limit of open connections is reached.
    TooManyConnections = "too_many_connections", SERVICE_UNAVAILABLE, Vendor, "同時に開ける接続の数を超えています。",
        "使い終わった接続を閉じ、少し待ってからもう一度お試しください。";
    /// None of the accepted media types can be given.
    NotAcceptable = "not_acceptable", NOT_ACCEPTABLE, Vendor, "求められた形式では返せません。",
        "Accept を openapi.yaml にある形式にするか、format で形式を指定してください。";
    /// The account has too many event streams and long polls open.
    TooManyStreams = "too_many_streams", TOO_MANY_REQUESTS, Vendor, "このアカウントが同時に待てる数を超えています。",
        "使い終わった /v1/events と /v1/results/changes の接続を閉じてください。1つの接続ですべての変化を受け取れます。";
    /// Too many event streams and long polls are open.
    StreamsFull = "streams_full", SERVICE_UNAVAILABLE, Vendor, "同時に変化を待てる数を超えています。",
        "少し待って、つなぎ直してください。続くときは、待つソフトウェアの数を減らしてください。";
    /// The account has too many exports running.
    TooManyExports = "too_many_exports", TOO_MANY_REQUESTS, Vendor, "このアカウントが同時に書き出せる数を超えています。",
        "先に始めた書き出しが終わってから、もう一度お試しください。";
    /// Too many exports are running.
    ExportsFull = "exports_full", SERVICE_UNAVAILABLE, Vendor, "同時に書き出せる数を超えています。",
        "ほかの書き出しが終わるまで待って、もう一度お試しください。";
    /// The audit log does not agree with its anchor. Only part of the health of the store.
    AuditLogSuspect = "audit_log_suspect", INTERNAL_SERVER_ERROR, Administrator, "監査ログに異常があります。",
        "shikakud audit verify を実行し、RECOVERY.md の手順で調べてください。受付は続けられます。";
    /// No OQS folder is configured.
    FoldersNotConfigured = "folders_not_configured", CONFLICT, Administrator, "OQSフォルダーが設定されていません。",
        "設定ファイルの [[folders]] にフォルダーを書き、再起動してください。";
    /// An OQS folder is configured and nobody has accepted that its readers need no MFA.
    FoldersNotAccepted = "folders_not_accepted", SERVICE_UNAVAILABLE, Administrator,
        "OQSフォルダーの使用がまだ承諾されていません。",
        "フォルダーを読める人に多要素認証を求めないことを、管理者が shikakud folders accept で承諾してください。承諾するまで、フォルダーには何も書かず、何も読みません。";
    /// An OQS folder is not there or cannot be used.
    FolderUnavailable = "folder_unavailable", SERVICE_UNAVAILABLE, Administrator, "OQSフォルダーを使えません。",
        "フォルダーとその中の face・req・res・trash があること、共有につながっていること、shikakudを動かすユーザーが書けることを確認してください。shikakud doctor が調べます。書くはずのファイルは、使えるようになると自動で置かれます。";
    /// The disk of an OQS folder is full.
    FolderFull = "folder_full", SERVICE_UNAVAILABLE, Administrator, "OQSフォルダーのディスクがいっぱいです。",
        "フォルダーのあるディスクの空きを増やしてください。書くはずのファイルは、空きができると自動で置かれます。";
    /// Files lie in an OQS folder that cannot be handled.
    FolderFilesRefused = "folder_files_refused", SERVICE_UNAVAILABLE, Administrator,
        "OQSフォルダーに扱えないファイルがあります。",
        "req の中に、回答したものと同じ名前で中身の違う依頼や、ファイルでないもの（リンクなど）があるか、res または face に別のファイルが同じ名前で置かれています。レセコンの開発元に確認し、不要なら削除してください。";
    /// The account makes more requests than it may, or the address tries more sign-ins and enrolments.
    RateLimited = "rate_limited", TOO_MANY_REQUESTS, Vendor, "要求の回数が多すぎます。",
        "Retry-After の秒数だけ待ってください。1つのアカウントで続けて1,000回、その後は1秒に100回まで使えます。ログインと登録は、LANの1つのアドレスから続けて50回、その後は1秒に5回までです。変化を待つときは wait_seconds を使ってください。";
    /// On the network, the connection's client certificate is not that of an enrolled machine.
    ClientCertificateRequired = "client_certificate_required", FORBIDDEN, Administrator,
        "登録されたクライアント証明書でつないでください。",
        "証明書が取り消されていないか、shikakud machine list で確かめ、必要なら shikakud machine issue で発行し直してください。";
    /// A fault inside.
    Internal = "internal", INTERNAL_SERVER_ERROR, Administrator, "内部でエラーが起きました。",
        "もう一度お試しください。繰り返す場合は、発生日時を添えて本ソフトウェアの提供元に連絡してください。";
}

impl PartialSchema for Code {
    fn schema() -> RefOr<Schema> {
        let about = "問題の種類を表す安定したコード。意味が変わることはありません。将来コードが増えることがあります。";
        let line = |code: &Code| (code.as_str(), format!("{}（{}）", code.title(), code.status().as_u16()));
        let lines: Vec<_> = Self::ALL.iter().map(line).collect();
        crate::words::schema(&[about, "括弧内は、エラーの応答になるときのHTTPステータスです。"], &lines)
    }
}

impl ToSchema for Code {
    fn name() -> Cow<'static, str> {
        "Code".into()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn is_japanese(text: &str) -> bool {
        text.chars().any(|letter| matches!(letter, 'ぁ'..='ヿ'))
    }

    #[test]
    fn every_code_is_unique_and_says_in_japanese_what_happened_and_what_to_do() {
        let names: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            let name = code.as_str();
            let snake_case = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            assert!(snake_case, "{name}");
            assert!(code.status().is_client_error() || code.status().is_server_error(), "{name}");
            assert!(is_japanese(code.title()) && code.title().ends_with('。'), "{name}");
            assert!(code.title().chars().count() <= 40, "{name}: a title is one short sentence");
            assert!(is_japanese(code.guidance()) && code.guidance().ends_with('。'), "{name}");
        }
    }

    #[test]
    fn a_code_is_written_on_the_wire_as_in_the_table() {
        for code in Code::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }
}
