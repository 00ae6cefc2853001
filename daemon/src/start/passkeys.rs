//! Passkeys put together: the site that they are made for, and everything they need.

use std::net::SocketAddr;
use std::sync::Arc;

use super::{Parts, people::People};
use crate::app::own_account::OwnAccount;
use crate::app::passkeys::{Passkeys, PasskeysParts};
use crate::app::ports::PasskeyVerifier;
use crate::app::sign_in::SignIn;
use crate::config::Config;
use crate::passkeys::WebAuthn;
use crate::store::Store;

/// The host name and the origin of the page that passkeys are made for: the first by which it is opened. A sandbox without a page
/// has `localhost`, which browsers take for as safe as HTTPS; other installations have no host name before they have a page.
pub(super) fn site(config: &Config, api: SocketAddr, page: Option<SocketAddr>) -> Option<WebAuthn> {
    const HOST: &str = "localhost";
    if let (Some(section), Some(at)) = (&config.page, page) {
        let host = section.names().into_iter().next()?;
        return Some(WebAuthn::new(&host, [section.origin(&host, at.port())]));
    }
    let scheme = if config.api.tls { "https" } else { "http" };
    config.mode.is_sandbox().then(|| WebAuthn::new(HOST, [format!("{scheme}://{HOST}:{}", api.port())]))
}

pub(super) fn passkeys(
    site: Option<WebAuthn>,
    parts: &Parts,
    people: &People,
    store: &Arc<Store>,
    sign_in: &Arc<SignIn>,
    own_account: &Arc<OwnAccount>,
) -> Passkeys {
    Passkeys::new(PasskeysParts {
        verifier: site.map(|site| Arc::new(site) as Arc<dyn PasskeyVerifier>),
        store: store.clone(),
        accounts: store.clone(),
        own_account: own_account.clone(),
        sign_in: sign_in.clone(),
        endings: people.endings.clone(),
        audit: store.clone(),
        clock: parts.clock.clone(),
        random: parts.random.clone(),
    })
}
