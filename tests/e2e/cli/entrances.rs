//! By which way a daemon is reached, and with what it lets in.

use crate::support::{Bpm, Project, project::shell};

#[test]
fn a_token_is_found_by_itself_and_told_to_agents() {
    let project = Project::new("cli-token");
    project.config(&("token = true\n".to_owned() + &shell("main", "exec sleep 1000")));
    assert_eq!(
        Bpm::says(&project, &["mcp-config"]).code,
        3,
        "there is none yet"
    );
    let daemon = project.start();
    daemon.prints("serving");
    let url = daemon.url();
    for arguments in [vec!["status"], vec!["status", "--url", &url]] {
        let said = Bpm::says(&project, &arguments);
        assert_eq!(said.code, 0, "{said:?}");
    }
    let mut stranger = Bpm::command(&project, &["status", "--url", &url]);
    stranger.env("XDG_STATE_HOME", "/nowhere");
    let said = Bpm::launch(stranger).ends();
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.stderr.contains("the token lies in the state folder"),
        "{said:?}"
    );
    let folder = project.state_home().join("background-process-manager");
    let folder = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap();
    let token = std::fs::read_to_string(folder.path().join("token")).unwrap();
    let mut friend = Bpm::command(&project, &["status", "--url", &url]);
    friend
        .env("XDG_STATE_HOME", "/nowhere")
        .env("BPM_TOKEN", token);
    let said = Bpm::launch(friend).ends();
    assert_eq!(said.code, 0, "{said:?}");

    let said = Bpm::says(&project, &["mcp-config"]);
    let header = regex::Regex::new(" --header \"Authorization: Bearer [0-9A-Za-z_-]{20,}\"\n$");
    assert!(header.unwrap().is_match(&said.stdout), "{said:?}");
    let off = project
        .read(".mcp-run")
        .replace("token = true", "token = false");
    project.file(".mcp-run", &off);
    let said = Bpm::says(&project, &["mcp-config"]);
    assert!(
        !said.stdout.contains("Bearer"),
        "it is asked for no more: {said:?}"
    );
}

#[test]
fn the_unix_socket_is_taken_and_the_port_where_it_is_gone() {
    let project = Project::new("cli-socket");
    project.config(&shell("main", "exec sleep 1000"));
    let daemon = project.start();
    daemon.until_state("main", "running");
    let file = project.daemon_file().unwrap();
    let socket = file["socket"].as_str().unwrap();
    // Where nobody listens at the port that is written down, only the socket is left.
    let states = project.state_home().join("background-process-manager");
    let state = std::fs::read_dir(states).unwrap().next().unwrap().unwrap();
    let path = state.path().join("daemon.json");
    let told = std::fs::read_to_string(&path).unwrap();
    let port = format!(":{}/", daemon.port());
    let wrong = told.replace(&port, &format!(":{}/", crate::support::free_port()));
    std::fs::write(&path, wrong).unwrap();
    assert_eq!(Bpm::says(&project, &["status"]).code, 0);
    std::fs::write(&path, told).unwrap();
    std::fs::remove_file(socket).unwrap();
    let said = Bpm::says(&project, &["status"]);
    assert_eq!(said.code, 0, "{said:?}");
}
