//! Where `bpm` prints: what was asked for to stdout, words about it to stderr.

use std::{
    fs::File,
    io::{self, BufWriter, IsTerminal, Write},
    os::fd::{AsFd, BorrowedFd},
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::sync::oneshot;

use super::{
    failure::Failure,
    paint::{Colours, Paint},
};

/// Both outputs.
pub(super) struct Console {
    /// What was asked for. Buffered: [`Console::flush`] before anything is waited for.
    pub(super) out: Box<dyn Write>,
    /// How stdout is shown.
    pub(super) face: Face,
    /// Words about it.
    err: Box<dyn Write>,
    err_face: Face,
    /// Whether the last line of stderr is one that the next one replaces.
    is_unfinished: bool,
}

/// What an output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Face {
    /// Whether there are colours.
    pub(super) colours: Colours,
    /// How wide the terminal is; `None` for files and pipes.
    pub(super) width: Option<usize>,
}

impl Face {
    /// A file or a pipe.
    pub(super) const PLAIN: Self = Self {
        colours: Colours::Off,
        width: None,
    };

    fn of(is_terminal: bool) -> Self {
        if !is_terminal {
            return Self::PLAIN;
        }
        let width = crossterm::terminal::size().map_or(80, |(columns, _)| columns.into());
        Self {
            colours: Colours::of_terminal(),
            width: Some(width).filter(|width| *width > 0),
        }
    }

    /// Whether a person looks at it.
    pub(super) fn is_terminal(self) -> bool {
        self.width.is_some()
    }
}

impl Console {
    /// The process's own.
    pub(super) fn standard() -> Self {
        let stdout = io::stdout();
        let face = Face::of(stdout.is_terminal());
        // Lines are passed on when there is nothing more to say, not one by one as std does.
        let out: Box<dyn Write> = match stdout.as_fd().try_clone_to_owned() {
            Ok(stdout) => Box::new(BufWriter::new(File::from(stdout))),
            Err(_) => Box::new(stdout),
        };
        Self {
            out,
            face,
            err: Box::new(io::stderr()),
            err_face: Face::of(io::stderr().is_terminal()),
            is_unfinished: false,
        }
    }

    /// How wide the terminal is now.
    pub(super) fn refresh(&mut self) {
        self.face = Face::of(self.face.is_terminal());
    }

    /// Prints a line of what was asked for.
    ///
    /// # Errors
    /// When nobody reads it.
    pub(super) fn line(&mut self, text: &str) -> Result<(), Failure> {
        Ok(writeln!(self.out, "{text}")?)
    }

    /// Passes on what was printed.
    ///
    /// # Errors
    /// When nobody reads it.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.out.flush()?)
    }

    /// Says something about it, on stderr.
    pub(super) fn note(&mut self, text: &str) {
        self.finish_progress();
        let text = self.err_face.colours.paint(Paint::Dim, text);
        // Who closed stderr does not want to know.
        let _ = writeln!(self.err, "{text}");
    }

    /// Says what was not possible, on stderr.
    pub(super) fn complain(&mut self, text: &str) {
        self.finish_progress();
        let _ = self.out.flush();
        let name = self.err_face.colours.paint(Paint::Bad, "bpm:");
        let _ = writeln!(self.err, "{name} {text}");
    }

    /// Says how far it is, on stderr. On a terminal each replaces the one before.
    pub(super) fn progress(&mut self, text: &str) {
        let Some(width) = self.err_face.width else {
            let _ = writeln!(self.err, "{text}");
            return;
        };
        let text = super::table::cut(text, width.saturating_sub(1));
        let text = self.err_face.colours.paint(Paint::Busy, &text);
        let _ = write!(self.err, "\r\x1b[K{text}");
        let _ = self.err.flush();
        self.is_unfinished = true;
    }

    /// Whether progress is shown in one place, which can be kept up to date.
    pub(super) fn shows_progress(&self) -> bool {
        self.err_face.is_terminal()
    }

    /// Removes the last word about progress.
    pub(super) fn finish_progress(&mut self) {
        if std::mem::take(&mut self.is_unfinished) {
            let _ = write!(self.err, "\r\x1b[K");
            let _ = self.err.flush();
        }
    }
}

/// Comes when nobody reads stdout any more, so that what follows something ends with its reader even
/// while there is nothing to print. Never for a file or a terminal.
pub(super) async fn reader_gone() {
    let (tell, told) = oneshot::channel();
    // Nobody waits for the thread; it ends with the program.
    std::thread::spawn(move || {
        let stdout = io::stdout();
        if is_hung_up(stdout.as_fd()) {
            let _ = tell.send(());
        }
    });
    if told.await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Waits until the other end is closed; not at all where that cannot be waited for.
fn is_hung_up(output: BorrowedFd<'_>) -> bool {
    let mut polled = [PollFd::new(output, PollFlags::empty())];
    let gone = PollFlags::POLLERR | PollFlags::POLLHUP;
    loop {
        match poll(&mut polled, PollTimeout::NONE) {
            Err(nix::errno::Errno::EINTR) => {}
            Err(_) => return false,
            Ok(_) => return polled[0].revents().is_some_and(|it| it.intersects(gone)),
        }
    }
}
