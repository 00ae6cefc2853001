//! The listeners: the API's on loopback, and where the configuration asks for them the API's on the clinic's network and the page's.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use api::guard::Guard;
use api::limits::Limits;
use api::listeners::Listener;
use api::page::Page;
use api::serve::{self, BindError};
use api::service::Service;
use rustls::ServerConfig;
use tokio::sync::oneshot;

use super::page::{self, PageDoor};
use super::{People, StartError};
use crate::app::ports::Random;
use crate::app::tasks::Tasks;
use crate::config::{Config, ConfigError, LanSection};
use crate::local_network::LocalHost;
use crate::pki::{self, Clients};
use crate::service_manager::HandedSocket;

/// The ports, taken before anything else is done: another program may have them.
pub(super) struct Ports {
    pub(super) api: SocketAddr,
    pub(super) lan: Option<SocketAddr>,
    pub(super) page: Option<SocketAddr>,
    on_loopback: TcpListener,
    on_lan: Option<TcpListener>,
    of_page: Option<TcpListener>,
}

impl Ports {
    /// Takes over what is open already and opens the rest.
    pub(super) fn take(config: &Config, handed: Vec<HandedSocket>) -> Result<Self, StartError> {
        let mut handed: HashMap<String, TcpListener> = handed.into_iter().collect();
        let mut port = |name, wanted| match handed.remove(name) {
            Some(socket) => same_place(name, socket, wanted),
            None => open(name, wanted),
        };
        let on_loopback = port("api", config.api.listen)?;
        let on_lan = config.lan.as_ref().map(|lan| port("lan", lan.listen)).transpose()?;
        let of_page = config.page.as_ref().map(|page| port("page", page.listen)).transpose()?;
        for name in handed.keys() {
            tracing::warn!(name, "a socket was handed over that nothing is configured for");
        }
        let lan = on_lan.as_ref().map(TcpListener::local_addr).transpose()?;
        let page = of_page.as_ref().map(TcpListener::local_addr).transpose()?;
        Ok(Self { api: on_loopback.local_addr()?, lan, page, on_loopback, on_lan, of_page })
    }

    /// Everything that answers on them, ready to be started.
    pub(super) async fn equip(
        self,
        config: &Config,
        people: &People,
        random: &Arc<dyn Random>,
        limits: &(Limits, Limits),
    ) -> Result<Listeners, StartError> {
        let guard = Guard::loopback(self.api.port()).and_hosts(config.api.allowed_hosts.iter().cloned());
        let own_names = LocalHost::loopback().to_vec();
        let tls = if config.api.tls {
            Some(server_tls(people, random, own_names, Clients::MayShow).await?)
        } else {
            None
        };
        let door = |at, socket, guard, limits, tls| Door { at, socket, guard, limits, tls };
        let mut doors = vec![door(At::Api(Listener::Loopback), self.on_loopback, guard, limits.0, tls)];
        if let (Some(lan), Some(socket), Some(address)) = (&config.lan, self.on_lan, self.lan) {
            let hosts = hosts(lan)?;
            let machines = people.machines.clone();
            let guard = Guard::new(headers(&hosts, address.port()))
                .only_machines(Arc::new(move |certificate| machines.find(&certificate.0).is_some()));
            let tls = server_tls(people, random, hosts, Clients::MustShow).await?;
            doors.push(door(At::Api(Listener::Lan), socket, guard, limits.1, Some(tls)));
        }
        if let (Some(section), Some(socket), Some(address)) = (&config.page, self.of_page, self.page) {
            let PageDoor { page, guard, tls } = page::equip(section, address.port(), people, random).await?;
            // Whoever uses the page on this machine alone shares one address.
            let limits = if tls.is_some() { limits.1 } else { limits.0 };
            doors.push(door(At::Page(page), socket, guard, limits, tls));
        }
        Ok(Listeners(doors))
    }
}

