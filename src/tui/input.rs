//! Keys and mouse become actions. One table says what each key does; the box that explains the keys
//! and the line at the bottom are made from it, so that they never say anything else.

use crossterm::event::{
    Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};

use super::state::{
    Open,
    action::{Action, Gesture, Mouse},
    prompt::Stroke,
};

struct Binding {
    keys: &'static [KeyCode],
    /// How the box calls them.
    shown: &'static str,
    help: &'static str,
    /// What the line at the bottom says, if it mentions it.
    brief: Option<&'static str>,
    action: Action,
}

const fn key(
    keys: &'static [KeyCode],
    shown: &'static str,
    help: &'static str,
    action: Action,
) -> Binding {
    Binding {
        keys,
        shown,
        help,
        brief: None,
        action,
    }
}

impl Binding {
    const fn brief(mut self, word: &'static str) -> Self {
        self.brief = Some(word);
        self
    }
}

use KeyCode::Char;

const KEYS: &[Binding] = &[
    key(
        &[KeyCode::Up, Char('k')],
        "↑ k",
        "the process above; scroll up",
        Action::Up,
    ),
    key(
        &[KeyCode::Down, Char('j')],
        "↓ j",
        "the process below; scroll down",
        Action::Down,
    ),
    key(
        &[KeyCode::Enter],
        "Enter",
        "ask the daemon again",
        Action::Refresh,
    ),
    key(
        &[Char('r')],
        "r",
        "restart: build, then swap",
        Action::Restart,
    )
    .brief("restart"),
    key(
        &[Char('s')],
        "s",
        "stop, or start what is stopped",
        Action::StopOrStart,
    )
    .brief("stop/start"),
    key(
        &[Char('b')],
        "b",
        "the build's log, or the output",
        Action::BuildOrOutput,
    )
    .brief("build"),
    key(
        &[Char('/')],
        "/",
        "search a regex; a capital makes case count",
        Action::Search,
    )
    .brief("search"),
    key(&[Char('n')], "n", "next match", Action::NextMatch),
    key(&[Char('N')], "N", "match before", Action::PreviousMatch),
    key(
        &[Char('f')],
        "f",
        "only lines that match a regex; case as /",
        Action::Filter,
    )
    .brief("filter"),
    key(
        &[Char('l')],
        "l",
        "only info, warnings, errors; all",
        Action::Level,
    )
    .brief("level"),
    key(
        &[Char('a')],
        "a",
        "all processes merged, or one",
        Action::All,
    )
    .brief("all"),
    key(
        &[KeyCode::PageUp],
        "PgUp",
        "a page up, also into the history",
        Action::PageUp,
    ),
    key(
        &[KeyCode::PageDown],
        "PgDn",
        "a page down",
        Action::PageDown,
    ),
    key(
        &[Char('g'), KeyCode::Home],
        "g Home",
        "to the top",
        Action::Top,
    ),
    key(
        &[Char('G'), KeyCode::End],
        "G End",
        "to the end, and follow",
        Action::Bottom,
    ),
    key(
        &[KeyCode::Left],
        "←",
        "to the left, where lines are cut",
        Action::Left,
    ),
    key(&[KeyCode::Right], "→", "to the right", Action::Right),
    key(
        &[Char('w')],
        "w",
        "wrap long lines, or cut them",
        Action::Wrap,
    ),
    key(&[Char('t')], "t", "times of the lines", Action::Times),
    key(
        &[Char('c')],
        "c",
        "clear the panel; the history stays",
        Action::Clear,
    ),
    key(
        &[Char('y')],
        "y",
        "copy the selection or a line",
        Action::Copy,
    ),
    key(&[Char('z')], "z", "one panel only, or all", Action::Zoom).brief("zoom"),
    key(
        &[KeyCode::Tab],
        "Tab",
        "focus the next panel",
        Action::FocusNext,
    ),
    key(
        &[KeyCode::BackTab],
        "Shift-Tab",
        "focus the panel before",
        Action::FocusPrevious,
    ),
    key(&[Char('?')], "?", "this box", Action::Help).brief("help"),
    key(&[Char('q')], "q Ctrl-C", "quit", Action::Quit).brief("quit"),
    key(
        &[KeyCode::Esc],
        "Esc",
        "close the box, else quit",
        Action::Close,
    ),
];

const MOUSE: &[(&str, &str)] = &[
    ("click", "focus a panel, choose a process, mark a line"),
    ("drag", "select text; y copies it"),
    ("wheel", "scroll what is under the pointer"),
];

/// What the keys and the mouse do, for the box.
#[must_use]
pub fn help() -> Vec<(String, &'static str)> {
    let keys = KEYS.iter().map(|it| (it.shown, it.help));
    let all = keys.chain(MOUSE.iter().copied());
    all.map(|(key, help)| (key.to_owned(), help)).collect()
}

/// The keys that are needed most, for the line at the bottom; the most important first.
pub fn footer() -> impl Iterator<Item = (&'static str, &'static str)> {
    let rank = |it: &&Binding| match it.action {
        Action::Help => 0,
        Action::Quit => 1,
        _ => 2,
    };
    let mut named: Vec<&Binding> = KEYS.iter().filter(|it| it.brief.is_some()).collect();
    named.sort_by_key(rank);
    let short = |shown: &'static str| shown.split(' ').next().unwrap_or(shown);
    let pairs = named.into_iter();
    pairs.filter_map(move |it| Some((short(it.shown), it.brief?)))
}

