//! Looks at the front-desk page as its configuration has it: `wiring` for one section.

use std::sync::Arc;
use std::time::Duration;

use super::checks::page::{self, TlsSeen};
use super::codes::Code;
use super::network::{self, AddressSeen, NameSeen};
use super::report::Finding;
use crate::app::ports::Clock;
use crate::config::{Config, PageSection, PageTls};
use crate::control::client;
use crate::control::{Command, Reply};
use crate::pki::{convinces_at, given_server_config, given_validity};

/// A resolver that takes longer has no answer for browsers either.
const RESOLVER: Duration = Duration::from_secs(5);

/// Everything about the page; one line where there is none.
pub(super) async fn look(config: &Config, running: bool, clock: &Arc<dyn Clock>) -> Vec<Finding> {
    let Some(section) = &config.page else { return vec![Finding::new(Code::PageOff)] };
    let listen = section.listen;
    let seen = blocking(move || network::address(listen)).await;
    let answers = matches!(seen, Ok(AddressSeen::Answers));
    let address = page::address(seen, running, &section.address(listen.port()), &listen.to_string());
    if section.tls() == PageTls::Loopback {
        return vec![address];
    }
    let names = async {
        let look = section.names().into_iter().map(|name| async move {
            let asked = name.clone();
            let resolved = blocking(move || Ok(network::name(&asked, listen)));
            let seen = tokio::time::timeout(RESOLVER, resolved).await;
            (name, seen.ok().and_then(Result::ok).unwrap_or(NameSeen::Unknown))
        });
        futures_util::future::join_all(look).await
    };
    let (names, tls) = tokio::join!(names, look_at_tls(config, section, running && answers, clock));
    let certificate = page::certificate(tls, clock.now());
    [address].into_iter().chain(page::names(&names)).chain([certificate]).collect()
}

async fn look_at_tls(config: &Config, section: &PageSection, shown: bool, clock: &Arc<dyn Clock>) -> TlsSeen {
    if let PageTls::Given { certificate, key } = section.tls() {
        let fits = given_server_config(certificate, key, &section.names(), Arc::clone(clock));
        return match fits.and_then(|_| given_validity(certificate)) {
            Ok(validity) => TlsSeen::Given(validity),
            Err(error) => TlsSeen::GivenUnusable(error.to_string()),
        };
    }
    if !shown {
        return TlsSeen::NotShown;
    }
    // A daemon that shows this page has an authority: asking for it makes none.
    let asked =
        client::through_daemon(&config.store.directory, &Command::MachineAuthority, &mut |_| ()).await;
    let (authority, fingerprint) = match asked {
        Ok(Some(Reply::Authority { certificate, fingerprint })) => (certificate, fingerprint),
        Ok(_) => return TlsSeen::NotShown,
        Err(error) => return TlsSeen::Doubtful(error.to_string()),
    };
    let listen = network::reached(section.listen);
    for name in section.names() {
        let (host, authority, clock) = (name.clone(), authority.clone(), Arc::clone(clock));
        let judged = blocking(move || convinces_at(listen, &host, &authority, clock)).await;
        if let Err(error) = judged {
            return TlsSeen::Doubtful(format!("{name}: {error}"));
        }
    }
    TlsSeen::Convinces(fingerprint)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, std::io::Error> + Send + 'static,
) -> Result<T, std::io::Error> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(std::io::Error::other(error)))
}
