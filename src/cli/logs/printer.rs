//! Lines as people, pipes and programs read them.

use std::io::Write;

use crate::{
    cli::{
        arguments::LogsArguments, clock, console::Console, failure::Failure, harmless,
        paint::Paint, words::count,
    },
    client::{LogLine, Notice},
};

/// How lines are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Text(Times),
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Times {
    Shown,
    Hidden,
}

/// Prints items of logs.
pub(super) struct Printer {
    form: Form,
    /// The processes whose lines are printed.
    known: Vec<String>,
    /// The width of the column of names; `None` where all lines are of one process.
    names: Option<usize>,
    /// Where matches have neighbours: what the next line must be to belong to the same ones.
    expected: Option<(u64, u64)>,
    has_context: bool,
    /// What the lines are of.
    unit: &'static str,
    /// One line, made anew for each.
    text: String,
}

impl Printer {
    /// For what was asked of these processes.
    pub(super) fn new(arguments: &LogsArguments, names: &[String]) -> Self {
        let times = if arguments.times {
            Times::Shown
        } else {
            Times::Hidden
        };
        Self {
            form: if arguments.json {
                Form::Json
            } else {
                Form::Text(times)
            },
            known: names.to_vec(),
            names: column(names),
            expected: None,
            // Lines of several processes lie between each other anyway.
            has_context: arguments.context.is_some_and(|lines| lines > 0) && names.len() == 1,
            unit: if arguments.build { "build" } else { "run" },
            text: String::new(),
        }
    }

    /// Prints a line.
    ///
    /// # Errors
    /// When nobody reads it.
    pub(super) fn line(&mut self, line: &LogLine, console: &mut Console) -> Result<(), Failure> {
        let Form::Text(times) = self.form else {
            return console.line(&crate::cli::json(line));
        };
        let colours = console.face.colours;
        if !self.known.contains(&line.process) {
            // Added while it is followed.
            self.known.push(line.process.clone());
            self.names = column(&self.known);
        }
        self.text.clear();
        if self.has_context {
            let expected = self.expected.replace((line.run, line.seq + 1));
            if expected.is_some_and(|expected| expected != (line.run, line.seq)) {
                self.text.push_str(&colours.paint(Paint::Dim, "--"));
                self.text.push('\n');
            }
        }
        if times == Times::Shown {
            let time = clock::time(line.at, console.face);
            self.text.push_str(&colours.paint(Paint::Dim, &time));
            self.text.push(' ');
        }
        if let Some(width) = self.names {
            let name = format!("{:width$} |", line.process);
            self.text.push_str(&colours.paint(Paint::Busy, &name));
            self.text.push(' ');
        }
        harmless::push(&line.text, colours, &mut self.text);
        self.text.push('\n');
        Ok(console.out.write_all(self.text.as_bytes())?)
    }

    /// Says something about the lines: to people beside them, not among them.
    ///
    /// # Errors
    /// When nobody reads it.
    pub(super) fn notice(&self, notice: &Notice, console: &mut Console) -> Result<(), Failure> {
        if self.form == Form::Json {
            return match notice {
                Notice::Other => Ok(()),
                known => console.line(&crate::cli::json(known)),
            };
        }
        if let Some(text) = said(notice, self.unit) {
            // In its place, where both go to one terminal.
            console.flush()?;
            console.note(&text);
        }
        Ok(())
    }
}

/// The width of the column of names, if there is one.
fn column(names: &[String]) -> Option<usize> {
    let longest = names.iter().map(String::len).max();
    longest.filter(|_| names.len() > 1)
}

fn said(notice: &Notice, unit: &str) -> Option<String> {
    let lines = |lines: &Option<u64>| {
        lines.map_or_else(|| "lines".to_owned(), |it| count(it, "line", "lines"))
    };
    let of = |process: &Option<String>| {
        process
            .as_ref()
            .map_or_else(String::new, |name| format!("{name}: "))
    };
    Some(match notice {
        Notice::Gap {
            process,
            lines: missing,
        } => format!(
            "-- {}{} missing here: not kept any more",
            of(process),
            lines(missing)
        ),
        Notice::RunChanged { process, run } => format!("-- {process}: {unit} {run} begins"),
        Notice::Dropped {
            process,
            lines: missing,
        } => format!(
            "-- {}{} left out here: too many at once",
            of(process),
            lines(missing)
        ),
        Notice::Other => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_are_said_in_words() {
        let process = Some("main".to_owned());
        for (notice, text) in [
            (
                Notice::Gap {
                    process: process.clone(),
                    lines: Some(1),
                },
                "-- main: 1 line missing here: not kept any more",
            ),
            (
                Notice::Dropped {
                    process,
                    lines: Some(17),
                },
                "-- main: 17 lines left out here: too many at once",
            ),
            (
                Notice::Gap {
                    process: None,
                    lines: None,
                },
                "-- lines missing here: not kept any more",
            ),
        ] {
            assert_eq!(said(&notice, "run").as_deref(), Some(text));
        }
        assert_eq!(said(&Notice::Other, "run"), None);
    }
}
