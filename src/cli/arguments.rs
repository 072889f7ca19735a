//! The command line of `bpm`, and what its help teaches.

mod help;

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::duration;
use crate::{
    client::{LogStream, Which},
    unit::command::ServiceCommand,
};

/// Watches and steers the processes of a project.
///
/// Speaks to the daemon of the project that the current directory is in, and helps to set one up.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "bpm",
    version,
    after_help = help::BPM
)]
pub struct Arguments {
    #[command(flatten)]
    pub(super) place: Place,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Which daemon is meant.
#[derive(Args, Clone, Debug)]
pub(super) struct Place {
    /// Look for the project from DIR upwards instead of from the current directory.
    #[arg(short = 'C', value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Speak to the daemon at this URL, with or without /mcp, whatever the project.
    #[arg(long, value_name = "URL", global = true)]
    pub(super) url: Option<String>,
}

impl Place {
    /// Where to look for a project.
    pub(super) fn dir(&self) -> PathBuf {
        self.dir.clone().unwrap_or_else(|| ".".into())
    }

    /// Which daemon.
    pub(super) fn which(&self) -> Which {
        match &self.url {
            Some(url) => Which::Url(url.clone()),
            None => Which::Project(self.dir()),
        }
    }
}

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Command {
    /// Show what every process does.
    #[command(after_help = help::STATUS)]
    Status(StatusArguments),
    /// Show what processes printed, or print now.
    #[command(after_help = help::LOGS)]
    Logs(LogsArguments),
    /// Build in dev mode what was changed, and swap it in.
    #[command(after_help = help::RESTART)]
    Restart(OrderArguments),
    /// End processes; they stay stopped until they are started.
    #[command(after_help = help::STOP)]
    Stop(OrderArguments),
    /// Run stopped processes again; builds them first.
    #[command(after_help = help::START)]
    Start(OrderArguments),
    /// Read the .mcp-run again; what changed takes effect.
    #[command(after_help = help::RELOAD)]
    Reload(ReloadArguments),
    /// Wait until a process is ready, ends, or prints a line.
    #[command(after_help = help::WAIT)]
    Wait(WaitArguments),
    /// Show what happened, or happens now: builds, crashes, restarts.
    #[command(after_help = help::EVENTS)]
    Events(EventsArguments),
    /// Run the daemon in the foreground.
    #[command(after_help = help::RUN)]
    Run(DirArgument),
    /// Write a .mcp-run for what is found here.
    #[command(after_help = help::INIT)]
    Init(DirArgument),
    /// Check the .mcp-run.
    #[command(after_help = help::CHECK)]
    Check(DirArgument),
    /// Let systemd run the daemon.
    #[command(subcommand, after_help = help::SERVICE)]
    Service(ServiceCommand),
    /// Show how to connect a coding agent.
    #[command(after_help = help::MCP_CONFIG)]
    McpConfig {
        /// Which agent or editor.
        #[arg(default_value = "claude")]
        client: McpClient,
    },
    /// Open the terminal UI.
    #[command(after_help = help::TUI)]
    Tui,
    /// Print a script that completes the arguments of bpm in a shell.
    #[command(after_help = help::COMPLETIONS)]
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Write the man pages.
    #[command(after_help = help::MAN)]
    Man {
        /// Where; without it, into `man` beside this program.
        dir: Option<PathBuf>,
    },
}

#[derive(Args, Clone, Debug)]
pub(super) struct ReloadArguments {
    /// As JSON.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Args, Clone, Debug)]
pub(super) struct StatusArguments {
    /// Stay, and show every change.
    #[arg(short, long)]
    pub(super) watch: bool,
    /// As JSON.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Args, Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct LogsArguments {
    /// Whose; all processes by default.
    #[arg(value_name = "NAME")]
    pub(super) names: Vec<String>,
    /// Go on with what is printed from now on.
    #[arg(short, long)]
    pub(super) follow: bool,
    /// Only lines that match the regular expression R.
    #[arg(short, long, value_name = "R")]
    pub(super) grep: Option<String>,
    /// Capitals and small letters are the same to --grep.
    #[arg(short, long, requires = "grep")]
    pub(super) ignore_case: bool,
    /// Only lines that do not match --grep.
    #[arg(short = 'v', long, requires = "grep")]
    pub(super) invert: bool,
    /// N lines around each match.
    #[arg(short = 'C', long, value_name = "N")]
    pub(super) context: Option<usize>,
    /// The last N lines (matches, with --grep).
    #[arg(short = 'n', long, value_name = "N")]
    pub(super) lines: Option<usize>,
    /// Not older than this: 90s, 5m, 1h30m, or a time such as 2026-11-23T10:00:00Z.
    #[arg(long, value_name = "WHEN")]
    pub(super) since: Option<String>,
    /// Not newer than this, as --since.
    #[arg(long, value_name = "WHEN", conflicts_with = "follow")]
    pub(super) until: Option<String>,
    /// Only lines at least as bad as this.
    #[arg(long, value_name = "LEVEL", value_parser = ["fatal", "error", "warn", "info", "debug", "trace"])]
    pub(super) level: Option<String>,
    /// Only of this stream.
    #[arg(long, value_name = "STREAM")]
    pub(super) stream: Option<StreamArgument>,
    /// Of the run, or with --build the build, with this number.
    #[arg(long, value_name = "N")]
    pub(super) run: Option<u64>,
    /// What cargo printed, instead of the program.
    #[arg(short, long)]
    pub(super) build: bool,
    /// Put the time before each line.
    #[arg(short, long, conflicts_with = "json")]
    pub(super) times: bool,
    /// As JSON, a line for each.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum StreamArgument {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl From<StreamArgument> for LogStream {
    fn from(stream: StreamArgument) -> Self {
        match stream {
            StreamArgument::Stdout => Self::Stdout,
            StreamArgument::Stderr => Self::Stderr,
        }
    }
}

#[derive(Args, Clone, Debug)]
pub(super) struct OrderArguments {
    /// Which; may be left out where there is only one process.
    #[arg(value_name = "NAME")]
    pub(super) names: Vec<String>,
    /// How long to wait for what comes of it, at most 1h; the order stands all the same.
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = patience)]
    pub(super) timeout: Duration,
    /// As JSON, a line for each process.
    #[arg(long)]
    pub(super) json: bool,
}

