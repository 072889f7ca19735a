//! Which logs there are, in memory and in the history.

use std::collections::BTreeSet;

use super::LogStoreActor;
use crate::{
    ids::{BuildId, ProcessName, RunId},
    logs::{
        LogKey, Source,
        archive::weave::Frozen,
        shelf::{Log, Shelf},
    },
    search::{LogKind, NoSuchLog},
};

impl LogStoreActor {
    /// What is kept of a process, oldest first.
    pub(super) fn kept(&self, process: &ProcessName, kind: LogKind) -> Vec<Source> {
        let shelf = self.shelves.get(&(process.clone(), kind));
        let in_memory = shelf.into_iter().flat_map(Shelf::sources);
        let id = |source| match source {
            Source::Run(RunId(id)) | Source::Build(BuildId(id)) => id,
        };
        let mut ids: BTreeSet<u64> = in_memory.map(id).collect();
        if let Some(archive) = &self.archive {
            ids.extend(archive.logs(process, kind));
        }
        let source = |id| match kind {
            LogKind::Runs => Source::Run(RunId(id)),
            LogKind::Builds => Source::Build(BuildId(id)),
        };
        ids.into_iter().map(source).collect()
    }

    /// The log at `index`: -1 the newest, 0 the oldest that is kept.
    pub(super) fn at(
        &self,
        process: &ProcessName,
        kind: LogKind,
        index: i64,
    ) -> Result<LogKey, NoSuchLog> {
        let kept = self.kept(process, kind);
        if kept.is_empty() {
            return Err(NoSuchLog::None);
        }
        let source = place(index, kept.len()).and_then(|place| kept.get(place));
        let process = process.clone();
        match source {
            Some(&source) => Ok(LogKey { process, source }),
            None => Err(NoSuchLog::Index {
                index,
                kept: kept.len(),
            }),
        }
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

/// What an index means where there are so many: those below 0 count back from the newest.
fn place(index: i64, count: usize) -> Option<usize> {
    let back = || usize::try_from(index.unsigned_abs()).ok();
    match usize::try_from(index) {
        Ok(place) => (place < count).then_some(place),
        Err(_) => count.checked_sub(back()?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_counts_from_the_oldest_or_back_from_the_newest() {
        let at = |index| place(index, 3);
        assert_eq!(
            [at(0), at(2), at(-1), at(-2), at(-3)],
            [Some(0), Some(2), Some(2), Some(1), Some(0)]
        );
        assert_eq!([at(3), at(-4), at(i64::MAX), at(i64::MIN)], [None; 4]);
    }
}
