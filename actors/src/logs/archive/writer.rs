//! The file of a log that takes lines.
//!
//! Lines go to the log first and to the index then: an index never tells of what is not there, and
//! what is missing in it is found again. Where a batch cannot be written as a whole, what was written
//! of it is cut off again.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::time::{Duration, Instant};

use super::{
    record::{Header, Lines, Record, encode_ending},
    segment::{Files, Segment, Summary, millis, time},
};
use crate::logs::chunk::{Chunk, LineEnd, Stretch, plain};

/// Whose eyes the files are for: their owner's.
pub(super) const MODE: u32 = 0o600;
/// How often a writer looks whether its file still has a name.
const LOOKS: Duration = Duration::from_secs(1);

/// One segment that is being written.
#[derive(Debug)]
pub(crate) struct LogWriter {
    path: PathBuf,
    files: Files,
    header: Header,
    next: u64,
    stderr: u32,
    /// When the first and the last of its lines were stored.
    times: Option<(u64, u64)>,
    /// Records that are being made.
    records: Vec<u8>,
    /// When it was last seen to have a name.
    seen: Instant,
}

impl LogWriter {
    /// Makes both files; nothing may be there.
    ///
    /// # Errors
    /// When they cannot be made or the header cannot be written. Nothing is left then.
    pub(crate) fn create(path: PathBuf, header: Header) -> io::Result<Self> {
        let index_path = path.with_extension("idx");
        let made = create(&path).and_then(|log| {
            let index = create(&index_path)?;
            let bytes = header.encode();
            index.write_all_at(&bytes, 0)?;
            Ok(Files {
                log: Arc::new(log),
                index: Arc::new(index),
                log_length: 0,
                index_length: bytes.len() as u64,
            })
        });
        let files = made.inspect_err(|error| {
            if error.kind() != io::ErrorKind::AlreadyExists {
                for path in [&path, &index_path] {
                    // It may not even be there.
                    let _ = std::fs::remove_file(path);
                }
            }
        })?;
        Ok(Self {
            path,
            files,
            header,
            next: header.first,
            stderr: 0,
            times: None,
            records: Vec::new(),
            seen: Instant::now(),
        })
    }

    /// Where its log is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The sequence number that the next line must have.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// The sizes of log and index, in bytes.
    pub(crate) fn sizes(&self) -> (u64, u64) {
        (self.files.log_length, self.files.index_length)
    }

    /// What readers may read of it now.
    pub(crate) fn segment(&self) -> Segment {
        let (began, ended) = self.times.unwrap_or((self.header.began, self.header.began));
        let summary = Summary {
            header: Some(self.header),
            first: self.header.first,
            next: self.next,
            stderr: u64::from(self.stderr),
            began: time(began),
            ended: time(ended),
            ending: None,
        };
        Segment::live(self.path.clone(), self.files.clone(), summary)
    }

    /// Writes lines, all of them or none.
    ///
    /// # Errors
    /// When the system refuses, or somebody has removed the file.
    pub(crate) fn append(&mut self, stretch: &Stretch<'_>) -> io::Result<()> {
        self.look()?;
        let mut batch = Batch {
            records: std::mem::take(&mut self.records),
            next: self.next,
            stderr: self.stderr,
            offset: self.files.log_length,
        };
        batch.records.clear();
        let at = stretch.chunk().at(stretch.positions().start);
        let written = self.write(stretch, millis(at), &mut batch);
        if written.is_err() {
            // What cannot be cut off is mended by who reads it.
            let _ = self.files.log.set_len(self.files.log_length);
            let _ = self.files.index.set_len(self.files.index_length);
        } else {
            self.files.log_length = batch.offset;
            self.files.index_length += batch.records.len() as u64;
            self.next = batch.next;
            self.stderr = batch.stderr;
            let at = millis(at);
            self.times = Some((self.times.map_or(at, |(began, _)| began), at));
        }
        self.records = batch.records;
        written
    }

    fn write(&self, stretch: &Stretch<'_>, at: u64, batch: &mut Batch) -> io::Result<()> {
        let chunk = stretch.chunk();
        let mut positions = stretch.positions();
        // Together as far as the bytes are the child's own.
        let mut pending = positions
            .clone()
            .next()
            .map_or(0, |first| chunk.start(first));
        let mut offset = batch.offset;
        while let Some(first) = positions.next() {
            let mut last = first;
            let end = chunk.line_end(first);
            if end == LineEnd::Newline {
                while positions
                    .clone()
                    .next()
                    .is_some_and(|next| chunk.line_end(next) == end)
                {
                    last = positions.next().unwrap_or(last);
                }
            }
            batch.add(chunk, first, last, at)?;
            let until = chunk.end(last);
            let own = if end == LineEnd::Newline {
                until
            } else {
                until - 1
            };
            if own < until || positions.is_empty() {
                let bytes = &chunk.bytes()[pending..own];
                self.files.log.write_all_at(bytes, offset)?;
                offset += bytes.len() as u64;
                pending = until;
            }
        }
        self.files
            .index
            .write_all_at(&batch.records, self.files.index_length)
    }

    /// Writes how the run or build ended. Nothing more comes.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn end(&mut self, ending: &str) -> io::Result<()> {
        let records = encode_ending(ending);
        let written = self
            .files
            .index
            .write_all_at(&records, self.files.index_length);
        if written.is_ok() {
            self.files.index_length += records.len() as u64;
        } else {
            let _ = self.files.index.set_len(self.files.index_length);
        }
        written
    }

    /// Writes to a file without a name succeed, and nobody ever sees them.
    fn look(&mut self) -> io::Result<()> {
        let now = Instant::now();
        if now.duration_since(self.seen) >= LOOKS {
            self.seen = now;
            if self.files.log.metadata()?.nlink() == 0 {
                let gone = "somebody has removed the file";
                return Err(io::Error::new(io::ErrorKind::NotFound, gone));
            }
        }
        Ok(())
    }

    /// Lets all writes to the index, or to the log, fail as on a full disk.
    #[cfg(test)]
    pub(super) fn fill_disk(&mut self, file: impl Fn(&mut Files) -> &mut Arc<File>) {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        *file(&mut self.files) = Arc::new(full);
    }
}

/// What one stretch adds.
struct Batch {
    records: Vec<u8>,
    next: u64,
    stderr: u32,
    offset: u64,
}

impl Batch {
    /// Adds a record for lines that are alike.
    fn add(&mut self, chunk: &Chunk, first: usize, last: usize, at: u64) -> io::Result<()> {
        let (from, to) = (chunk.start(first), chunk.end(last));
        let end = chunk.line_end(first);
        let added = usize::from(end != LineEnd::Newline);
        let lines = Lines {
            at,
            first: self.next,
            stderr_before: self.stderr,
            offset: u32::try_from(self.offset).map_err(io::Error::other)?,
            length: u32::try_from(to - from - added).map_err(io::Error::other)?,
            count: u32::try_from(last - first + 1).map_err(io::Error::other)?,
            stream: chunk.stream(first),
            end,
            plain: plain(&chunk.bytes()[from..to]),
        };
        self.records.extend(Record::Lines(lines).encode());
        self.next = lines.next();
        self.stderr = lines.stderr_after();
        self.offset = lines.until();
        Ok(())
    }
}

fn create(path: &Path) -> io::Result<File> {
    // Read too: readers use the same descriptor.
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(MODE)
        .open(path)
}
