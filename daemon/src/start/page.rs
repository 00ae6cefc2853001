//! The front-desk page's listener: its names, its origins, its TLS, and what browsers must trust.

use std::net::{IpAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use api::guard::Guard;
use api::page::{Authority, Page};
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::listeners::server_tls;
use super::{People, StartError};
use crate::app::ports::{Clock, Random};
use crate::config::{ConfigError, PageSection, PageTls};
use crate::domain::upkeep;
use crate::local_network::LocalHost;
use crate::pki::{self, Clients, TlsError};

/// What `shikakud config check` says of the page, one line a part: what it looked at, and a remark or what is wrong. Takes no port.
pub fn review_page(
    section: &PageSection,
    clock: &Arc<dyn Clock>,
) -> Vec<(&'static str, Result<String, String>)> {
    let listen = match TcpListener::bind((section.listen.ip(), 0)) {
        Ok(_) => Ok(section.address(section.listen.port())),
        Err(error) => Err(format!("{} で待ち受けられません: {error}", section.listen.ip())),
    };
    let certificate = match section.tls() {
        PageTls::Loopback => return vec![("page.listen", listen)],
        PageTls::OwnAuthority => (
            "page.hosts",
            Ok("証明書は資格ブリッジの認証局が発行します（指紋は shikakud page ca）".to_owned()),
        ),
        PageTls::Given { certificate, key } => {
            ("page.certificate_file", review_given(certificate, key, &section.names(), clock))
        }
    };
    vec![("page.listen", listen), certificate]
}

fn review_given(
    certificate: &Path,
    key: &Path,
    names: &[String],
    clock: &Arc<dyn Clock>,
) -> Result<String, String> {
    let fits = pki::given_server_config(certificate, key, names, Arc::clone(clock));
    let validity = fits.and_then(|_| pki::given_validity(certificate)).map_err(|error| error.to_string())?;
    let now = clock.now();
    if now < validity.not_before {
        return Err("証明書の有効期間がまだ始まっていません。このPCの時計を確認してください".to_owned());
    }
    if now > validity.not_after {
        return Err("証明書の有効期限が切れています".to_owned());
    }
    Ok(format!("有効期限まであと{}日", upkeep::days_left(validity.not_after, now)))
}

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
