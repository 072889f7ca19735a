//! What direnv makes of the nearest `.envrc`: how it is asked, and how its answer is read.
//!
//! It is asked like a shell hook asks, so the answer is a difference to the daemon's environment, and
//! the program gets it without a wrapper process.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    io,
    path::{Path, PathBuf},
    pin::pin,
    time::Duration,
};

use anstream::adapter::strip_str;
use tokio::time::timeout;

use crate::{
    artifact::{Direnv, Watch},
    build::{
        environment::{Changes, Variables},
        job::Job,
        output::{Captured, capture, head},
        search_path::{NotFound, resolve},
        watches,
    },
    children::{Launch, Marker, SpawnError},
    exit::Exit,
    sockets::HeldSockets,
};

/// More than any environment that `exec` would accept.
const MOST_OUTPUT: usize = 16 << 20;

/// How much of its complaint a reason repeats.
const MOST_SAID: usize = 600;

/// How long an evaluation may take before somebody is told what is waited for.
const SILENCE: Duration = Duration::from_secs(3);

/// How long it may take: one that builds a development environment takes its time, and one that asks a
/// question that nobody hears never ends.
const LONGEST: Duration = Duration::from_mins(1);

/// An environment that could not be evaluated, with the next step to take.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DirenvError {
    #[error("direnv is not installed, but {} needs it: install it or remove the file; {cause}", .envrc.display())]
    Missing { envrc: PathBuf, cause: NotFound },
    #[error("{} is not allowed: run `direnv allow {}`", .envrc.display(), folder(.envrc))]
    NotAllowed { envrc: PathBuf },
    #[error("direnv failed on {} ({exit}): {said}", .envrc.display())]
    Failed {
        envrc: PathBuf,
        exit: String,
        said: String,
    },
    #[error(
        "{} took longer than {} s: run `direnv exec {} true` to see what it waits for, mend it and restart",
        .envrc.display(), LONGEST.as_secs(), folder(.envrc)
    )]
    TooSlow { envrc: PathBuf },
    #[error("direnv answered something else than JSON for {}: {cause}", .envrc.display())]
    NotJson {
        envrc: PathBuf,
        cause: serde_json::Error,
    },
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    #[error("cannot read what direnv prints: {0}")]
    Pipe(io::Error),
}

/// The folder of an `.envrc`, as a shell takes it.
fn folder(envrc: &Path) -> String {
    let folder = envrc.parent().unwrap_or(envrc).display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%,:".contains(c);
    if folder.chars().all(plain) {
        folder
    } else {
        format!("'{}'", folder.replace('\'', r"'\''"))
    }
}

/// What direnv says about a folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Evaluation {
    pub(crate) changes: Changes,
    pub(crate) watches: Vec<Watch>,
    pub(crate) direnv: Direnv,
    /// What it and the `.envrc` printed for people, in whole lines.
    pub(crate) said: Vec<u8>,
}

/// Evaluates the nearest `.envrc` of the job's process, if there is one.
///
/// # Errors
/// When direnv is missing, refuses, fails, takes too long, or is not understood.
pub(crate) async fn evaluate(job: &Job) -> Result<Evaluation, DirenvError> {
    let spec = job.spec();
    let Some(envrc) = watches::nearest_envrc(&spec.cwd) else {
        return Ok(Evaluation::default());
    };
    let mut variables = job.shop.base.with(&Changes::new());
    let program = match resolve("direnv", &variables, &spec.cwd) {
        Ok(program) => program,
        Err(cause) => return Err(DirenvError::Missing { envrc, cause }),
    };
    let forgotten = forget_state(&mut variables);
    let launch = Launch {
        program,
        args: vec!["export".into(), "json".into()],
        cwd: spec.cwd.clone(),
        environment: variables.into_iter().collect(),
        marker: Marker {
            process: spec.name.clone(),
            run: "direnv".to_owned(),
        },
        sockets: HeldSockets::default(),
    };
    let child = job.spawn(&launch)?;
    let tree = child.tree;
    let told = || log::info!("{}: waits for direnv ({})", spec.name, envrc.display());
    let Some(captured) = in_time(capture(child, MOST_OUTPUT), told).await else {
        job.shop.nursery.end(&[tree]).await;
        return Err(DirenvError::TooSlow { envrc });
    };
    let captured = captured.map_err(DirenvError::Pipe)?;
    let said = String::from_utf8_lossy(&captured.stderr).into_owned();
    let evaluation = interpret(captured, envrc);
    let level = match evaluation {
        // It comes to no run and to no build, whose log would have it.
        Err(DirenvError::Failed { .. }) => log::Level::Info,
        _ => log::Level::Debug,
    };
    for line in said.lines() {
        log::log!(level, "{}: {}", spec.name, strip_str(line));
    }
    let mut evaluation = evaluation?;
    for name in forgotten {
        evaluation.changes.entry(name).or_insert(None);
    }
    Ok(evaluation)
}

