//! A named pipe whose name and proof stand in a file of the data directory.
//!
//! Names of pipes belong to everybody: anybody may make one before the daemon does. So each start draws a new name, which stands in
//! `control.pipe`, where only the system, the administrators and the service's account can read; only the first instance of a name
//! is used; and the daemon proves that it knows the file before it is told anything. The pipe's own access list keeps everybody else
//! from connecting: the system's rule would let them read, and so take all places.
//!
//! ```text
//! command: nonce (hex)          daemon: HMAC-SHA256(proof, nonce) (hex)        command: its request …
//! ```

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use data_encoding::HEXLOWER;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::net::windows::named_pipe::{ClientOptions, NamedPipeServer, ServerOptions};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::LONGEST_LINE;
use super::proof::{self, Peer, Proof};
use crate::app::ports::random_bytes;
use crate::system::OsRandom;
use crate::system::owned::{self, Exposure};

/// The file in the data directory.
const NAME: &str = "control.pipe";
/// `ERROR_PIPE_BUSY`: between two instances there is none for a moment.
const BUSY: i32 = 231;
/// How often a busy pipe is tried again, and how long after.
const TRIES: u32 = 50;
const AGAIN: Duration = Duration::from_millis(20);

/// Why there is no control channel; the text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum PipeError {
    /// The file or the pipe cannot be used.
    #[error("{path} で管理用のパイプを使えません: {error}（管理者として実行してください）")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The other side does not know what stands in the file.
    #[error(
        "{0} の示すパイプは shikakud のものではありません。何も送っていません。パソコンを再起動し、続くなら不正なプログラムを疑ってください"
    )]
    Stranger(PathBuf),
    /// The other side ended the connection before it had proven anything.
    #[error(
        "shikakud はいま、ほかの管理コマンドで手一杯か、終わるところです。何も送っていません。少し待って、もう一度実行してください"
    )]
    Busy,
}

/// The daemon's end.
pub struct Listener {
    pipe: String,
    proof: Proof,
    file: PathBuf,
    /// The instance that the next command finds.
    next: Mutex<NamedPipeServer>,
}

impl Listener {
    /// Listens in a data directory whose lock the caller holds: a file that lies there belongs to nobody any more.
    pub fn bind(directory: &Path) -> Result<Self, PipeError> {
        let file = directory.join(NAME);
        let unusable = |error| PipeError::Unusable { path: file.clone(), error };
        let name = HEXLOWER.encode(&random_bytes::<16>(&OsRandom));
        let proof = random_bytes::<32>(&OsRandom);
        let pipe = format!(r"\\.\pipe\shikakud-{name}");
        // The list of the first instance is that of all. Nobody waits for it meanwhile: the name is not told yet.
        let open = || -> io::Result<NamedPipeServer> {
            let mut first = ServerOptions::new()
                .first_pipe_instance(true)
                .reject_remote_clients(true)
                .write_dac(true)
                .create(&pipe)?;
            owned::close_pipe(&mut first)?;
            Ok(first)
        };
        let next = open().map_err(unusable)?;
        write_file(&file, proof::text(&pipe, &proof).as_bytes()).map_err(unusable)?;
        Ok(Self { pipe, proof: Proof::new(&proof), file, next: Mutex::new(next) })
    }

