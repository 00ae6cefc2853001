//! A real TLS 1.2 server that asks for the client certificate only after the request, by renegotiation: OpenSSL's.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use daemon::app::ports::{CardCheck as _, UpstreamError};
use daemon::upstream::{Credentials, Probed, TlsFloor, UpstreamConfig, probe};

use super::{World, request};

/// `openssl s_server`, ended with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    /// Listens on a free port and asks for renegotiation as soon as a line holds `HTTP/1.1`.
    fn start(world: &World) -> (Self, u16) {
        let identity = world.sim.pki().server_identity();
        let (certificate, key) = (world.path().join("server.pem"), world.path().join("server-key.pem"));
        std::fs::write(&certificate, &identity.certificate_pem).unwrap();
        std::fs::write(&key, &identity.key_pem).unwrap();
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-tls1_2", "-cert"])
            .arg(&certificate)
            .arg("-key")
            .arg(&key)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port = lines.find_map(|line| line.strip_prefix("ACCEPT ")?.rsplit(':').next()?.parse().ok());
        tokio::task::spawn_blocking(move || {
            for line in lines {
                if line.contains("HTTP/1.1") {
                    // "R": renegotiate and ask for the client certificate. A server that has ended needs no more.
                    let _ = input.write_all(b"R\n");
                }
            }
        });
        (Self(child), port.expect("openssl names its port"))
    }
}

fn config(world: &World, port: u16) -> UpstreamConfig {
    let mut config = world.config();
    config.base_url = format!("https://127.0.0.1:{port}");
    config.tls_floor = TlsFloor::Tls12;
    config
}

#[tokio::test]
async fn a_server_that_wants_renegotiation_is_named_as_such() {
    let world = World::new().await;
    let (_server, port) = Server::start(&world);
    let upstream = world.upstream_with(|file| *file = config(&world, port));
    assert_eq!(upstream.challenge(&request()).await, Err(UpstreamError::Renegotiation));
}

#[tokio::test]
async fn the_doctor_names_it_too() {
    let world = World::new().await;
    let (_server, port) = Server::start(&world);
    let config = config(&world, port);
    let credentials = Credentials::load(&config).unwrap();
    let clock = Arc::clone(&world.clock);
    assert_eq!(probe(&config, &credentials, clock).await.unwrap(), Probed::Renegotiation);
}