/// What comes of `work`, unless it takes longer than [`LONGEST`]. Calls `late` after [`SILENCE`].
async fn in_time<T>(work: impl Future<Output = T>, late: impl FnOnce()) -> Option<T> {
    let mut work = pin!(work);
    if let Ok(done) = timeout(SILENCE, &mut work).await {
        return Some(done);
    }
    late();
    timeout(LONGEST.saturating_sub(SILENCE), work).await.ok()
}

/// Removes what the direnv of the shell that started the daemon left there: direnv would compute the
/// difference to what that shell had before. What a user sets to configure direnv stays.
fn forget_state(variables: &mut Variables) -> Vec<OsString> {
    const SETTINGS: [&str; 4] = [
        "DIRENV_BASH",
        "DIRENV_CONFIG",
        "DIRENV_LOG_FORMAT",
        "DIRENV_WARN_TIMEOUT",
    ];
    let is_state = |name: &OsStr| {
        name.to_str()
            .is_some_and(|name| name.starts_with("DIRENV_") && !SETTINGS.contains(&name))
    };
    let names: Vec<_> = variables.keys().filter(|n| is_state(n)).cloned().collect();
    variables.retain(|name, _| !is_state(name));
    names
}

fn interpret(captured: Captured, envrc: PathBuf) -> Result<Evaluation, DirenvError> {
    if captured.exit != Some(Exit::Code(0)) {
        return Err(refusal(&captured, envrc));
    }
    // Nothing at all means that nothing is to be changed.
    let answer = captured.stdout.trim_ascii();
    let exported: BTreeMap<String, Option<String>> = match answer {
        b"" => BTreeMap::new(),
        json => match serde_json::from_slice(json) {
            Ok(exported) => exported,
            Err(cause) => return Err(DirenvError::NotJson { envrc, cause }),
        },
    };
    let listed = exported.get("DIRENV_WATCHES").and_then(Option::as_deref);
    let (mut watches, direnv) = match listed.map(watches::decode) {
        None => (Vec::new(), Direnv::Evaluated(envrc.clone())),
        Some(Some(known)) => (known, Direnv::Evaluated(envrc.clone())),
        Some(None) => (Vec::new(), Direnv::Unwatched(envrc.clone())),
    };
    if !watches.iter().any(|watch| watch.path == envrc) {
        watches.push(watches::watch(&envrc));
    }
    let changes = exported.into_iter();
    Ok(Evaluation {
        changes: changes
            .map(|(name, value)| (name.into(), value.map(Into::into)))
            .collect(),
        watches,
        direnv,
        said: whole_lines(captured.stderr),
    })
}

/// A line that does not end would be continued by whatever comes next in a log.
fn whole_lines(mut said: Vec<u8>) -> Vec<u8> {
    if said.last().is_some_and(|last| *last != b'\n') {
        said.push(b'\n');
    }
    said
}

