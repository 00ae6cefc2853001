//! Routes: registering one documents it, in one act. Handlers translate and call one [`Service`] method.

mod accounts;
mod annotate;
mod changes;
mod checks;
mod desk;
mod export;
mod inquiries;
mod machines;
mod passkeys;
mod results;
mod sessions;
mod settings;
mod system;
mod terminals;
mod upkeep;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{IntoParams, OpenApi};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt as _};
use utoipa_axum::routes;

use crate::carriage::Carriage;
use crate::checked::Checked;
use crate::codes::{Code, Who};
use crate::compress;
use crate::entrance::Entrance;
use crate::guard::Guard;
use crate::limits::Limits;
use crate::listeners::{self, Elsewhere, Listener};
use crate::page::{self, Page};
use crate::problem::{Problem, Refusal};
use crate::service::Service;
use crate::wire;

const TAG_SESSIONS: &str = "セッション";
const TAG_ACCOUNTS: &str = "アカウントと端末";
const TAG_CHECKS: &str = "資格確認";
const TAG_RESULTS: &str = "資格確認結果";
const TAG_EVENTS: &str = "できごと";
const TAG_INQUIRIES: &str = "照会番号";
const TAG_RECORDS: &str = "記録";
const TAG_SETTINGS: &str = "設定";
const TAG_SYSTEM: &str = "稼働";

type Reply<T> = Result<T, Refusal>;

/// The header that names a request, for the document; [`crate::extract::Key`] reads it.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only its form is used")]
struct IdempotencyHeader {
    /// この要求の名前（UUIDなど。引用符と円記号を除く、見えるASCIIの8文字以上128文字以内）。応答を受け取れなかったときに
    /// 同じ値で同じ要求を送り直すと、2度目は実行せず、1度目に行ったことの今の応答を返します。24時間、アカウントごとに有効です。
    #[param(
        rename = "Idempotency-Key",
        nullable = false,
        min_length = 8,
        max_length = 130,
        example = "8e03978e-40d5-43dd-bc93-6894a57f9324"
    )]
    idempotency_key: Option<String>,
}

