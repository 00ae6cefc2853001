//! What the network tells about a listener of this machine: whether it can be had, whether it answers, whom its names lead to.
//! Takes a port for a moment at most, and sends nothing.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _};
use std::time::Duration;

/// Longest wait for a listener of this machine.
const ANSWER: Duration = Duration::from_secs(2);

/// How the address of a listener was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AddressSeen {
    /// Somebody answers there.
    Answers,
    /// Nobody does, and it could be had.
    Free,
    /// It belongs to no network card of this machine.
    Foreign,
    /// A port that only privileged programs may have.
    Refused,
}

/// How a name was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NameSeen {
    /// It leads to the listener.
    Here,
    /// It leads elsewhere: to these addresses.
    Elsewhere(String),
    /// Nobody knows it.
    Unknown,
}

/// Looks at the address of a listener, whether or not it runs.
pub(super) fn address(listen: SocketAddr) -> Result<AddressSeen, io::Error> {
    if TcpStream::connect_timeout(&reached(listen), ANSWER).is_ok() {
        return Ok(AddressSeen::Answers);
    }
    match TcpListener::bind(listen).map_err(|error| (error.kind(), error)) {
        Ok(_) => Ok(AddressSeen::Free),
        Err((io::ErrorKind::AddrNotAvailable, _)) => Ok(AddressSeen::Foreign),
        Err((io::ErrorKind::PermissionDenied, _)) => Ok(AddressSeen::Refused),
        Err((_, error)) => Err(error),
    }
}

/// Where a program of this machine reaches a listener.
pub(super) fn reached(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// Asks this machine for a name. Blocks for as long as the resolver takes.
pub(super) fn name(name: &str, listen: SocketAddr) -> NameSeen {
    let found: Vec<IpAddr> = match (name, listen.port()).to_socket_addrs() {
        Ok(found) => found.map(|address| address.ip()).collect(),
        Err(_) => return NameSeen::Unknown,
    };
    let ours = |ip: &IpAddr| TcpListener::bind((*ip, 0)).is_ok();
    let leads_here = |ip: &IpAddr| if listen.ip().is_unspecified() { ours(ip) } else { *ip == listen.ip() };
    if found.is_empty() {
        NameSeen::Unknown
    } else if found.iter().any(leads_here) {
        NameSeen::Here
    } else {
        NameSeen::Elsewhere(found.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_answers_is_free_or_is_none_of_ours() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let taken = listener.local_addr().unwrap();
        assert_eq!(address(taken).unwrap(), AddressSeen::Answers);
        drop(listener);
        assert_eq!(address(taken).unwrap(), AddressSeen::Free);
        // Of a network for documentation (RFC 5737): nobody has it.
        assert_eq!(address("192.0.2.1:8443".parse().unwrap()).unwrap(), AddressSeen::Foreign);
    }

    #[test]
    fn a_name_leads_here_or_elsewhere_or_nowhere() {
        let here: SocketAddr = "127.0.0.1:8443".parse().unwrap();
        assert_eq!(name("127.0.0.1", here), NameSeen::Here);
        assert_eq!(name("127.0.0.1", "0.0.0.0:8443".parse().unwrap()), NameSeen::Here);
        assert_eq!(name("192.0.2.1", here), NameSeen::Elsewhere("192.0.2.1".to_owned()));
        assert_eq!(name("", here), NameSeen::Unknown);
    }
}