    /// The next connection; who it is shows when it speaks.
    pub async fn accept(&self) -> io::Result<Connection> {
        let mut next = self.next.lock().await;
        loop {
            let outcome = next.connect().await;
            let following = ServerOptions::new().reject_remote_clients(true).create(&self.pipe)?;
            let this = std::mem::replace(&mut *next, following);
            match outcome {
                Ok(()) => return Ok(Connection::new(this, Some(self.proof.clone()))),
                // Somebody came and went: that instance is used up, and others wait.
                Err(error) => tracing::debug!(%error, "nobody stayed at the control channel"),
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // A file that stays behind names a pipe that nobody has.
        std::fs::remove_file(&self.file).ok();
    }
}

/// Always a new file, so that one that lay there before gives it nothing of its own.
fn write_file(path: &Path, text: &[u8]) -> io::Result<()> {
    use io::Write as _;
    match owned::patiently(|| std::fs::remove_file(path)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = owned::private_unfollowed().write(true).create_new(true).open(path)?;
    file.write_all(text)?;
    file.sync_all()
}

/// What stands in the file, if nobody else can have written it.
fn read_file(path: &Path) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    use io::Read as _;
    let file = match owned::private_unfollowed().read(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let found = file.metadata()?;
    if !found.is_file() || owned::exposure(path, &found)? != Exposure::Private {
        return Err(io::Error::other(owned::OPEN_FILE));
    }
    let mut content = Zeroizing::new(Vec::with_capacity(4096));
    file.take(LONGEST_LINE).read_to_end(&mut content)?;
    Ok(Some(content))
}

/// Connects to the daemon of a data directory; `None` if none listens there.
pub async fn connect(directory: &Path) -> Result<Option<Connection>, PipeError> {
    let file = directory.join(NAME);
    let unusable = |error| PipeError::Unusable { path: file.clone(), error };
    let Some(content) = read_file(&file).map_err(unusable)? else { return Ok(None) };
    let stranger = || PipeError::Stranger(file.clone());
    let (pipe, proof) = proof::parse(&content).ok_or_else(stranger)?;
    let mut tries = 0;
    let client = loop {
        match ClientOptions::new().open(&pipe) {
            Ok(client) => break client,
            // A dead daemon's pipe.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.raw_os_error() == Some(BUSY) && tries < TRIES => {
                tries += 1;
                tokio::time::sleep(AGAIN).await;
            }
            Err(error) => return Err(unusable(error)),
        }
    };
    let mut connection = Connection::new(client, None);
    let nonce = HEXLOWER.encode(&random_bytes::<16>(&OsRandom));
    let answer = match connection.send(nonce.as_bytes()).await {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => None,
        sent => {
            sent.map_err(unusable)?;
            connection.receive().await.map_err(unusable)?
        }
    };
    match proof.judge(nonce.as_bytes(), answer.as_ref().map(|answer| answer.as_slice())) {
        Peer::Daemon => Ok(Some(connection)),
        Peer::Nobody => Err(PipeError::Busy),
        Peer::Stranger => Err(stranger()),
    }
}

type Reader = Box<dyn AsyncRead + Send + Unpin>;
type Writer = Box<dyn AsyncWrite + Send + Unpin>;

/// One conversation.
pub struct Connection {
    reader: BufReader<Reader>,
    writer: Writer,
    /// What is still to be proven before the first line.
    owes: Option<Proof>,
}

impl Connection {
    fn new(stream: impl AsyncRead + AsyncWrite + Send + 'static, owes: Option<Proof>) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        Self { reader: BufReader::new(Box::new(reader)), writer: Box::new(writer), owes }
    }

    /// The next line without its end; `None` at the end of the conversation or at a line that is too long. Wiped on drop.
    pub async fn receive(&mut self) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        if let Some(proof) = self.owes.take() {
            let Some(nonce) = self.line().await? else { return Ok(None) };
            let Some(answer) = proof.answer(&nonce) else { return Ok(None) };
            self.send(answer.as_bytes()).await?;
        }
        self.line().await
    }

    async fn line(&mut self) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        let mut line = Zeroizing::new(Vec::with_capacity(4096));
        let read = (&mut self.reader).take(LONGEST_LINE).read_until(b'\n', &mut line).await;
        match read {
            // The other side has closed its end.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(None),
            other => other?,
        };
        if line.pop_if(|last| *last == b'\n').is_none() {
            return Ok(None);
        }
        Ok(Some(line))
    }

    /// Sends a line; the text must not hold a line's end.
    pub async fn send(&mut self, line: &[u8]) -> io::Result<()> {
        let mut whole = Zeroizing::new(Vec::with_capacity(line.len() + 1));
        whole.extend_from_slice(line);
        whole.push(b'\n');
        self.writer.write_all(&whole).await?;
        self.writer.flush().await
    }
}
