//! Signs of life for whoever watches the program.

use async_trait::async_trait;
use tokio::sync::oneshot;

use super::Store;
use super::writer::Command;
use crate::app::ports::{Footprint, StoreVitals};

#[async_trait]
impl StoreVitals for Store {
    async fn writer_answers(&self) -> bool {
        let (reply, answer) = oneshot::channel();
        self.writer.send(Command::Alive(reply)).await.is_ok() && answer.await.is_ok()
    }

    fn footprint(&self) -> Footprint {
        let database = self.config.database();
        let mut log = database.clone().into_os_string();
        log.push("-wal");
        let bytes = |path: &std::path::Path| Some(std::fs::metadata(path).ok()?.len());
        Footprint { database: bytes(&database), log: bytes(log.as_ref()), free: self.ballast.free().ok() }
    }
}
