//! Consecutive lines of one log, wherever they are kept: what a snapshot consists of.
//!
//! A part says cheaply how much is in it; its blocks are found when they are wanted, and each is
//! read when it is wanted. Both may fail where the part is in a file.

use std::{io, sync::Arc, time::SystemTime};

use crate::logs::{
    Stream,
    archive::segment::{DiskBlock, Segment, of_stream},
    chunk::Chunk,
};

/// Consecutive lines of one log; never empty.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    /// In memory.
    Memory(Arc<Chunk>),
    /// In a file whose summary was read.
    Disk(Arc<Segment>),
}

impl Part {
    /// The sequence number of its first line.
    pub(crate) fn first(&self) -> u64 {
        match self {
            Self::Memory(chunk) => chunk.first(),
            Self::Disk(segment) => segment.known().first,
        }
    }

    /// The sequence number behind that of its last line.
    pub(crate) fn next(&self) -> u64 {
        match self {
            Self::Memory(chunk) => chunk.next(),
            Self::Disk(segment) => segment.known().next,
        }
    }

    /// Number of lines of one stream, or of both. Of a damaged file it may be a little wrong.
    pub(crate) fn count(&self, stream: Option<Stream>) -> usize {
        match self {
            Self::Memory(chunk) => chunk.count(stream),
            Self::Disk(segment) => {
                let known = segment.known();
                of_stream(known.next.saturating_sub(known.first), known.stderr, stream)
            }
        }
    }

    /// When its first line was stored.
    pub(crate) fn began(&self) -> SystemTime {
        match self {
            Self::Memory(chunk) => chunk.at(0),
            Self::Disk(segment) => segment.known().began,
        }
    }

    /// When its last line was stored.
    pub(crate) fn ended(&self) -> SystemTime {
        match self {
            Self::Memory(chunk) => chunk.at(chunk.len().saturating_sub(1)),
            Self::Disk(segment) => segment.known().ended,
        }
    }

    /// The blocks that it consists of, oldest first, each a [chunk](Chunk::FULL) or less.
    ///
    /// # Errors
    /// When its index cannot be read.
    pub(crate) fn blocks(&self) -> io::Result<Vec<Block>> {
        match self {
            Self::Memory(chunk) => Ok(vec![Block::Memory(Arc::clone(chunk))]),
            Self::Disk(segment) => Ok(segment.blocks()?.into_iter().map(Block::Disk).collect()),
        }
    }
}

/// As many lines as are read at once; never empty.
#[derive(Clone, Debug)]
pub(crate) enum Block {
    /// In memory.
    Memory(Arc<Chunk>),
    /// In a file.
    Disk(DiskBlock),
}

impl Block {
    /// The sequence number of its first line.
    pub(crate) fn first(&self) -> u64 {
        match self {
            Self::Memory(chunk) => chunk.first(),
            Self::Disk(block) => block.first(),
        }
    }

    /// Number of lines of one stream, or of both.
    pub(crate) fn count(&self, stream: Option<Stream>) -> usize {
        match self {
            Self::Memory(chunk) => chunk.count(stream),
            Self::Disk(block) => block.count(stream),
        }
    }

    /// When its last line was stored.
    pub(crate) fn ended(&self) -> SystemTime {
        match self {
            Self::Memory(chunk) => chunk.at(chunk.len().saturating_sub(1)),
            Self::Disk(block) => block.ended(),
        }
    }

    /// Its lines.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) fn load(&self) -> io::Result<Arc<Chunk>> {
        match self {
            Self::Memory(chunk) => Ok(Arc::clone(chunk)),
            Self::Disk(block) => block.load(),
        }
    }
}
