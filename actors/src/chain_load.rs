//! The step between the daemon and a program that is handed sockets: `LISTEN_PID` must be the pid of
//! the one that runs the program, and nobody knows that pid before it exists.
//!
//! So the daemon starts its own executable under the name of [`NAME`]; that one, which already is the
//! child, adds the variable and becomes the program. What it has to say goes into a pipe that the exec
//! closes: that it got there, and why the program could not be executed. It prints nothing and leaves
//! signals, descriptors and the rest of the environment as they are.
//!
//! The [`reaper`](crate::reaper) writes the command line and reads the pipe.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, PipeReader, Read, Write},
    os::{
        fd::RawFd,
        unix::{ffi::OsStrExt, process::CommandExt},
    },
    process::{Command, ExitCode},
};

use rustix::io::Errno;

/// The name (`argv[0]`) under which the daemon's executable is asked to become another program.
pub const NAME: &str = "bpm-chain-load";
/// The first descriptor that is handed down, by the convention of systemd.
pub(crate) const FIRST: RawFd = 3;

const LISTEN_PID: &str = "LISTEN_PID";
/// As a shell says it.
const CANNOT_EXECUTE: u8 = 127;
/// Said before the exec: silence is not success.
const ARRIVED: u8 = b'+';
/// What may come: that byte and an error number.
const LONGEST_REPORT: u64 = 1 + size_of::<i32>() as u64;

/// To be called first of all in `main`. Returns the code to end with when it was asked and the program
/// could not be executed, and nothing when it was not asked.
#[must_use]
pub fn become_program_if_asked() -> Option<ExitCode> {
    let mut arguments = env::args_os();
    if arguments.next().is_none_or(|name| name != NAME) {
        return None;
    }
    if let Some(orders) = Orders::parse(arguments) {
        orders.perform();
    }
    Some(ExitCode::from(CANNOT_EXECUTE))
}

/// What the command line of the step says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Orders {
    /// Where the report goes.
    pub(crate) report: RawFd,
    /// Variables of the program that steer the dynamic linker, which would obey them once too often:
    /// one that cannot load a library, or is told to be loud, says so in the program's name.
    pub(crate) withheld: Vec<(OsString, OsString)>,
    /// What to execute.
    pub(crate) program: OsString,
    /// Its arguments.
    pub(crate) args: Vec<OsString>,
}

/// Whether a variable reaches the program as an argument instead.
pub(crate) fn is_withheld(name: &OsStr) -> bool {
    name.as_bytes().starts_with(b"LD_")
}

impl Orders {
    /// The command line without its first word.
    pub(crate) fn into_arguments(self) -> impl Iterator<Item = OsString> {
        let counts = [self.report.to_string(), self.withheld.len().to_string()];
        let withheld = self
            .withheld
            .into_iter()
            .flat_map(|(name, value)| [name, value]);
        counts
            .into_iter()
            .map(OsString::from)
            .chain(withheld)
            .chain([self.program])
            .chain(self.args)
    }

    fn parse(mut arguments: impl Iterator<Item = OsString>) -> Option<Self> {
        let report = arguments.next()?.to_str()?.parse().ok()?;
        let count: usize = arguments.next()?.to_str()?.parse().ok()?;
        let mut withheld = Vec::new();
        for _ in 0..count {
            withheld.push((arguments.next()?, arguments.next()?));
        }
        Some(Self {
            report,
            withheld,
            program: arguments.next()?,
            args: arguments.collect(),
        })
    }

    /// Comes back only if it did not work.
    fn perform(self) {
        let Ok(mut report) = self.open_report() else {
            return;
        };
        // Somebody who is gone did not want this child any more.
        if report.write_all(&[ARRIVED]).is_err() {
            return;
        }
        let error = Command::new(self.program)
            .args(self.args)
            .envs(self.withheld)
            .env(LISTEN_PID, std::process::id().to_string())
            .exec();
        let number = error.raw_os_error().unwrap_or(Errno::INVAL.raw_os_error());
        // Whoever does not listen any more learns nothing.
        let _ = report.write_all(&number.to_ne_bytes());
    }

    /// The pipe, closed by the exec as is everything behind the sockets.
    fn open_report(&self) -> io::Result<File> {
        let path = format!("/proc/self/fd/{}", self.report);
        let report = File::options().write(true).open(path)?;
        close_fds::CloseFdsBuilder::new().cloexecfrom(self.report);
        Ok(report)
    }
}

/// Waits until the step has become the program, as starting a child without it waits for its exec.
///
/// # Errors
/// Why the program could not be executed; or that the step did not even try.
pub(crate) fn verdict(report: PipeReader) -> io::Result<()> {
    let mut said = Vec::new();
    report.take(LONGEST_REPORT).read_to_end(&mut said)?;
    match said.as_slice() {
        [ARRIVED] => Ok(()),
        [ARRIVED, number @ ..] if let Ok(number) = number.try_into() => {
            Err(io::Error::from_raw_os_error(i32::from_ne_bytes(number)))
        }
        _ => Err(io::Error::other(
            "the step that hands it its sockets did not work",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(bytes: &[u8]) -> Option<String> {
        let (report, mut writer) = io::pipe().unwrap();
        writer.write_all(bytes).unwrap();
        drop(writer);
        verdict(report).err().map(|error| error.to_string())
    }

    #[test]
    fn orders_survive_the_command_line() {
        let orders = || Orders {
            report: 5,
            withheld: vec![("LD_PRELOAD".into(), "a=b".into())],
            program: "server".into(),
            args: vec!["7".into(), String::new().into()],
        };
        assert_eq!(Orders::parse(orders().into_arguments()), Some(orders()));
    }

    #[test]
    fn a_command_line_that_says_something_else_is_refused() {
        for words in [
            &[][..],
            &["5"],
            &["x", "0", "server"],
            &["5", "0"],
            &["5", "2", "a", "b", "c", "d"],
            &["5", "99999999999999999999", "a"],
        ] {
            let arguments = words.iter().map(OsString::from);
            assert_eq!(Orders::parse(arguments), None, "{words:?}");
        }
    }

    #[test]
    fn only_what_said_that_it_got_there_and_nothing_more_is_a_program() {
        assert_eq!(said(b"+"), None);
        let missing = [&b"+"[..], &2_i32.to_ne_bytes()].concat();
        assert_eq!(
            said(&missing).unwrap(),
            "No such file or directory (os error 2)"
        );
        for bytes in [&b""[..], b"+1", b"hello", b"and much more than a report"] {
            assert_eq!(
                said(bytes).unwrap(),
                "the step that hands it its sockets did not work",
                "{bytes:?}"
            );
        }
    }
}
