//! The lines of one process that a search is about: of its logs in order, of one stream or of both,
//! within bounds.
//!
//! Lines are known by their place among these lines, so that context is taken from them alone. Parts
//! say how much is in them; blocks are listed and read only where a line of them is wanted.

use std::{cell::RefCell, collections::HashSet, ops::Range, rc::Rc, sync::Arc};

use crate::{
    logs::{
        Stream,
        chunk::Chunk,
        part::{Block, Part},
        shelf::Snapshot,
    },
    search::{cursor::Position, number},
};

/// How many blocks all views of a search keep in memory while lines are picked from them.
const KEPT: usize = 16;
/// How many of them one view keeps.
const KEPT_OF_ONE: usize = 4;

/// A log and those of its lines that are within the bounds, by their sequence numbers.
#[derive(Clone, Debug)]
pub(crate) struct Ranged<'a> {
    pub(crate) log: &'a Snapshot,
    pub(crate) lines: Range<u64>,
}

/// The lines of one process that a search is about.
#[derive(Debug)]
pub(crate) struct View<'a> {
    logs: Vec<Ranged<'a>>,
    stream: Option<Stream>,
    pieces: Vec<Piece<'a>>,
    /// Per log: the place of its first line.
    log_starts: Vec<usize>,
    total: usize,
    recent: Recent,
    /// Tells the blocks of this view from those of others.
    id: usize,
    unreadable: Unreadable,
}

/// Lines that are kept and cannot be read.
#[derive(Debug, Default)]
struct Unreadable {
    blocks: HashSet<(usize, u64)>,
    lines: u64,
}

impl Unreadable {
    /// Counts a block (or all from a line on) once.
    fn add(&mut self, log: usize, first: u64, lines: usize) {
        if self.blocks.insert((log, first)) {
            self.lines += lines as u64;
        }
    }
}

/// A part, as far as it is within the bounds.
#[derive(Clone, Debug)]
struct Piece<'a> {
    log: usize,
    part: &'a Part,
    lines: Range<u64>,
    /// The place of its first line.
    start: usize,
    count: usize,
    /// Listed when wanted.
    blocks: Option<Rc<[Placed]>>,
}

/// A block, as far as it is within the bounds.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) block: Block,
    /// Which log of the view it is of.
    pub(crate) log: usize,
    /// The sequence numbers of its lines that are within, of both streams.
    pub(crate) lines: Range<u64>,
    /// The place of the first of the view's lines in it.
    pub(crate) start: usize,
    /// How many of the view's lines are in it.
    pub(crate) count: usize,
}

/// The blocks that the views of a search looked at last. There can be as many views as processes, so
/// they share the room.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recent(Rc<RefCell<Vec<Loaded>>>);

impl Recent {
    fn get(&self, is_it: impl Fn(&Loaded) -> bool) -> Option<Loaded> {
        let mut all = self.0.borrow_mut();
        let at = all.iter().position(is_it)?;
        all[..=at].rotate_right(1);
        all.first().cloned()
    }

    fn put(&self, loaded: Loaded) {
        let mut all = self.0.borrow_mut();
        let mut own = all
            .iter()
            .enumerate()
            .filter(|(_, it)| it.view == loaded.view);
        let oldest = own.nth(KEPT_OF_ONE - 1).map(|(at, _)| at);
        if let Some(at) = oldest {
            all.remove(at);
        }
        all.truncate(KEPT - 1);
        all.insert(0, loaded);
    }
}

#[derive(Clone, Debug)]
struct Loaded {
    view: usize,
    log: usize,
    chunk: Arc<Chunk>,
    /// The positions of the view's lines, where they are not simply consecutive.
    positions: Option<Rc<[u32]>>,
}

/// Where a line lies.
#[derive(Clone, Debug)]
pub(crate) struct Spot {
    pub(crate) chunk: Arc<Chunk>,
    pub(crate) position: usize,
    /// Which log of the view it is of.
    pub(crate) log: usize,
}

impl Spot {
    /// The sequence number of the line.
    pub(crate) fn sequence(&self) -> u64 {
        self.chunk.first() + self.position as u64
    }
}

impl<'a> View<'a> {
    /// Blocks are kept in `recent` by the `id`, which is unique there.
    pub(crate) fn new(
        logs: Vec<Ranged<'a>>,
        stream: Option<Stream>,
        recent: Recent,
        id: usize,
    ) -> Self {
        let mut view = Self {
            logs,
            stream,
            pieces: Vec::new(),
            log_starts: Vec::new(),
            total: 0,
            recent,
            id,
            unreadable: Unreadable::default(),
        };
        for log in 0..view.logs.len() {
            view.log_starts.push(view.total);
            let Ranged {
                log: snapshot,
                lines,
            } = view.logs[log].clone();
            for part in &snapshot.parts {
                view.add(log, part, &lines);
            }
        }
        view
    }

