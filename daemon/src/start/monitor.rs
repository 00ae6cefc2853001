//! What whoever watches the program is told, put together.

use std::sync::Arc;

use super::people::People;
use super::{Parts, StartError};
use crate::app::health::Health;
use crate::app::monitor::{CertificateEnds, Monitor, MonitorParts};
use crate::app::ports::MachineStore as _;
use crate::config::{Config, PageTls};
use crate::pki;
use crate::store::Store;
use crate::system::OwnProcess;

pub(super) async fn monitor(
    config: &Config,
    parts: &Parts,
    people: &People,
    store: &Arc<Store>,
    health: &Arc<Health>,
) -> Result<Monitor, StartError> {
    Ok(Monitor::new(MonitorParts {
        health: health.clone(),
        sessions: people.sessions.clone(),
        kept: store.clone(),
        store: store.clone(),
        process: Arc::new(OwnProcess),
        tally: parts.tally.clone(),
        certificates: certificates(config, store).await?,
        clock: parts.clock.clone(),
        tells_figures: config.metrics.enabled,
    }))
}

/// Both are read once: a given certificate is used until the next start, and an authority is made when a listener needs it.
async fn certificates(config: &Config, store: &Store) -> Result<CertificateEnds, StartError> {
    let page = match config.page.as_ref().map(|section| section.tls()) {
        Some(PageTls::Given { certificate, .. }) => Some(pki::given_validity(certificate)?.not_after),
        Some(PageTls::Loopback | PageTls::OwnAuthority) | None => None,
    };
    let authority = store.authority().await?;
    let ends = authority.map(|authority| pki::authority_ends(&authority)).transpose()?;
    Ok(CertificateEnds { page, machines_authority: ends })
}
