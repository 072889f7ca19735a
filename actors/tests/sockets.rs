//! Children that are handed sockets. They are started through this very executable, as the daemon
//! starts them through its own; that is why `main` is written out here.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{
    ffi::OsString,
    fs::{self, File},
    net::TcpListener,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::fs::{MetadataExt, PermissionsExt},
    },
    path::Path,
    process::ExitCode,
};

use bpm_actors::{
    chain_load,
    children::{Children, Launch, TreeEvent},
    exit::Exit,
    proc_table,
    reaper::{floor::Floor, ledger::Ledger},
    sockets::{HeldSocket, HeldSockets},
    spec::{ListenAddress, Sockets},
};
use libtest_mimic::{Arguments, Trial};

use crate::support::Scene;

fn main() -> ExitCode {
    if let Some(code) = chain_load::become_program_if_asked() {
        return code;
    }
    // As the daemon does: what the test's own parent left open is not for children.
    close_fds::CloseFdsBuilder::new().cloexecfrom(3);
    let (filters, flags) = split(std::env::args());
    let mut arguments = Arguments::from_iter(flags);
    // Which descriptors are free is a matter of the whole process.
    arguments.test_threads = Some(1);
    let is_wanted = |trial: &Trial| {
        filters.is_empty()
            || filters.iter().any(|filter| {
                if arguments.exact {
                    trial.name() == filter
                } else {
                    trial.name().contains(filter)
                }
            })
    };
    let wanted = trials().into_iter().filter(is_wanted).collect();
    libtest_mimic::run(&arguments, wanted).exit_code()
}

/// The words that name tests, and the others: the runner takes one word, cargo's own takes several.
fn split(arguments: impl Iterator<Item = String>) -> (Vec<String>, Vec<String>) {
    const WITH_VALUE: [&str; 6] = [
        "--skip",
        "--test-threads",
        "--color",
        "--format",
        "--logfile",
        "-Z",
    ];
    let (mut filters, mut flags): (Vec<_>, Vec<_>) = (Vec::new(), Vec::new());
    for argument in arguments {
        let is_value = flags
            .last()
            .is_none_or(|flag: &String| WITH_VALUE.contains(&flag.as_str()));
        if argument.starts_with('-') || is_value {
            flags.push(argument);
        } else {
            filters.push(argument);
        }
    }
    (filters, flags)
}

macro_rules! trials {
    ($($name:ident)*) => {
        fn trials() -> Vec<Trial> {
            vec![$(Trial::test(stringify!($name), || {
                actix::System::new().block_on($name());
                Ok(())
            })),*]
        }
    };
}

trials! {
    a_child_finds_its_sockets_from_descriptor_3_on_in_order_with_their_names
    a_child_has_no_other_descriptor
    a_child_that_is_handed_nothing_has_nothing
    the_pid_is_that_of_the_program_and_leads_its_session
    as_many_sockets_as_may_be_configured_are_handed_down
    an_exit_is_told_and_nothing_is_left
    everything_else_is_as_without_sockets
    the_program_is_looked_up_as_without_sockets
    a_failed_exec_is_the_same_error_as_without_sockets_and_leaves_nothing
    a_loud_dynamic_linker_speaks_once
    an_executable_that_hands_nothing_down_is_an_error_and_leaves_nothing
    sockets_go_through_no_hole_that_something_else_could_fall_into
    a_hole_that_is_there_before_the_floor_is_filled
}

/// A reaper above a floor.
struct Stage {
    scene: Scene,
    _floor: Floor,
}

impl Stage {
    fn new() -> Self {
        let floor = Floor::lay().unwrap();
        Self {
            scene: Scene::new(),
            _floor: floor,
        }
    }

    fn launch(&self, script: &str, sockets: usize) -> Launch {
        Launch {
            sockets: held(sockets),
            ..self.scene.launch(script)
        }
    }

    /// Starts it and waits for its end; the lines of its stdout.
    async fn says(&self, launch: &Launch) -> Vec<String> {
        let (stdout, _) = self.scene.start(launch).unwrap().says().await;
        stdout.lines().map(str::to_owned).collect()
    }

    /// Why it cannot be started; nothing may be left of the attempt.
    #[track_caller]
    fn fails(&self, launch: &Launch) -> String {
        let ledger = self.scene.folder.path().join("children.json");
        let listed = Ledger::left_in(&ledger);
        let spawned = self.scene.reaper.spawn(launch, Box::new(|_| ()));
        let error = spawned.unwrap_err().to_string();
        assert_eq!(proc_table::children_of(std::process::id()), [0; 0]);
        assert_eq!(Ledger::left_in(&ledger), listed);
        error
    }
}

fn held(count: usize) -> HeldSockets {
    let one = |number| {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        HeldSocket {
            name: format!("socket-{number}"),
            address: ListenAddress::Tcp(listener.local_addr().unwrap()),
            descriptor: OwnedFd::from(listener).into(),
            place: None,
        }
    };
    HeldSockets::new((0..count).map(one).collect())
}

