//! Shapes of HTTP on which two programs can disagree: each is refused, or is the last request of its connection.

/// A request that smuggles, and what it is.
pub struct Shape {
    /// What is wrong with it.
    pub name: &'static str,
    /// The bytes; `{host}` stands for the right Host.
    pub bytes: String,
}

/// The body of a sign-in that would be counted if it got through.
const BODY: &str = r#"{"institution_code":"1312345678","account":"smuggler","password":"secret-pass"}"#;

/// Heads that are refused before anything reads a body: a line for the request, a line for every header.
const HEADS: &[(&str, &str)] = &[
    ("two lengths", "POST /v1/sessions HTTP/1.1|host: {host}|content-length: 5|content-length: 6"),
    ("a list of lengths", "POST /v1/sessions HTTP/1.1|host: {host}|content-length: 5, 5"),
    ("a signed length", "POST /v1/sessions HTTP/1.1|host: {host}|content-length: +5"),
    ("a negative length", "POST /v1/sessions HTTP/1.1|host: {host}|content-length: -5"),
    ("a hexadecimal length", "POST /v1/sessions HTTP/1.1|host: {host}|content-length: 0x5"),
    ("an endless length", "POST /v1/sessions HTTP/1.1|host: {host}|content-length: 99999999999999999999"),
    (
        "a length and chunks",
        "POST /v1/sessions HTTP/1.1|host: {host}|content-length: 5|transfer-encoding: chunked",
    ),
    ("an unknown coding", "POST /v1/sessions HTTP/1.1|host: {host}|transfer-encoding: xchunked"),
    (
        "chunks that are not the last coding",
        "POST /v1/sessions HTTP/1.1|host: {host}|transfer-encoding: chunked, gzip",
    ),
    ("chunks in HTTP/1.0", "POST /v1/sessions HTTP/1.0|host: {host}|transfer-encoding: chunked"),
    ("a folded header", "GET /healthz HTTP/1.1|host: {host}|x-fold: a| b"),
    ("a folded Host", "GET /healthz HTTP/1.1|host: evil.example| {host}"),
    ("a space before the colon", "GET /healthz HTTP/1.1|host : {host}"),
    ("a space in a name", "GET /healthz HTTP/1.1|host: {host}|x y: 1"),
    ("a space before the first name", "GET /healthz HTTP/1.1| host: {host}"),
    ("a name with a quote", "GET /healthz HTTP/1.1|host: {host}|x\": 1"),
    ("no name", "GET /healthz HTTP/1.1|host: {host}|: 1"),
    ("no colon", "GET /healthz HTTP/1.1|host: {host}|x"),
    ("NUL in a value", "GET /healthz HTTP/1.1|host: {host}|x: a\0b"),
    ("a lone CR in a value", "GET /healthz HTTP/1.1|host: {host}|x: a\rb"),
    ("no Host", "GET /healthz HTTP/1.1"),
    ("no Host in HTTP/1.0", "GET /healthz HTTP/1.0"),
    ("two Hosts", "GET /healthz HTTP/1.1|host: {host}|host: {host}"),
    ("another target than Host", "GET http://evil.example/healthz HTTP/1.1|host: {host}"),
    ("a foreign Host for our target", "GET http://{host}/healthz HTTP/1.1|host: evil.example"),
    ("a user in the target", "GET http://user@{host}/healthz HTTP/1.1|host: {host}"),
    ("a tunnel", "CONNECT evil.example:443 HTTP/1.1|host: {host}"),
    ("HTTP/2.0 in words", "GET /healthz HTTP/2.0|host: {host}"),
    ("HTTP/1.2", "GET /healthz HTTP/1.2|host: {host}"),
    ("HTTP/0.9", "GET /healthz"),
    ("a version in lower case", "GET /healthz http/1.1|host: {host}"),
    ("a space in the target", "GET /health z HTTP/1.1|host: {host}"),
    ("a tab for a space", "GET\t/healthz\tHTTP/1.1|host: {host}"),
    ("a method with a bracket", "GE(T /healthz HTTP/1.1|host: {host}"),
    ("no method", " /healthz HTTP/1.1|host: {host}"),
];

/// Everything that must be refused.
pub fn refused() -> Vec<Shape> {
    let head = |&(name, lines): &(&'static str, &str)| Shape {
        name,
        bytes: format!("{}\r\n\r\n", lines.replace('|', "\r\n")),
    };
    let mut all: Vec<Shape> = HEADS.iter().map(head).collect();
    let start = "POST /v1/sessions HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n";
    let chunked = |name, chunks: &str| Shape {
        name,
        bytes: format!("{start}transfer-encoding: chunked\r\n\r\n{chunks}"),
    };
    let length = BODY.len();
    all.extend([
        chunked("a chunk without its end", &format!("{length:x}\r\n{BODY}0\r\n\r\n")),
        chunked("a chunk of no length", &format!("\r\n{BODY}\r\n0\r\n\r\n")),
        chunked("a chunk of a signed length", &format!("+{length:x}\r\n{BODY}\r\n0\r\n\r\n")),
        chunked("a chunk of an endless length", &format!("{}\r\n{BODY}", "f".repeat(17))),
        chunked("a chunk in 0x", &format!("0x{length:x}\r\n{BODY}\r\n0\r\n\r\n")),
        chunked("a chunk with a bare LF", &format!("{length:x}\n{BODY}\n0\n\n")),
        chunked(
            "an endless chunk extension",
            &format!("{length:x};{}\r\n{BODY}\r\n0\r\n\r\n", "x".repeat(20_000)),
        ),
        chunked("a chunk extension with a bare LF", &format!("{length:x};a\nb\r\n{BODY}\r\n0\r\n\r\n")),
    ]);
    all
}

/// What the RFC lets a server read, followed on the same connection by a request that somebody else might take for its body: the
/// second must never be answered.
pub fn last_of_their_connection() -> Vec<Shape> {
    let second = "GET /healthz HTTP/1.1\r\nhost: {host}\r\n\r\n";
    let start = "POST /v1/sessions HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n";
    let shape =
        |name, head: &str, body: &str| Shape { name, bytes: format!("{start}{head}\r\n\r\n{body}{second}") };
    let chunks = format!("{:x}\r\n{BODY}\r\n0\r\n\r\n", BODY.len());
    let extended = format!("{:x};ext=1\r\n{BODY}\r\n0\r\n\r\n", BODY.len());
    let trailing = format!("{:x}\r\n{BODY}\r\n0\r\nhost: evil.example\r\n\r\n", BODY.len());
    vec![
        shape("chunks", "transfer-encoding: chunked", &chunks),
        shape("chunks before a length", "transfer-encoding: chunked\r\ncontent-length: 4", &chunks),
        shape("a length before chunks", "content-length: 4\r\ntransfer-encoding: chunked", &chunks),
        shape("a chunk extension", "transfer-encoding: chunked", &extended),
        shape("a trailer", "transfer-encoding: chunked", &trailing),
    ]
}
