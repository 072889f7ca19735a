//! A terminal in which `bpm-tui` runs: tmux draws, types, clicks, resizes, and shows what is there.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::atomic::{AtomicU32, Ordering},
};

use super::{Project, children_of, eventually};

/// A tmux server of its own with one pane; ended when it is dropped.
pub(crate) struct Terminal {
    socket: PathBuf,
}

impl Terminal {
    /// Starts `bpm-tui` in the project's directory, and a shell behind it that says how it ended and
    /// in which state it left the terminal.
    #[track_caller]
    pub(crate) fn start(project: &Project, width: u16, height: u16) -> Self {
        Self::start_with(project, width, height, "")
    }

    /// Like [`Terminal::start`], with assignments of variables before the command.
    #[track_caller]
    pub(crate) fn start_with(project: &Project, width: u16, height: u16, set: &str) -> Self {
        let bin = env!("CARGO_BIN_EXE_bpm-tui");
        Self::run(project, width, height, &format!("{set} {bin}"))
    }

    /// Runs any command in it, with the project's directory and state folder.
    #[track_caller]
    pub(crate) fn run(project: &Project, width: u16, height: u16, command: &str) -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let terminal = Self {
            socket: project
                .state_home()
                .with_file_name(format!("tmux-{number}")),
        };
        let command = format!(
            "cd {dir} && env -u NO_COLOR XDG_STATE_HOME={state} {command}; echo \"ended $?\"; stty -a; exec cat",
            dir = quoted(&project.dir()),
            state = quoted(&project.state_home()),
        );
        let (width, height) = (width.to_string(), height.to_string());
        let mut size = vec!["-x", &width, "-y", &height];
        // What is copied becomes tmux's buffer.
        let before = ["set-option", "-s", "set-clipboard", "on", ";"];
        let keep = [";", "set-option", "-g", "window-size", "manual"];
        let mut arguments = vec!["start-server", ";"];
        arguments.extend(before);
        arguments.extend(["new-session", "-d"]);
        arguments.append(&mut size);
        arguments.extend(["sh", "-c", &command]);
        arguments.extend(keep);
        let output = terminal.tmux(&arguments);
        assert!(
            output.status.success(),
            "tmux: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        terminal
    }

    /// Presses keys, by tmux's names.
    #[track_caller]
    pub(crate) fn press(&self, keys: &[&str]) {
        self.done(&[&["send-keys"], keys].concat());
    }

    /// Types a text, letter for letter.
    #[track_caller]
    pub(crate) fn types(&self, text: &str) {
        self.done(&["send-keys", "-l", text]);
    }

    /// A mouse event, as terminals encode it: the button's code, column and row from 0.
    #[track_caller]
    pub(crate) fn mouse(&self, code: u8, column: usize, row: usize, end: char) {
        self.types(&format!("\x1b[<{code};{};{}{end}", column + 1, row + 1));
    }

    /// Clicks at this text, which must be on the screen.
    #[track_caller]
    pub(crate) fn click(&self, text: &str) {
        let (column, row) = self.place(text);
        self.mouse(0, column, row, 'M');
        self.mouse(0, column, row, 'm');
    }

    /// The column and row where a text is on the screen.
    #[track_caller]
    pub(crate) fn place(&self, text: &str) -> (usize, usize) {
        let screen = self.until(text, |screen| screen.contains(text));
        let mut rows = screen.lines().enumerate();
        let place = rows.find_map(|(row, line)| {
            let at = line.find(text)?;
            Some((line[..at].chars().count(), row))
        });
        place.unwrap_or_else(|| panic!("{text:?} is not in\n{screen}"))
    }

    /// Another size.
    #[track_caller]
    pub(crate) fn resize(&self, width: u16, height: u16) {
        let (width, height) = (width.to_string(), height.to_string());
        self.done(&["resize-window", "-x", &width, "-y", &height]);
    }

    /// What is on the screen.
    #[track_caller]
    pub(crate) fn screen(&self) -> String {
        self.done(&["capture-pane", "-p"])
    }

    /// The same, with its colours.
    #[track_caller]
    pub(crate) fn colored(&self) -> String {
        self.done(&["capture-pane", "-p", "-e"])
    }

    /// What was copied last.
    pub(crate) fn copied(&self) -> String {
        let output = self.tmux(&["show-buffer"]);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What tmux knows of the terminal, such as `#{alternate_on}`.
    #[track_caller]
    pub(crate) fn knows(&self, format: &str) -> String {
        self.done(&["display-message", "-p", format])
    }

    /// Waits until the screen is as the test wants it.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        eventually(what, || {
            let screen = self.screen();
            if wanted(&screen) {
                return Ok(screen);
            }
            // As lines, so that a failed test shows the picture.
            Err(screen.lines().map(str::to_owned).collect::<Vec<_>>())
        })
    }

    /// Waits until a text is on the screen.
    #[track_caller]
    pub(crate) fn shows(&self, text: &str) -> String {
        self.until(&format!("on the screen: {text}"), |screen| {
            screen.contains(text)
        })
    }

    /// Waits until a text is not on the screen.
    #[track_caller]
    pub(crate) fn hides(&self, text: &str) {
        let what = format!("off the screen: {text}");
        self.until(&what, |screen| !screen.contains(text));
    }

    /// The pid of `bpm-tui`.
    #[track_caller]
    pub(crate) fn pid(&self) -> u32 {
        let shell: u32 = self.knows("#{pane_pid}").trim().parse().unwrap();
        eventually("bpm-tui runs", || {
            let children = children_of(shell);
            children.first().copied().ok_or(children)
        })
    }

    #[track_caller]
    fn done(&self, arguments: &[&str]) -> String {
        let output = self.tmux(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tmux {arguments:?}: {said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    #[track_caller]
    #[expect(clippy::disallowed_methods, reason = "tmux is no child of the daemon")]
    fn tmux(&self, arguments: &[&str]) -> Output {
        let output = Command::new("tmux")
            .arg("-S")
            .arg(&self.socket)
            .args(["-f", "/dev/null"])
            .args(arguments)
            .env_remove("TMUX")
            .env("LC_ALL", "C.UTF-8")
            .output();
        output.unwrap_or_else(|error| {
            panic!("tmux cannot be started ({error}): these tests need it, `apt-get install tmux`")
        })
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

/// The numbers of colours, as the terminal has them.
pub(crate) const RED: u8 = 1;
pub(crate) const YELLOW: u8 = 3;
pub(crate) const MAGENTA: u8 = 5;

/// Whether a text is on a coloured screen in this colour.
pub(crate) fn is_drawn(colored: &str, color: u8, text: &str) -> bool {
    let text = regex::escape(text);
    let drawn = format!(r"\x1b\[(3{color}|38;5;{color})m(\x1b\[49m)?{text}");
    regex::Regex::new(&drawn).unwrap().is_match(colored)
}

fn quoted(path: &Path) -> String {
    format!("'{}'", path.display())
}
