//! Listening at an address that the machine does not have yet.

use std::io;
use std::net::{SocketAddr, TcpListener};

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with, sockopt};

/// As many waiting connections as the system lets be, as the standard library asks for.
const BACKLOG: i32 = -1;

/// Listens at an address whether or not a network card has it already (`IP_FREEBIND`): whoever connects is answered from the moment
/// on at which one has. Everything else is as the standard library does it.
///
/// # Errors
/// The system's refusal.
pub fn listen_ahead(address: SocketAddr) -> io::Result<TcpListener> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    // A daemon that starts again takes its port although connections of the last one are still fading.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv4() {
        sockopt::set_ip_freebind(&socket, true)?;
    } else {
        sockopt::set_ipv6_freebind(&socket, true)?;
    }
    bind(&socket, &address)?;
    listen(&socket, BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_may_come_before_its_address() {
        // Of networks for documentation (RFC 5737, RFC 3849): nobody has them.
        for address in ["192.0.2.1:0", "[2001:db8::1]:0"] {
            let address: SocketAddr = address.parse().unwrap();
            assert_eq!(TcpListener::bind(address).unwrap_err().kind(), io::ErrorKind::AddrNotAvailable);
            let listener = listen_ahead(address).unwrap();
            let found = listener.local_addr().unwrap();
            assert_eq!(found.ip(), address.ip());
            assert_ne!(found.port(), 0);
            assert_eq!(listen_ahead(found).unwrap_err().kind(), io::ErrorKind::AddrInUse, "never shared");
        }
    }
}