/// The header by which an enrolled terminal is known, for the document; [`crate::carriage::Carriage`] reads it.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only its form is used")]
struct TerminalHeader {
    /// 登録された端末のトークン（POST /v1/terminals/enrol の token）。ログインに付けると、セッションがその端末に結び付きます。
    /// 結び付いたセッションでは、すべての要求に同じ値が要ります（ないと401）。登録していない端末では付けません。
    #[param(rename = "Shikaku-Terminal", nullable = false)]
    terminal: Option<String>,
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "資格ブリッジ API",
        description = "マイナンバーカードによるオンライン資格確認（資格確認限定型）を行い、結果をレセコンに渡すAPIです。\n\n\
            要求は未知の項目を受け付けません。応答の項目とコードは増えることがあるため、知らない項目は無視してください。\
            空欄の項目は応答に含まれません。\n\n\
            結果の取得には ETag を付けます。次に同じ条件で If-None-Match に渡すと、変わっていなければ本文のない304を返します。\
            304には個人情報がないため監査ログに残りません。月が変わると、参照できる結果が減るため ETag も変わります。\
            個人情報がキャッシュに残らないよう Cache-Control は常に no-store です。応答と ETag は、連携するソフトウェアが自分で保存してください。\n\n\
            エラーは RFC 9457 の application/problem+json です。定義されていないパスは404（not_found）、\
            メソッドは405（method_not_allowed）、大きすぎるヘッダーは本文のない431になります。\
            ヘッダーを5秒以内に送り終えない接続、使われないまま5秒たった接続は閉じます。\
            終了処理中のロングポーリングは、そのときの状態をすぐに返します。\n\n\
            設定の api.tls が true のとき、同じアドレスでHTTPSだけを受け付けます（サーバー証明書は資格ブリッジの認証局のもの）。\n\n\
            security の bearer に並ぶ名前は、その操作を使えるアカウントの役割です。\n\n\
            info.version はこの契約の版（セマンティックバージョニング）です。互換性のない変更は、1.0.0 より前は2つ目の数字、\
            それからは1つ目の数字とパス（/v2）が変わるときにだけ行います。廃止する操作と項目は deprecated と記し、\
            その操作の応答に Deprecation（RFC 9745）と Sunset（RFC 8594）のヘッダーを付け、少なくとも12か月は使えるままにします。\n\n\
            設定に [lan] があるとき、別のパソコンのレセコンのために、LANのアドレスでもHTTPSで待ち受けます。\
            登録されたクライアント証明書が要ります。操作の x-listeners は、その操作を使える待ち受けです\
            （loopback：資格ブリッジのパソコンの中、lan：LAN、page：受付ページ）。ほかの待ち受けでは404（not_found）になります。\n\n\
            受付ページの待ち受け（設定 [page]）は、ブラウザで開く受付ページだけのためのものです。そこではトークンを Authorization ではなく \
            Cookie（__Host-shikaku-session、__Host-shikaku-terminal）で渡し、GET 以外の要求には X-Shikaku-CSRF ヘッダーが要ります。\
            ページで開始したセッションは、ほかの待ち受けでは使えません。\n\n\
            要求はアカウントごと、待ち受けごとに数え、多すぎると429（rate_limited）になります。\
            応答を5秒以上受け取らない接続、本文を5秒以内に（長い本文は1秒に64 KiB以上で）送り終えない要求は打ち切ります。",
    ),
    servers(
        (url = "http://127.0.0.1:8787", description = "資格ブリッジを動かしているパソコン（既定のポート）"),
        (url = "https://{host}:8788", description = "LANの別のパソコンから（設定 [lan]、クライアント証明書が必要）",
            variables(("host" = (default = "shikaku-bridge.local", description = "設定 lan.hosts の名前かアドレス")))),
    ),
    tags(
        (name = TAG_SESSIONS, description = "ログインとログアウト"),
        (name = TAG_ACCOUNTS, description = "アカウント、認証アプリ、端末の登録"),
        (name = TAG_CHECKS, description = "カードによる資格確認の開始から終わりまで"),
        (name = TAG_RESULTS, description = "資格確認結果の取得"),
        (name = TAG_EVENTS, description = "結果、資格確認、カードリーダー、お知らせの変化を、起きたときに受け取る"),
        (name = TAG_INQUIRIES, description = "照会番号の登録（1件、一括）とその状態"),
        (name = TAG_RECORDS, description = "端末の安全管理チェックリストと、窓口で起きたことの記録"),
        (name = TAG_SETTINGS, description = "施設の設定"),
        (name = TAG_SYSTEM, description = "カードリーダー、稼働の状態、監査ログ、保存と消去、この定義書"),
    ),
    // What only a parameter, an event or an error names is not found by itself.
    components(schemas(
        Problem, Code, Who, wire::SessionScope, wire::ResultEvent, wire::CheckEvent, wire::ReadersEvent, wire::ExpiredEvent,
        wire::EndEvent,
    )),
)]
struct Base;

