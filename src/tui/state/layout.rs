//! Where everything stands. Pure, so that a click finds what was drawn.

use std::collections::BTreeMap;

use ratatui::layout::Rect;

/// The four panels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Panel {
    /// Top left: the server.
    Server,
    /// Top right: the chosen process.
    Details,
    /// Bottom left: all processes.
    Processes,
    /// Bottom right: what they print.
    Output,
}

impl Panel {
    /// In the order of Tab.
    pub const ALL: [Self; 4] = [Self::Processes, Self::Output, Self::Server, Self::Details];

    /// The next in the order of Tab.
    #[must_use]
    pub fn next(self) -> Self {
        self.moved(1)
    }

    /// The one before.
    #[must_use]
    pub fn previous(self) -> Self {
        self.moved(Self::ALL.len() - 1)
    }

    fn moved(self, steps: usize) -> Self {
        let at = Self::ALL.iter().position(|it| *it == self).unwrap_or(0);
        Self::ALL[(at + steps) % Self::ALL.len()]
    }
}

/// The places of the panels; one that is not shown has no area.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Areas {
    /// Of [`Panel::Server`].
    pub server: Rect,
    /// Of [`Panel::Details`].
    pub details: Rect,
    /// Of [`Panel::Processes`].
    pub processes: Rect,
    /// Of [`Panel::Output`].
    pub output: Rect,
    /// The line at the bottom.
    pub footer: Rect,
}

impl Areas {
    /// For a screen of this size.
    #[must_use]
    pub fn new(screen: Rect, zoomed: Option<Panel>) -> Self {
        let footer_height = u16::from(screen.height >= 6);
        let height = screen.height - footer_height;
        let footer = Rect::new(screen.x, screen.y + height, screen.width, footer_height);
        let whole = Rect { height, ..screen };
        let mut areas = Self {
            footer,
            ..Self::default()
        };
        if let Some(panel) = zoomed {
            *areas.of_mut(panel) = whole;
            return areas;
        }
        let left = (screen.width * 3 / 10)
            .clamp(22, 46)
            .min(screen.width * 2 / 5);
        let top = (height * 2 / 5).clamp(4, 16).min(height / 2);
        let right = screen.width - left;
        areas.server = Rect::new(screen.x, screen.y, left, top);
        areas.details = Rect::new(screen.x + left, screen.y, right, top);
        areas.processes = Rect::new(screen.x, screen.y + top, left, height - top);
        areas.output = Rect::new(screen.x + left, screen.y + top, right, height - top);
        areas
    }

    /// The place of a panel.
    #[must_use]
    pub fn of(&self, panel: Panel) -> Rect {
        match panel {
            Panel::Server => self.server,
            Panel::Details => self.details,
            Panel::Processes => self.processes,
            Panel::Output => self.output,
        }
    }

    /// What stands there.
    #[must_use]
    pub fn at(&self, column: u16, row: u16) -> Option<Panel> {
        let is_there = |panel: &Panel| self.of(*panel).contains((column, row).into());
        Panel::ALL.into_iter().find(is_there)
    }

    fn of_mut(&mut self, panel: Panel) -> &mut Rect {
        match panel {
            Panel::Server => &mut self.server,
            Panel::Details => &mut self.details,
            Panel::Processes => &mut self.processes,
            Panel::Output => &mut self.output,
        }
    }
}

/// By how many rows texts are longer than their places: who draws them knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overflow {
    /// Those of panels.
    pub panels: BTreeMap<Panel, usize>,
    /// That of the box that explains the keys.
    pub help: usize,
}

/// What is within the border of a panel.
#[must_use]
pub fn inner(area: Rect) -> Rect {
    Rect {
        x: area.x.saturating_add(1),
        y: area.y.saturating_add(1),
        width: area.width.saturating_sub(2),
        height: area.height.saturating_sub(2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_panels_fill_every_screen_without_touching_each_other() {
        for width in 0..130 {
            for height in 0..60 {
                let screen = Rect::new(0, 0, width, height);
                let areas = Areas::new(screen, None);
                let all = Panel::ALL.map(|panel| areas.of(panel));
                let covered: u32 = all
                    .iter()
                    .map(|it| u32::from(it.width) * u32::from(it.height))
                    .sum();
                let footer = u32::from(areas.footer.width) * u32::from(areas.footer.height);
                assert_eq!(covered + footer, u32::from(width) * u32::from(height));
                for area in all {
                    assert!(area.right() <= width && area.bottom() <= height);
                }
            }
        }
    }
}
