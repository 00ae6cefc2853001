//! A Unix domain socket in the data directory: mode 0600 in a directory of mode 0700, and each side asks the kernel who the
//! other one is.

use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use zeroize::Zeroizing;

use super::LONGEST_LINE;

/// The socket's name in the data directory.
const NAME: &str = "control.sock";

/// Why there is no control channel; the text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum PipeError {
    /// The path is longer than the system takes, or something else lies there.
    #[error("{path} に管理用のソケットを作れません: {error}（パスは100バイト以内にしてください）")]
    Unusable {
        /// The socket.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The other side does not belong to the data's owner.
    #[error("{0} は別のユーザーのものです。データのディレクトリの持ち主を確認してください")]
    Stranger(PathBuf),
}

/// The daemon's end.
pub struct Listener {
    socket: UnixListener,
    path: PathBuf,
}

impl Listener {
    /// Listens in a data directory whose lock the caller holds: a socket that lies there belongs to nobody any more.
    pub fn bind(directory: &Path) -> Result<Self, PipeError> {
        let path = directory.join(NAME);
        let unusable = |error| PipeError::Unusable { path: path.clone(), error };
        match std::fs::symlink_metadata(&path) {
            Ok(found) if found.file_type().is_socket() => std::fs::remove_file(&path).map_err(unusable)?,
            Ok(_) => return Err(unusable(io::ErrorKind::AlreadyExists.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unusable(error)),
        }
        let socket = UnixListener::bind(&path).map_err(unusable)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).map_err(unusable)?;
        Ok(Self { socket, path })
    }

    /// The next connection of our own user or root; anybody else is closed without a word.
    pub async fn accept(&self) -> io::Result<Connection> {
        loop {
            let (stream, _) = self.socket.accept().await?;
            let own = rustix::process::geteuid().as_raw();
            match stream.peer_cred() {
                Ok(peer) if peer.uid() == own || peer.uid() == 0 => return Ok(Connection::new(stream)),
                Ok(peer) => tracing::warn!(uid = peer.uid(), "a stranger at the control channel"),
                Err(error) => tracing::warn!(%error, "nobody knows who is at the control channel"),
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // A socket that stays behind is no obstacle for the next start.
        std::fs::remove_file(&self.path).ok();
    }
}

/// Connects to the daemon of a data directory; `None` if none listens there.
pub async fn connect(directory: &Path) -> Result<Option<Connection>, PipeError> {
    let path = directory.join(NAME);
    let unusable = |error| PipeError::Unusable { path: path.clone(), error };
    let owner = match std::fs::symlink_metadata(&path) {
        Ok(found) if found.file_type().is_socket() => found.uid(),
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(error)),
    };
    let stream = match UnixStream::connect(&path).await {
        Ok(stream) => stream,
        // A dead daemon's socket.
        Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) => {
            return Ok(None);
        }
        Err(error) => return Err(unusable(error)),
    };
    let own = rustix::process::geteuid().as_raw();
    let peer = stream.peer_cred().map_err(unusable)?.uid();
    // Root may serve anybody; root's command may use the data owner's daemon.
    if peer == 0 || peer == own || (own == 0 && peer == owner) {
        Ok(Some(Connection::new(stream)))
    } else {
        Err(PipeError::Stranger(path))
    }
}

/// One conversation.
pub struct Connection {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl Connection {
    fn new(stream: UnixStream) -> Self {
        let (reader, writer) = stream.into_split();
        Self { reader: BufReader::new(reader), writer }
    }

    /// The next line without its end; `None` at the end of the conversation or at a line that is too long. Wiped on drop.
    pub async fn receive(&mut self) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        let mut line = Zeroizing::new(Vec::with_capacity(4096));
        (&mut self.reader).take(LONGEST_LINE).read_until(b'\n', &mut line).await?;
        if line.pop_if(|last| *last == b'\n').is_none() {
            return Ok(None);
        }
        Ok(Some(line))
    }

    /// Sends a line; the text must not hold a line's end.
    pub async fn send(&mut self, line: &[u8]) -> io::Result<()> {
        self.writer.write_all(line).await?;
        self.writer.write_all(b"\n").await
    }
}
