//! Which files of a process must go, and what is remembered of those that went.

use std::{
    fmt::Write as _,
    fs, io,
    time::{Duration, SystemTime},
};

use super::{Folder, Volume, occupied, remove};
use crate::{
    logs::archive::{
        ArchiveLimits,
        names::{MOST_ID, NEWEST, findings_name, log_name},
    },
    search::LogKind,
};

/// The file that tells which logs were removed.
pub(super) const REMOVED: &str = "removed";
const DAY: Duration = Duration::from_hours(24);

/// Logs of one kind that were removed because what is kept is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removed {
    /// The id of the oldest one.
    pub first: u64,
    /// The id of the newest one.
    pub last: u64,
    /// How many: ids are unique in the project, so other processes have some of those between.
    pub count: u64,
}

/// When a file whose last line came then is too old; `None` if it never is.
pub(in crate::logs::archive) fn too_old_at(
    modified: SystemTime,
    limits: &ArchiveLimits,
) -> Option<SystemTime> {
    let kept = DAY.checked_mul(limits.keep_days)?;
    modified.checked_add(kept).filter(|_| limits.keep_days > 0)
}

/// One look at the files of a folder, which removes what must go.
struct Pass<'a, L> {
    folder: &'a mut Folder,
    limits: &'a ArchiveLimits,
    live: L,
    /// The logs whose oldest file cannot be removed. The files behind it stay as well, the other
    /// logs leave in their turn.
    stuck: Vec<(LogKind, u64)>,
    /// Why the first of them cannot.
    refusal: Option<io::Error>,
}

impl<L: Fn(LogKind, u64) -> bool> Pass<'_, L> {
    fn trim_age(&mut self, now: SystemTime) {
        let limits = self.limits;
        let is_too_old = |modified| too_old_at(modified, limits).is_some_and(|at| at <= now);
        for kind in [LogKind::Runs, LogKind::Builds] {
            let ids: Vec<_> = self.folder.ids(kind).collect();
            for id in ids {
                while self
                    .first(kind, id)
                    .is_some_and(|volume| is_too_old(volume.modified))
                {
                    self.remove_first(kind, id);
                }
            }
        }
    }

    fn trim_number(&mut self) {
        for kind in [LogKind::Runs, LogKind::Builds] {
            let surplus = self.folder.ids(kind).count();
            let surplus = surplus.saturating_sub(self.limits.keep_logs);
            let old = self.folder.ids(kind);
            let old: Vec<_> = old.filter(|id| !(self.live)(kind, *id)).collect();
            for id in old.into_iter().take(surplus) {
                while self.first(kind, id).is_some() {
                    self.remove_first(kind, id);
                }
            }
        }
    }

    fn trim_size(&mut self) {
        let mut runs = self.folder.runs.size();
        let findings = self.folder.findings.values().copied().map(occupied);
        let mut builds = self.folder.builds.size() + findings.sum::<u64>();
        // The newest file has room to grow until the next look.
        let ArchiveLimits {
            keep_bytes,
            segment_bytes,
            ..
        } = *self.limits;
        let keep = keep_bytes - segment_bytes.min(keep_bytes / 8);
        while runs + builds > keep {
            let oldest = |kind| {
                let of_kind = self.folder.ids(kind).filter_map(|id| {
                    let volume = self.first(kind, id)?;
                    let beside = self.folder.beside(kind, id).unwrap_or(0);
                    Some((volume.modified, id, volume.size() + occupied(beside)))
                });
                of_kind
                    .min()
                    .map(|(modified, id, size)| (modified, kind, id, size))
            };
            let (run, build) = (oldest(LogKind::Runs), oldest(LogKind::Builds));
            // A chatty program must not cost the few words of its builds.
            let spared = builds <= keep_bytes / 8;
            let next = match (run, build) {
                (Some(run), Some(build)) if build.0 < run.0 && !spared => build,
                (Some(run), _) => run,
                (None, Some(build)) => build,
                (None, None) => return,
            };
            let (_, kind, id, size) = next;
            if !self.remove_first(kind, id) {
                continue;
            }
            match kind {
                LogKind::Runs => runs = runs.saturating_sub(size),
                LogKind::Builds => builds = builds.saturating_sub(size),
            }
        }
    }

    /// The oldest file of a log, if it may go and nothing is known against it.
    fn first(&self, kind: LogKind, id: u64) -> Option<&Volume> {
        let first = self.folder.first(kind, id, &self.live)?;
        (!self.stuck.contains(&(kind, id))).then_some(first)
    }

    /// Whether the oldest file of a log is gone now.
    fn remove_first(&mut self, kind: LogKind, id: u64) -> bool {
        let removed = self.folder.remove_first(kind, id);
        if let Err(error) = removed {
            self.stuck.push((kind, id));
            self.refusal.get_or_insert(error);
            return false;
        }
        true
    }
}