    fn add(&mut self, log: usize, part: &'a Part, bounds: &Range<u64>) {
        let lines = part.first().max(bounds.start)..part.next().min(bounds.end);
        if lines.is_empty() {
            return;
        }
        let is_whole = lines == (part.first()..part.next());
        let mut piece = Piece {
            log,
            part,
            start: self.total,
            count: usize::MAX,
            blocks: None,
            lines,
        };
        piece.count = match self.stream {
            stream if is_whole => part.count(stream),
            None => length(&piece.lines),
            // Only the blocks at the ends must be read for this.
            Some(_) => {
                let blocks = self.list(&piece);
                let count = blocks.iter().map(|placed| placed.count).sum();
                piece.blocks = Some(blocks);
                count
            }
        };
        self.total += piece.count;
        self.pieces.push(piece);
    }

    /// The blocks of a piece.
    fn list(&mut self, piece: &Piece<'_>) -> Rc<[Placed]> {
        let Ok(blocks) = piece.part.blocks() else {
            let count = match piece.count {
                usize::MAX => length(&piece.lines),
                count => count,
            };
            self.unreadable.add(piece.log, piece.lines.start, count);
            return Rc::new([]);
        };
        let mut placed = Vec::with_capacity(blocks.len());
        let mut start = piece.start;
        for block in blocks {
            let (first, next) = (block.first(), block.first() + block.count(None) as u64);
            let lines = first.max(piece.lines.start)..next.min(piece.lines.end);
            if lines.is_empty() {
                continue;
            }
            let count = match self.stream {
                stream if lines == (first..next) => block.count(stream),
                None => length(&lines),
                Some(stream) => self.count(piece.log, &block, &lines, stream),
            };
            // Where block and part disagree, the part's word counts: places stay unique.
            let count = count.min(piece.count.saturating_sub(start - piece.start));
            placed.push(Placed {
                block,
                log: piece.log,
                lines,
                start,
                count,
            });
            start += count;
        }
        placed.into()
    }

    fn count(&mut self, log: usize, block: &Block, lines: &Range<u64>, stream: Stream) -> usize {
        if let Ok(chunk) = block.load() {
            within(&chunk, lines)
                .filter(|&position| chunk.stream(position) == stream)
                .count()
        } else {
            self.unreadable.add(log, lines.start, length(lines));
            0
        }
    }

    /// Number of lines.
    pub(crate) fn total(&self) -> usize {
        self.total
    }

    /// Number of lines of both streams within the bounds.
    pub(crate) fn of_both_streams(&self) -> usize {
        self.pieces.iter().map(|piece| length(&piece.lines)).sum()
    }

    /// Number of logs.
    pub(crate) fn logs(&self) -> &[Ranged<'a>] {
        &self.logs
    }

    /// How many lines could not be read so far.
    pub(crate) fn unreadable(&self) -> u64 {
        self.unreadable.lines
    }

    /// A block could not be read.
    pub(crate) fn cannot_read(&mut self, placed: &Placed) {
        let (log, first) = (placed.log, placed.lines.start);
        self.unreadable.add(log, first, placed.count);
    }

    /// The places of the lines of the log that has the line at `place`.
    pub(crate) fn same_log(&self, place: usize) -> Range<usize> {
        let after = self.log_starts.partition_point(|&start| start <= place);
        let start = after.checked_sub(1).map_or(0, |log| self.log_starts[log]);
        start..self.log_starts.get(after).copied().unwrap_or(self.total)
    }

    /// All blocks.
    pub(crate) fn blocks(&mut self) -> Vec<Placed> {
        let mut blocks = Vec::new();
        for piece in 0..self.pieces.len() {
            let listed = self.listed(piece);
            blocks.extend(listed.iter().filter(|placed| placed.count > 0).cloned());
        }
        blocks
    }

    fn listed(&mut self, piece: usize) -> Rc<[Placed]> {
        if let Some(blocks) = &self.pieces[piece].blocks {
            return Rc::clone(blocks);
        }
        let unlisted = self.pieces[piece].clone();
        let blocks = self.list(&unlisted);
        self.pieces[piece].blocks = Some(Rc::clone(&blocks));
        blocks
    }

    /// The block that has the line at `place`.
    fn placed(&mut self, place: usize) -> Option<Placed> {
        // The last one that begins at or before it: those without lines begin where the next does.
        let after = self.pieces.partition_point(|piece| piece.start <= place);
        let blocks = self.listed(after.checked_sub(1)?);
        let after = blocks.partition_point(|placed| placed.start <= place);
        let placed = blocks.get(after.checked_sub(1)?)?;
        (place - placed.start < placed.count).then(|| placed.clone())
    }

