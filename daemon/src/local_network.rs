//! What belongs to a clinic's own network: the names and addresses that the LAN listener may have and that the daemon's authority may
//! sign for. Nothing that the public internet knows is among them, so that a stolen key of the authority is worth nothing there.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Domains that are never on the public internet (RFC 6762, RFC 8375, ICANN's `internal`, and the usual `lan`).
pub const DOMAINS: &[&str] = &["local", "lan", "home.arpa", "internal"];

/// Private, link-local and loopback IPv4 addresses: network and length of its prefix (RFC 1918, RFC 3927).
pub const NETWORKS_V4: &[(Ipv4Addr, u8)] = &[
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::LOCALHOST, 32),
];

/// Unique local, link-local and loopback IPv6 addresses (RFC 4193, RFC 4291).
pub const NETWORKS_V6: &[(Ipv6Addr, u8)] = &[
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10),
    (Ipv6Addr::LOCALHOST, 128),
];

/// Whether an address is one of the clinic's own network or of this machine.
pub fn is_local(address: IpAddr) -> bool {
    let within = |bits: u128, network: u128, width: u32, prefix: u8| {
        let shift = width - u32::from(prefix);
        bits.checked_shr(shift) == network.checked_shr(shift)
    };
    match address {
        IpAddr::V4(address) => NETWORKS_V4.iter().any(|(network, prefix)| {
            within(u128::from(address.to_bits()), u128::from(network.to_bits()), 32, *prefix)
        }),
        IpAddr::V6(address) => NETWORKS_V6
            .iter()
            .any(|(network, prefix)| within(address.to_bits(), network.to_bits(), 128, *prefix)),
    }
}

/// How a machine is called on the clinic's network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocalHost {
    /// A name in lower case.
    Name(String),
    /// An address.
    Address(IpAddr),
}

impl LocalHost {
    /// Reads a name or an address; `None` if it is none or does not belong to a local network.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return is_local(address).then_some(Self::Address(address));
        }
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        let below = |domain: &&str| text.strip_suffix(*domain).is_some_and(|host| host.ends_with('.'));
        let named = text.len() <= 253 && text.split('.').all(label) && DOMAINS.iter().any(below);
        named.then(|| Self::Name(text.to_owned()))
    }

    /// This machine for itself.
    pub fn loopback() -> [Self; 3] {
        [
            Self::Name("localhost".to_owned()),
            Self::Address(Ipv4Addr::LOCALHOST.into()),
            Self::Address(Ipv6Addr::LOCALHOST.into()),
        ]
    }
}

/// As in a `Host` header, without the port.
impl fmt::Display for LocalHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_and_addresses_of_a_local_network_are_read() {
        for good in [
            "uketsuke.local",
            "a.b-c.internal",
            "pc1.home.arpa",
            "nas.lan",
            "10.255.255.255",
            "172.31.255.255",
            "192.168.0.10",
            "169.254.1.1",
            "127.0.0.1",
            "fd00::1",
            "fe80::1",
            "::1",
        ] {
            assert!(LocalHost::parse(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "local",
            ".local",
            "a..local",
            "-a.local",
            "a-.local",
            "UKETSUKE.local",
            "uketsuke",
            "uketsuke.local.",
            "evillocal",
            "uketsuke.example.jp",
            "*.local",
            "a b.local",
            "受付.local",
            "user@a.local",
            "a.local:8788",
            "0.0.0.0",
            "127.0.0.2",
            "172.32.0.1",
            "192.169.0.1",
            "8.8.8.8",
            "::",
            "::ffff:10.0.0.1",
            "2001:db8::1",
            "[fd00::1]",
        ] {
            assert_eq!(LocalHost::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_host_is_written_as_in_its_header() {
        let shown = |text: &str| LocalHost::parse(text).unwrap().to_string();
        assert_eq!(shown("uketsuke.local"), "uketsuke.local");
        assert_eq!(shown("192.168.0.10"), "192.168.0.10");
        assert_eq!(shown("FD00:0::1"), "[fd00::1]");
    }
}
