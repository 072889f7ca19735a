//! Moving about: through processes, lines and pages.

use std::sync::Arc;

use super::{
    Open, State, Wish,
    layout::{Panel, inner},
    pane::{Beginning, Lens, LongLines, Pane, Scroll},
    ring::Ring,
    search::Way,
};
impl State {
    /// How far one step goes sideways.
    const SIDESTEP: usize = 8;

    pub(super) fn up_or_down(&mut self, way: Way) -> Vec<Wish> {
        if let Open::Help(_) = self.open {
            self.scroll_help(way, 1);
            return Vec::new();
        }
        match self.focus {
            Panel::Processes => {
                self.select_neighbour(way);
                Vec::new()
            }
            panel => self.scroll_panel(panel, way, 1),
        }
    }

    pub(super) fn page(&mut self, way: Way) -> Vec<Wish> {
        if let Open::Help(_) = self.open {
            // The box fills the screen where there is more than it shows; one row stays.
            let rows = usize::from(inner(self.screen).height);
            self.scroll_help(way, rows.saturating_sub(1).max(1));
            return Vec::new();
        }
        let panel = match self.focus {
            Panel::Processes => Panel::Output,
            panel => panel,
        };
        let rows = match panel {
            Panel::Output => self.lens().rows,
            panel => usize::from(inner(self.areas().of(panel)).height),
        };
        // One row stays, so that the eye finds its place.
        self.scroll_panel(panel, way, rows.saturating_sub(1).max(1))
    }

    pub(super) fn go_to_top(&mut self) -> Vec<Wish> {
        if let Open::Help(_) = self.open {
            self.scroll_help(Way::Up, usize::MAX);
            return Vec::new();
        }
        let lens = self.lens();
        match self.focus {
            Panel::Server | Panel::Details => {
                self.scrolled.remove(&self.focus);
                return Vec::new();
            }
            Panel::Processes | Panel::Output => {}
        }
        let Some(pane) = self.pane_mut() else {
            return Vec::new();
        };
        pane.sideways = 0;
        pane.to_top(lens);
        self.load_older(lens)
    }

    pub(super) fn go_to_bottom(&mut self) -> Vec<Wish> {
        if let Open::Help(_) = self.open {
            self.scroll_help(Way::Down, usize::MAX);
            return Vec::new();
        }
        match self.focus {
            Panel::Server | Panel::Details => {
                let last = self.overflow.panels.get(&self.focus).copied().unwrap_or(0);
                self.scrolled.insert(self.focus, last);
            }
            Panel::Processes | Panel::Output => {
                return self.follow_the_end();
            }
        }
        Vec::new()
    }

    /// Empties the panel.
    pub(super) fn clear(&mut self) -> Vec<Wish> {
        let Some(topic) = self.topic() else {
            return Vec::new();
        };
        let Some(pane) = self.feeds.pane_mut(&topic) else {
            return Vec::new();
        };
        let had_all = pane.has_all();
        pane.clear();
        if had_all {
            return Vec::new();
        }
        self.feeds.give_up(&topic).into_iter().collect()
    }

    fn follow_the_end(&mut self) -> Vec<Wish> {
        let is_up = self.link.is_up();
        let Some(topic) = self.topic() else {
            return Vec::new();
        };
        let Some(pane) = self.feeds.pane_mut(&topic) else {
            return Vec::new();
        };
        pane.sideways = 0;
        if pane.scroll == Scroll::Follow || pane.has_all() || !is_up {
            // Without the daemon there is nothing but what is here.
            pane.to_end();
            return Vec::new();
        }
        pane.to_far_end();
        self.feeds.give_up(&topic).into_iter().collect()
    }

    pub(super) fn sideways(&mut self, way: Way) {
        if self.long_lines == LongLines::Wrapped {
            return;
        }
        let lens = self.lens();
        if let Some(pane) = self.pane_mut() {
            pane.sidestep(way, Self::SIDESTEP, lens);
        }
    }

    pub(super) fn scroll_panel(&mut self, panel: Panel, way: Way, rows: usize) -> Vec<Wish> {
        match panel {
            Panel::Processes => {
                self.select_neighbour(way);
                Vec::new()
            }
            Panel::Output => self.scroll_output(way, rows),
            Panel::Server | Panel::Details => {
                let last = self.overflow.panels.get(&panel).copied().unwrap_or(0);
                let scrolled = self.scrolled.entry(panel).or_default();
                let at = (*scrolled).min(last);
                *scrolled = match way {
                    Way::Up => at.saturating_sub(rows),
                    Way::Down => at.saturating_add(rows).min(last),
                };
                Vec::new()
            }
        }
    }

    fn scroll_output(&mut self, way: Way, rows: usize) -> Vec<Wish> {
        let lens = self.lens();
        let Some(pane) = self.pane_mut() else {
            return Vec::new();
        };
        match way {
            Way::Up => pane.up(rows, lens),
            Way::Down => {
                pane.down(rows, lens);
                return Vec::new();
            }
        }
        self.load_older(lens)
    }

    /// At the top there may be more in the history.
    fn load_older(&mut self, lens: Lens) -> Vec<Wish> {
        let Some(topic) = self.topic() else {
            return Vec::new();
        };
        let is_up = self.link.is_up();
        let names = self.processes().iter().map(|it| it.name.as_str().into());
        let names: Vec<Arc<str>> = names.collect();
        let wants_more = |pane: &&mut Pane| {
            is_up && pane.is_at_top(lens) && pane.beginning == Beginning::Unknown
        };
        let Some(pane) = self.feeds.pane_mut(&topic).filter(wants_more) else {
            return Vec::new();
        };
        let Some(before) = pane.before(names.into_iter()) else {
            return Vec::new();
        };
        pane.beginning = Beginning::Loading;
        let mut wishes = Vec::new();
        if pane.ring.is_full() {
            // The window moves up: what it leaves below is read again on the way down.
            pane.ring.shrink_end_to(Ring::LIMIT / 2);
            wishes.extend(self.feeds.give_up(&topic));
        }
        wishes.push(Wish::Older { topic, before });
        wishes
    }

    fn select_neighbour(&mut self, way: Way) {
        let processes = self.processes();
        let selected = self.selected.as_deref();
        let at = processes
            .iter()
            .position(|it| Some(it.name.as_str()) == selected);
        let to = match (at, way) {
            (None, _) => 0,
            (Some(at), Way::Up) => at.saturating_sub(1),
            (Some(at), Way::Down) => (at + 1).min(processes.len().saturating_sub(1)),
        };
        if let Some(process) = processes.get(to) {
            let name = process.name.as_str().into();
            self.select(name);
        }
    }

    fn scroll_help(&mut self, way: Way, rows: usize) {
        let last = self.overflow.help;
        if let Open::Help(scrolled) = &mut self.open {
            let at = (*scrolled).min(last);
            *scrolled = match way {
                Way::Up => at.saturating_sub(rows),
                Way::Down => at.saturating_add(rows).min(last),
            };
        }
    }
}
