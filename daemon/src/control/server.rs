//! The daemon's side: one request a connection, a few connections at a time, an end when the daemon stops.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::command::{Command, Line};
use super::execute::{Note, Office, Progress, execute};
use super::transport::{Connection, Listener};
use crate::app::tasks::Tasks;

/// Nobody types more commands at once.
const AT_ONCE: usize = 8;
/// How long a connection may take to send its request.
const REQUEST_WITHIN: Duration = Duration::from_secs(5);
/// How long a stop waits for commands that run; the API's listener waits as long.
const STOP_WITHIN: Duration = Duration::from_secs(4);

/// Serves commands until told to stop; then waits for those that run, but not for ever.
pub async fn serve(listener: Listener, office: Arc<Office>, stopping: CancellationToken) {
    let open = Tasks::default();
    let places = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let connection = tokio::select! {
            () = stopping.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let place = places.clone().try_acquire_owned();
        match (connection, place) {
            (Ok(connection), Ok(place)) => {
                let (office, stopping) = (office.clone(), stopping.clone());
                open.start(async move {
                    tokio::select! {
                        () = answer(connection, &office) => {}
                        () = too_late(&stopping) => tracing::warn!("a command was cut off by the stop"),
                    }
                    drop(place);
                });
            }
            (Ok(_), Err(_)) => tracing::warn!("too many commands at once"),
            (Err(error), _) => {
                tracing::error!(%error, "the control channel ended");
                break;
            }
        }
    }
    drop(listener);
    open.finish().await;
}

/// Resolves when a command must end because the daemon stops.
async fn too_late(stopping: &CancellationToken) {
    stopping.cancelled().await;
    tokio::time::sleep(STOP_WITHIN).await;
}

async fn answer(mut connection: Connection, office: &Office) {
    let Ok(Ok(Some(request))) = tokio::time::timeout(REQUEST_WITHIN, connection.receive()).await else {
        return;
    };
    // serde's message can hold what was sent.
    let Ok(command) = serde_json::from_slice::<Command>(&request) else {
        say(
            &mut connection,
            &Line::Failed("このデーモンは、その指示を知りません。shikakud の版を揃えてください".to_owned()),
        )
        .await;
        return;
    };
    drop(request);
    let (progress, mut notes) = Progress::new();
    let mut work = pin!(execute(office, command, &progress));
    let outcome = loop {
        tokio::select! {
            biased;
            Some(note) = notes.recv() => say(&mut connection, &note.into()).await,
            outcome = &mut work => break outcome,
        }
    };
    while let Ok(note) = notes.try_recv() {
        say(&mut connection, &note.into()).await;
    }
    let last = outcome.map_or_else(|error| Line::Failed(error.to_string()), Line::Done);
    say(&mut connection, &last).await;
}

impl From<Note> for Line {
    fn from(note: Note) -> Self {
        match note {
            Note::Say(text) => Self::Progress(text),
            Note::Out(text) => Self::Output(text),
        }
    }
}

/// Whoever asked may have gone away: what was done is done all the same.
async fn say(connection: &mut Connection, line: &Line) {
    match serde_json::to_vec(line).map(Zeroizing::new) {
        Ok(text) => drop(connection.send(&text).await),
        Err(error) => tracing::error!(%error, "an answer could not be written"),
    }
}
