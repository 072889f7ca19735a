use std::{
    fs,
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    os::{
        fd::AsFd,
        unix::{
            fs::{FileTypeExt, MetadataExt, PermissionsExt},
            net::{UnixListener, UnixStream},
        },
    },
    path::PathBuf,
    time::Duration,
};

use bpm_actors::spec::{CommandLine, CrashPolicy, Overlap, Program};
use nix::{errno::Errno, fcntl};
use socket2::SockRef;

use super::*;

const FILE: &str = "/p/.mcp-run";

fn process(name: &str, sockets: Sockets) -> ProcessSpec {
    let program = Program::Command(CommandLine {
        program: "true".into(),
        args: Vec::new(),
    });
    let crash_policy = CrashPolicy {
        dev_wait: Duration::ZERO,
        release_initial: Duration::ZERO,
        release_max: Duration::ZERO,
    };
    ProcessSpec {
        sockets,
        ..ProcessSpec::new(name.parse().unwrap(), program, "/p".into(), crash_policy)
    }
}

fn listens(addresses: impl IntoIterator<Item = ListenAddress>) -> Sockets {
    let named = |(number, address)| Listen {
        name: format!("socket-{number}"),
        address,
    };
    Sockets::Held {
        listen: addresses.into_iter().enumerate().map(named).collect(),
        overlap: Overlap::Beside,
    }
}

fn relays(public: &[SocketAddr]) -> Sockets {
    Sockets::Relayed {
        public: public.to_vec(),
        overlap: Overlap::Beside,
    }
}

fn bind(processes: &[ProcessSpec]) -> Result<Held, String> {
    Held::bind(processes, Path::new(FILE)).map_err(|error| error.to_string())
}

/// A listener, and its address.
fn somebody() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// One that nobody listens at.
fn free() -> SocketAddr {
    somebody().1
}

fn sockets(held: &Held, process: usize) -> &HeldSockets {
    match &held.bound[process] {
        Bound::Held(sockets) => sockets,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_process_gets_what_it_asks_for_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let (tcp, public) = (free(), free());
    let held = bind(&[
        process("own", Sockets::Own),
        process(
            "held",
            listens([ListenAddress::Tcp(tcp), ListenAddress::Unix(path.clone())]),
        ),
        process("relayed", relays(&[public])),
    ])
    .unwrap();

    assert!(matches!(held.bound[0], Bound::Own));
    let names: Vec<_> = sockets(&held, 1)
        .iter()
        .map(|it| it.name.as_str())
        .collect();
    assert_eq!(names, ["socket-0", "socket-1"]);
    assert!(matches!(&held.bound[2], Bound::Public(listeners) if listeners.len() == 1));
    // Nobody accepts, and nobody is refused.
    TcpStream::connect(tcp).unwrap();
    UnixStream::connect(path).unwrap();
    TcpStream::connect(public).unwrap();
}

#[test]
fn a_held_socket_is_blocking_closed_on_exec_and_has_a_long_queue() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let both = [ListenAddress::Tcp(free()), ListenAddress::Unix(path)];
    let held = bind(&[process("main", listens(both))]).unwrap();
    for socket in sockets(&held, 0) {
        let descriptor = socket.descriptor.as_fd();
        let flags = fcntl::fcntl(descriptor, fcntl::F_GETFD).unwrap();
        assert_eq!(flags & fcntl::FdFlag::FD_CLOEXEC.bits(), 1);
        assert!(!SockRef::from(&descriptor).nonblocking().unwrap());
        assert!(SockRef::from(&descriptor).is_listener().unwrap());
    }
    let queue = |socket: &HeldSocket| {
        let ListenAddress::Unix(path) = &socket.address else {
            return 0;
        };
        // More than the 128 of the standard library.
        let waiting = (0..200).map(|_| {
            let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
            socket.set_nonblocking(true)?;
            socket.connect(&socket2::SockAddr::unix(path)?)?;
            Ok(socket)
        });
        let waiting: io::Result<Vec<_>> = waiting.collect();
        waiting.unwrap().len()
    };
    assert_eq!(sockets(&held, 0).iter().map(queue).sum::<usize>(), 200);
}

#[test]
fn a_port_may_be_held_on_all_addresses_of_both_families() {
    let port = free().port();
    let all = ["0.0.0.0", "[::]"].map(|ip| format!("{ip}:{port}").parse().unwrap());
    let held = bind(&[process("main", listens(all.map(ListenAddress::Tcp)))]).unwrap();
    assert_eq!(sockets(&held, 0).len(), 2);
}

#[test]
fn a_port_is_free_again_at_once_though_connections_were_made_to_it() {
    let address = free();
    for _ in 0..2 {
        let held = bind(&[process("main", relays(&[address]))]).unwrap();
        let Bound::Public(listeners) = &held.bound[0] else {
            panic!("{held:?}");
        };
        let mut client = TcpStream::connect(address).unwrap();
        let (mut server, _) = listeners[0].accept().unwrap();
        // Who ends first is remembered by the kernel.
        server.write_all(b"bye").unwrap();
        drop(server);
        client.read_to_end(&mut Vec::new()).unwrap();
    }
}

#[test]
fn a_unix_socket_is_private_and_removed_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let held = bind(&[process(
        "main",
        listens([ListenAddress::Unix(path.clone())]),
    )])
    .unwrap();

    let metadata = fs::symlink_metadata(&path).unwrap();
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);

    drop(held);
    assert!(!path.exists());
}

#[test]
fn a_file_that_took_the_place_of_a_socket_is_not_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let held = bind(&[process(
        "main",
        listens([ListenAddress::Unix(path.clone())]),
    )])
    .unwrap();
    let ours = fs::symlink_metadata(&path).unwrap().ino();
    fs::remove_file(&path).unwrap();
    let other = UnixListener::bind(&path).unwrap();
    assert_ne!(fs::symlink_metadata(&path).unwrap().ino(), ours);

    drop(held);

    assert!(path.exists());
    drop(other);
}