fn refusal(captured: &Captured, envrc: PathBuf) -> DirenvError {
    let said = String::from_utf8_lossy(&captured.stderr);
    let said = strip_str(&said).to_string();
    let is_refused = |line: &str| {
        line.contains(".envrc") && (line.contains("is blocked") || line.contains("is not allowed"))
    };
    if said.lines().any(is_refused) {
        return DirenvError::NotAllowed { envrc };
    }
    let exit = captured.exit.map_or("lost".to_owned(), |e| e.to_string());
    let lines: Vec<_> = said.lines().filter(|l| !l.trim().is_empty()).collect();
    let last = lines[lines.len().saturating_sub(3)..].join("; ");
    let said = if last.is_empty() {
        "it said nothing".to_owned()
    } else {
        head(&last, MOST_SAID)
    };
    DirenvError::Failed { envrc, exit, said }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(code: i32, stdout: &str, stderr: &str) -> Captured {
        Captured {
            exit: Some(Exit::Code(code)),
            stdout: stdout.into(),
            stderr: stderr.into(),
        }
    }

    fn interpreted(code: i32, stdout: &str, stderr: &str) -> Result<Evaluation, DirenvError> {
        interpret(captured(code, stdout, stderr), "/no/p/.envrc".into())
    }

    #[test]
    fn a_string_sets_and_null_removes() {
        let evaluation = interpreted(0, r#"{"A":"1","B":null,"C":""}"#, "hello").unwrap();
        let expected = [("A", Some("1")), ("B", None), ("C", Some(""))];
        let expected = expected.map(|(name, value)| (name.into(), value.map(Into::into)));
        assert_eq!(evaluation.changes, Changes::from(expected));
        assert_eq!(evaluation.said, b"hello\n");
    }

    #[test]
    fn no_answer_changes_nothing_and_watches_the_file() {
        let evaluation = interpreted(0, "\n", "").unwrap();
        let envrc = PathBuf::from("/no/p/.envrc");
        assert!(evaluation.changes.is_empty());
        assert_eq!(evaluation.direnv, Direnv::Evaluated(envrc.clone()));
        assert_eq!(evaluation.watches[0].path, envrc);
    }

    #[test]
    fn watches_that_are_not_understood_are_never_trusted() {
        let evaluation = interpreted(0, r#"{"DIRENV_WATCHES":"?"}"#, "").unwrap();
        assert_eq!(evaluation.direnv, Direnv::Unwatched("/no/p/.envrc".into()));
    }

    #[test]
    fn a_blocked_file_says_what_to_run() {
        let blocked = "\u{1b}[31mdirenv: error /no/p/.envrc is blocked. Run `direnv allow` to approve its content\u{1b}[0m\n";
        let error = interpreted(1, "{}", blocked).unwrap_err();
        assert_eq!(
            error.to_string(),
            "/no/p/.envrc is not allowed: run `direnv allow /no/p`"
        );
        assert_eq!(folder(Path::new("/my dir/.envrc")), "'/my dir'");
    }

    #[test]
    fn any_other_failure_repeats_its_last_lines() {
        let said = "one\ntwo\n\u{1b}[mdirenv: loading x\n./.envrc:2: boom\n\u{1b}[31mdirenv: error exit status 3\u{1b}[0m\n";
        let error = interpreted(1, "", said).unwrap_err();
        assert_eq!(
            error.to_string(),
            "direnv failed on /no/p/.envrc (exit code 1): direnv: loading x; ./.envrc:2: boom; direnv: error exit status 3"
        );
    }

    #[test]
    fn an_answer_that_is_not_json_is_an_error() {
        for answer in ["export A=1", "[]", r#"{"A":1}"#] {
            let error = interpreted(0, answer, "").unwrap_err();
            assert!(matches!(error, DirenvError::NotJson { .. }), "{answer}");
        }
    }

    #[test]
    fn the_state_of_a_foreign_direnv_is_forgotten_and_its_settings_are_not() {
        let names = ["DIRENV_CONFIG", "DIRENV_DIFF", "DIRENV_DIR", "PATH"];
        let mut variables: Variables = names.map(|n| (n.into(), "x".into())).into();
        let forgotten = forget_state(&mut variables);
        assert_eq!(forgotten, ["DIRENV_DIFF", "DIRENV_DIR"]);
        let left: Vec<_> = variables.into_keys().collect();
        assert_eq!(left, ["DIRENV_CONFIG", "PATH"]);
    }
}