fn routes() -> OpenApiRouter<Arc<dyn Service>> {
    OpenApiRouter::with_openapi(Base::openapi())
        .routes(routes!(sessions::sign_in, sessions::list_sessions, sessions::end_other_sessions))
        .routes(routes!(sessions::begin_sign_in))
        .routes(routes!(passkeys::ask_for_passkey))
        .routes(routes!(passkeys::sign_in_with_passkey))
        .routes(routes!(sessions::end_session))
        .routes(routes!(sessions::get_session, sessions::sign_out))
        .routes(routes!(accounts::change_password))
        .routes(routes!(accounts::offer_totp))
        .routes(routes!(accounts::confirm_totp))
        .routes(routes!(accounts::renew_recovery_codes))
        .routes(routes!(passkeys::begin_passkey))
        .routes(routes!(passkeys::list_passkeys, passkeys::add_passkey))
        .routes(routes!(passkeys::remove_passkey))
        .routes(routes!(accounts::list_accounts, accounts::create_account))
        .routes(routes!(accounts::remove_account))
        .routes(routes!(accounts::set_account_status))
        .routes(routes!(accounts::unlock_account))
        .routes(routes!(accounts::reset_account))
        .routes(routes!(passkeys::remove_passkeys_of_account))
        .routes(routes!(terminals::offer_terminal))
        .routes(routes!(terminals::enrol_terminal))
        .routes(routes!(terminals::list_terminals))
        .routes(routes!(terminals::remove_terminal))
        .routes(routes!(machines::enrol_machine))
        .routes(routes!(machines::renew_machine))
        .routes(routes!(checks::create_check))
        .routes(routes!(checks::get_check, checks::cancel_check))
        .routes(routes!(checks::enter_pin))
        .routes(routes!(checks::confirm_last_try))
        .routes(routes!(checks::register_card_use))
        .routes(routes!(results::list_results))
        .routes(routes!(results::search_results))
        .routes(routes!(results::count_search))
        .routes(routes!(results::count_results))
        .routes(routes!(changes::list_result_changes))
        .routes(routes!(export::export_results).layer(compress::layer()))
        .routes(routes!(results::get_result))
        .routes(routes!(results::collect_results))
        .routes(routes!(changes::stream_events))
        .routes(routes!(inquiries::set_inquiry_number))
        .routes(routes!(inquiries::list_inquiry_jobs, inquiries::set_inquiry_number_of_insurance))
        .routes(routes!(inquiries::get_inquiry_job))
        .routes(routes!(inquiries::set_inquiry_numbers_in_bulk))
        .routes(routes!(inquiries::get_inquiry_bulk))
        .routes(routes!(settings::get_security_settings, settings::set_security_settings))
        .routes(routes!(settings::get_folder_settings, settings::set_folder_access))
        .routes(routes!(desk::get_checklist, desk::record_checklist))
        .routes(routes!(desk::list_incidents, desk::record_incident))
        .routes(routes!(system::list_readers))
        .routes(routes!(system::get_health))
        .routes(routes!(upkeep::list_audit))
        .routes(routes!(upkeep::get_retention))
        .routes(routes!(system::list_announcements))
        .routes(routes!(system::get_liveness))
        .routes(routes!(system::get_readiness))
        .routes(routes!(system::get_metrics))
        .routes(routes!(system::get_openapi).layer(compress::layer()))
}

/// The document (OpenAPI 3.1). Needs no state and no server.
pub fn openapi() -> Document {
    let mut document = routes().into_openapi();
    annotate::annotate(&mut document);
    let bearer = Http::builder()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("POST /v1/sessions で受け取ったトークン。"))
        .build();
    document.paths.paths.values_mut().for_each(listeners::document);
    document.components.get_or_insert_default().add_security_scheme("bearer", SecurityScheme::Http(bearer));
    document
}

/// The document as it is committed and served.
pub fn openapi_yaml() -> String {
    // The document is plain data; if it could not be written, the drift test would see the empty text.
    openapi().to_yaml().unwrap_or_default()
}

/// What a listener serves, behind its guard. The service's futures may be dropped at any await: the client left or time ran out.
pub fn router(service: Arc<dyn Service>, listener: Listener, guard: Guard, limits: Limits) -> Entrance {
    Entrance::new(operations(service, listener, Router::new()), listener, guard, limits)
}

/// What the page's listener serves: its operations, and the page itself.
pub fn page_router(service: Arc<dyn Service>, page: &Page, guard: Guard, limits: Limits) -> Entrance {
    let router = operations(service, Listener::Page, page::files(page));
    Entrance::new(page::by_name_only(router, page), Listener::Page, guard, limits)
}

/// The operations of a listener, and what stands beside them.
fn operations(service: Arc<dyn Service>, listener: Listener, beside: Router) -> Router {
    let (router, document) = routes().split_for_parts();
    let (elsewhere, carriage) = (Elsewhere::of(listener, &document), Carriage::of(listener));
    router
        .with_state(service)
        .merge(beside.layer(compress::layer()))
        .fallback(async || Problem::new(Code::NotFound))
        .method_not_allowed_fallback(async || Problem::new(Code::MethodNotAllowed))
        .layer(Checked(move |request: &Request| {
            elsewhere.check(request)?;
            carriage.check(request)
        }))
}
