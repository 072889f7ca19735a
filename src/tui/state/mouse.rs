//! Clicks, drags, the wheel.

use std::rc::Rc;

use super::{
    Open, State, Wish,
    action::{Gesture, Mouse},
    layout::{Panel, inner},
    pane::LongLines,
    ring::Entry,
    search::Way,
    selection::{Selection, Spot, text_of},
};
use crate::tui::text::Laid;

impl State {
    /// How many rows one notch of the wheel goes.
    const NOTCH: usize = 3;

    pub(super) fn mouse(&mut self, mouse: Mouse) -> Vec<Wish> {
        if self.open != Open::Nothing {
            if mouse.gesture == Gesture::Press {
                self.close();
            }
            return Vec::new();
        }
        let panel = self.areas().at(mouse.column, mouse.row);
        match mouse.gesture {
            Gesture::WheelUp | Gesture::WheelDown => {
                let way = match mouse.gesture {
                    Gesture::WheelUp => Way::Up,
                    _ => Way::Down,
                };
                let rows = match panel {
                    Some(Panel::Processes) => 1,
                    _ => Self::NOTCH,
                };
                panel.map_or(Vec::new(), |panel| self.scroll_panel(panel, way, rows))
            }
            Gesture::Press => {
                if let Some(panel) = panel {
                    self.press(panel, mouse);
                }
                Vec::new()
            }
            Gesture::Drag => self.drag(mouse),
            Gesture::Release => {
                self.pressed = None;
                Vec::new()
            }
        }
    }

    fn press(&mut self, panel: Panel, mouse: Mouse) {
        self.focus = panel;
        match panel {
            Panel::Processes => {
                let area = inner(self.areas().processes);
                let row = usize::from(mouse.row.saturating_sub(area.y));
                let at = self.first_process(area.height) + row;
                let is_inside = area.contains((mouse.column, mouse.row).into());
                if let Some(process) = self.processes().get(at).filter(|_| is_inside) {
                    let name = process.name.as_str().into();
                    self.select(name);
                }
            }
            Panel::Output => {
                let spot = self.spot(mouse);
                self.pressed = spot;
                if let Some(pane) = self.pane_mut() {
                    // A second click takes the mark away.
                    let clicked = spot.map(|spot| Selection::Entry(spot.entry));
                    pane.selection = clicked.filter(|clicked| pane.selection != Some(*clicked));
                }
            }
            Panel::Server | Panel::Details => {}
        }
    }

    fn drag(&mut self, mouse: Mouse) -> Vec<Wish> {
        let Some(from) = self.pressed else {
            return Vec::new();
        };
        let area = self.output_area();
        let wishes = if mouse.row < area.y {
            self.scroll_panel(Panel::Output, Way::Up, 1)
        } else if mouse.row >= area.bottom() {
            self.scroll_panel(Panel::Output, Way::Down, 1)
        } else {
            Vec::new()
        };
        let to = self.spot(mouse);
        if let (Some(to), Some(pane)) = (to, self.pane_mut()) {
            pane.selection = Some(Selection::Span { from, to });
        }
        wishes
    }

    /// The character nearest to the mouse.
    fn spot(&self, mouse: Mouse) -> Option<Spot> {
        let (area, lens) = (self.output_area(), self.lens());
        let pane = self.pane()?;
        let rows = pane.visible(lens);
        let row = usize::from(mouse.row.clamp(area.y, area.bottom().max(1) - 1) - area.y);
        let row_id = rows.get(row).or(rows.last())?;
        let column = usize::from(mouse.column.saturating_sub(area.x));
        let column = column.saturating_sub(self.margin());
        let (laid, column) = match (pane.ring.entry(row_id.entry)?, lens.long_lines) {
            (Entry::Line(_), LongLines::Wrapped) => (pane.laid(row_id.entry, lens)?, column),
            (Entry::Line(_), LongLines::Cut) => {
                (pane.laid(row_id.entry, lens)?, column + pane.sideways)
            }
            (notice @ Entry::Notice(_), _) => {
                (Rc::new(Laid::new(&text_of(notice), usize::MAX)), column)
            }
        };
        let left = laid.row(row_id.row).take_while(|it| it.column <= column);
        let under = left.last();
        Some(Spot {
            entry: row_id.entry,
            at: under.map_or(0, |cell| cell.at),
        })
    }
}
