//! Who is measured.

use std::{
    fs,
    io::ErrorKind,
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use actix::Arbiter;
use bpm_actors::{
    ids::RunId,
    relay::{Relay, Route, private_port},
};
use tokio::net::{TcpSocket, TcpStream};

pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    /// The kernel's account of its one thread.
    account: Option<PathBuf>,
}

impl Contestant {
    /// Nobody in between: what the load and the backend could do.
    pub(crate) fn direct(backend: SocketAddr) -> Self {
        Self {
            name: "direct",
            address: backend,
            account: None,
        }
    }

    /// Time that its thread has run so far.
    pub(crate) fn cpu(&self) -> Duration {
        let Some(account) = &self.account else {
            return Duration::ZERO;
        };
        let account = fs::read_to_string(account).unwrap();
        let nanoseconds = account.split_whitespace().next().unwrap();
        Duration::from_nanos(nanoseconds.parse().unwrap())
    }
}

/// The relay; it ends with what is returned beside it.
pub(crate) async fn relay(backend: SocketAddr) -> (Contestant, (Relay, Arbiter)) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let listener = socket.listen(1024).unwrap().into_std().unwrap();
    let address = listener.local_addr().unwrap();
    let arbiter = Arbiter::new();
    let (sender, receiver) = tokio::sync::oneshot::channel();
    arbiter.spawn_fn(move || {
        let _ = sender.send(fs::read_link("/proc/thread-self").unwrap());
    });
    let thread = receiver.await.unwrap();
    let relay = Relay::start(vec![listener], &arbiter.handle()).unwrap();
    relay.route(Some(Route {
        run: RunId(1),
        port: backend.port(),
    }));
    let contestant = Contestant {
        name: "relay",
        address,
        account: Some(PathBuf::from("/proc").join(thread).join("schedstat")),
    };
    (contestant, (relay, arbiter))
}

pub(crate) struct Haproxy {
    child: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

/// There is no haproxy in the PATH.
pub(crate) struct NotInstalled;

impl Haproxy {
    #[expect(
        clippy::disallowed_methods,
        reason = "no reaper is at work in a benchmark"
    )]
    pub(crate) async fn start(backend: SocketAddr) -> Result<Self, NotInstalled> {
        let folder = tempfile::tempdir().unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], private_port().unwrap()));
        let configuration = folder.path().join("haproxy.cfg");
        let text = format!(
            "global\n nbthread 1\n maxconn 4000\n\
             defaults\n mode tcp\n option splice-auto\n backlog 1024\n timeout connect 5s\n \
             timeout client 1m\n timeout server 1m\n\
             listen bench\n bind {address}\n server backend {backend}\n"
        );
        fs::write(&configuration, text).unwrap();
        let started = Command::new("haproxy")
            .arg("-db")
            .arg("-f")
            .arg(&configuration)
            .stdout(Stdio::null())
            .spawn();
        let child = match started {
            Ok(child) => child,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(NotInstalled),
            Err(error) => panic!("haproxy: {error}"),
        };
        let haproxy = Self {
            child,
            address,
            _folder: folder,
        };
        while TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(haproxy)
    }

    pub(crate) fn contestant(&self) -> Contestant {
        Contestant {
            name: "haproxy",
            address: self.address,
            account: Some(format!("/proc/{}/schedstat", self.child.id()).into()),
        }
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
