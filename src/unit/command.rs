//! `service install|uninstall|status|print`: the command, for whichever binary offers it.

use std::{
    env,
    ffi::OsStr,
    io::{self, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use clap::{Args, Subcommand};
use nix::unistd::{Uid, User};

use super::{
    Beneficiary, Scope,
    escape::Unwritable,
    file::{self, FileError, Present},
    name, passed_on,
    text::Unit,
};
use crate::config::{Config, LoadError};

/// The daemon's executable, beside whichever of ours this is.
const DAEMON: &str = "background-process-manager";

/// Lets systemd run the daemon of a project.
#[derive(Clone, Debug, Subcommand)]
pub enum ServiceCommand {
    /// Write the unit, enable it and start it.
    Install {
        /// Which.
        #[command(flatten)]
        which: Which,
        /// Only write the unit.
        #[arg(long)]
        no_start: bool,
    },
    /// Stop the service and remove its unit.
    Uninstall(Which),
    /// What systemd says about it.
    Status(Which),
    /// Print the unit, and change nothing.
    Print(Which),
}

/// Which service is meant.
#[derive(Args, Clone, Debug)]
pub struct Which {
    /// The project's directory, which contains .mcp-run; here, if it is left out.
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// A service of the machine, which runs from boot on, instead of one of your user.
    #[arg(long)]
    pub system: bool,
    /// The user that it runs as; the owner of DIR if it is left out.
    #[arg(long, value_name = "NAME", requires = "system")]
    pub user: Option<String>,
}

/// Why it did not work.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// There is no configuration to run.
    #[error(transparent)]
    Configuration(#[from] LoadError),
    /// A path or a variable is no good for a unit.
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
    /// The file is not ours, or refuses.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is no such user.
    #[error("there is no user `{0}`")]
    NoUser(String),
    /// Where units of the user lie is not known.
    #[error("neither XDG_CONFIG_HOME nor HOME says where your units are")]
    NoHome,
    /// Whose the directory is, is not known.
    #[error("{}: {cause}; who it is for can be said with --user NAME", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why it cannot be looked at.
        cause: io::Error,
    },
    /// The path of this program is not known.
    #[error("cannot find out where this program lies: {0}")]
    Program(io::Error),
    /// The daemon was not found.
    #[error("{} is missing: install it beside this program", .0.display())]
    NoDaemon(PathBuf),
    /// A tool of systemd could not be run.
    #[error("cannot run {tool}: {cause}")]
    Tool {
        /// Which.
        tool: String,
        /// Why not.
        cause: io::Error,
    },
    /// It said no; what it said stands above.
    #[error("`{0}` failed")]
    Refused(String),
    /// Nobody reads what is printed.
    #[error("cannot print: {0}")]
    Output(#[from] io::Error),
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// It is done; or the service runs.
    Done,
    /// The service does not run, says systemd.
    NotRunning,
}

impl ServiceCommand {
    /// The directory that was named.
    #[must_use]
    pub fn dir(&self) -> Option<&Path> {
        self.which().dir.as_deref()
    }

    fn which(&self) -> &Which {
        match self {
            Self::Install { which, .. }
            | Self::Uninstall(which)
            | Self::Status(which)
            | Self::Print(which) => which,
        }
    }

    /// Does it for the project in `dir`, and tells on `output`.
    ///
    /// # Errors
    /// When it did not work.
    pub fn run(&self, dir: &Path, output: &mut dyn Write) -> Result<Done, ServiceError> {
        let place = || Place::of(dir, self.which());
        match self {
            Self::Install { no_start, .. } => {
                let start = if *no_start { Start::Later } else { Start::Now };
                let config = Config::load(dir)?;
                place()?.install(&config, start, output)
            }
            Self::Uninstall(_) => place()?.uninstall(output),
            Self::Status(_) => place()?.status(),
            Self::Print(_) => {
                let config = Config::load(dir)?;
                let place = place()?;
                let text = place.unit(&config)?.text()?;
                write!(output, "{}", file::marked(&text, &place.project))?;
                Ok(Done::Done)
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    Now,
    Later,
}

/// The unit of a project, as systemd knows it.
struct Place {
    project: PathBuf,
    manager: Manager,
    /// Who was named to run it.
    user: Option<String>,
    unit: String,
    file: PathBuf,
}

/// Which systemd is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manager {
    /// That of this user.
    User,
    /// That of the machine.
    Machine,
}

impl Place {
    fn of(dir: &Path, which: &Which) -> Result<Self, ServiceError> {
        // A directory that is gone may still have a unit.
        let project = dir
            .canonicalize()
            .or_else(|_| std::path::absolute(dir))
            .map_err(|cause| ServiceError::Directory {
                path: dir.to_owned(),
                cause,
            })?;
        let manager = if which.system {
            Manager::Machine
        } else {
            Manager::User
        };
        let unit = name(&project);
        Ok(Self {
            file: folder(manager)?.join(&unit),
            project,
            manager,
            user: which.user.clone(),
            unit,
        })
    }

    fn unit(&self, config: &Config) -> Result<Unit, ServiceError> {
        let grace = config.processes.iter().map(|spec| spec.stop_grace).max();
        let scope = self.scope()?;
        Ok(Unit {
            environment: passed_on(env::vars_os(), beneficiary(&scope)),
            scope,
            project_dir: self.project.clone(),
            daemon: daemon()?,
            longest_grace: grace.unwrap_or(Duration::ZERO),
        })
    }

    /// Who runs it, which need not be known to take it away.
    fn scope(&self) -> Result<Scope, ServiceError> {
        Ok(match self.manager {
            Manager::User => Scope::User,
            Manager::Machine => Scope::System {
                user: user(self.user.as_deref(), &self.project)?,
            },
        })
    }

    fn install(
        &self,
        config: &Config,
        start: Start,
        output: &mut dyn Write,
    ) -> Result<Done, ServiceError> {
        let text = self.unit(config)?.text()?;
        file::write(&self.file, &text, &self.project)?;
        writeln!(output, "wrote {}", self.file.display())?;
        if start == Start::Later {
            let enable = self.shown(&["enable", "--now", &self.unit]);
            writeln!(output, "to start it, now and from now on: {enable}")?;
            return Ok(Done::Done);
        }
        self.systemctl(&["daemon-reload"])?;
        self.systemctl(&["enable", &self.unit])?;
        // Also where an older unit runs already.
        self.systemctl(&["restart", &self.unit])?;
        writeln!(
            output,
            "{} runs; to read its log: {}",
            self.unit,
            self.log()
        )?;
        self.explain_linger(output)?;
        Ok(Done::Done)
    }

    fn uninstall(&self, output: &mut dyn Write) -> Result<Done, ServiceError> {
        if file::look(&self.file, &self.project)? == Present::Nothing {
            writeln!(output, "{} is not installed", self.unit)?;
            return Ok(Done::Done);
        }
        self.systemctl(&["disable", "--now", &self.unit])?;
        file::remove(&self.file, &self.project)?;
        self.systemctl(&["daemon-reload"])?;
        writeln!(output, "removed {}", self.file.display())?;
        Ok(Done::Done)
    }

    fn status(&self) -> Result<Done, ServiceError> {
        match self.run(&["status", &self.unit])? {
            Some(0) => Ok(Done::Done),
            // 3: it is stopped or has failed, 4: there is no such unit.
            Some(3 | 4) => Ok(Done::NotRunning),
            _ => Err(ServiceError::Refused(self.shown(&["status", &self.unit]))),
        }
    }

    /// Units of a user run while he is logged in, unless he lingers.
    fn explain_linger(&self, output: &mut dyn Write) -> io::Result<()> {
        let Ok(Some(user)) = User::from_uid(Uid::current()) else {
            return Ok(());
        };
        if self.manager != Manager::User || Path::new(LINGERING).join(&user.name).exists() {
            return Ok(());
        }
        writeln!(
            output,
            "It ends when you log out and starts when you log in. To keep it up without you, from \
             boot on: loginctl enable-linger"
        )
    }

    fn log(&self) -> String {
        let user = if self.manager == Manager::User {
            "--user "
        } else {
            ""
        };
        format!("journalctl {user}-u {} -f", self.unit)
    }

    fn arguments<'a>(&self, words: &[&'a str]) -> Vec<&'a str> {
        let user = (self.manager == Manager::User).then_some("--user");
        user.into_iter().chain(words.iter().copied()).collect()
    }

    fn shown(&self, words: &[&str]) -> String {
        format!("systemctl {}", self.arguments(words).join(" "))
    }

    fn systemctl(&self, words: &[&str]) -> Result<(), ServiceError> {
        match self.run(words)? {
            Some(0) => Ok(()),
            _ => Err(ServiceError::Refused(self.shown(words))),
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "no daemon runs in this process, so there is no reaper"
    )]
    fn run(&self, words: &[&str]) -> Result<Option<i32>, ServiceError> {
        let mut command = Command::new("systemctl");
        let status = command.args(self.arguments(words)).status();
        let status = status.map_err(|cause| ServiceError::Tool {
            tool: "systemctl".to_owned(),
            cause,
        })?;
        Ok(status.code())
    }
}

/// A file for every user who lingers.
const LINGERING: &str = "/var/lib/systemd/linger";

/// Where its units lie.
fn folder(manager: Manager) -> Result<PathBuf, ServiceError> {
    if manager == Manager::Machine {
        return Ok("/etc/systemd/system".into());
    }
    let absolute = |name: &str| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute("XDG_CONFIG_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".config")))
        .map(|home| home.join("systemd/user"))
        .ok_or(ServiceError::NoHome)
}

fn beneficiary(scope: &Scope) -> Beneficiary {
    let installer = User::from_uid(Uid::current()).ok().flatten();
    match (scope, installer) {
        (Scope::System { user }, Some(installer)) if *user != installer.name => Beneficiary::Other,
        _ => Beneficiary::Installer,
    }
}

fn user(named: Option<&str>, project: &Path) -> Result<String, ServiceError> {
    let found = if let Some(name) = named {
        User::from_name(name)
    } else {
        let owner = project.metadata();
        let owner = owner.map_err(|cause| ServiceError::Directory {
            path: project.to_owned(),
            cause,
        })?;
        User::from_uid(Uid::from_raw(owner.uid()))
    };
    match found {
        Ok(Some(user)) => Ok(user.name),
        _ => Err(ServiceError::NoUser(
            named.unwrap_or("the owner of the directory").to_owned(),
        )),
    }
}

fn daemon() -> Result<PathBuf, ServiceError> {
    let this = env::current_exe().map_err(ServiceError::Program)?;
    if this.file_name() == Some(OsStr::new(DAEMON)) {
        return Ok(this);
    }
    let daemon = this.with_file_name(DAEMON);
    if daemon.is_file() {
        Ok(daemon)
    } else {
        Err(ServiceError::NoDaemon(daemon))
    }
}
