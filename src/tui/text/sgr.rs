//! What `ESC [ … m` asks for.

use ratatui::style::{Color, Modifier, Style};

/// The style that holds behind a sequence with these parameters. Unknown ones change nothing.
pub(super) fn applied(style: Style, parameters: &str) -> Style {
    let mut style = style;
    let mut groups = parameters.split(';');
    while let Some(group) = groups.next() {
        let mut numbers = group.split(':').map(number);
        let Some(first) = numbers.next().flatten() else {
            continue;
        };
        style = match first {
            // Colours in their long form: the rest stands behind colons, or in the groups that follow.
            38 | 48 | 58 => {
                let color = if group.contains(':') {
                    let parts: Vec<Option<u8>> = numbers.collect();
                    with_colons(&parts)
                } else {
                    long_color(&mut groups.by_ref().map(number))
                };
                match (color, first) {
                    (None, _) => style,
                    (Some(color), 38) => style.fg(color),
                    (Some(color), 48) => style.bg(color),
                    (Some(color), _) => style.underline_color(color),
                }
            }
            // 4:0 is no underline, 4:3 a curly one.
            4 if numbers.next() == Some(Some(0)) => style.remove_modifier(Modifier::UNDERLINED),
            other => simple(style, other),
        };
    }
    style
}

fn simple(style: Style, number: u8) -> Style {
    match number {
        0 => Style::reset(),
        1 => style.add_modifier(Modifier::BOLD),
        2 => style.add_modifier(Modifier::DIM),
        3 => style.add_modifier(Modifier::ITALIC),
        4 | 21 => style.add_modifier(Modifier::UNDERLINED),
        7 => style.add_modifier(Modifier::REVERSED),
        9 => style.add_modifier(Modifier::CROSSED_OUT),
        22 => style.remove_modifier(Modifier::BOLD | Modifier::DIM),
        23 => style.remove_modifier(Modifier::ITALIC),
        24 => style.remove_modifier(Modifier::UNDERLINED),
        27 => style.remove_modifier(Modifier::REVERSED),
        29 => style.remove_modifier(Modifier::CROSSED_OUT),
        30..=37 => style.fg(Color::Indexed(number - 30)),
        39 => style.fg(Color::Reset),
        40..=47 => style.bg(Color::Indexed(number - 40)),
        49 => style.bg(Color::Reset),
        59 => style.underline_color(Color::Reset),
        90..=97 => style.fg(Color::Indexed(number - 90 + 8)),
        100..=107 => style.bg(Color::Indexed(number - 100 + 8)),
        // Blinking and hidden text serve nobody in a log.
        _ => style,
    }
}

/// `5;N` or `2;R;G;B`.
fn long_color(numbers: &mut impl Iterator<Item = Option<u8>>) -> Option<Color> {
    let mut next = || numbers.next().flatten();
    match next()? {
        5 => Some(Color::Indexed(next()?)),
        2 => Some(Color::Rgb(next()?, next()?, next()?)),
        _ => None,
    }
}

/// `5:N`, `2:R:G:B` or `2:SPACE:R:G:B`.
fn with_colons(parts: &[Option<u8>]) -> Option<Color> {
    match parts {
        [Some(5), Some(index), ..] => Some(Color::Indexed(*index)),
        [Some(2), _, Some(red), Some(green), Some(blue), ..]
        | [Some(2), Some(red), Some(green), Some(blue)] => Some(Color::Rgb(*red, *green, *blue)),
        _ => None,
    }
}

/// An empty parameter is 0.
fn number(text: &str) -> Option<u8> {
    if text.is_empty() {
        Some(0)
    } else {
        text.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_colour_is_understood() {
        let cases = [
            ("31", Style::new().fg(Color::Indexed(1))),
            (
                "97;44",
                Style::new().fg(Color::Indexed(15)).bg(Color::Indexed(4)),
            ),
            ("38;5;208", Style::new().fg(Color::Indexed(208))),
            ("48;2;1;2;3;1", Style::new().bg(Color::Rgb(1, 2, 3)).bold()),
            ("38:2::1:2:3", Style::new().fg(Color::Rgb(1, 2, 3))),
            ("38:2:1:2:3", Style::new().fg(Color::Rgb(1, 2, 3))),
            (
                "4:3;58:5:9",
                Style::new().underlined().underline_color(Color::Indexed(9)),
            ),
            ("", Style::reset()),
            ("1;;3", Style::reset().italic()),
        ];
        for (parameters, style) in cases {
            assert_eq!(applied(Style::new(), parameters), style, "{parameters:?}");
        }
    }

    #[test]
    fn nonsense_changes_nothing() {
        for parameters in ["38", "38;9", "999", "38;2;1;2", "38:5", "58;7", "256;300"] {
            assert_eq!(
                applied(Style::new(), parameters),
                Style::new(),
                "{parameters:?}"
            );
        }
    }
}
