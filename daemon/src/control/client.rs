//! The command's side: through the daemon if one runs, otherwise with the store in this process.

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::command::{Command, Line, Reply};
use super::execute::{CommandError, Note, Progress, execute};
use super::transport::{self, Connection, PipeError};
use crate::app::ports::{Clock, Random};
use crate::app::tasks::Tasks;
use crate::config::Config;
use crate::start::{self, StartError};

/// Why a command was not carried out; the text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No daemon runs and the store does not open here.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The socket cannot be used.
    #[error(transparent)]
    Pipe(#[from] PipeError),
    /// The daemon refused or failed; its own words.
    #[error("{0}")]
    Refused(String),
    /// Refused or failed here.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The daemon ended in the middle.
    #[error("デーモンとの接続が途中で切れました。結果を確認してから、もう一度実行してください")]
    Lost,
}

/// Carries a command out wherever the store is open. `note` hears how far it is and gets what
/// is written out.
pub async fn run(
    config: &Config,
    clock: &Arc<dyn Clock>,
    random: &Arc<dyn Random>,
    command: Command,
    note: &mut (dyn FnMut(Note) + Send),
) -> Result<Reply, ClientError> {
    match through_daemon(&config.store.directory, &command, note).await? {
        Some(reply) => Ok(reply),
        None => in_process(config, clock, random, command, note).await,
    }
}

/// Whether a daemon listens for commands.
pub async fn is_served(directory: &Path) -> bool {
    matches!(transport::connect(directory).await, Ok(Some(_)))
}

/// Carries a command out in the running daemon; `None` if none listens.
pub async fn through_daemon(
    directory: &Path,
    command: &Command,
    note: &mut (dyn FnMut(Note) + Send),
) -> Result<Option<Reply>, ClientError> {
    let Some(mut connection) = transport::connect(directory).await? else { return Ok(None) };
    let request = serde_json::to_vec(command).map(Zeroizing::new).map_err(|_| ClientError::Lost)?;
    connection.send(&request).await.map_err(|_| ClientError::Lost)?;
    loop {
        match next_line(&mut connection).await? {
            Line::Progress(text) => note(Note::Say(text)),
            Line::Output(text) => note(Note::Out(text)),
            Line::Done(reply) => return Ok(Some(reply)),
            Line::Failed(message) => return Err(ClientError::Refused(message)),
        }
    }
}

async fn next_line(connection: &mut Connection) -> Result<Line, ClientError> {
    let line = connection.receive().await.ok().flatten().ok_or(ClientError::Lost)?;
    serde_json::from_slice(&line).map_err(|_| ClientError::Lost)
}

async fn in_process(
    config: &Config,
    clock: &Arc<dyn Clock>,
    random: &Arc<dyn Random>,
    command: Command,
    note: &mut (dyn FnMut(Note) + Send),
) -> Result<Reply, ClientError> {
    let tasks = Tasks::default();
    let (store, office) = start::open_office(config, clock, random, &tasks).await?;
    let (progress, mut notes) = Progress::new();
    let outcome = {
        let mut work = pin!(execute(&office, command, &progress));
        loop {
            tokio::select! {
                biased;
                Some(heard) = notes.recv() => note(heard),
                outcome = &mut work => break outcome,
            }
        }
    };
    while let Ok(heard) = notes.try_recv() {
        note(heard);
    }
    store.close().await;
    tasks.finish().await;
    Ok(outcome?)
}
