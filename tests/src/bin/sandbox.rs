//! The sandbox: daemon, simulated central system and simulated card in one go, without reader, card or account.
//!
//! For vendors' developers, and the first thing anyone runs. Its data lies in a directory of its own that goes away with
//! it, and every result is marked `sandbox`.

#![expect(clippy::expect_used, reason = "a sandbox that does not open ends with the reason")]

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use daemon::app::tasks::Tasks;
use daemon::system::quiet_panics;
use harness::clinic::{Clinic, Credentials, READER};
use harness::personas::Personas;
use harness::sandbox::control::{self, Order, Shared};
use harness::sandbox::{Opening, PEOPLE, Sandbox};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};

/// How often the sandbox looks whether the card can be held on the reader again.
const LOOK_EVERY: Duration = Duration::from_millis(400);

/// 資格ブリッジのサンドボックス：模擬の中央システム、模擬のカードリーダーとカードで動くデーモン
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Make one check, download it through the REST API, show it, and exit
    #[arg(long)]
    once: bool,
    /// Also write `KEY=value` lines for a shell or a program into this file
    #[arg(long, value_name = "FILE")]
    env: Option<PathBuf>,
    /// Whose card lies on the reader
    #[arg(long, default_value = "taro", value_name = "NAME")]
    persona: String,
    /// Where the API listens; loopback only. With --once any free port
    #[arg(long, default_value = "127.0.0.1:8787", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Where the front-desk page is served, as http://localhost; loopback only. With --once not at all
    #[arg(long, default_value = "127.0.0.1:8789", value_name = "ADDRESS")]
    page: SocketAddr,
    /// Where a program controls card, central system and clock; loopback only
    #[arg(long, default_value = "127.0.0.1:8788", value_name = "ADDRESS")]
    control: SocketAddr,
    /// Log filter, for example `info`
    #[arg(long, default_value = "warn")]
    log: String,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = tracing_subscriber::EnvFilter::new(&arguments.log);
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    match runtime.map_err(Into::into).and_then(|runtime| {
        let outcome = runtime.block_on(run(&arguments));
        // Standard input is read on a thread of its own that nobody can interrupt.
        runtime.shutdown_background();
        outcome
    }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If even this cannot be written, the exit code still tells.
            let _ = writeln!(io::stderr(), "sandbox: {error}");
            ExitCode::FAILURE
        }
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

async fn run(arguments: &Arguments) -> Result<(), Failure> {
    if Personas::builtin().by_name(&arguments.persona).is_none() {
        return Err(format!("{} という人物はいません（--persona）", arguments.persona).into());
    }
    if [arguments.listen, arguments.page, arguments.control].iter().any(|address| !address.ip().is_loopback())
    {
        return Err("--listen と --page と --control はこのパソコンの中（127.0.0.1）だけです".into());
    }
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let listen = if arguments.once { any } else { arguments.listen };
    // Found out before anything is set up, so that the message stands alone.
    std::net::TcpListener::bind(listen)
        .map_err(|error| format!("{listen} で待ち受けできません（--listen で変えられます）: {error}"))?;
    let page = (!arguments.once).then_some(arguments.page);
    page.map(std::net::TcpListener::bind).transpose().map_err(|error| {
        format!("{} で待ち受けできません（--page で変えられます）: {error}", arguments.page)
    })?;
    let control = if arguments.once {
        None
    } else {
        Some(TcpListener::bind(arguments.control).await.map_err(|error| {
            format!("{} で待ち受けできません（--control で変えられます）: {error}", arguments.control)
        })?)
    };
    let opening = Opening {
        listen,
        page,
        control: control.as_ref().map(TcpListener::local_addr).transpose()?,
        persona: arguments.persona.clone(),
        env: arguments.env.clone(),
    };
    let mut sandbox = Sandbox::open(opening).await?;
    quiet_panics();
    let Some(control) = control else {
        let outcome = once(sandbox.clinic(), &sandbox.credentials(), &arguments.persona).await;
        sandbox.close().await;
        return outcome;
    };
    introduce(&sandbox, control.local_addr()?, arguments)?;
    let (sandbox, tasks) = (Arc::new(Mutex::new(sandbox)), Tasks::default());
    let (orders, to_do) = mpsc::channel(1);
    let (shared, stopping) = (Shared { sandbox: sandbox.clone(), orders }, tasks.stopping());
    tasks.start(async move {
        if let Err(error) = control::serve(control, shared, stopping).await {
            tracing::error!("the control listener ended: {error}");
        }
    });
    let outcome = stay(&sandbox, to_do).await;
    tasks.finish().await;
    sandbox.lock().await.close().await;
    outcome
}

