//! One file of a log, as readers see it. It is opened when it is read, and closed afterwards: a
//! history has more files than a process may have open. Only the one that is being written is read
//! through the writer's own descriptors, because its name will change.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustix::{
    buffer::spare_capacity,
    io::{Errno, pread},
};

use super::{
    mend::{Index, Text, mended},
    record::{Ending, HEADER, Header, Lines, RECORD, Record},
};
use crate::logs::{
    Stream,
    chunk::{Chunk, LineEnd, Run},
};

/// Consecutive lines of one log, in a file.
#[derive(Debug)]
pub(crate) struct Segment {
    /// The log; its index has another extension.
    path: PathBuf,
    /// Where it is being written: what it had when it was asked for.
    live: Option<Files>,
    summary: OnceLock<Summary>,
}

/// What there is to know of a segment without reading its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    /// `None` where the index is lost.
    pub(crate) header: Option<Header>,
    /// The sequence number of the first line.
    pub(crate) first: u64,
    /// The one behind that of the last line.
    pub(crate) next: u64,
    /// How many of the lines are of stderr.
    pub(crate) stderr: u64,
    /// When the first line was stored.
    pub(crate) began: SystemTime,
    /// When the last line was stored.
    pub(crate) ended: SystemTime,
    /// How the run or build ended, if that is told here.
    pub(crate) ending: Option<String>,
}

/// Both files, and how much of them counts.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub(super) log: Arc<File>,
    pub(super) index: Arc<File>,
    pub(super) log_length: u64,
    pub(super) index_length: u64,
}

/// What a segment seems to have whose summary nobody could read.
static NOTHING: Summary = Summary {
    header: None,
    first: 1,
    next: 1,
    stderr: 0,
    began: UNIX_EPOCH,
    ended: UNIX_EPOCH,
    ending: None,
};

impl Segment {
    /// A file that nobody writes.
    pub(crate) fn closed(path: PathBuf) -> Self {
        Self {
            path,
            live: None,
            summary: OnceLock::new(),
        }
    }

    /// A file that is being written, as it is now.
    pub(super) fn live(path: PathBuf, files: Files, summary: Summary) -> Self {
        Self {
            path,
            live: Some(files),
            summary: OnceLock::from(summary),
        }
    }

    /// Where its log is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads what there is to know, once. `first` is the number of its first line where its index is
    /// lost: that behind the segment before.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub(crate) fn summary(&self, first: u64) -> io::Result<&Summary> {
        if let Some(summary) = self.summary.get() {
            return Ok(summary);
        }
        let files = self.open()?;
        let summary = match files.quick()? {
            Some(summary) => summary,
            None => files.thorough(first)?,
        };
        Ok(self.summary.get_or_init(|| summary))
    }

    /// The summary, if it was read: otherwise it seems to have no line.
    pub(crate) fn known(&self) -> &Summary {
        self.summary.get().unwrap_or(&NOTHING)
    }

    /// Its lines in pieces of a chunk or less, oldest first.
    ///
    /// # Errors
    /// When its index cannot be read.
    pub(crate) fn blocks(&self) -> io::Result<Vec<DiskBlock>> {
        let files = self.open()?;
        let known = self.summary.get();
        let index = files.index(known.map_or(1, |summary| summary.first))?;
        if let Some(known) = known
            && known.header != index.header
        {
            // The daemon gave the name to another segment meanwhile.
            return Err(io::ErrorKind::NotFound.into());
        }
        let mut blocks: Vec<DiskBlock> = Vec::new();
        for lines in &index.lines {
            match blocks.last_mut() {
                Some(last) if last.takes(lines) => last.add(lines),
                _ => blocks.push(DiskBlock::of(Arc::clone(&files.log), lines)),
            }
        }
        Ok(blocks)
    }

    fn open(&self) -> io::Result<Files> {
        if let Some(files) = &self.live {
            return Ok(files.clone());
        }
        let log = Arc::new(File::open(&self.path)?);
        let log_length = log.metadata()?.len();
        // Without an index the lines are still there.
        let index = match File::open(self.path.with_extension("idx")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Files {
                    index: Arc::clone(&log),
                    index_length: 0,
                    log,
                    log_length,
                });
            }
            index => Arc::new(index?),
        };
        let index_length = index.metadata()?.len();
        Ok(Files {
            log,
            index,
            log_length,
            index_length,
        })
    }
}