/// What something at the keyboard or the mouse asks for.
#[must_use]
pub fn action(event: &Event, open: &Open) -> Option<Action> {
    match (event, open) {
        (Event::Key(key), _) if key.kind == KeyEventKind::Release => None,
        // Esc and another key close together look like Alt and that key.
        (Event::Key(key), Open::Prompt(_) | Open::Help(_))
            if key.modifiers.contains(KeyModifiers::ALT) =>
        {
            Some(Action::Close)
        }
        (Event::Key(key), Open::Prompt(_)) => typed(*key),
        (Event::Key(key), Open::Nothing | Open::Help(_)) => pressed(*key),
        (Event::Mouse(mouse), _) => gesture(*mouse),
        (Event::Paste(text), Open::Prompt(_)) => Some(Action::Type(Stroke::Insert(text.clone()))),
        _ => None,
    }
}

fn pressed(key: KeyEvent) -> Option<Action> {
    let commands = KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SUPER;
    if key.modifiers.intersects(commands) {
        let is_interrupt = key.code == Char('c') && key.modifiers == KeyModifiers::CONTROL;
        return is_interrupt.then_some(Action::Quit);
    }
    let bound = KEYS.iter().find(|it| it.keys.contains(&key.code));
    bound.map(|it| it.action.clone())
}

fn typed(key: KeyEvent) -> Option<Action> {
    let stroke = if key.modifiers.contains(KeyModifiers::CONTROL) {
        match key.code {
            Char('c') => return Some(Action::Close),
            Char('u') => Stroke::EraseToStart,
            // What Backspace sends in some terminals.
            Char('h') => Stroke::Backspace,
            Char('w') => Stroke::EraseWord,
            Char('a') => Stroke::Home,
            Char('e') => Stroke::End,
            _ => return None,
        }
    } else {
        match key.code {
            KeyCode::Enter => return Some(Action::Accept),
            KeyCode::Esc => return Some(Action::Close),
            Char(char) => Stroke::Insert(char.to_string()),
            KeyCode::Backspace => Stroke::Backspace,
            KeyCode::Delete => Stroke::Delete,
            KeyCode::Left => Stroke::Left,
            KeyCode::Right => Stroke::Right,
            KeyCode::Home => Stroke::Home,
            KeyCode::End => Stroke::End,
            _ => return None,
        }
    };
    Some(Action::Type(stroke))
}

fn gesture(mouse: MouseEvent) -> Option<Action> {
    let gesture = match mouse.kind {
        MouseEventKind::Down(MouseButton::Left) => Gesture::Press,
        MouseEventKind::Drag(MouseButton::Left) => Gesture::Drag,
        MouseEventKind::Up(MouseButton::Left) => Gesture::Release,
        MouseEventKind::ScrollUp => Gesture::WheelUp,
        MouseEventKind::ScrollDown => Gesture::WheelDown,
        _ => return None,
    };
    Some(Action::Mouse(Mouse {
        gesture,
        column: mouse.column,
        row: mouse.row,
    }))
}

#[cfg(test)]
mod tests {
    use crate::tui::state::prompt::{Prompt, Purpose};

    use super::*;

    fn key_event(code: KeyCode, modifiers: KeyModifiers) -> Event {
        Event::Key(KeyEvent::new(code, modifiers))
    }

    #[test]
    fn no_key_is_bound_twice() {
        let keys: Vec<KeyCode> = KEYS.iter().flat_map(|it| it.keys).copied().collect();
        for (at, key) in keys.iter().enumerate() {
            assert!(!keys[..at].contains(key), "{key}");
        }
    }

    #[test]
    fn a_capital_is_another_key_and_control_is_none() {
        let at = |code, modifiers| action(&key_event(code, modifiers), &Open::Nothing);
        assert_eq!(
            at(Char('N'), KeyModifiers::SHIFT),
            Some(Action::PreviousMatch)
        );
        assert_eq!(at(Char('n'), KeyModifiers::NONE), Some(Action::NextMatch));
        assert_eq!(at(Char('r'), KeyModifiers::CONTROL), None);
        assert_eq!(at(Char('c'), KeyModifiers::CONTROL), Some(Action::Quit));
    }

    #[test]
    fn while_something_is_typed_letters_are_letters() {
        let open = Open::Prompt(Prompt::new(Purpose::Search, ""));
        let insert = |text: &str| Some(Action::Type(Stroke::Insert(text.to_owned())));
        assert_eq!(
            action(&key_event(Char('q'), KeyModifiers::NONE), &open),
            insert("q")
        );
        assert_eq!(
            action(&Event::Paste("a b".to_owned()), &open),
            insert("a b")
        );
        assert_eq!(
            action(&Event::Paste("a b".to_owned()), &Open::Nothing),
            None
        );
        let erased = |letter| action(&key_event(Char(letter), KeyModifiers::CONTROL), &open);
        assert_eq!(erased('h'), Some(Action::Type(Stroke::Backspace)));
        assert_eq!(erased('w'), Some(Action::Type(Stroke::EraseWord)));
        let hasty = key_event(Char('b'), KeyModifiers::ALT);
        assert_eq!(action(&hasty, &open), Some(Action::Close));
        assert_eq!(action(&hasty, &Open::Nothing), None);
        let escape = key_event(KeyCode::Esc, KeyModifiers::NONE);
        assert_eq!(action(&escape, &open), Some(Action::Close));
    }
}
