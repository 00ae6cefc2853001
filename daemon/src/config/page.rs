//! `[page]`: the front-desk page for the browsers of the clinic.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use jiff::SignedDuration;
use serde::Deserialize;

use super::ConfigError;
use crate::local_network::{LocalHost, is_local};

/// The page's listener. Without the section there is none.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageSection {
    /// Address of this machine on the network, and port; on loopback the page is for this machine alone.
    pub listen: SocketAddr,
    /// The names by which browsers open the page, the first before all others; addresses among them get an explanation. Nothing:
    /// `localhost`, in clear, on loopback only.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Whether `listen` may be `0.0.0.0` or `[::]`: every network that this machine is on, now and later.
    #[serde(default)]
    pub every_address: bool,
    /// A certificate of somebody else's for all these names (PEM, with its chain), in place of the daemon's own authority's.
    pub certificate_file: Option<PathBuf>,
    /// Its key (PEM).
    pub key_file: Option<PathBuf>,
    /// Minutes after which a session that nobody uses ends, 1 to 60.
    #[serde(default = "default_idle_minutes")]
    pub idle_minutes: u8,
}

fn default_idle_minutes() -> u8 {
    15
}

/// How the page is protected on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageTls<'a> {
    /// Not at all: it does not leave this machine.
    Loopback,
    /// By a certificate of the daemon's own authority.
    OwnAuthority,
    /// By a certificate that was given.
    Given {
        /// The certificate and its chain.
        certificate: &'a Path,
        /// Its key.
        key: &'a Path,
    },
}

/// More names than a machine has.
const MOST_HOSTS: usize = 16;

impl PageSection {
    /// On an address, for a while; everything else by default.
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            hosts: Vec::new(),
            every_address: false,
            certificate_file: None,
            key_file: None,
            idle_minutes: default_idle_minutes(),
        }
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let refuse = |key, rule| Err(ConfigError::Value { key, rule });
        let address = self.listen.ip();
        if address.is_unspecified() && !self.every_address {
            return refuse(
                "page.listen",
                "受付ページは1つのアドレスで待ち受けます。すべてのアドレス（0.0.0.0、[::]）にするには every_address = true も書いてください",
            );
        }
        if !address.is_unspecified() && !is_local(address) {
            return refuse(
                "page.listen",
                "施設の中のネットワークのアドレス（プライベートアドレス）にしてください",
            );
        }
        if self.certificate_file.is_some() != self.key_file.is_some() {
            return refuse(
                "page.certificate_file",
                "certificate_file と key_file は、両方書くか、両方省略してください",
            );
        }
        if !(1..=60).contains(&self.idle_minutes) {
            return refuse(
                "page.idle_minutes",
                "操作がないときにログアウトするまでの時間は1分から60分までです",
            );
        }
        self.validate_hosts()
    }

    fn validate_hosts(&self) -> Result<(), ConfigError> {
        let refuse = |rule| Err(ConfigError::Value { key: "page.hosts", rule });
        if self.hosts.is_empty() {
            return if self.listen.ip().is_loopback() && self.certificate_file.is_none() {
                Ok(())
            } else {
                refuse(
                    "受付ページを開くときの名前を書いてください。省略できるのは、ループバックで待ち受けるときだけです",
                )
            };
        }
        if self.hosts.len() > MOST_HOSTS || self.named().next().is_none() {
            return refuse("名前を1個以上、アドレスと合わせて16個以内で書いてください");
        }
        let usable = match self.tls() {
            PageTls::Given { .. } => self.hosts.iter().all(|host| is_address(host) || is_name(host)),
            PageTls::OwnAuthority | PageTls::Loopback => self.local_hosts().is_some(),
        };
        if usable {
            Ok(())
        } else {
            refuse(
                "名前（小文字、.local .lan .home.arpa .internal のどれかで終わる。証明書を certificate_file で指定したときは任意のドメイン）かプライベートアドレスを、ポートを付けずに書いてください",
            )
        }
    }

    pub(super) fn resolve_paths(&mut self, base: &Path) {
        for file in [&mut self.certificate_file, &mut self.key_file].into_iter().flatten() {
            *file = base.join(&*file);
        }
    }

    /// How the page is protected on its way.
    pub fn tls(&self) -> PageTls<'_> {
        match (&self.certificate_file, &self.key_file) {
            (Some(certificate), Some(key)) => PageTls::Given { certificate, key },
            _ if self.hosts.is_empty() => PageTls::Loopback,
            _ => PageTls::OwnAuthority,
        }
    }

    fn named(&self) -> impl Iterator<Item = &str> {
        self.hosts.iter().map(String::as_str).filter(|host| !is_address(host))
    }

    /// The names by which the page is opened, the first before all others.
    pub fn names(&self) -> Vec<String> {
        let names: Vec<_> = self.named().map(ToOwned::to_owned).collect();
        if names.is_empty() { vec!["localhost".to_owned()] } else { names }
    }

    /// The addresses at which whoever comes is told a name.
    pub fn addresses(&self) -> Vec<IpAddr> {
        let listed = self.hosts.iter().filter_map(|host| host.parse().ok());
        let own = Some(self.listen.ip()).filter(|address| !address.is_unspecified());
        let loopback = self.hosts.is_empty().then_some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let mut addresses: Vec<_> = listed.chain(own).chain(loopback).collect();
        addresses.sort_unstable();
        addresses.dedup();
        addresses
    }

    /// Names and addresses as the daemon's own authority signs for them; `None` if one of them is not of a local network.
    pub fn local_hosts(&self) -> Option<Vec<LocalHost>> {
        let names = self.named().map(LocalHost::parse);
        names.chain(self.addresses().into_iter().map(|one| LocalHost::parse(&one.to_string()))).collect()
    }

    /// How long a session may be left alone.
    pub fn idle_limit(&self) -> SignedDuration {
        SignedDuration::from_mins(self.idle_minutes.into())
    }

    /// What to open in a browser.
    pub fn address(&self, port: u16) -> String {
        self.names().first().map(|name| self.origin(name, port) + "/").unwrap_or_default()
    }

    /// How a name or an address of the page stands in a browser, without a path.
    pub fn origin(&self, host: &str, port: u16) -> String {
        let (scheme, usual) = match self.tls() {
            PageTls::Loopback => ("http", 80),
            PageTls::OwnAuthority | PageTls::Given { .. } => ("https", 443),
        };
        if port == usual { format!("{scheme}://{host}") } else { format!("{scheme}://{host}:{port}") }
    }
}

