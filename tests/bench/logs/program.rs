//! The program that is run: it waits for orders at a fifo, prints what it is told to, and says in a
//! file how long that took.

use std::{
    fmt, fs,
    io::{self, Write},
    process::ExitCode,
    str::FromStr,
    time::Instant,
};

use crate::text::{LINE, Text};

/// The argument by which this executable becomes the program; the next one is its name.
pub(crate) const ASKED: &str = "--flood";

/// How much is written at once in blocks.
const BLOCK: usize = 64 * 1024;

/// What to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Lines, [`BLOCK`] bytes per write.
    Blocks,
    /// Lines, one per write.
    Lines,
    /// Nothing but newlines.
    Empty,
    /// One line that never ends.
    Endless,
    /// Bytes that are no text.
    Binary,
}

impl Manner {
    pub(crate) const ALL: [Self; 5] = [
        Self::Blocks,
        Self::Lines,
        Self::Empty,
        Self::Endless,
        Self::Binary,
    ];
}

impl fmt::Display for Manner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Blocks => "blocks",
            Self::Lines => "lines",
            Self::Empty => "empty",
            Self::Endless => "endless",
            Self::Binary => "binary",
        })
    }
}

/// One order: so many times the length of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) manner: Manner,
    pub(crate) lines: usize,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.manner, self.lines)
    }
}

impl FromStr for Order {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (word, lines) = text.trim().split_once(' ').ok_or(())?;
        let mut known = Manner::ALL.into_iter();
        Ok(Self {
            manner: known.find(|it| it.to_string() == word).ok_or(())?,
            lines: lines.parse().map_err(|_| ())?,
        })
    }
}

/// The fifo where the program of this name waits for orders. What is no order ends it.
pub(crate) fn door(name: &str) -> String {
    format!("{name}.go")
}

/// The file that says how many seconds the last order took.
pub(crate) fn report(name: &str) -> String {
    format!("{name}.report")
}

pub(crate) fn run(name: &str) -> ExitCode {
    loop {
        let text = fs::read_to_string(door(name)).unwrap();
        let Ok(order) = text.parse() else {
            return ExitCode::SUCCESS;
        };
        let mut text = Text::new();
        let begin = Instant::now();
        follow(order, &mut text).unwrap();
        let took = begin.elapsed().as_secs_f64();
        let new = format!("{name}.new");
        fs::write(&new, took.to_string()).unwrap();
        fs::rename(new, report(name)).unwrap();
    }
}

fn follow(order: Order, text: &mut Text) -> io::Result<()> {
    let Order { manner, lines } = order;
    // As a file: the standard library's own buffer would cut at lines.
    let mut out = fs::File::options().write(true).open("/dev/stdout")?;
    match manner {
        Manner::Blocks => {
            let mut block = Vec::with_capacity(BLOCK + LINE);
            for _ in 0..lines {
                text.line(&mut block);
                if block.len() >= BLOCK {
                    out.write_all(&block[..BLOCK])?;
                    block.drain(..BLOCK);
                }
            }
            out.write_all(&block)
        }
        Manner::Lines => {
            let mut line = Vec::with_capacity(LINE);
            for _ in 0..lines {
                line.clear();
                text.line(&mut line);
                out.write_all(&line)?;
            }
            Ok(())
        }
        Manner::Empty => repeat(&mut out, &vec![b'\n'; BLOCK], lines * LINE),
        Manner::Endless => repeat(&mut out, &vec![b'x'; BLOCK], lines * LINE),
        Manner::Binary => {
            let bytes: Vec<u8> = (0..BLOCK)
                .map(|at| u8::try_from((at * at + at / 7) % 256).unwrap())
                .collect();
            repeat(&mut out, &bytes, lines * LINE)
        }
    }
}

fn repeat(out: &mut impl Write, block: &[u8], mut bytes: usize) -> io::Result<()> {
    while bytes > 0 {
        let part = bytes.min(block.len());
        out.write_all(&block[..part])?;
        bytes -= part;
    }
    Ok(())
}