#[test]
fn a_socket_that_nobody_listens_at_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());

    let _held = bind(&[process(
        "main",
        listens([ListenAddress::Unix(path.clone())]),
    )])
    .unwrap();

    UnixStream::connect(path).unwrap();
}

#[test]
fn a_socket_that_somebody_listens_at_is_taken_also_when_its_queue_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let listener = UnixListener::bind(&path).unwrap();
    SockRef::from(&listener).listen(0).unwrap();
    // A queue of 0 takes one.
    let _waits = UnixStream::connect(&path).unwrap();
    let wanted = process("main", listens([ListenAddress::Unix(path.clone())]));

    let refused = bind(&[wanted]).unwrap_err();

    // It is this very process in a test.
    let expected = format!(
        "process main: listen {} is taken by this daemon itself, for another entry or as mcp_port: change one of them in {FILE}",
        path.display()
    );
    assert_eq!(refused, expected);
    listener.accept().unwrap();
}

#[test]
fn what_is_not_a_socket_is_never_removed() {
    let folder = tempfile::tempdir().unwrap();
    let stale = folder.path().join("stale.sock");
    drop(UnixListener::bind(&stale).unwrap());
    let path = |name: &str| folder.path().join(name);
    fs::write(path("file"), "precious").unwrap();
    fs::create_dir(path("folder")).unwrap();
    std::os::unix::fs::symlink(&stale, path("link")).unwrap();
    std::os::unix::fs::symlink("/no/such/file", path("nowhere")).unwrap();
    for name in ["file", "folder", "link", "nowhere"] {
        let wanted = process("main", listens([ListenAddress::Unix(path(name))]));

        let refused = bind(&[wanted]).unwrap_err();

        assert_eq!(
            refused,
            format!(
                "process main: listen {} is a file that is not a socket, and is left alone: remove it, or change listen in {FILE}",
                path(name).display()
            )
        );
        fs::symlink_metadata(path(name)).unwrap();
    }
}

#[test]
fn a_unix_socket_without_a_folder_or_with_an_endless_path_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |path: PathBuf| {
        let wanted = process("main", listens([ListenAddress::Unix(path)]));
        bind(&[wanted]).unwrap_err()
    };
    let missing = folder.path().join("run");
    let expected = format!("has no folder to be in: create {}, or", missing.display());
    let said = refused(missing.join("app.sock"));
    assert!(said.contains(&expected), "{said}");
    let said = refused(folder.path().join("x".repeat(108)));
    assert!(said.contains("is longer than the 107 bytes"), "{said}");
}

#[test]
fn all_or_nothing_is_bound() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let (first, public) = (free(), free());
    let (_taken, last) = somebody();
    let one = [ListenAddress::Tcp(first), ListenAddress::Unix(path.clone())];

    let refused = bind(&[
        process("one", listens(one)),
        process("two", relays(&[public])),
        process("three", relays(&[last])),
    ])
    .unwrap_err();

    assert!(
        refused.starts_with(&format!("process three: port {last} is taken by ")),
        "{refused}"
    );
    assert!(!path.exists());
    for address in [first, public] {
        TcpListener::bind(address).unwrap();
    }
}

#[test]
fn an_address_of_another_machine_says_so() {
    // Kept for documentation: no machine has it.
    let address: SocketAddr = "192.0.2.77:8080".parse().unwrap();
    assert_eq!(
        bind(&[process("main", listens([ListenAddress::Tcp(address)]))]).unwrap_err(),
        format!(
            "process main: listen {address} is not an address of this machine: change listen in {FILE}"
        )
    );
}

#[test]
fn without_ipv6_one_of_a_pair_is_left_out_and_one_alone_is_an_error() {
    let pair = ["127.0.0.1:8080", "[::1]:8080"].map(|address| address.parse().unwrap());
    for missing in [Errno::EADDRNOTAVAIL, Errno::EAFNOSUPPORT] {
        let without_ipv6 = |address: SocketAddr| {
            if address.is_ipv6() {
                return Err(missing.into());
            }
            TcpListener::bind(("127.0.0.1", 0))
        };
        let listeners = tcp::listen_at_all_by(&pair, without_ipv6).unwrap();
        assert_eq!(listeners.len(), 1);

        let (address, reason) = tcp::listen_at_all_by(&pair[1..], without_ipv6).unwrap_err();
        assert_eq!(address, pair[1]);
        assert!(matches!(reason, Reason::NoIpv6), "{reason:?}");
    }
    let (_taken, address) = somebody();
    let pair = [
        address,
        SocketAddr::new("::1".parse().unwrap(), address.port()),
    ];
    assert!(tcp::listen_at_all_by(&pair, tcp::try_listen).is_err());
}

#[test]
fn a_privileged_port_and_an_owner_are_said_in_the_words_of_the_configuration() {
    let error = |key, reason| {
        HeldError {
            process: "main".parse().unwrap(),
            key,
            address: ListenAddress::Tcp("127.0.0.1:80".parse().unwrap()),
            reason,
            file: FILE.into(),
        }
        .to_string()
    };
    assert_eq!(
        error(Key::Port, Reason::Privileged),
        "process main: port 127.0.0.1:80 needs privileges: choose a port from 1024 upwards in /p/.mcp-run"
    );
    let owner = crate::daemon::port_owner::PortOwner::User(33);
    assert_eq!(
        error(Key::Listen, Reason::Taken(owner)),
        "process main: listen 127.0.0.1:80 is taken by a process of the user with id 33: stop that one, or change listen in /p/.mcp-run"
    );
}
