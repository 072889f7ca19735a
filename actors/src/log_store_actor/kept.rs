//! Which logs there are, in memory and in the history.

use std::collections::BTreeSet;

use super::LogStoreActor;
use crate::{
    ids::ProcessName,
    logs::{
        LogKey,
        archive::{Removed, weave::Frozen},
        shelf::{Log, Shelf},
    },
    search::{GoneLogs, LogKind, NoSuchLog, Search, cursor::Position, number},
};

impl LogStoreActor {
    /// The numbers of what is kept of a process, ascending.
    pub(super) fn kept(&self, process: &ProcessName, kind: LogKind) -> Vec<u64> {
        let shelf = self.shelves.get(&(process.clone(), kind));
        let in_memory = shelf.into_iter().flat_map(Shelf::sources);
        let mut numbers: BTreeSet<u64> = in_memory.map(number).collect();
        if let Some(archive) = &self.archive {
            numbers.extend(archive.logs(process, kind));
        }
        numbers.into_iter().collect()
    }

    /// What was kept of a process, but is no more.
    pub(super) fn removed(&self, process: &ProcessName, kind: LogKind) -> Option<Removed> {
        self.archive.as_ref()?.removed(process, kind)
    }

    /// What was removed as a whole behind the cursor of a question.
    pub(super) fn gone_behind(&self, question: &Search) -> GoneLogs {
        let Some(cursor) = &question.query.after else {
            return GoneLogs::NONE;
        };
        let of_one = |process| {
            let Position { number, .. } = cursor.of(process)?;
            let numbers = question.query.numbers(process);
            let Some(archive) = &self.archive else {
                // Nobody counts what leaves memory. A process without any may never have had any.
                let kept = self.kept(process, question.kind);
                let is_lost = !kept.is_empty() && !kept.contains(&number);
                return is_lost.then_some(GoneLogs::Uncounted);
            };
            let removed = archive.removed(process, question.kind)?;
            Some(GoneLogs::among(&numbers, removed))
        };
        let gone = question.processes.iter().filter_map(of_one);
        gone.fold(GoneLogs::NONE, GoneLogs::and)
    }

    /// A log as it is now; `None` if there is no such log. Who asked puts it together elsewhere.
    pub(super) fn freeze(&mut self, key: &LogKey) -> Option<Frozen> {
        let memory = self.log(key).map(Log::snapshot);
        let archive = self.archive.as_mut();
        let disk = archive.and_then(|archive| archive.stored(key));
        (memory.is_some() || disk.is_some()).then_some(Frozen {
            source: key.source,
            memory,
            disk,
        })
    }
}

/// The one of `kept` at `index`: -1 the last, 0 the first.
pub(super) fn at(kept: &[u64], index: i64, removed: Option<Removed>) -> Result<u64, NoSuchLog> {
    let back = || usize::try_from(index.unsigned_abs()).ok();
    let place = match usize::try_from(index) {
        Ok(place) => Some(place),
        Err(_) => back().and_then(|back| kept.len().checked_sub(back)),
    };
    let found = place.and_then(|place| kept.get(place)).copied();
    found.ok_or(if kept.is_empty() {
        NoSuchLog::None
    } else {
        NoSuchLog::Index {
            index,
            kept: kept.len(),
            removed,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_counts_from_the_oldest_or_back_from_the_newest() {
        let found = |index| at(&[3, 5, 9], index, None).ok();
        assert_eq!(
            [found(0), found(2), found(-1), found(-2), found(-3)],
            [Some(3), Some(9), Some(9), Some(5), Some(3)]
        );
        let missing = [found(3), found(-4), found(i64::MAX), found(i64::MIN)];
        assert_eq!(missing, [None; 4]);
        assert_eq!(at(&[], -1, None), Err(NoSuchLog::None));
    }
}