/// As `/proc/PID/fd` names it.
fn link_of(socket: &HeldSocket) -> String {
    let file = File::from(socket.descriptor.try_clone().unwrap());
    format!("socket:[{}]", file.metadata().unwrap().ino())
}

async fn a_child_finds_its_sockets_from_descriptor_3_on_in_order_with_their_names() {
    let stage = Stage::new();
    let launch = stage.launch(
        "echo $LISTEN_FDS; echo $LISTEN_FDNAMES; readlink /proc/$$/fd/3; readlink /proc/$$/fd/4",
        2,
    );
    let links: Vec<String> = launch.sockets.iter().map(link_of).collect();

    let lines = stage.says(&launch).await;

    assert_eq!(lines[..2], ["2", "socket-0:socket-1"]);
    assert_eq!(lines[2..], links);
}

async fn a_child_has_no_other_descriptor() {
    let stage = Stage::new();
    let launch = stage.launch("ls /proc/$$/fd; :", 2);
    // Twice: what the first one left open here must not reach the second one.
    for _ in 0..2 {
        assert_eq!(stage.says(&launch).await, ["0", "1", "2", "3", "4"]);
    }
}

async fn a_child_that_is_handed_nothing_has_nothing() {
    let stage = Stage::new();
    let _elsewhere = held(3);
    let script = "echo $LISTEN_PID $LISTEN_FDS $LISTEN_FDNAMES none; ls /proc/$$/fd; :";
    let (stdout, _) = stage.scene.spawn(script).says().await;
    assert_eq!(stdout, "none\n0\n1\n2\n");
}

async fn the_pid_is_that_of_the_program_and_leads_its_session() {
    let stage = Stage::new();
    let launch = stage.launch("echo $LISTEN_PID; echo $$; exec sleep 1000", 1);
    let mut child = stage.scene.start(&launch).unwrap();

    assert_eq!(child.prints(2).await, [child.pid, child.pid]);

    let stat = proc_table::Stat::of(child.pid).unwrap();
    assert_eq!((stat.session, stat.group), (child.pid, child.pid));
    assert_eq!(stage.scene.reaper.members(child.tree), [child.pid]);
    stage.scene.reaper.terminate(child.tree);
    assert_eq!(
        child.ends().await,
        [TreeEvent::Exited(Exit::Signal(15)), TreeEvent::Gone]
    );
}

async fn as_many_sockets_as_may_be_configured_are_handed_down() {
    let stage = Stage::new();
    let script = "echo $LISTEN_FDS; ls /proc/$$/fd; :";
    let launch = stage.launch(script, Sockets::MOST);
    let lines = stage.says(&launch).await;
    assert_eq!(lines[0], "32");
    assert_eq!(lines.len(), 1 + 3 + 32);

    let error = stage.fails(&stage.launch("exit 0", Sockets::MOST + 1));
    assert!(error.contains("is not kept free"), "{error}");
}

async fn an_exit_is_told_and_nothing_is_left() {
    let stage = Stage::new();
    let mut child = stage.scene.start(&stage.launch("exit 3", 1)).unwrap();
    assert_eq!(
        child.ends().await,
        [TreeEvent::Exited(Exit::Code(3)), TreeEvent::Gone]
    );
    assert_eq!(proc_table::children_of(std::process::id()), [0; 0]);
}

async fn everything_else_is_as_without_sockets() {
    const KEPT: [&str; 8] = [
        "Max ",
        "Umask",
        "Cap",
        "NoNewPrivs",
        "Seccomp:",
        "SigBlk",
        "SigIgn",
        "SigCgt",
    ];
    let stage = Stage::new();
    // What the kernel says about the program itself: a shell in between blocks signals at times.
    let args = [
        "/proc/self/environ",
        "/proc/self/cmdline",
        "/proc/self/limits",
        "/proc/self/status",
        "",
        "$0",
    ];
    let environment = [
        ("LD_BIND_NOW", "1"),
        ("LD_LIBRARY_PATH", "/a=b::/c"),
        ("EMPTY", ""),
        ("LINES", "one\ntwo"),
        ("NAME", "ÄÖ=Ü"),
    ];
    let mut seen = Vec::new();
    for sockets in [0, 2] {
        let mut launch = stage.launch("", sockets);
        let more = environment.map(|(name, value)| (name.into(), value.into()));
        launch.environment.extend(more);
        launch.program = "cat".into();
        launch.args = args.map(OsString::from).into();
        let (said, complaints) = stage.scene.start(&launch).unwrap().says().await;
        let (environment, rest) = said.split_once("cat\0").unwrap();
        let environment = environment
            .split('\0')
            .filter(|entry| !entry.starts_with("LISTEN_"));
        let (arguments, rest) = rest.split_once("\0\0$0\0").unwrap();
        let inherited = rest
            .lines()
            .filter(|line| KEPT.iter().any(|name| line.starts_with(name)));
        let lines = environment
            .chain([arguments])
            .chain(inherited)
            .map(str::to_owned);
        seen.push((lines.collect::<Vec<_>>(), complaints));
    }
    assert!(seen[0].0.len() > 30, "{seen:?}");
    assert_eq!(seen[0], seen[1]);
}

