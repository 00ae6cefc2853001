//! Signs of life for whoever watches the program.

use async_trait::async_trait;
use tokio::sync::oneshot;

use super::Store;
use super::writer::{Command, closed};
use crate::app::ports::{Footprint, StoreError, StoreVitals};

#[async_trait]
impl StoreVitals for Store {
    async fn writer_answers(&self) -> bool {
        let (reply, answer) = oneshot::channel();
        self.writer.send(Command::Alive(reply)).await.is_ok() && answer.await.is_ok()
    }

    async fn writes(&self) -> Result<(), StoreError> {
        if let Some(known) = self.commits.known() {
            return known;
        }
        let (reply, answer) = oneshot::channel();
        self.writer.send(Command::Prove(reply)).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    fn footprint(&self) -> Footprint {
        let database = self.config.database();
        let mut log = database.clone().into_os_string();
        log.push("-wal");
        let bytes = |path: &std::path::Path| Some(std::fs::metadata(path).ok()?.len());
        Footprint { database: bytes(&database), log: bytes(log.as_ref()), free: self.ballast.free().ok() }
    }
}
