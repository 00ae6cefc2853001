//! A clinic's HTTP proxy: tunnels by CONNECT, nothing else, and remembers what it could see.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use daemon::app::tasks::Tasks;
use data_encoding::BASE64;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What passed through.
#[derive(Debug, Default, Clone)]
pub struct Seen {
    /// Targets of the tunnels that were opened, `host:port`.
    pub tunnels: Vec<String>,
    /// Requests that were refused.
    pub refused: usize,
    /// Everything the client sent into tunnels.
    pub bytes: Vec<u8>,
}

/// A running proxy.
pub struct ConnectProxy {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    tasks: Tasks,
}

impl ConnectProxy {
    /// Starts one on loopback that wants this user and password, if any.
    pub async fn start(login: Option<(&str, &str)>) -> io::Result<Self> {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let wanted = login.map(|(user, password)| {
            format!("proxy-authorization: Basic {}", BASE64.encode(format!("{user}:{password}").as_bytes()))
        });
        let (seen, tasks) = (Arc::new(Mutex::new(Seen::default())), Tasks::default());
        let (stopping, children, shared) = (tasks.stopping(), tasks.clone(), Arc::clone(&seen));
        tasks.start(async move {
            while let Some(accepted) = stopping.run_until_cancelled(listener.accept()).await {
                let Ok((client, _)) = accepted else { continue };
                let serving = serve(client, wanted.clone(), Arc::clone(&shared));
                let stopping = stopping.clone();
                children.start(async move {
                    if let Some(Err(error)) = stopping.run_until_cancelled(serving).await {
                        tracing::info!(%error, "a tunnel ended");
                    }
                });
            }
        });
        Ok(Self { address, seen, tasks })
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What passed through until now.
    pub fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Closes everything.
    pub async fn stop(&self) {
        self.tasks.finish().await;
    }
}

async fn serve(mut client: TcpStream, wanted: Option<String>, seen: Arc<Mutex<Seen>>) -> io::Result<()> {
    let note = |write: &dyn Fn(&mut Seen)| write(&mut seen.lock().unwrap_or_else(PoisonError::into_inner));
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let target = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next()).map(str::to_owned);
    let known = wanted.is_none_or(|line| head.lines().any(|given| given.eq_ignore_ascii_case(&line)));
    let (Some(target), true) = (target, known) else {
        note(&|seen| seen.refused += 1);
        return client
            .write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
            .await;
    };
    let mut server = TcpStream::connect(&target).await?;
    note(&|seen| seen.tunnels.push(target.clone()));
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let out = async {
        let mut buffer = vec![0; 8 * 1024];
        loop {
            let count = from_client.read(&mut buffer).await?;
            let chunk = buffer.get(..count).unwrap_or_default();
            if chunk.is_empty() {
                return to_server.shutdown().await;
            }
            note(&|seen| seen.bytes.extend_from_slice(chunk));
            to_server.write_all(chunk).await?;
        }
    };
    let back = async {
        tokio::io::copy(&mut from_server, &mut to_client).await?;
        to_client.shutdown().await
    };
    tokio::try_join!(out, back).map(drop)
}