async fn the_program_is_looked_up_as_without_sockets() {
    let stage = Stage::new();
    let folder = stage.scene.folder.path();
    let script = "#!/bin/sh\necho \"$0 $PATH $*\"\n";
    for name in ["here", "far/there", "far/bare"] {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // One without a first line is run by a shell.
        let text = script.trim_start_matches(if name == "far/bare" {
            "#!/bin/sh\n"
        } else {
            ""
        });
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let paths = ["far:/bin", "", "/no/such"].map(Some).into_iter();
    for path in paths.chain([None]) {
        for program in ["./here", "far/there", "there", "bare", "here"] {
            let mut said = Vec::new();
            for sockets in [0, 1] {
                let launch = Launch {
                    program: program.into(),
                    args: vec!["a b".into(), "c".into()],
                    environment: path
                        .map(|path| (OsString::from("PATH"), OsString::from(path)))
                        .into_iter()
                        .collect(),
                    ..stage.launch("", sockets)
                };
                said.push(match stage.scene.start(&launch) {
                    Err(error) => (error.to_string(), String::new()),
                    Ok(child) => child.says().await,
                });
            }
            assert_eq!(said[0], said[1], "{program} with {path:?}");
        }
    }
}

async fn a_failed_exec_is_the_same_error_as_without_sockets_and_leaves_nothing() {
    let stage = Stage::new();
    let folder = stage.scene.folder.path();
    fs::write(folder.join("text"), "exit 0").unwrap();
    fs::write(folder.join("script"), "#!/no/such/shell\n").unwrap();
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folder.join("script"), executable).unwrap();
    for program in [
        "/no/such/program",
        "no-such-program",
        "./text",
        "./script",
        "/",
        "",
        "nul\0byte",
    ] {
        let launch = |sockets| Launch {
            program: program.into(),
            ..stage.launch("", sockets)
        };
        let error = stage.fails(&launch(2));
        assert_eq!(error, stage.fails(&launch(0)));
        assert!(error.starts_with("cannot run "), "{error}");
    }
    let long = Launch {
        args: vec!["x".repeat(1 << 18).into()],
        ..stage.launch("", 1)
    };
    assert_eq!(
        stage.fails(&long),
        "cannot run sh: Argument list too long (os error 7)"
    );
}

async fn a_loud_dynamic_linker_speaks_once() {
    let stage = Stage::new();
    let mut said = Vec::new();
    for sockets in [0, 1] {
        let mut launch = stage.launch("", sockets);
        let preload = "/no/such/library.so";
        launch.environment = vec![("LD_PRELOAD".into(), preload.into())];
        launch.program = "/bin/true".into();
        said.push(stage.scene.start(&launch).unwrap().says().await);
    }
    assert_eq!(said[0], said[1]);
}

async fn an_executable_that_hands_nothing_down_is_an_error_and_leaves_nothing() {
    let mut stage = Stage::new();
    stage.scene.reaper = stage
        .scene
        .reaper
        .clone()
        .loading_through(Path::new("/bin/true"));
    let error = stage.fails(&stage.launch("exit 0", 1));
    assert_eq!(
        error,
        "cannot run sh: the step that hands it its sockets did not work"
    );
}

async fn sockets_go_through_no_hole_that_something_else_could_fall_into() {
    let early = null();
    assert!(early.as_raw_fd() < 35, "somebody left descriptors open");
    let stage = Stage::new();
    let launch = stage.launch("exit 0", Sockets::MOST);
    // What was there before the floor and is not any more: the standard library's own pipe could get
    // this number, and a socket replace it.
    drop(early);

    let error = stage.fails(&launch);

    assert!(error.contains("is not kept free"), "{error}");
}

async fn a_hole_that_is_there_before_the_floor_is_filled() {
    let (hole, other) = (null(), null());
    let number = hole.as_raw_fd();
    drop(hole);
    let stage = Stage::new();
    assert!(other.as_raw_fd() > number);
    assert!(null().as_raw_fd() > 3 + 32);
    let lines = stage.says(&stage.launch("ls /proc/$$/fd; :", 8)).await;
    assert_eq!(
        lines,
        ["0", "1", "10", "2", "3", "4", "5", "6", "7", "8", "9"]
    );
}

fn null() -> OwnedFd {
    File::open("/dev/null").unwrap().into()
}
