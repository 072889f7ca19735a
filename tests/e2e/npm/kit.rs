//! vite, express, pnpm and yarn from the npm registry, as the lock file beside this one says.

use std::{
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    net::SocketAddr,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use crate::support::{Daemon, Project, eventually, free, is_alive, marked};

const MANIFEST: &str = include_str!("packages/package.json");
const LOCK: &str = include_str!("packages/package-lock.json");

/// `node_modules` of all tests, installed once for each lock file and kept below the target folder.
static MODULES: LazyLock<PathBuf> = LazyLock::new(|| {
    let mut hash = DefaultHasher::new();
    (MANIFEST, LOCK).hash(&mut hash);
    let name = format!("npm-{:016x}", hash.finish());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    // Another run of the tests may be at it.
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let installed = folder.join("installed");
    if !installed.exists() {
        install(&folder);
        fs::write(installed, "").unwrap();
    }
    folder.join("node_modules")
});

#[expect(clippy::disallowed_methods, reason = "the test is the user here")]
fn install(folder: &Path) {
    fs::write(folder.join("package.json"), MANIFEST).unwrap();
    fs::write(folder.join("package-lock.json"), LOCK).unwrap();
    let mut npm = Command::new("npm");
    // What these packages run when they are installed is not needed.
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    npm.arg("--prefer-offline").current_dir(folder);
    let said = npm.output().expect("these tests need npm and node 20.19");
    assert!(said.status.success(), "npm ci: {said:?}");
}

/// A project with these packages and one process, `web`.
pub(super) struct Web {
    pub(super) project: Project,
    pub(super) address: SocketAddr,
}

impl Web {
    /// Its `dev` script is `script`, its entry has these lines. `%ADDRESS%` and `%PORT%` in them stand for
    /// its place.
    pub(super) fn new(name: &str, script: &str, entry: &str) -> Self {
        let (project, address) = (Project::new(name), free());
        symlink(MODULES.as_path(), project.dir().join("node_modules")).unwrap();
        let entry = entry
            .replace("%ADDRESS%", &address.to_string())
            .replace("%PORT%", &address.port().to_string());
        project
            .file(
                "package.json",
                &format!(
                    r#"{{"name":"web","version":"1.0.0","license":"MIT","private":true,
                        "type":"module","scripts":{{"dev":"{script}"}}}}"#
                ),
            )
            .config(&format!(
                "release_crash_backoff_initial_seconds = 0.05\ndev_crash_wait_seconds = 0.05\n\
                 [process.web]\ntype = \"npm\"\n{entry}\n"
            ));
        Self { project, address }
    }

    /// Starts the daemon; pnpm and yarn are in its PATH.
    #[track_caller]
    pub(super) fn start(&self) -> Daemon {
        let path = std::env::var("PATH").unwrap();
        let path = format!("{}:{path}", MODULES.join(".bin").display());
        self.project.start_with(&[
            ("PATH", &path),
            ("npm_config_update_notifier", "false"),
            // As it is under systemd.
            ("TERM", ""),
        ])
    }

    /// Ends the daemon; nothing of the project runs and nobody has its port.
    #[track_caller]
    pub(super) fn ends_clean(&self, daemon: Daemon) {
        daemon.stop();
        assert_eq!(marked(&self.project.dir()), [0; 0]);
        std::net::TcpListener::bind(self.address).unwrap();
    }
}

/// Waits until none of these is left.
#[track_caller]
pub(super) fn are_gone(pids: &[u32]) {
    eventually("all gone", || {
        let left: Vec<_> = pids.iter().filter(|pid| is_alive(**pid)).collect();
        if left.is_empty() {
            Ok(())
        } else {
            Err(format!("{left:?} of {pids:?}"))
        }
    });
}