    /// The line at `place`; `None` if it cannot be read. Cheap where neighbours are asked for one
    /// after the other.
    pub(crate) fn line(&mut self, place: usize) -> Option<Spot> {
        let placed = self.placed(place)?;
        let loaded = self.load(&placed)?;
        let within = place - placed.start;
        let position = match &loaded.positions {
            Some(positions) => *positions.get(within)? as usize,
            None => {
                usize::try_from(placed.lines.start.checked_sub(loaded.chunk.first())?).ok()?
                    + within
            }
        };
        (position < loaded.chunk.len()).then(|| Spot {
            chunk: Arc::clone(&loaded.chunk),
            position,
            log: placed.log,
        })
    }

    /// The places of the lines in the block that has the line at `place`.
    pub(crate) fn same_block(&mut self, place: usize) -> Option<Range<usize>> {
        let placed = self.placed(place)?;
        Some(placed.start..placed.start + placed.count)
    }

    fn load(&mut self, placed: &Placed) -> Option<Loaded> {
        let (view, log, first) = (self.id, placed.log, placed.block.first());
        let is_it = |it: &Loaded| (it.view, it.log, it.chunk.first()) == (view, log, first);
        if let Some(loaded) = self.recent.get(is_it) {
            return Some(loaded);
        }
        let Ok(chunk) = placed.block.load() else {
            self.cannot_read(placed);
            return None;
        };
        let positions = self.stream.map(|stream| {
            within(&chunk, &placed.lines)
                .filter(|&position| chunk.stream(position) == stream)
                .filter_map(|position| u32::try_from(position).ok())
                .collect()
        });
        let loaded = Loaded {
            view,
            log,
            chunk,
            positions,
        };
        self.recent.put(loaded.clone());
        Some(loaded)
    }

    /// The place behind the line, as a cursor says it; where it cannot be read, as well as it is known.
    pub(crate) fn position(&mut self, place: usize) -> Option<Position> {
        let (log, line) = if let Some(spot) = self.line(place) {
            (spot.log, spot.sequence())
        } else {
            let after = self.pieces.partition_point(|piece| piece.start <= place);
            let piece = self.pieces.get(after.checked_sub(1)?)?;
            let within = (place - piece.start) as u64;
            (
                piece.log,
                (piece.lines.start + within).min(piece.lines.end - 1),
            )
        };
        let number = number(self.logs[log].log.source);
        Some(Position { number, line })
    }

    /// The place behind the last line within the bounds.
    pub(crate) fn end(&self) -> Option<Position> {
        let Ranged { log, lines } = self.logs.last()?;
        let next = log.parts.last().map_or(log.evicted + 1, Part::next);
        Some(Position {
            number: number(log.source),
            line: next.min(lines.end).saturating_sub(1),
        })
    }
}

/// How many of these lines are neither in a part nor before the first one.
pub(crate) fn lost_between(log: &Snapshot, lines: &Range<u64>) -> u64 {
    let pairs = log.parts.iter().zip(log.parts.iter().skip(1));
    let gaps = pairs.map(|(one, other)| {
        let gap = one.next().max(lines.start)..other.first().min(lines.end);
        gap.end.saturating_sub(gap.start)
    });
    gaps.sum()
}

/// The positions in a chunk of lines with these sequence numbers.
pub(crate) fn within(chunk: &Chunk, lines: &Range<u64>) -> Range<usize> {
    let position = |line: u64| {
        let position = usize::try_from(line.saturating_sub(chunk.first()));
        position.unwrap_or(usize::MAX).min(chunk.len())
    };
    position(lines.start)..position(lines.end)
}

fn length(lines: &Range<u64>) -> usize {
    usize::try_from(lines.end.saturating_sub(lines.start)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_views_share_the_room_for_blocks_and_one_gets_no_more_than_its_part() {
        let recent = Recent::default();
        let loaded = |view, first| Loaded {
            view,
            log: 0,
            chunk: Arc::new(Chunk::starting_at(first)),
            positions: None,
        };
        (1..=10).for_each(|first| recent.put(loaded(0, first)));
        assert_eq!(recent.0.borrow().len(), KEPT_OF_ONE);
        let newest = recent.get(|it| it.chunk.first() == 10);
        assert_eq!(newest.map(|it| it.view), Some(0));
        assert!(recent.get(|it| it.chunk.first() == 6).is_none());
        (1..=40).for_each(|view| recent.put(loaded(view, 1)));
        assert_eq!(recent.0.borrow().len(), KEPT);
        assert!(recent.get(|it| it.view == 40).is_some());
        assert!(recent.get(|it| it.view == 0).is_none());
    }
}
