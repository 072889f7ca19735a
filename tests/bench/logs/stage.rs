//! One daemon whose processes flood it when they are told to, and the same program without it.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{sys::stat::Mode, unistd::mkfifo};
use regex::Regex;
use serde_json::json;

use crate::{
    client::Client,
    daemon,
    program::{ASKED, Order, door, report},
    support::{Daemon, LIMIT, Project, eventually},
};

/// This part of everything, to try the benchmark itself out: `LOGS_SCALE=0.01`.
pub(crate) fn scaled(lines: usize) -> usize {
    let scale = std::env::var("LOGS_SCALE").ok();
    let scale: f64 = scale.and_then(|it| it.parse().ok()).unwrap_or(1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rough number of lines"
    )]
    let scaled = (lines as f64 * scale) as usize;
    scaled.max(1)
}

pub(crate) struct Stage {
    project: Project,
    daemon: Option<Daemon>,
}

impl Stage {
    /// Starts a daemon with these processes.
    pub(crate) fn set(logs: &str, processes: &[&str], stdout: Stdio) -> Self {
        let project = Project::new("logs");
        let mut config = format!("[logs]\n{logs}\n");
        let program = std::env::current_exe().unwrap();
        let program = program.display();
        for name in processes {
            mkfifo(&project.dir().join(door(name)), Mode::S_IRWXU).unwrap();
            write!(
                config,
                "[process.{name}]\ntype = \"command\"\ncommand = [\"{program}\", \"{ASKED}\", \"{name}\"]\n",
            )
            .unwrap();
        }
        project.config(&config);
        let mut stage = Self {
            project,
            daemon: None,
        };
        stage.start(stdout);
        stage
    }

    /// Starts the daemon; how long it takes until it serves.
    pub(crate) fn start(&mut self, stdout: Stdio) -> Duration {
        let command = daemon::command(&self.project);
        let begin = Instant::now();
        let daemon = Daemon::launch_into(&self.project, command, stdout);
        let took = begin.elapsed();
        self.daemon = Some(daemon);
        took
    }

    /// Ends the daemon in order.
    pub(crate) fn stop(&mut self) {
        self.daemon.take().unwrap().stop();
    }

    pub(crate) fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().unwrap()
    }

    /// A client with a connection of its own.
    pub(crate) fn client(&self) -> Client {
        Client::of(self.daemon().port())
    }

    /// Lets a process print; how many seconds it took until it had got rid of everything.
    pub(crate) fn flood(&self, name: &str, order: Order) -> f64 {
        flood(&self.project.dir(), name, order)
    }

    /// Waits until so many lines of a run are kept; fails when lines were lost.
    pub(crate) fn keeps(&self, name: &str, run: u64, lines: usize) {
        let mut client = self.client();
        eventually(&format!("{lines} lines kept"), || {
            let arguments = json!({"process": name, "run": run, "head": 0});
            let (text, _) = client.call("search_logs", &arguments);
            let first = text.lines().next().unwrap().to_owned();
            if kept(&first) == lines && first.contains("; 0 evicted") {
                Ok(())
            } else {
                Err(first)
            }
        });
    }

    /// The files of a run, oldest first.
    pub(crate) fn files(&self, name: &str, run: u64) -> Vec<PathBuf> {
        let projects = self.project.state_home().join("background-process-manager");
        let project = fs::read_dir(projects).unwrap().next().unwrap().unwrap();
        let folder = project.path().join("logs").join(name);
        let run = format!("run-{run:06}.");
        let mut files: Vec<PathBuf> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| {
                let name = path.file_name().unwrap().to_str().unwrap();
                name.starts_with(&run) && Path::new(name).extension() == Some("log".as_ref())
            })
            .collect();
        files.sort_unstable();
        files
    }
}

/// The number of lines in the first line of an answer.
pub(crate) fn kept(first: &str) -> usize {
    number(first, r"([\d,]+) lines")
}

/// The number of lines that matched.
pub(crate) fn matched(first: &str) -> usize {
    number(first, r": ([\d,]+) of ")
}

fn number(text: &str, pattern: &str) -> usize {
    let found = Regex::new(pattern).unwrap().captures(text);
    let digits = found.unwrap_or_else(|| panic!("no {pattern} in {text}"))[1].replace(',', "");
    digits.parse().unwrap()
}

fn flood(folder: &Path, name: &str, order: Order) -> f64 {
    fs::write(folder.join(door(name)), order.to_string()).unwrap();
    let report = folder.join(report(name));
    let begin = Instant::now();
    loop {
        if let Ok(text) = fs::read_to_string(&report) {
            fs::remove_file(report).unwrap();
            return text.parse().unwrap();
        }
        assert!(begin.elapsed() < LIMIT * 4, "{name} {order}: hangs");
        thread::sleep(Duration::from_millis(2));
    }
}

/// `program | cat > file`.
pub(crate) struct ByHand {
    child: Child,
    folder: tempfile::TempDir,
    name: &'static str,
}

impl ByHand {
    pub(crate) fn start(name: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        mkfifo(&folder.path().join(door(name)), Mode::S_IRWXU).unwrap();
        let child = Command::new("sh")
            .args(["-c", "\"$@\" | cat > text", "sh"])
            .arg(std::env::current_exe().unwrap())
            .args([ASKED, name])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .spawn();
        Self {
            child: child.unwrap(),
            folder,
            name,
        }
    }

    pub(crate) fn flood(&self, order: Order) -> f64 {
        flood(self.folder.path(), self.name, order)
    }

    /// Ends it; the file is complete then.
    pub(crate) fn end(mut self) -> Written {
        fs::write(self.folder.path().join(door(self.name)), "leave").unwrap();
        assert!(self.child.wait().unwrap().success());
        Written(self.folder)
    }
}

/// What was written without a daemon.
pub(crate) struct Written(tempfile::TempDir);

impl Written {
    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("text")
    }

    /// Whether these files, one after the other, have exactly this text.
    pub(crate) fn is(&self, files: &[PathBuf]) -> bool {
        let mut text = BufReader::new(File::open(self.path()).unwrap());
        let mut ours = vec![0; 1 << 20];
        for file in files {
            let mut theirs = Vec::new();
            let mut file = File::open(file).unwrap();
            loop {
                theirs.clear();
                let limit = u64::try_from(ours.len()).unwrap();
                let count = (&mut file).take(limit).read_to_end(&mut theirs).unwrap();
                if count == 0 {
                    break;
                }
                if text.read_exact(&mut ours[..count]).is_err() || ours[..count] != theirs {
                    return false;
                }
            }
        }
        text.read(&mut ours).unwrap() == 0
    }
}
