//! Matches of one or several processes as one series: those of several are ordered by time, and those
//! of one process keep their order whatever the clock did.

use std::{
    ops::Range,
    sync::atomic::{AtomicBool, Ordering},
    time::SystemTime,
};

use crate::{
    ids::ProcessName,
    search::{Extent, cursor::Position, scan::Matches, view::View},
};

/// The lines of one process that a search is about, and those that match.
#[derive(Debug)]
pub(crate) struct Track<'a> {
    pub(crate) name: &'a ProcessName,
    pub(crate) view: View<'a>,
    pub(crate) matches: Matches,
    /// The matches that are to be shown.
    pub(crate) chosen: Range<usize>,
    /// The times of these matches, the first of which has this number.
    times: (usize, Vec<SystemTime>),
}

/// The times of so many matches are read at once. Where lines of many processes take turns, the block
/// of a match is seldom still in memory.
const TIMES: usize = 64;

impl<'a> Track<'a> {
    pub(crate) fn new(name: &'a ProcessName, view: View<'a>, matches: Matches) -> Self {
        let chosen = 0..matches.count();
        Self {
            name,
            view,
            matches,
            chosen,
            times: (0, Vec::new()),
        }
    }

    fn time(&mut self, ordinal: usize) -> Option<SystemTime> {
        let (first, times) = &self.times;
        if let Some(time) = ordinal.checked_sub(*first).and_then(|nth| times.get(nth)) {
            return Some(*time);
        }
        // Those of the same block only: others would have to be read for it. Either direction.
        let block = self.view.same_block(self.matches.place(ordinal))?;
        let from = ordinal - ordinal % TIMES;
        let until = (from + TIMES).min(self.matches.count());
        let mut first = ordinal;
        while first > from && block.contains(&self.matches.place(first - 1)) {
            first -= 1;
        }
        let mut times = Vec::new();
        for at in first..until {
            let place = self.matches.place(at);
            if !block.contains(&place) {
                break;
            }
            let Some(spot) = self.view.line(place) else {
                break;
            };
            times.push(spot.chunk.at(spot.position));
        }
        let time = times.get(ordinal - first).copied();
        self.times = (first, times);
        time
    }

    /// The place behind a match.
    pub(crate) fn behind(&mut self, ordinal: usize) -> Option<Position> {
        let place = self.matches.place(ordinal);
        self.view.position(place)
    }

    /// The place before a match.
    pub(crate) fn before(&mut self, ordinal: usize) -> Option<Position> {
        let Position { number, line } = self.behind(ordinal)?;
        let line = line.saturating_sub(1);
        Some(Position { number, line })
    }
}

/// How many of the chosen matches of each track were taken, from the front and from the back.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) front: Vec<usize>,
    pub(crate) back: Vec<usize>,
}

impl Taken {
    pub(crate) fn nothing(tracks: &Tracks<'_>) -> Self {
        let none = vec![0; tracks.0.len()];
        Self {
            front: none.clone(),
            back: none,
        }
    }
}

/// All tracks of a search.
#[derive(Debug)]
pub(crate) struct Tracks<'a>(pub(crate) Vec<Track<'a>>);

impl Tracks<'_> {
    /// How many matches there are.
    pub(crate) fn matched(&self) -> usize {
        self.0.iter().map(|track| track.matches.count()).sum()
    }

    /// How many matches are chosen.
    pub(crate) fn chosen(&self) -> usize {
        self.0.iter().map(|track| track.chosen.len()).sum()
    }

    /// Chooses as many matches as are wanted. `None` if `cancelled` was set.
    pub(crate) fn choose(&mut self, extent: Extent, cancelled: &AtomicBool) -> Option<()> {
        let (count, head) = match extent {
            Extent::All => return Some(()),
            Extent::Head(count) => (count, true),
            Extent::Tail(count) => (count, false),
        };
        if count >= self.chosen() {
            return Some(());
        }
        if let [only] = self.0.as_mut_slice() {
            let Range { start, end } = only.chosen;
            only.chosen = if head {
                start..start + count
            } else {
                end - count..end
            };
            return Some(());
        }
        let mut taken = Taken::nothing(self);
        for _ in 0..count {
            if cancelled.load(Ordering::Relaxed) {
                return None;
            }
            if head {
                let (track, _) = self.first(&taken)?;
                taken.front[track] += 1;
            } else {
                let (track, _) = self.last(&taken)?;
                taken.back[track] += 1;
            }
        }
        for (at, track) in self.0.iter_mut().enumerate() {
            let Range { start, end } = track.chosen;
            track.chosen = if head {
                start..start + taken.front[at]
            } else {
                end - taken.back[at]..end
            };
        }
        Some(())
    }

    /// The first of the chosen matches that are not taken: its track and its number there.
    pub(crate) fn first(&mut self, taken: &Taken) -> Option<(usize, usize)> {
        self.extreme(taken, |chosen| chosen.start, |one, best| one < best)
    }

    /// The last of the chosen matches that are not taken.
    pub(crate) fn last(&mut self, taken: &Taken) -> Option<(usize, usize)> {
        // Of those of one time the later track's is the last.
        self.extreme(taken, |chosen| chosen.end - 1, |one, best| one >= best)
    }

    fn extreme(
        &mut self,
        taken: &Taken,
        pick: impl Fn(&Range<usize>) -> usize,
        is_better: impl Fn(SystemTime, SystemTime) -> bool,
    ) -> Option<(usize, usize)> {
        let mut candidates = Vec::with_capacity(self.0.len());
        for (at, track) in self.0.iter().enumerate() {
            let left = track.chosen.start + taken.front[at]..track.chosen.end - taken.back[at];
            if !left.is_empty() {
                candidates.push((at, pick(&left)));
            }
        }
        if let [] | [_] = candidates.as_slice() {
            return candidates.pop();
        }
        let mut best: Option<(SystemTime, (usize, usize))> = None;
        for (at, ordinal) in candidates {
            // One that cannot be read is out of the way at once.
            let Some(time) = self.0[at].time(ordinal) else {
                return Some((at, ordinal));
            };
            if best.is_none_or(|(than, _)| is_better(time, than)) {
                best = Some((time, (at, ordinal)));
            }
        }
        best.map(|(_, found)| found)
    }
}
