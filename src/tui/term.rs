//! The terminal: taken over, and given back in the state in which it was, whatever happens.

use std::{
    io::{self, BufWriter, IsTerminal, Stdout, Write},
    panic, process,
};

use crossterm::{
    clipboard::CopyToClipboard,
    cursor::Show,
    event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture},
    execute,
    style::Print,
    terminal::{
        EnterAlternateScreen, LeaveAlternateScreen, SetTitle, disable_raw_mode, enable_raw_mode,
    },
};
use ratatui::{Frame, Terminal, backend::CrosstermBackend};

/// Puts the title of the window, and of its icon, on the terminal's stack.
const KEEP_TITLE: &str = "\x1b[22;0t";
/// Takes it from there.
const GIVE_TITLE_BACK: &str = "\x1b[23;0t";

/// The terminal while it is ours; given back when it is dropped.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<BufWriter<Stdout>>>,
}

impl Screen {
    /// So much is written to the terminal at once.
    const AT_ONCE: usize = 64 * 1024;

    /// Takes the terminal over.
    ///
    /// # Errors
    /// When stdout is no terminal, or it does not obey.
    pub fn take() -> io::Result<Self> {
        if !io::stdout().is_terminal() {
            return Err(io::Error::other("stdout is no terminal"));
        }
        give_back_after_panics();
        enable_raw_mode()?;
        let out = BufWriter::with_capacity(Self::AT_ONCE, io::stdout());
        let terminal = Terminal::new(CrosstermBackend::new(out));
        // From here on it is given back, also where the rest fails.
        let mut screen = Self {
            terminal: terminal.inspect_err(|_| give_back())?,
        };
        execute!(
            screen.terminal.backend_mut(),
            Print(KEEP_TITLE),
            EnterAlternateScreen,
            EnableMouseCapture,
            EnableBracketedPaste,
            SetTitle("bpm-tui"),
        )?;
        screen.terminal.clear()?;
        Ok(screen)
    }

    /// Columns and rows.
    ///
    /// # Errors
    /// When the terminal does not say.
    pub fn size(&self) -> io::Result<(u16, u16)> {
        let size = self.terminal.size()?;
        Ok((size.width, size.height))
    }

    /// Draws what has changed.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.terminal.draw(draw).map(drop)
    }

    /// Puts a text on the clipboard of whoever looks, also over ssh (OSC 52).
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn copy(&mut self, text: &str) -> io::Result<()> {
        execute!(
            self.terminal.backend_mut(),
            CopyToClipboard::to_clipboard_from(text)
        )
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // What is still in the buffer must not come after the farewell.
        let _ = self.terminal.backend_mut().flush();
        give_back();
    }
}

fn give_back() {
    // Nothing can be done where the terminal is gone.
    let _ = execute!(
        io::stdout(),
        DisableBracketedPaste,
        DisableMouseCapture,
        LeaveAlternateScreen,
        // A terminal that keeps no titles is left without ours.
        SetTitle(""),
        Print(GIVE_TITLE_BACK),
        Show,
    );
    let _ = disable_raw_mode();
}

/// A task that panicked would leave the others drawing over its message: all end.
fn give_back_after_panics() {
    let tell = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        give_back();
        tell(panic);
        process::exit(101);
    }));
}
