//! A panel: its border, its title, its text.

use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
    widgets::{Block, BorderType, Clear, Paragraph},
};

use super::theme::{BUSY, FAINT, STRONG};
use crate::tui::{state::layout::inner, text};

/// Whether keys go to a panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Focus {
    Here,
    Elsewhere,
}

impl Focus {
    pub(super) fn of(is_here: bool) -> Self {
        if is_here { Self::Here } else { Self::Elsewhere }
    }
}

/// The border, with a title at the left and one at the right.
pub(super) fn border(
    frame: &mut Frame<'_>,
    area: Rect,
    left: Line<'_>,
    right: Line<'_>,
    focus: Focus,
) {
    let (kind, style) = match focus {
        Focus::Here => (BorderType::Thick, BUSY),
        Focus::Elsewhere => (BorderType::Plain, FAINT),
    };
    // Corners do not count, and one column stays between the two.
    let room = usize::from(area.width).saturating_sub(3);
    let right_width = right.width();
    let left = cut_line(left, room.saturating_sub(right_width));
    let mut block = Block::bordered().border_type(kind).border_style(style);
    if left.width() > 0 {
        block = block.title_top(left.style(STRONG));
    }
    if right_width > 0 && right_width <= room {
        block = block.title_top(right.right_aligned());
    }
    frame.render_widget(block, area);
}

/// A box over the panels.
pub(super) fn over(frame: &mut Frame<'_>, area: Rect, title: &str) -> Rect {
    frame.render_widget(Clear, area);
    border(
        frame,
        area,
        Line::from(format!(" {title} ")),
        Line::default(),
        Focus::Here,
    );
    inner(area)
}

/// Lines of text, wrapped, from this row on. Where the text ends scrolling ends: gives how many rows
/// there are more than fit.
pub(super) fn text(
    frame: &mut Frame<'_>,
    area: Rect,
    lines: Vec<Line<'_>>,
    scrolled: usize,
) -> usize {
    if area.is_empty() {
        return 0;
    }
    self::scrolled(frame, area, rows(lines, usize::from(area.width)), scrolled)
}

/// The rows of lines of text in so many columns.
pub(super) fn rows(lines: Vec<Line<'_>>, columns: usize) -> Vec<Line<'static>> {
    let lines = lines.into_iter();
    lines.flat_map(|line| wrapped(&line, columns)).collect()
}

/// The same as [`text`] for what is wrapped already.
pub(super) fn scrolled(
    frame: &mut Frame<'_>,
    area: Rect,
    rows: Vec<Line<'static>>,
    scrolled: usize,
) -> usize {
    if area.is_empty() {
        return 0;
    }
    let last = rows.len().saturating_sub(usize::from(area.height));
    let shown = rows.into_iter().skip(scrolled.min(last));
    let shown: Vec<Line<'_>> = shown.take(usize::from(area.height)).collect();
    frame.render_widget(Paragraph::new(shown), area);
    last
}

/// The rows of a line; words are kept together where they fit. Later rows are indented as the line
/// is, and two columns more.
fn wrapped(line: &Line<'_>, columns: usize) -> Vec<Line<'static>> {
    let pieces: Vec<(String, Style)> = line
        .spans
        .iter()
        .flat_map(|span| {
            let style = line.style.patch(span.style);
            let rows = text::rows(&span.content, usize::MAX);
            let cells = rows.into_iter().flat_map(|row| row.cells);
            cells
                .map(|cell| (cell.symbol.to_owned(), style))
                .collect::<Vec<_>>()
        })
        .collect();
    let indent = pieces.iter().take_while(|(it, _)| it == " ").count() + 2;
    let indent = if indent * 2 < columns { indent } else { 0 };
    let mut rows = Vec::new();
    let mut rest = pieces.as_slice();
    loop {
        let margin = if rows.is_empty() { 0 } else { indent };
        let end = row_end(rest, columns - margin);
        let mut spans = vec![Span::raw(" ".repeat(margin))];
        spans.extend(
            rest[..end]
                .iter()
                .map(|(it, style)| Span::styled(it.clone(), *style)),
        );
        rows.push(Line::from(spans));
        rest = &rest[end..];
        let gap = rest.iter().take_while(|(it, _)| it == " ").count();
        rest = &rest[gap..];
        if rest.is_empty() {
            return rows;
        }
    }
}

/// How many pieces stand in a row: at least one, so that it goes on.
fn row_end(pieces: &[(String, Style)], columns: usize) -> usize {
    let mut used = 0;
    let fits = |(symbol, _): &&(String, Style)| {
        used += text::width(symbol);
        used <= columns
    };
    let most = pieces.iter().take_while(fits).count();
    if most == pieces.len() {
        return most;
    }
    let is_space = |at: &usize| pieces[*at].0 == " ";
    let begun = pieces.iter().take_while(|(it, _)| it == " ").count();
    let end = (begun + 1..=most).rev().find(is_space);
    // A long word is cut rather than leaving half of the row empty.
    end.filter(|end| *end * 2 > most).unwrap_or(most).max(1)
}

/// A text in at most so many columns; `…` says that there is more.
pub(super) fn cut(content: &str, columns: usize) -> String {
    if text::width(content) <= columns {
        return content.to_owned();
    }
    let rows = text::rows(content, columns.saturating_sub(1).max(1));
    let first = rows.first().map_or(&[][..], |row| &row.cells);
    match columns {
        0 => String::new(),
        1 => "…".to_owned(),
        _ => first.iter().map(|cell| cell.symbol).chain(["…"]).collect(),
    }
}

fn cut_line(line: Line<'_>, columns: usize) -> Line<'static> {
    let mut room = columns;
    let mut spans = Vec::new();
    for span in line.spans {
        let content = cut(&span.content, room);
        room -= text::width(&content).min(room);
        spans.push(Span::styled(content, span.style));
    }
    Line::from(spans)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str, columns: usize) -> Vec<String> {
        let rows = wrapped(&Line::from(line.to_owned()), columns);
        rows.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn words_are_kept_together_where_they_fit() {
        assert_eq!(shown("one two three", 9), ["one two", "  three"]);
        assert_eq!(shown("  abcdefghijkl", 12), ["  abcdefghij", "    kl"]);
        assert_eq!(shown("", 9), [""]);
        assert_eq!(shown("日本語", 1), ["日", "本", "語"]);
    }

    #[test]
    fn a_cut_text_says_so() {
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(
            (cut("abc", 1), cut("abc", 0)),
            ("…".to_owned(), String::new())
        );
    }
}
