//! A slow `.envrc`, seen by somebody who connects all the time.

use std::time::Duration;

use super::Direnv;
use crate::support::{Seen, Server, Visitor, Way};

#[track_caller]
fn costs_no_second(way: Way) -> Seen {
    let direnv = Direnv::new("direnv-outage");
    let server = Server::new(&direnv.project, "main", way);
    let ready = match way {
        // Else the pause would hide in the time to settle.
        Way::Own => "",
        Way::Held | Way::Relayed => "ready = { log = \"listening\" }\n",
    };
    direnv.project.config(&server.entry(ready));
    let daemon = direnv.start();
    daemon.until_state("main", "running");
    server.pid();

    let visitor = Visitor::of(server.address);
    assert_eq!(daemon.restart("main")["outcome"], way.outcome());
    let without = visitor.leaves();

    direnv.allowed(".", "sleep 2\nexport FLAVOUR=slow\n");
    let visitor = Visitor::of(server.address);
    let answer = daemon.restart("main");
    let with = visitor.leaves();
    assert_eq!(answer["outcome"], way.outcome(), "{answer}");
    assert!(
        with.outage < without.outage + Duration::from_secs(1),
        "{with:?}, without an .envrc {without:?}"
    );
    assert!(daemon.logs("main").contains("+FLAVOUR"));
    with
}

#[test]
fn two_seconds_of_envrc_are_no_second_of_outage() {
    costs_no_second(Way::Own);
}

#[test]
fn two_seconds_of_envrc_refuse_nobody_who_comes_to_handed_sockets() {
    assert_eq!(costs_no_second(Way::Held).refused, 0);
}

#[test]
fn two_seconds_of_envrc_refuse_nobody_who_comes_to_the_relay() {
    assert_eq!(costs_no_second(Way::Relayed).refused, 0);
}