impl Files {
    /// The summary from the ends of the index, if that agrees with the log.
    fn quick(&self) -> io::Result<Option<Summary>> {
        const HEAD: usize = HEADER + RECORD;
        const TAIL: usize = (Ending::MOST + 1) * RECORD;
        let Some(records) = self.index_length.checked_sub(HEADER as u64) else {
            return Ok(None);
        };
        if records % RECORD as u64 != 0 {
            return Ok(None);
        }
        let mut head = [0; HEAD];
        let length = HEAD.min(usize::try_from(self.index_length).unwrap_or(HEAD));
        self.index.read_exact_at(&mut head[..length], 0)?;
        let Some(header) = Header::decode(&head) else {
            return Ok(None);
        };
        let mut tail = [0; TAIL];
        let length = TAIL.min(usize::try_from(records).unwrap_or(TAIL));
        let tail = &mut tail[..length];
        self.index
            .read_exact_at(tail, self.index_length - length as u64)?;
        let mut last = None;
        let mut ending = Ending::default();
        for record in tail.chunks_exact(RECORD) {
            match Record::decode(record) {
                Some(Record::Lines(lines)) => {
                    last = Some(lines);
                    ending = Ending::default();
                }
                Some(Record::Ending(piece)) => ending.take(&piece),
                None => return Ok(None),
            }
        }
        let ending = ending.whole();
        let first = Record::decode(&head[HEADER..]);
        Ok(match (first, last) {
            (Some(Record::Lines(first)), Some(last)) if last.until() == self.log_length => {
                Some(Summary {
                    header: Some(header),
                    first: header.first,
                    next: last.next(),
                    stderr: u64::from(last.stderr_after()),
                    began: time(first.at),
                    ended: time(last.at),
                    ending,
                })
            }
            (None | Some(Record::Ending(_)), None) if self.log_length == 0 => Some(Summary {
                header: Some(header),
                first: header.first,
                next: header.first,
                stderr: 0,
                began: time(header.began),
                ended: time(header.began),
                ending,
            }),
            _ => None,
        })
    }

    /// The summary from all that the index and, where that is damaged, the log has.
    fn thorough(&self, first: u64) -> io::Result<Summary> {
        let index = self.index(first)?;
        let modified = self.log.metadata()?.modified().unwrap_or(UNIX_EPOCH);
        let (one, last) = (index.lines.first(), index.lines.last());
        let at = |lines: Option<&Lines>| lines.map_or(modified, |lines| time(lines.at));
        Ok(Summary {
            header: index.header,
            first: one.map_or(index.next, |lines| lines.first),
            next: index.next,
            stderr: last.map_or(0, |lines| u64::from(lines.stderr_after())),
            began: at(one),
            ended: at(last),
            ending: index.ending,
        })
    }

    fn index(&self, first: u64) -> io::Result<Index> {
        let length = usize::try_from(self.index_length).map_err(io::Error::other)?;
        let mut raw = vec![0; length];
        self.index.read_exact_at(&mut raw, 0)?;
        let modified = self.log.metadata()?.modified().unwrap_or(UNIX_EPOCH);
        let text = Text {
            file: &self.log,
            length: self.log_length,
            modified: millis(modified),
        };
        mended(&raw, text, first)
    }
}

