//! `api-limit`: what the machine could do at best. The same questions as the API's, without sign-in, guard, encryption or
//! audit: bare axum, SQLite read inline on the worker's own connection, columns to JSON by hand. The figures stand the
//! daemon against it in the same run.

#![expect(clippy::expect_used, reason = "a limit that cannot be measured ends with the reason")]

use std::cell::OnceCell;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Instant;

use axum::Router;
use axum::extract::Path as Segment;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use clap::Parser;
use rusqlite::{Connection, Row};

/// The limit that the daemon is measured against
#[derive(Parser, Clone)]
struct Arguments {
    /// Its database; made if it is not there
    #[arg(long)]
    database: PathBuf,
    /// Rows of the database
    #[arg(long)]
    rows: i64,
    /// Bytes of one row as JSON
    #[arg(long)]
    row_bytes: usize,
    /// Where it listens; without it, the database is made and nothing else
    #[arg(long)]
    listen: Option<SocketAddr>,
}

/// Columns of text beside number and time.
const COLUMNS: usize = 24;
const PAGE: i64 = 100;

static ARGUMENTS: OnceLock<Arguments> = OnceLock::new();

thread_local! {
    static CONNECTION: OnceCell<Connection> = const { OnceCell::new() };
}

fn main() {
    let arguments = Arguments::parse();
    if !arguments.database.exists() {
        create(&arguments);
    }
    ARGUMENTS.set(arguments.clone()).map_err(|_| ()).expect("set once");
    let Some(listen) = arguments.listen else { return };
    let routes = Router::new()
        .route("/hello", get(hello))
        .route("/point/{id}", get(point))
        .route("/page", get(page))
        .route("/read", get(read));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(listen).await.expect("an address");
        axum::serve(listener, routes).await.expect("it serves");
    });
}

async fn hello() -> &'static str {
    "hello"
}

async fn point(Segment(id): Segment<i64>) -> impl IntoResponse {
    json(read_point(id))
}

async fn page() -> impl IntoResponse {
    json(read_page())
}

async fn read() -> String {
    read_all()
}

fn json(body: Vec<u8>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], body)
}

/// The table of a plain program: its columns, and beside them the row's JSON ready-made.
fn create(arguments: &Arguments) {
    let unfinished = arguments.database.with_extension("unfinished");
    let mut connection = open(&unfinished);
    let columns: Vec<_> = (0..COLUMNS).map(|column| format!(", f{column:02} TEXT NOT NULL")).collect();
    let columns = columns.concat();
    connection
        .execute_batch(&format!(
            "CREATE TABLE results (id INTEGER PRIMARY KEY, confirmed_at INTEGER NOT NULL{columns}, body BLOB NOT NULL);
             CREATE INDEX results_by_time ON results (confirmed_at, id);"
        ))
        .expect("a table");
    let overhead = 60 + COLUMNS * r#","f00":"""#.len();
    // A kanji is three bytes.
    let text = "資".repeat(arguments.row_bytes.saturating_sub(overhead) / COLUMNS / 3);
    let insert = format!("INSERT INTO results VALUES (?1, ?2{}, ?3)", ", ?4".repeat(COLUMNS));
    let transaction = connection.transaction().expect("a transaction");
    {
        let mut statement = transaction.prepare(&insert).expect("a statement");
        for id in 1..=arguments.rows {
            let at = 1_790_000_000_000_000 + id * 1_000_003;
            let mut body = Vec::new();
            write!(body, r#"{{"id":{id},"confirmed_at":{at}"#).expect("memory");
            for column in 0..COLUMNS {
                write!(body, r#","f{column:02}":"{text}""#).expect("memory");
            }
            body.push(b'}');
            statement.execute(rusqlite::params![id, at, body, text]).expect("a row");
        }
    }
    transaction.commit().expect("committed");
    connection.close().map_err(|(_, error)| error).expect("closed");
    std::fs::rename(unfinished, &arguments.database).expect("the database");
}

fn open(path: &Path) -> Connection {
    let connection = Connection::open(path).expect("a database");
    connection
        .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16000;")
        .expect("settings");
    connection
}

fn with_connection<T>(read: impl FnOnce(&Connection) -> T) -> T {
    CONNECTION.with(|connection| {
        read(connection.get_or_init(|| open(&ARGUMENTS.get().expect("set at the start").database)))
    })
}

fn read_point(id: i64) -> Vec<u8> {
    with_connection(|connection| {
        let mut statement =
            connection.prepare_cached("SELECT * FROM results WHERE id = ?1").expect("a statement");
        let mut rows = statement.query([id]).expect("a query");
        let mut out = Vec::with_capacity(2048);
        write_row(rows.next().expect("readable").expect("a row"), &mut out);
        out
    })
}

fn read_page() -> Vec<u8> {
    with_connection(|connection| {
        let mut statement = connection
            .prepare_cached("SELECT * FROM results ORDER BY confirmed_at DESC, id DESC LIMIT ?1")
            .expect("a statement");
        let mut rows = statement.query([PAGE]).expect("a query");
        let mut out = Vec::with_capacity(128 * 1024);
        out.push(b'[');
        while let Some(row) = rows.next().expect("readable") {
            if out.len() > 1 {
                out.push(b',');
            }
            write_row(row, &mut out);
        }
        out.push(b']');
        out
    })
}

fn write_row(row: &Row<'_>, out: &mut Vec<u8>) {
    let number = |column| row.get_ref(column).and_then(|value| Ok(value.as_i64()?)).expect("a number");
    write!(out, r#"{{"id":{},"confirmed_at":{}"#, number(0), number(1)).expect("memory");
    for column in 0..COLUMNS {
        write!(out, r#","f{column:02}":"#).expect("memory");
        let text = row.get_ref(column + 2).and_then(|value| Ok(value.as_str()?)).expect("a text");
        serde_json::to_writer(&mut *out, text).expect("memory");
    }
    out.push(b'}');
}

/// Reads every ready-made row, in the order in which they lie, into memory that is used again; answers with the seconds it took.
#[expect(clippy::disallowed_methods, reason = "measures")]
fn read_all() -> String {
    with_connection(|connection| {
        let begun = Instant::now();
        let mut statement =
            connection.prepare_cached("SELECT body FROM results ORDER BY id").expect("a statement");
        let mut rows = statement.query([]).expect("a query");
        let (mut piece, mut bytes) = (Vec::with_capacity(256 * 1024), 0);
        while let Some(row) = rows.next().expect("readable") {
            piece.extend_from_slice(row.get_ref(0).and_then(|value| Ok(value.as_blob()?)).expect("a body"));
            if piece.len() > 200 * 1024 {
                bytes += piece.len();
                piece.clear();
            }
        }
        assert!(bytes + piece.len() > 0, "no row");
        begun.elapsed().as_secs_f64().to_string()
    })
}
