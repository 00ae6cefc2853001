//! `[lan]`: the API for receipt computers on other machines of the clinic.

use std::net::SocketAddr;

use serde::Deserialize;

use super::ConfigError;
use crate::local_network::{LocalHost, is_local};

/// The listener on the clinic's network. Without the section there is none.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LanSection {
    /// Address of this machine on the network, and port.
    pub listen: SocketAddr,
    /// The names and addresses by which clients reach it; the certificate is made out to them, no other Host is answered.
    pub hosts: Vec<String>,
    /// Whether `listen` may be `0.0.0.0` or `[::]`: every network that this machine is on, now and later.
    #[serde(default)]
    pub every_address: bool,
}

/// More names than a machine has.
const MOST_HOSTS: usize = 16;

impl LanSection {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let refuse = |key, rule| Err(ConfigError::Value { key, rule });
        let address = self.listen.ip();
        if address.is_unspecified() && !self.every_address {
            return refuse(
                "lan.listen",
                "LANでは1つのアドレスで待ち受けます。すべてのアドレス（0.0.0.0、[::]）にするには every_address = true も書いてください",
            );
        }
        if !address.is_unspecified() && !is_local(address) {
            return refuse(
                "lan.listen",
                "施設の中のネットワークのアドレス（プライベートアドレス）にしてください",
            );
        }
        if self.hosts.is_empty() || self.hosts.len() > MOST_HOSTS || self.local_hosts().is_none() {
            return refuse(
                "lan.hosts",
                "レセコンから見た名前（小文字、.local .lan .home.arpa .internal のどれかで終わる）かプライベートアドレスを、1個以上16個以内で、ポートを付けずに書いてください",
            );
        }
        Ok(())
    }

    /// The names and addresses; `None` if one of them is not of a local network.
    pub fn local_hosts(&self) -> Option<Vec<LocalHost>> {
        self.hosts.iter().map(|host| LocalHost::parse(host)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(listen: &str, hosts: &[&str], every_address: bool) -> Option<&'static str> {
        let hosts = hosts.iter().map(|&host| host.to_owned()).collect();
        match (LanSection { listen: listen.parse().unwrap(), hosts, every_address }).validate() {
            Ok(()) => None,
            Err(ConfigError::Value { key, .. }) => Some(key),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn the_listener_is_on_one_address_of_the_clinics_network_unless_that_is_said() {
        let names: &[&str] = &["192.168.0.10", "uketsuke.local"];
        assert_eq!(refused("192.168.0.10:8788", names, false), None);
        assert_eq!(refused("[fd00::1]:8788", names, false), None);
        for address in ["0.0.0.0:8788", "[::]:8788"] {
            assert_eq!(refused(address, names, false), Some("lan.listen"));
            assert_eq!(refused(address, names, true), None);
        }
        for flag in [false, true] {
            assert_eq!(refused("203.0.113.5:8788", names, flag), Some("lan.listen"));
        }
    }

    #[test]
    fn it_has_names_of_the_clinics_network_and_no_others() {
        for hosts in
            [&[][..], &["uketsuke"], &["a.local", "clinic.example"], &["a.local:8788"], &["a.local"; 17]]
        {
            assert_eq!(refused("192.168.0.10:8788", hosts, false), Some("lan.hosts"), "{hosts:?}");
        }
    }
}