/// As many lines of a file as are read at once; never empty.
#[derive(Clone, Debug)]
pub(crate) struct DiskBlock {
    log: Arc<File>,
    offset: u64,
    /// In the file, in bytes.
    length: usize,
    first: u64,
    runs: Vec<Run>,
    /// Per run that does not end in a newline: where its line ends, in the file, counted from `offset`.
    open_ends: Vec<usize>,
    plain: bool,
    lines: u64,
    stderr: u64,
}

impl DiskBlock {
    fn of(log: Arc<File>, lines: &Lines) -> Self {
        let mut block = Self {
            log,
            offset: u64::from(lines.offset),
            length: 0,
            first: lines.first,
            runs: Vec::new(),
            open_ends: Vec::new(),
            plain: true,
            lines: 0,
            stderr: 0,
        };
        block.add(lines);
        block
    }

    /// Whether these lines follow, and still belong here.
    fn takes(&self, lines: &Lines) -> bool {
        let size = self.length + self.open_ends.len() + lines.length as usize;
        size < Chunk::FULL
            && self.first + self.lines == lines.first
            && self.offset + self.length as u64 == u64::from(lines.offset)
    }

    fn add(&mut self, lines: &Lines) {
        self.length += lines.length as usize;
        self.plain &= lines.plain;
        self.lines += u64::from(lines.count);
        if lines.stream == Stream::Stderr {
            self.stderr += u64::from(lines.count);
        }
        if lines.end != LineEnd::Newline {
            self.open_ends.push(self.length);
        }
        let run = Run {
            count: lines.count,
            stream: lines.stream,
            end: lines.end,
            at: lines.at,
        };
        match self.runs.last_mut() {
            Some(last) if (Run { count: 0, ..*last }) == (Run { count: 0, ..run }) => {
                last.count += run.count;
            }
            _ => self.runs.push(run),
        }
    }

    /// The sequence number of its first line.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// Number of lines of one stream, or of both.
    pub(crate) fn count(&self, stream: Option<Stream>) -> usize {
        of_stream(self.lines, self.stderr, stream)
    }

    /// When its last line was stored.
    pub(crate) fn ended(&self) -> SystemTime {
        time(self.runs.last().map_or(0, |run| run.at))
    }

    /// Reads its lines.
    ///
    /// # Errors
    /// When that fails, or the file has become shorter.
    pub(crate) fn load(&self) -> io::Result<Arc<Chunk>> {
        let mut bytes = Vec::with_capacity(self.length);
        while bytes.len() < self.length {
            let offset = self.offset + bytes.len() as u64;
            match pread(&self.log, spare_capacity(&mut bytes), offset) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        // There may have been room for more.
        bytes.truncate(self.length);
        if !self.open_ends.is_empty() {
            let mut whole = Vec::with_capacity(bytes.len() + self.open_ends.len());
            let mut from = 0;
            for &end in &self.open_ends {
                whole.extend_from_slice(&bytes[from..end]);
                whole.push(b'\n');
                from = end;
            }
            whole.extend_from_slice(&bytes[from..]);
            bytes = whole;
        }
        // What is not plain in the index may be: the lines of a damaged one are not looked at.
        let plain = self.plain.then_some(true);
        let runs = self.runs.clone();
        Ok(Arc::new(Chunk::read(self.first, bytes, runs, plain)))
    }
}

/// Of so many lines, those of one stream, or all.
pub(crate) fn of_stream(lines: u64, stderr: u64, stream: Option<Stream>) -> usize {
    let count = match stream {
        None => lines,
        Some(Stream::Stdout) => lines.saturating_sub(stderr),
        Some(Stream::Stderr) => stderr,
    };
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// A time as files have it.
pub(super) fn millis(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A time as readers have it. A damaged file may tell of one that no clock has.
pub(super) fn time(millis: u64) -> SystemTime {
    UNIX_EPOCH
        .checked_add(Duration::from_millis(millis))
        .unwrap_or(UNIX_EPOCH)
}
