//! What others ask of the state.

use std::{sync::Arc, time::Duration};

use bpm_actors::report::{BuildOutcome, ProcessReport};
use ratatui::layout::Rect;
use tokio::time::Instant;

use super::{
    BuildErrors, Merged, State,
    feed::{Kind, Scope, Topic},
    layout::{Areas, Panel, inner},
    pane::{Lens, Pane},
};
use crate::tui::text;

/// Something, and when it came: ages in it grow, waits shrink.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen<T> {
    /// It.
    pub report: T,
    /// When it came.
    pub at: Instant,
}

impl<T> Seen<T> {
    /// How old something is now that had this age then.
    #[must_use]
    pub fn age(&self, seconds: f64, now: Instant) -> Duration {
        seconds_of(seconds) + now.saturating_duration_since(self.at)
    }

    /// How long it is now to something that was so far away then.
    #[must_use]
    pub fn wait(&self, seconds: f64, now: Instant) -> Duration {
        seconds_of(seconds).saturating_sub(now.saturating_duration_since(self.at))
    }
}

/// What the daemon says may be anything, a panic would be worse than a wrong age.
fn seconds_of(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// Whether each line shows when it was printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Times {
    /// No.
    #[default]
    Hidden,
    /// By the clock of the person who looks.
    Shown,
}

impl Times {
    /// The columns of `12:34:56.789 `.
    pub const WIDTH: usize = 13;
}

impl State {
    /// The widest name that stands before lines.
    const WIDEST_NAME: usize = 16;
    /// So many characters of an error are kept; the build's log has it whole.
    const LONGEST_ERROR: usize = 500;

    /// Until when what is known of the processes was so: now, or when the connection was cut.
    #[must_use]
    pub fn known_at(&self, now: Instant) -> Instant {
        self.cut_at.map_or(now, |cut_at| cut_at.min(now))
    }

    /// The processes that the daemon has.
    #[must_use]
    pub fn processes(&self) -> &[ProcessReport] {
        self.status
            .as_ref()
            .map_or(&[], |seen| &seen.report.processes)
    }

    /// The chosen process.
    #[must_use]
    pub fn process(&self) -> Option<&ProcessReport> {
        let selected = self.selected.as_deref()?;
        self.processes().iter().find(|it| it.name == selected)
    }

    /// Which process stands in the first of so many rows: the chosen one is always on the screen.
    #[must_use]
    pub fn first_process(&self, rows: u16) -> usize {
        let selected = self.selected.as_deref();
        let mut names = self.processes().iter().map(|it| it.name.as_str());
        let at = names.position(|name| Some(name) == selected).unwrap_or(0);
        (at + 1).saturating_sub(usize::from(rows).max(1))
    }

    /// What the panel of the output shows.
    #[must_use]
    pub fn topic(&self) -> Option<Topic> {
        let scope = match self.merged {
            Merged::No => Scope::One(Arc::clone(self.selected.as_ref()?)),
            Merged::Yes => Scope::All,
        };
        Some(Topic {
            scope,
            kind: self.kind,
            pattern: self.filter.clone(),
            level: self.level,
        })
    }

    /// The pane in the panel of the output.
    #[must_use]
    pub fn pane(&self) -> Option<&Pane> {
        self.feeds.pane(&self.topic()?)
    }

    /// The same, to change it.
    pub(super) fn pane_mut(&mut self) -> Option<&mut Pane> {
        let topic = self.topic()?;
        self.feeds.pane_mut(&topic)
    }

    /// Where the panels are.
    #[must_use]
    pub fn areas(&self) -> Areas {
        Areas::new(self.screen, self.zoomed)
    }

    /// The errors of the last build of a process, if it failed.
    #[must_use]
    pub fn build_errors(&self, process: &ProcessReport) -> &[String] {
        let failed = process
            .last_build
            .as_ref()
            .filter(|build| build.outcome == BuildOutcome::Failed);
        match (failed, self.errors.get(&process.name)) {
            (Some(build), Some(errors)) if errors.build == build.id.0 => &errors.lines,
            _ => &[],
        }
    }

    /// The errors that stand above the output: those of the build whose log is shown.
    #[must_use]
    pub fn errors_above(&self) -> &[String] {
        if self.kind == Kind::Run || self.merged == Merged::Yes {
            return &[];
        }
        let most = usize::from(inner(self.areas().of(Panel::Output)).height / 2);
        let errors = self.process().map_or(&[][..], |it| self.build_errors(it));
        // One row is the line below them.
        &errors[..errors.len().min(most.saturating_sub(1))]
    }

    /// Where the lines of the output stand.
    #[must_use]
    pub fn output_area(&self) -> Rect {
        let mut area = inner(self.areas().of(Panel::Output));
        let errors = self.errors_above().len();
        if errors > 0 {
            let taken = u16::try_from(errors + 1)
                .unwrap_or(u16::MAX)
                .min(area.height);
            area.y += taken;
            area.height -= taken;
        }
        area
    }

    /// The columns before each line: time and name.
    #[must_use]
    pub fn margin(&self) -> usize {
        let times = match self.times {
            Times::Shown => Times::WIDTH,
            Times::Hidden => 0,
        };
        times + self.name_width().map_or(0, |width| width + 1)
    }

    /// The columns of the names before lines, where names are shown.
    #[must_use]
    pub fn name_width(&self) -> Option<usize> {
        let names = self.processes().iter().map(|it| text::width(&it.name));
        match self.merged {
            Merged::No => None,
            Merged::Yes => Some(names.max().unwrap_or(0).min(Self::WIDEST_NAME)),
        }
    }

    /// How the output is looked at.
    #[must_use]
    pub fn lens(&self) -> Lens {
        let area = self.output_area();
        Lens {
            columns: usize::from(area.width).saturating_sub(self.margin()).max(1),
            rows: usize::from(area.height),
            long_lines: self.long_lines,
        }
    }

    /// Forgets errors of builds that are no longer the last.
    pub(super) fn keep_errors(&mut self, process: &str, build: u64, lines: Vec<String>) {
        let lines = lines.into_iter();
        let lines = lines
            .map(|it| text::head(it, Self::LONGEST_ERROR))
            .collect();
        let errors = BuildErrors { build, lines };
        self.errors.insert(process.to_owned(), errors);
    }
}