/// How long a session of the page may be left alone, also where there is no page yet.
pub fn idle_limit(page: Option<&PageSection>) -> SignedDuration {
    page.map_or(SignedDuration::from_mins(default_idle_minutes().into()), PageSection::idle_limit)
}

fn is_address(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok_and(is_local)
}

/// Any name of the domain name system, in lower case.
fn is_name(host: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    // A name whose last part is a number is an address that is none.
    let ends_in_letters =
        host.rsplit('.').next().is_some_and(|last| last.bytes().any(|b| b.is_ascii_lowercase()));
    host.len() <= 253 && host.contains('.') && ends_in_letters && host.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(listen: &str, hosts: &[&str]) -> PageSection {
        let hosts = hosts.iter().map(|&host| host.to_owned()).collect();
        PageSection { hosts, ..PageSection::new(listen.parse().unwrap()) }
    }

    fn refused(section: &PageSection) -> Option<&'static str> {
        match section.validate() {
            Ok(()) => None,
            Err(ConfigError::Value { key, .. }) => Some(key),
            Err(other) => panic!("{other}"),
        }
    }

    fn given(section: PageSection) -> PageSection {
        let file = |name: &str| Some(PathBuf::from(name));
        PageSection { certificate_file: file("page.pem"), key_file: file("page-key.pem"), ..section }
    }

    #[test]
    fn without_a_name_the_page_is_on_loopback_and_nowhere_else() {
        assert_eq!(refused(&section("127.0.0.1:8789", &[])), None);
        assert_eq!(refused(&section("[::1]:8789", &[])), None);
        assert_eq!(refused(&section("192.168.0.10:8443", &[])), Some("page.hosts"));
        assert_eq!(refused(&given(section("127.0.0.1:8789", &[]))), Some("page.hosts"));
        assert_eq!(section("127.0.0.1:8789", &[]).tls(), PageTls::Loopback);
        assert_eq!(section("127.0.0.1:8789", &["a.local"]).tls(), PageTls::OwnAuthority);
        let all = PageSection { every_address: true, ..section("0.0.0.0:8443", &["a.local"]) };
        assert_eq!(refused(&all), None);
        assert_eq!(refused(&PageSection { every_address: false, ..all.clone() }), Some("page.listen"));
        assert_eq!(refused(&PageSection { hosts: Vec::new(), ..all }), Some("page.hosts"));
        assert_eq!(refused(&section("203.0.113.5:8443", &["a.local"])), Some("page.listen"));
    }

    #[test]
    fn a_name_is_of_the_clinics_network_unless_somebody_else_certifies_it() {
        let at = |hosts: &[&str]| section("192.168.0.10:8443", hosts);
        assert_eq!(refused(&at(&["uketsuke.local", "192.168.0.10"])), None);
        assert_eq!(refused(&given(at(&["uketsuke.clinic.example", "192.168.0.10"]))), None);
        for hosts in [
            &["192.168.0.10"][..],
            &["uketsuke"],
            &["uketsuke.clinic.example"],
            &["a.local:8443"],
            &["a.local", "8.8.8.8"],
            &["a.local"; 17],
        ] {
            assert_eq!(refused(&at(hosts)), Some("page.hosts"), "{hosts:?}");
        }
        for host in ["UPPER.example", "localhost", "a..example", "a.example:1", "1.2.3.4.5", "8.8.8.8", ""] {
            assert_eq!(refused(&given(at(&["a.local", host]))), Some("page.hosts"), "{host}");
        }
    }

    #[test]
    fn certificate_and_key_come_together_and_nobody_is_idle_for_ever() {
        let one = PageSection { key_file: None, ..given(section("192.168.0.10:8443", &["a.local"])) };
        assert_eq!(refused(&one), Some("page.certificate_file"));
        for minutes in [0, 61] {
            let section = PageSection { idle_minutes: minutes, ..section("127.0.0.1:8789", &[]) };
            assert_eq!(refused(&section), Some("page.idle_minutes"));
        }
    }

    #[test]
    fn an_origin_leaves_the_usual_port_out() {
        let (clear, tls) = (section("127.0.0.1:80", &[]), section("192.168.0.10:443", &["a.local"]));
        assert_eq!(clear.origin("localhost", 80), "http://localhost");
        assert_eq!(clear.origin("localhost", 8789), "http://localhost:8789");
        assert_eq!(tls.origin("a.local", 443), "https://a.local");
        assert_eq!(tls.origin("a.local", 8443), "https://a.local:8443");
        assert_eq!(tls.addresses(), ["192.168.0.10".parse::<IpAddr>().unwrap()]);
    }
}