/// Opens a port. What is on the clinic's network may be without its address for now (a cable, a switch or a DHCP server that is not up
/// yet): then the listener waits for it, and loopback serves meanwhile.
fn open(section: &'static str, wanted: SocketAddr) -> Result<TcpListener, StartError> {
    let opened = serve::bind(wanted);
    #[cfg(target_os = "linux")]
    let opened = match opened {
        Err(BindError::Refused(_, error))
            if section != "api" && error.kind() == io::ErrorKind::AddrNotAvailable =>
        {
            tracing::warn!(at = section, %error, "this machine does not have the address of a listener yet");
            crate::system::listen_ahead(wanted).map_err(|error| BindError::Refused(wanted, error))
        }
        opened => opened,
    };
    opened.map_err(|error| StartError::Bind { section, address: wanted, problem: in_words(&error) })
}

fn in_words(error: &BindError) -> String {
    let error = match error {
        BindError::InUse(_) => return "ほかのプログラムがこのポートを使っています".to_owned(),
        BindError::Refused(_, error) => error,
    };
    let words = match error.kind() {
        io::ErrorKind::AddrNotAvailable => "このパソコンにないアドレスです",
        io::ErrorKind::PermissionDenied => "このポートを使う権限がありません",
        _ => "OSが断りました",
    };
    format!("{words}（{error}）")
}

/// The guard goes by the configured address: a socket elsewhere would answer nobody, or more than it should.
fn same_place(
    name: &'static str,
    socket: TcpListener,
    wanted: SocketAddr,
) -> Result<TcpListener, StartError> {
    let found = socket.local_addr()?;
    if found == wanted { Ok(socket) } else { Err(StartError::HandedSocket { name, found, wanted }) }
}

fn hosts(lan: &LanSection) -> Result<Vec<LocalHost>, ConfigError> {
    lan.local_hosts()
        .ok_or(ConfigError::Value {
            key: "lan.hosts", rule: "施設の中の名前かアドレスだけを書いてください"
        })
}

/// What clients may send as Host; the port goes without saying where it is that of HTTPS.
fn headers(hosts: &[LocalHost], port: u16) -> Vec<String> {
    let with_port = hosts.iter().map(|host| format!("{host}:{port}"));
    let alone = hosts.iter().filter(|_| port == 443).map(ToString::to_string);
    with_port.chain(alone).collect()
}

pub(super) async fn server_tls(
    people: &People,
    random: &Arc<dyn Random>,
    hosts: Vec<LocalHost>,
    clients: Clients,
) -> Result<Arc<ServerConfig>, StartError> {
    let authority = people.machines.authority_for(&hosts).await?;
    Ok(pki::server_config(authority, hosts, clients, people.clock.clone(), random.clone())?)
}

/// What a door leads to.
enum At {
    Api(Listener),
    Page(Page),
}

impl At {
    fn word(&self) -> &'static str {
        match self {
            Self::Api(listener) => listener.word(),
            Self::Page(_) => Listener::Page.word(),
        }
    }
}

struct Door {
    at: At,
    socket: TcpListener,
    guard: Guard,
    limits: Limits,
    tls: Option<Arc<ServerConfig>>,
}

/// The listeners with all they need.
pub(super) struct Listeners(Vec<Door>);

impl Listeners {
    /// Starts them; the receiver resolves when all have ended. One that ends by itself takes the others with it.
    pub(super) fn start(self, service: &Arc<dyn Service>, tasks: &Tasks) -> oneshot::Receiver<()> {
        // The receiver resolves when the last listener drops its hold of the sender.
        let (end, ended) = oneshot::channel();
        let end = Arc::new(end);
        let closing = tasks.stopping().child_token();
        for Door { at, socket, guard, limits, tls } in self.0 {
            let word = at.word();
            let router = match at {
                At::Api(listener) => api::router(service.clone(), listener, guard, limits),
                At::Page(page) => api::page_router(service.clone(), &page, guard, limits),
            };
            let (closing, end) = (closing.clone(), end.clone());
            tasks.start(async move {
                if let Err(error) = serve::serve(socket, router, limits, tls, closing.clone()).await {
                    tracing::error!(%error, at = word, "a listener ended");
                }
                closing.cancel();
                drop(end);
            });
        }
        ended
    }
}
