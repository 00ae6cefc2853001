//! The sandbox: daemon, simulated central system and simulated card in one go, without reader, card or account.
//!
//! For vendors' developers, and the first thing anyone runs. Its data lies in a directory of its own that goes away with
//! it, and every result is marked `sandbox`.

#![expect(clippy::expect_used, reason = "a sandbox that does not open ends with the reason")]

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use daemon::app::checks::Patience;
use daemon::app::maintenance::MaintenanceCalendar;
use daemon::app::ports::Role;
use daemon::system::{OsRandom, SystemClock, quiet_panics};
use harness::clinic::{Clinic, Credentials, Plan, READER, Visitor};
use harness::personas::Personas;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};

/// How often the sandbox looks whether the card can be held on the reader again.
const LOOK_EVERY: Duration = Duration::from_millis(400);
/// The account that looks at the readers.
const HAND: &str = "sandbox-hand";
/// The account that is printed.
const RECEIPT: &str = "receipt";

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
    let listen = if arguments.once { SocketAddr::from(([127, 0, 0, 1], 0)) } else { arguments.listen };
    // Found out before anything is set up, so that the message stands alone.
    std::net::TcpListener::bind(listen)
        .map_err(|error| format!("{listen} で待ち受けできません（--listen で変えられます）: {error}"))?;
    let directory = TempDir::with_prefix("shikaku-sandbox-")?;
    let clinic = Clinic::open(plan(directory.path(), listen)).await;
    quiet_panics();
    let credentials = clinic.credentials(RECEIPT);
    if let Some(file) = &arguments.env {
        write_environment(file, &clinic, &credentials)?;
    }
    clinic.tap(&arguments.persona);
    let outcome = if arguments.once {
        once(&clinic, &credentials, &arguments.persona).await
    } else {
        introduce(&clinic, &credentials, arguments)?;
        stay(&clinic, arguments.persona.clone()).await
    };
    clinic.close().await;
    outcome
}

fn plan(directory: &Path, listen: SocketAddr) -> Plan {
    Plan {
        clock: Arc::new(SystemClock),
        kernel: Arc::default(),
        random: Arc::new(OsRandom),
        directory: directory.to_owned(),
        listen,
        tls: false,
        readers: vec![READER],
        accepts_unsigned_visual: true,
        terminal_authentication: None,
        upstream_total_ms: 15_000,
        registration_ms: 25_000,
        maintenance: MaintenanceCalendar::default(),
        collect_every_minutes: 5,
        upstream_page_size: 100,
        patience: Patience::default(),
        limits: api::limits::Limits::default(),
        accounts: vec![(RECEIPT, Role::ReceiptComputer), (HAND, Role::Operator)],
    }
}

fn write_environment(file: &Path, clinic: &Clinic, credentials: &Credentials) -> io::Result<()> {
    let lines = format!(
        "SHIKAKU_API=http://{}\nSHIKAKU_INSTITUTION_CODE={}\nSHIKAKU_ACCOUNT={}\nSHIKAKU_PASSWORD={}\nSHIKAKU_TOTP_SECRET={}\n",
        clinic.api,
        credentials.institution_code,
        credentials.account,
        credentials.password,
        credentials.totp_secret,
    );
    // The old file may be open to others: a new one is made.
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)?.write_all(lines.as_bytes())
}

fn introduce(clinic: &Clinic, credentials: &Credentials, arguments: &Arguments) -> io::Result<()> {
    let Credentials { institution_code, account, password, otpauth, totp_secret } = credentials;
    let api = clinic.api;
    let pin = &Personas::builtin().by_name(&arguments.persona).expect("checked at the start").card.pin;
    let persona = &arguments.persona;
    writeln!(
        io::stdout(),
        "資格ブリッジ サンドボックス（架空の人物だけの模擬環境です。実際の資格確認には使えません）

  API            http://{api}      契約書 http://{api}/openapi.yaml
  機関コード     {institution_code}
  アカウント     {account}
  パスワード     {password}
  認証アプリ     {otpauth}
  カード         {persona}（暗証番号 {pin}）が {READER} にあります

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

ここに入力できるコマンド:  tap 名前 ／ remove ／ list ／ quit"
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
async fn stay(clinic: &Clinic, persona: String) -> Result<(), Failure> {
    let mut visitor = clinic.visitor();
    visitor.sign_in(&clinic.credentials(HAND)).await;
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut typing = true;
    let mut hand = Hand { clinic, visitor, card: Some(clinic.tap(&persona)), persona: Some(persona) };
    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
            _ = look.tick() => hand.look().await,
            line = lines.next_line(), if typing => match line? {
                Some(line) if line.trim() == "quit" => return Ok(()),
                Some(line) => hand.obey(&line)?,
                None => typing = false,
            },
        }
    }
}

/// The patient's hand: holds a card on the reader and takes it away.
struct Hand<'a> {
    clinic: &'a Clinic,
    visitor: Visitor,
    persona: Option<String>,
    card: Option<harness::card::readers::SharedCard>,
}

impl Hand<'_> {
    /// Holds the card on the reader anew once a check has used it and is over: a card serves one check.
    async fn look(&mut self) {
        let (Some(card), Some(persona)) = (&self.card, &self.persona) else { return };
        if card.lock().expect("the card").apdu_count() == 0 {
            return;
        }
        let mut readers = self.visitor.get("/v1/readers").await;
        if readers.status == 401 {
            self.visitor.set_token(None);
            self.visitor.sign_in(&self.clinic.credentials(HAND)).await;
            readers = self.visitor.get("/v1/readers").await;
        }
        if readers.json()["readers"][0]["check_id"] == Value::Null {
            self.card = Some(self.clinic.tap(persona));
        }
    }

    fn obey(&mut self, line: &str) -> io::Result<()> {
        let mut out = io::stdout();
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (None, _) => Ok(()),
            (Some("tap"), Some(name)) if Personas::builtin().by_name(name).is_some() => {
                self.card = Some(self.clinic.tap(name));
                self.persona = Some(name.to_owned());
                let pin = &Personas::builtin().by_name(name).expect("just found").card.pin;
                writeln!(out, "{name} のカードをかざしました（暗証番号 {pin}）")
            }
            (Some("remove"), None) => {
                self.clinic.readers.take(READER);
                self.card = None;
                self.persona = None;
                writeln!(out, "カードを外しました")
            }
            (Some("list"), None) => {
                for persona in Personas::builtin() {
                    writeln!(out, "{:<26} {}", persona.name, persona.note)?;
                }
                Ok(())
            }
            _ => writeln!(out, "使えるコマンド: tap 名前 ／ remove ／ list ／ quit"),
        }
    }
}
