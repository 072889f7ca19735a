//! Sockets that the daemon holds, over changes of the entry that asks for them.

use std::net::{SocketAddr, TcpListener};

use serde_json::Value;

use crate::support::{Project, Server, Way, ask, eventually, free, pid_in, until_gone};

#[test]
fn a_port_more_is_bound_while_the_other_one_goes_on() {
    let project = Project::new("reload-listen");
    let server = Server::new(&project, "main", Way::Held);
    project.config(&server.entry(""));
    let daemon = project.start();
    let before = daemon.until_state("main", "running");
    let more = free();
    let both = format!("listen = [\"{}\", \"{more}\"]", server.address);
    let one = format!("listen = [\"{}\"]", server.address);
    let entry = server.entry("");
    project.config(&entry.replace(&one, &both));
    let now = daemon.until_newer("main", &before);
    assert_ne!(now["pid"], before["pid"]);
    assert_eq!(ask(server.address, "/").unwrap().0, 200);
    // It is bound: nobody else may have it.
    assert!(TcpListener::bind(more).is_err());
    // And back, at once: what was given up may still be held for a rollback.
    project.config(&entry);
    let back = daemon.until_newer("main", &now);
    project.config(&entry.replace(&one, &both));
    daemon.until_newer("main", &back);
    assert_eq!(daemon.status()["config_error"], Value::Null);
}

#[test]
fn an_address_that_cannot_be_had_changes_nothing_at_all() {
    let project = Project::new("reload-address");
    let held = Server::new(&project, "held", Way::Held);
    let relayed = Server::new(&project, "relayed", Way::Relayed);
    project.config(&format!("{}{}", held.entry(""), relayed.entry("")));
    let daemon = project.start();
    let pids = ["held", "relayed"].map(|name| daemon.until_state(name, "running")["pid"].clone());
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = taken.local_addr().unwrap();
    let relayed_elsewhere = relayed
        .entry("")
        .replace(&relayed.address.to_string(), &address.to_string());
    project.config(&format!(
        "{}{relayed_elsewhere}",
        held.entry("env = { COLOUR = \"blue\" }")
    ));
    let error = daemon.until_error("an error", Value::is_string);
    let text = error.as_str().unwrap();
    let expected = format!("process relayed: port {address} is taken by pid");
    assert!(text.contains(&expected), "{text}");
    let now = ["held", "relayed"].map(|name| daemon.process(name)["pid"].clone());
    assert_eq!(now, pids);
    // As soon as it is free, a hangup does it.
    drop(taken);
    daemon.signal(nix::sys::signal::Signal::SIGHUP);
    daemon.until_error("no error", Value::is_null);
    eventually("an answer at the new address", || ask(address, "/"));
}

#[test]
fn a_public_port_moves_to_another_process_and_another_port() {
    let project = Project::new("reload-public");
    let server = Server::new(&project, "main", Way::Relayed);
    project.config(&server.entry(""));
    let daemon = project.start();
    let before = daemon.until_state("main", "running");
    // The same port under another name.
    let renamed = server.entry("").replace("process.main", "process.other");
    project.config(&renamed);
    eventually("another process", || {
        let names = daemon.names();
        if names == ["other"] {
            Ok(())
        } else {
            Err(names)
        }
    });
    let other = daemon.until_state("other", "running");
    until_gone(pid_in(&before));
    assert_eq!(ask(server.address, "/").unwrap().0, 200);
    // Another port under the same name.
    let address = free();
    project.config(&renamed.replace(&server.address.to_string(), &address.to_string()));
    daemon.until_newer("other", &other);
    assert_eq!(ask(address, "/").unwrap().0, 200);
    assert_eq!(daemon.output().matches("crashed").count(), 0);
}

/// Longer than a replaced run takes to leave.
const STABLE: &str = "stable_seconds = 1";

#[test]
fn an_address_that_was_moved_away_from_is_free_when_the_new_entry_is_good() {
    let project = Project::new("reload-move");
    let held = Server::new(&project, "held", Way::Held);
    let relayed = Server::new(&project, "relayed", Way::Relayed);
    let file = |path: &str| {
        let script = "exec sleep 1000";
        let entry = crate::support::project::shell("file", script);
        format!("{entry}listen = [\"{path}\"]\n{STABLE}\n")
    };
    let config = [
        held.entry(STABLE),
        relayed.entry(STABLE),
        file("./old.sock"),
    ]
    .concat();
    project.config(&config);
    let daemon = project.start();
    let names = ["held", "relayed", "file"];
    let before = names.map(|name| daemon.until_state(name, "running"));
    let moved = [held.address, relayed.address].map(|old| (old, free()));
    let elsewhere = |config: String, (old, new): &(SocketAddr, SocketAddr)| {
        config.replace(&old.to_string(), &new.to_string())
    };
    let config = config.replace("old.sock", "new.sock");
    project.config(&moved.iter().fold(config, elsewhere));
    for (name, before) in names.iter().zip(&before) {
        daemon.until_newer(name, before);
        until_gone(pid_in(before));
    }
    for (old, new) in moved {
        eventually("the old address free", || TcpListener::bind(old));
        assert_eq!(ask(new, "/").unwrap().0, 200);
    }
    let old = project.dir().join("old.sock");
    eventually("no file", || if old.exists() { Err(()) } else { Ok(()) });
    assert!(project.dir().join("new.sock").exists());
}

#[test]
fn the_file_of_a_socket_goes_with_the_process_that_asked_for_it() {
    let project = Project::new("reload-unix");
    let entry = |name: &str, more: &str| {
        let script = "exec sleep 1000";
        format!("{}{more}", crate::support::project::shell(name, script))
    };
    let main = entry("main", "");
    let with = entry("side", "listen = [\"./side.sock\"]\n");
    project.config(&format!("{main}{with}"));
    let daemon = project.start();
    daemon.until_state("side", "running");
    let socket = project.dir().join("side.sock");
    assert!(socket.exists());
    project.config(&main);
    eventually(
        "no socket",
        || if socket.exists() { Err(()) } else { Ok(()) },
    );
    project.config(&format!("{main}{with}"));
    eventually(
        "a socket",
        || if socket.exists() { Ok(()) } else { Err(()) },
    );
    daemon.stop();
    assert!(!socket.exists());
}