/// How long an order may be waited for: no longer than a daemon does.
fn patience(text: &str) -> Result<Duration, String> {
    const MOST: Duration = Duration::from_hours(1);
    let patience = duration::parse(text)?;
    if patience > MOST {
        return Err("at most 1h; the order stands all the same".to_owned());
    }
    Ok(patience)
}

#[derive(Args, Clone, Debug)]
pub(super) struct WaitArguments {
    /// Which; may be left out where there is only one process.
    #[arg(value_name = "NAME")]
    pub(super) name: Option<String>,
    /// For what: ready, exit, or log=R with a regular expression R.
    #[arg(long = "for", value_name = "WHAT", value_parser = Awaited::parse)]
    pub(super) awaited: Awaited,
    /// How long: 30s, 5m, 1h30m.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration::parse)]
    pub(super) timeout: Duration,
}

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Awaited {
    /// It serves, is ready, and nothing newer is on its way.
    Ready,
    /// The run that serves has ended or was replaced.
    Exit,
    /// A line of the newest run matches.
    Log(String),
}

impl Awaited {
    fn parse(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            None if text == "ready" => Ok(Self::Ready),
            None if text == "exit" => Ok(Self::Exit),
            Some(("log", pattern)) if !pattern.is_empty() => Ok(Self::Log(pattern.to_owned())),
            _ => Err("must be ready, exit, or log=R with a regular expression R".to_owned()),
        }
    }
}

#[derive(Args, Clone, Debug)]
pub(super) struct EventsArguments {
    /// Go on with what happens from now on.
    #[arg(short, long)]
    pub(super) follow: bool,
    /// The last N events; 20 by default, none with --follow.
    #[arg(short = 'n', long, value_name = "N")]
    pub(super) lines: Option<usize>,
    /// As JSON, a line for each.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Args, Clone, Debug)]
pub(super) struct DirArgument {
    /// The project's directory.
    #[arg(value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,
}

/// Who can be connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum McpClient {
    /// Claude Code.
    Claude,
    /// Codex CLI.
    Codex,
    /// Gemini CLI.
    Gemini,
    /// Cursor.
    Cursor,
    /// VS Code.
    Vscode,
    /// Zed.
    Zed,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn clap_finds_no_fault_with_it() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_command_that_is_shown_teaches_by_examples() {
        for command in Arguments::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string);
            assert!(
                command.is_hide_set() || help.is_some_and(|help| help.starts_with("Examples:")),
                "{}",
                command.get_name()
            );
        }
    }

    #[test]
    fn what_can_be_waited_for_is_a_word_or_a_pattern() {
        assert_eq!(Awaited::parse("ready"), Ok(Awaited::Ready));
        assert_eq!(Awaited::parse("exit"), Ok(Awaited::Exit));
        assert_eq!(
            Awaited::parse("log=a=b"),
            Ok(Awaited::Log("a=b".to_owned()))
        );
        for wrong in ["", "log", "log=", "ready=1", "build"] {
            assert!(Awaited::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_order_is_waited_for_an_hour_at_most() {
        assert_eq!(patience("1h"), Ok(Duration::from_hours(1)));
        assert!(patience("61m").unwrap_err().contains("at most 1h"));
        assert!(patience("soon").is_err());
    }

    #[test]
    fn the_short_option_for_the_directory_stands_before_the_command() {
        let parsed =
            Arguments::try_parse_from(["bpm", "-C", "/p", "logs", "-C", "3", "-g", "x"]).unwrap();
        assert_eq!(parsed.place.dir(), PathBuf::from("/p"));
        let Command::Logs(logs) = parsed.command else {
            panic!("{parsed:?}");
        };
        assert_eq!(logs.context, Some(3));
        let parsed = Arguments::try_parse_from(["bpm", "status", "--url", "box:1"]).unwrap();
        assert_eq!(parsed.place.which(), Which::Url("box:1".to_owned()));
    }
}
