//! Finding a daemon by what is in state folders.

use std::{fs, os::unix::net::UnixListener, path::Path};

use bpm_actors::proc_table::Identity;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::super::{Address, FindError, Which, find::find_in};
use crate::{
    config,
    daemon::state_place::{self, DAEMON_FILE, TOKEN_FILE},
};

/// A home for state, and a project.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("project/src/deep")).unwrap();
        Self { folder }
    }

    fn project(&self) -> std::path::PathBuf {
        self.folder.path().canonicalize().unwrap().join("project")
    }

    fn state(&self, project: &Path) -> std::path::PathBuf {
        state_place::folder(self.folder.path(), project)
    }

    /// A daemon that lives as long as this test does.
    fn daemon(&self, project: &Path, more: &Value) {
        let identity = Identity::of(std::process::id()).unwrap();
        let mut file = json!({"pid": identity.pid, "start_time": identity.start_time,
            "url": "http://localhost:3001/mcp", "project_dir": project});
        let more = more.as_object().unwrap().clone();
        file.as_object_mut().unwrap().extend(more);
        let folder = self.state(project);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(DAEMON_FILE), file.to_string()).unwrap();
    }

    fn find(&self, which: &Which) -> Result<super::Target, FindError> {
        find_in(Some(self.folder.path()), which, None)
    }

    fn find_from(&self, below: &str) -> Result<super::Target, FindError> {
        self.find(&Which::Project(self.project().join(below)))
    }
}

#[test]
fn a_daemon_is_found_from_within_its_project() {
    let place = Place::new();
    place.daemon(&place.project(), &json!({}));
    for below in [".", "src", "src/deep"] {
        let target = place.find_from(below).unwrap();
        assert_eq!(target.url, "http://localhost:3001/mcp");
        assert_eq!(target.project_dir, Some(place.project()));
        assert_eq!(target.address, Address::parse("localhost:3001").unwrap());
        assert_eq!(target.token, None);
    }
}

#[test]
fn the_unix_socket_is_preferred_while_it_is_there() {
    let place = Place::new();
    let socket = place.folder.path().join("socket");
    place.daemon(&place.project(), &json!({"socket": socket}));
    let tcp = place.find_from(".").unwrap();
    assert_eq!(tcp.address, Address::parse("localhost:3001").unwrap());
    let _listener = UnixListener::bind(&socket).unwrap();
    assert_eq!(place.find_from(".").unwrap().address, Address::Unix(socket));
}

#[test]
fn a_daemon_that_is_dead_does_not_run() {
    let place = Place::new();
    place.daemon(&place.project(), &json!({"start_time": 1}));
    fs::write(place.project().join(config::FILE_NAME), "").unwrap();
    let error = place.find_from("src").unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("{}: its daemon does not run", place.project().display())
    );
}

#[test]
fn a_project_within_a_project_is_one_of_its_own() {
    let place = Place::new();
    place.daemon(&place.project(), &json!({}));
    fs::write(place.project().join("src").join(config::FILE_NAME), "").unwrap();
    assert!(matches!(
        place.find_from("src/deep"),
        Err(FindError::NotRunning { project_dir }) if project_dir == place.project().join("src")
    ));
}

#[test]
fn where_no_project_is_it_is_said_where_was_looked() {
    let place = Place::new();
    let error = place.find_from("src").unwrap_err();
    assert!(error.to_string().contains("project/src nor"), "{error}");
    let error = place.find_from("nowhere").unwrap_err();
    assert!(matches!(error, FindError::Directory { .. }), "{error}");
}

#[test]
fn the_token_is_found_for_a_project_and_for_a_port_of_this_machine() {
    let place = Place::new();
    place.daemon(&place.project(), &json!({}));
    fs::write(place.state(&place.project()).join(TOKEN_FILE), "secret\n").unwrap();
    let token = |which: &Which| place.find(which).unwrap().token;
    let secret = Some("secret".to_owned());
    assert_eq!(token(&Which::Project(place.project())), secret);
    for (url, expected) in [
        ("http://localhost:3001/mcp", secret.clone()),
        ("http://127.0.0.1:3001", secret.clone()),
        ("http://[0:0::1]:3001", secret),
        // Somebody else may listen there.
        ("http://127.0.0.2:3001/mcp", None),
        ("http://localhost:3002/mcp", None),
        ("http://box:3001/mcp", None),
    ] {
        assert_eq!(token(&Which::Url(url.to_owned())), expected, "{url}");
    }
}

#[test]
fn a_token_that_is_given_goes_to_the_url_that_is_named_unless_its_own_is_known() {
    let place = Place::new();
    place.daemon(&place.project(), &json!({}));
    fs::write(place.state(&place.project()).join(TOKEN_FILE), "secret\n").unwrap();
    let token = |which: &Which, given: &str| {
        let found = find_in(Some(place.folder.path()), which, Some(given));
        found.unwrap().token
    };
    let there = Which::Url("http://localhost:4001/mcp".to_owned());
    assert_eq!(token(&there, "other\n").as_deref(), Some("other"));
    assert_eq!(token(&there, " "), None);
    let here = Which::Url("http://localhost:3001/mcp".to_owned());
    for known in [here, Which::Project(place.project())] {
        assert_eq!(token(&known, "other").as_deref(), Some("secret"));
    }
}
