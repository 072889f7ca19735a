//! The server that the daemon runs in these tests. It is the tests' own executable, started once more
//! to run the one "test" below: so there is nothing to build, and it knows the same [`page`]s as the
//! clients who check them.
//!
//! It takes the sockets that it is handed, and on SIGTERM it accepts nobody any more, lets those whom
//! it has say goodbye, and exits. Or it listens at `PORT`, knows nothing of signals, and so ends in the
//! middle of everything.

use std::{env, fmt, fs, io, net::Ipv4Addr, process, str::FromStr, time::Duration};

use listenfd::ListenFd;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, UnixListener},
    signal::unix::{SignalKind, signal},
    task::JoinSet,
    time::sleep,
};

/// A variable that says which version it is,
pub(super) const VERSION: &str = "SWAP_VERSION";
/// and a file that says it where there is no variable.
pub(super) const VERSION_FILE: &str = "version";
/// A variable that says where it gets its sockets from.
const ROLE: &str = "SWAP_ROLE";

/// What it takes to answer a slow request.
const SLOW: Duration = Duration::from_millis(100);
/// At least so many bytes has a page.
const LENGTH: usize = 2000;

/// Where it gets its sockets from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It is handed them.
    Handed,
    /// It binds `PORT`.
    Plain,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It serves.
    Lives,
    /// It ends before it serves.
    DiesAtOnce,
    /// It lives and never serves.
    Hangs,
}

/// What stands for the sources of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) number: u32,
    pub(super) fate: Fate,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fate = match self.fate {
            Fate::Lives => "lives",
            Fate::DiesAtOnce => "dies",
            Fate::Hangs => "hangs",
        };
        write!(f, "{} {fate}", self.number)
    }
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = || {
            let (number, fate) = text.trim().split_once(' ')?;
            let fate = match fate {
                "lives" => Fate::Lives,
                "dies" => Fate::DiesAtOnce,
                "hangs" => Fate::Hangs,
                _ => return None,
            };
            Some(Self {
                number: number.parse().ok()?,
                fate,
            })
        };
        parsed().ok_or_else(|| format!("no version: {text}"))
    }
}

/// The command that starts it.
pub(super) fn command() -> Vec<String> {
    let me = env::current_exe().unwrap().into_os_string();
    let only_this = "swap::server::is_no_test_but_what_the_daemon_runs_in_the_others";
    let arguments = ["--ignored", "--exact", only_this, "--nocapture", "--quiet"];
    let arguments = arguments.map(str::to_owned);
    [vec![me.into_string().unwrap()], arguments.to_vec()].concat()
}

/// A line for the entry of its process.
pub(super) fn environment(role: Role) -> String {
    let role = match role {
        Role::Handed => "handed",
        Role::Plain => "plain",
    };
    format!("env = {{ {ROLE} = \"{role}\" }}")
}

/// What it answers. Nobody can take one for another, or half of it for the whole.
pub(super) fn page(version: u32, pid: u32, nonce: &str) -> String {
    let line = format!("version {version} pid {pid} nonce {nonce}\n");
    line.repeat(LENGTH / line.len() + 1)
}

#[test]
#[ignore = "no test: other tests have the daemon run it"]
fn is_no_test_but_what_the_daemon_runs_in_the_others() {
    let Ok(role) = env::var(ROLE) else {
        // Whoever runs all tests, ignored ones included.
        return;
    };
    let version = env::var(VERSION).unwrap_or_else(|_| fs::read_to_string(VERSION_FILE).unwrap());
    let version: Version = version.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let served = runtime.unwrap().block_on(async {
        match version.fate {
            Fate::DiesAtOnce => process::exit(3),
            Fate::Hangs => std::future::pending().await,
            Fate::Lives if role == "plain" => serve_plain(version.number).await,
            Fate::Lives => serve_handed(version.number).await,
        }
    });
    served.unwrap();
    // The test harness has nothing more to say.
    process::exit(0);
}

trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

struct Doors {
    tcp: TcpListener,
    unix: UnixListener,
}

impl Doors {
    fn handed() -> io::Result<Self> {
        let mut handed = ListenFd::from_env();
        let missing = || io::Error::other("a socket was not handed down");
        let tcp = handed.take_tcp_listener(0)?.ok_or_else(missing)?;
        let unix = handed.take_unix_listener(1)?.ok_or_else(missing)?;
        tcp.set_nonblocking(true)?;
        unix.set_nonblocking(true)?;
        Ok(Self {
            tcp: TcpListener::from_std(tcp)?,
            unix: UnixListener::from_std(unix)?,
        })
    }

    async fn accept(&self) -> io::Result<Box<dyn Connection>> {
        Ok(tokio::select! {
            accepted = self.tcp.accept() => Box::new(accepted?.0),
            accepted = self.unix.accept() => Box::new(accepted?.0),
        })
    }
}

async fn serve_handed(version: u32) -> io::Result<()> {
    let mut told_to_leave = signal(SignalKind::terminate())?;
    let doors = Doors::handed()?;
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            _ = told_to_leave.recv() => break,
            Some(_) = open.join_next() => {}
            accepted = doors.accept() => {
                open.spawn(converse(accepted?, version));
            }
        }
    }
    drop(doors);
    while open.join_next().await.is_some() {}
    Ok(())
}

async fn serve_plain(version: u32) -> io::Result<()> {
    let port = env::var("PORT").ok().and_then(|port| port.parse().ok());
    let port: u16 = port.ok_or_else(|| io::Error::other("no PORT"))?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    loop {
        let (connection, _) = listener.accept().await?;
        tokio::spawn(converse(connection, version));
    }
}

/// Answers until the client has enough. Requests follow each other, none is sent ahead.
async fn converse(mut client: impl Connection, version: u32) -> io::Result<()> {
    let mut request = Vec::with_capacity(512);
    loop {
        request.clear();
        while !request.ends_with(b"\r\n\r\n") {
            if client.read_buf(&mut request).await? == 0 {
                return Ok(());
            }
        }
        let request = String::from_utf8_lossy(&request);
        let mut path = request.split(['/', ' ']).skip(2);
        let (kind, nonce) = (path.next(), path.next());
        let page = page(version, process::id(), nonce.unwrap_or_default());
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", page.len());
        let answer = head + &page;
        let (first, second) = answer.split_at(answer.len() / 2);
        if kind == Some("slow") {
            client.write_all(first.as_bytes()).await?;
            sleep(SLOW).await;
            client.write_all(second.as_bytes()).await?;
        } else {
            client.write_all(answer.as_bytes()).await?;
        }
        if request.contains("Connection: close") {
            client.shutdown().await?;
            // The client closes as soon as it has seen this end.
            while client.read(&mut [0; 64]).await? > 0 {}
            return Ok(());
        }
    }
}
