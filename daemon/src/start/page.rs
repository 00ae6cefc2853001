//! The front-desk page's listener: its names, its origins, its TLS, and what browsers must trust.

use std::net::IpAddr;
use std::sync::Arc;

use api::guard::Guard;
use api::page::{Authority, Page};
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::listeners::server_tls;
use super::{People, StartError};
use crate::app::ports::Random;
use crate::config::{ConfigError, PageSection, PageTls};
use crate::local_network::LocalHost;
use crate::pki::{self, Clients, TlsError};

/// What leads to the page.
pub(super) struct PageDoor {
    pub(super) page: Page,
    pub(super) guard: Guard,
    pub(super) tls: Option<Arc<ServerConfig>>,
}

pub(super) async fn equip(
    section: &PageSection,
    port: u16,
    people: &People,
    random: &Arc<dyn Random>,
) -> Result<PageDoor, StartError> {
    let names = section.names();
    let tls = match section.tls() {
        PageTls::Loopback => None,
        PageTls::OwnAuthority => {
            let rule = "施設の中の名前かアドレスだけを書いてください";
            let hosts = section.local_hosts().ok_or(ConfigError::Value { key: "page.hosts", rule })?;
            Some(server_tls(people, random, hosts, Clients::NeverAsked).await?)
        }
        PageTls::Given { certificate, key } => {
            Some(pki::given_server_config(certificate, key, &names, people.clock.clone())?)
        }
    };
    let authority = match section.tls() {
        PageTls::OwnAuthority => Some(authority(people).await?),
        PageTls::Loopback | PageTls::Given { .. } => None,
    };
    let origins = names.iter().map(|name| section.origin(name, port));
    let page = Page {
        address: section.address(port),
        names: names.iter().map(|name| host(section, name, port)).collect(),
        authority,
    };
    let by_address = section.addresses().into_iter().map(|address| host(section, &written(address), port));
    let guard = Guard::new(page.names.iter().cloned())
        .and_hosts(by_address)
        .and_origins(origins)
        .and_entrances(["/", "/trust"]);
    Ok(PageDoor { page, guard, tls })
}

/// As a browser sends it: the origin without its scheme.
fn host(section: &PageSection, name: &str, port: u16) -> String {
    let origin = section.origin(name, port);
    origin.split_once("://").map_or(String::new(), |(_, host)| host.to_owned())
}

fn written(address: IpAddr) -> String {
    LocalHost::Address(address).to_string()
}

async fn authority(people: &People) -> Result<Authority, StartError> {
    let authority = people.machines.authority().await?;
    let der = CertificateDer::from_pem_slice(authority.certificate.as_bytes())
        .map_err(|error| TlsError::Authority(error.to_string()))?;
    Ok(Authority {
        certificate: der.to_vec(),
        fingerprint: data_encoding::HEXLOWER.encode(&authority.fingerprint),
    })
}