impl Folder {
    /// Removes what is too old or too much. The newest file of each log for which `live` holds stays.
    /// What cannot be removed is passed over.
    ///
    /// # Errors
    /// Why the first of those cannot, or why it is not remembered what left.
    pub(in crate::logs::archive) fn trim(
        &mut self,
        limits: &ArchiveLimits,
        now: SystemTime,
        live: impl Fn(LogKind, u64) -> bool,
    ) -> io::Result<()> {
        let before = (self.runs.removed, self.builds.removed);
        let mut pass = Pass {
            folder: self,
            limits,
            live,
            stuck: Vec::new(),
            refusal: None,
        };
        pass.trim_age(now);
        pass.trim_number();
        pass.trim_size();
        let refusal = pass.refusal;
        if before != (self.runs.removed, self.builds.removed) {
            self.tell_removed()?;
        }
        refusal.map_or(Ok(()), Err)
    }

    /// When the last line came of the file that becomes too old next.
    pub(in crate::logs::archive) fn oldest(
        &self,
        live: impl Fn(LogKind, u64) -> bool,
    ) -> Option<SystemTime> {
        let of_kind = |kind| {
            let first = self.ids(kind).filter_map(|id| self.first(kind, id, &live));
            first.map(|volume| volume.modified).min()
        };
        let oldest = [LogKind::Runs, LogKind::Builds].map(of_kind);
        oldest.into_iter().flatten().min()
    }

    /// The oldest file of a log, if it may go.
    fn first(
        &self,
        kind: LogKind,
        id: u64,
        live: &impl Fn(LogKind, u64) -> bool,
    ) -> Option<&Volume> {
        let first = self.books(kind).kept.get(&id)?.first()?;
        (first.number != NEWEST || !live(kind, id)).then_some(first)
    }

    /// How large what leaves together with the oldest file of a log is.
    fn beside(&self, kind: LogKind, id: u64) -> Option<u64> {
        let is_last = self.books(kind).kept.get(&id)?.len() == 1;
        let size = self.findings.get(&id).filter(|_| is_last);
        size.filter(|_| kind == LogKind::Builds).copied()
    }

    /// Removes the oldest file of a log.
    fn remove_first(&mut self, kind: LogKind, id: u64) -> io::Result<()> {
        let volumes = self.books(kind).kept.get(&id);
        let Some(first) = volumes.and_then(|volumes| volumes.first()) else {
            return Ok(());
        };
        let log = self.path.join(log_name(kind, id, first.number));
        remove(&log)?;
        remove(&log.with_extension("idx"))?;
        if self.beside(kind, id).is_some() {
            remove(&self.path.join(findings_name(id)))?;
            self.findings.remove(&id);
        }
        let books = self.books_mut(kind);
        let volumes = books.kept.entry(id).or_default();
        volumes.drain(..1);
        if volumes.is_empty() {
            books.kept.remove(&id);
            let removed = books.removed.get_or_insert(Removed {
                first: id,
                last: id,
                count: 0,
            });
            removed.first = removed.first.min(id);
            removed.last = removed.last.max(id);
            removed.count = removed.count.saturating_add(1);
        }
        Ok(())
    }

    /// Writes down which logs were removed, so that their ids are not used again.
    fn tell_removed(&self) -> io::Result<()> {
        let mut text = String::new();
        for (name, removed) in [("runs", self.runs.removed), ("builds", self.builds.removed)] {
            if let Some(removed) = removed {
                let Removed { first, last, count } = removed;
                let _ = writeln!(text, "{name} {first} {last} {count}");
            }
        }
        let path = self.path.join(REMOVED);
        let new = path.with_extension("new");
        fs::write(&new, text).and_then(|()| fs::rename(&new, &path))
    }
}

impl Removed {
    pub(super) fn parse(text: &str, kind: LogKind) -> Option<Self> {
        let name = match kind {
            LogKind::Runs => "runs ",
            LogKind::Builds => "builds ",
        };
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        let mut numbers = line.split(' ').map(str::parse);
        let mut number = || numbers.next()?.ok();
        let removed = Self {
            first: number()?,
            last: number()?,
            count: number()?,
        };
        // Ids go on behind these, too.
        (removed.last <= MOST_ID).then_some(removed)
    }
}