fn introduce(sandbox: &Sandbox, control: SocketAddr, arguments: &Arguments) -> io::Result<()> {
    let Credentials { institution_code, account, password, otpauth, totp_secret } = sandbox.credentials();
    let api = sandbox.clinic().api;
    let pin = &Personas::builtin().by_name(&arguments.persona).expect("checked at the start").card.pin;
    let persona = &arguments.persona;
    let page = sandbox.clinic().page_address().unwrap_or_default();
    let [operator, administrator] = PEOPLE.map(|(name, _)| sandbox.clinic().credentials(name));
    writeln!(
        io::stdout(),
        "資格ブリッジ サンドボックス（架空の人物だけの模擬環境です。実際の資格確認には使えません）

  API            http://{api}      契約書 http://{api}/openapi.yaml
  機関コード     {institution_code}
  アカウント     {account}
  パスワード     {password}
  認証アプリ     {otpauth}
  操作用API      http://{control}      説明 docs/ja/sandbox.md
  カード         {persona}（暗証番号 {pin}）が {READER} にあります

  受付ページ     {page}
    資格確認担当者 {}（パスワード {}）、管理者 {}（パスワード {}）
    認証アプリの6桁の数字は、ここに「code {}」「code {}」と入力すると表示します

── 貼り付けて使えます（oathtool と jq はDebianのパッケージです）──
# ログイン
TOKEN=$(curl -sS http://{api}/v1/sessions -H 'Content-Type: application/json' -d @- <<JSON | jq -r .token
{{\"institution_code\": \"{institution_code}\", \"account\": \"{account}\", \"password\": \"{password}\",
 \"code\": \"$(oathtool --totp -b {totp_secret})\"}}
JSON
)
# 資格確認
CHECK=$(curl -sS http://{api}/v1/checks -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' -d '{{\"method\": \"card_pin\"}}' | jq -r .id)
curl -sS -X PUT http://{api}/v1/checks/$CHECK/pin -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' -d '{{\"pin\": \"{pin}\"}}' | jq -c .
# ダウンロード
curl -sS http://{api}/v1/results -H \"Authorization: Bearer $TOKEN\" | jq .
──

ここに入力できるコマンド:  tap 名前 ／ remove ／ list ／ code アカウント ／ quit",
        operator.account,
        operator.password,
        administrator.account,
        administrator.password,
        operator.account,
        administrator.account,
    )
}

/// One check through the public door, shown to whoever watches.
async fn once(clinic: &Clinic, credentials: &Credentials, persona: &str) -> Result<(), Failure> {
    let pin = &Personas::builtin().by_name(persona).expect("checked at the start").card.pin;
    let mut out = io::stdout();
    let mut visitor = clinic.visitor();
    visitor.sign_in(credentials).await;
    writeln!(out, "ログインしました（{}）", credentials.account)?;
    let check = visitor.start_check("card_pin").await;
    visitor.wait_for(&check, &["waiting_for_pin", "failed"]).await;
    visitor.enter_pin(&check, pin).await;
    let end = visitor.wait_for(&check, &["done", "failed", "confirming_last_try"]).await;
    if end["phase"] != "done" {
        writeln!(out, "{}", serde_json::to_string_pretty(&end)?)?;
        return Err("資格確認は完了しませんでした".into());
    }
    writeln!(out, "資格確認が完了しました（{check}）")?;
    let count = visitor.get("/v1/results/count").await.json();
    writeln!(out, "ダウンロードできる結果: {}件", count["count"])?;
    let result = visitor.get(&format!("/v1/results/{}", end["result_id"])).await;
    if result.status != 200 {
        return Err(format!("結果をダウンロードできません: {}", result.code()).into());
    }
    writeln!(out, "{}", serde_json::to_string_pretty(&result.json())?)?;
    Ok(())
}

/// Serves until interrupted or told to quit; holds the card on the reader again after every check.
async fn stay(sandbox: &Mutex<Sandbox>, mut to_do: mpsc::Receiver<Order>) -> Result<(), Failure> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut typing = true;
    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
            _ = look.tick() => sandbox.lock().await.look().await,
            Some(order) = to_do.recv() => order.carry_out(&mut *sandbox.lock().await).await,
            line = lines.next_line(), if typing => match line? {
                Some(line) if line.trim() == "quit" => return Ok(()),
                Some(line) => obey(&mut *sandbox.lock().await, &line)?,
                None => typing = false,
            },
        }
    }
}

fn obey(sandbox: &mut Sandbox, line: &str) -> io::Result<()> {
    let mut out = io::stdout();
    let mut words = line.split_whitespace();
    match (words.next(), words.next()) {
        (None, _) => Ok(()),
        (Some("tap"), Some(name)) => match sandbox.tap(name, true) {
            Some(persona) => {
                writeln!(out, "{name} のカードをかざしました（暗証番号 {}）", persona.card.pin)
            }
            None => writeln!(out, "{name} という人物はいません。list で一覧を表示します"),
        },
        (Some("remove"), None) => {
            sandbox.remove();
            writeln!(out, "カードを外しました")
        }
        (Some("list"), None) => {
            for persona in Personas::builtin() {
                writeln!(out, "{:<26} {}", persona.name, persona.note)?;
            }
            Ok(())
        }
        (Some("code"), Some(account)) => match sandbox.clinic().find_credentials(account) {
            Some(credentials) => {
                let (code, seconds) = sandbox.code_of(credentials);
                writeln!(out, "{code}（あと{seconds}秒）")
            }
            None => writeln!(out, "{account} というアカウントはありません"),
        },
        _ => writeln!(out, "使えるコマンド: tap 名前 ／ remove ／ list ／ code アカウント ／ quit"),
    }
}
