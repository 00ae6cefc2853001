//! OQS folders put together.

use std::sync::Arc;

use super::people::People;
use super::{Parts, StartError};
use crate::app::folders::{FolderBoard, FolderExchange, FolderParts};
use crate::app::inquiries::Inquiries;
use crate::app::ports::FolderName;
use crate::config::Config;
use crate::folders::{self, Folder};
use crate::formats::Charset;
use crate::service::FaceXml;
use crate::store::Store;

/// Begins to serve the configured folders; nothing happens in one before its readers are accepted.
pub(super) async fn start(
    config: &Config,
    parts: &Parts,
    people: &People,
    store: &Arc<Store>,
    inquiries: &Inquiries,
) -> Result<FolderBoard, StartError> {
    let board = FolderBoard::default();
    if config.folders.is_empty() {
        return Ok(board);
    }
    let exchange = FolderExchange::open(FolderParts {
        ledger: store.clone(),
        results: store.clone(),
        audit: store.clone(),
        inquiries: inquiries.clone(),
        acceptance: people.folders.clone(),
        retention: parts.retention.clone(),
        board: board.clone(),
        clock: parts.clock.clone(),
    });
    let exchange = Arc::new(exchange.await?);
    for section in &config.folders {
        let (institution, charset) = (config.institution()?, Charset::from(section.encoding));
        let folder = Folder {
            name: FolderName(section.name.clone()),
            root: section.root.clone(),
            root_text: section.root_text(),
            charset,
            institution: institution.clone(),
            faces: section.face,
            inquiry_numbers: section.inquiry_numbers,
            every: section.every(),
            form: Arc::new(FaceXml { institution, charset }),
        };
        folders::start(folder, &exchange, &parts.tasks);
    }
    Ok(board)
}
