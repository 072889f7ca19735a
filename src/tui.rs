//! The terminal UI.
//!
//! A message becomes a change of the [`state`] and wishes; the loop in here performs the wishes and
//! draws. The rooms: [`conn`] (the daemon), [`state`] (what is known, pure), [`view`] (drawing, pure),
//! [`input`] (keys and mouse), [`term`] (the terminal), [`text`] (printed lines made fit to be shown).
//!
//! It draws when something happened, at most 30 times a second, and once a second for what counts
//! seconds. What it shows it has from the HTTP API alone: an agent can read the same.

pub mod arguments;
pub mod conn;
pub mod input;
pub mod state;
pub mod term;
pub mod text;
pub mod view;

use std::{env, io, time::Duration};

use crossterm::event::{Event, EventStream};
use futures_util::StreamExt;
use jiff::tz::TimeZone;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{self, Instant, MissedTickBehavior},
};

use self::{
    conn::Conn,
    state::{Message, State, Wish, layout::Overflow},
    term::Screen,
    view::Colors,
};
use crate::client::Which;

/// The shortest time between two pictures.
const FRAME: Duration = Duration::from_millis(33);
/// What counts seconds is drawn as often.
const TICK: Duration = Duration::from_secs(1);

/// Shows this daemon until the person quits, or a signal says so.
///
/// # Errors
/// When the terminal cannot be used.
pub fn run(which: Which) -> io::Result<()> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(show(which))
}

async fn show(which: Which) -> io::Result<()> {
    let mut ended = [
        signal(SignalKind::terminate())?,
        signal(SignalKind::hangup())?,
        signal(SignalKind::interrupt())?,
        signal(SignalKind::quit())?,
    ];
    let [terminate, hangup, interrupt, quit] = &mut ended;
    let mut screen = Screen::take()?;
    let (width, height) = screen.size()?;
    let mut state = State::new(width, height, TimeZone::system());
    let (mut conn, mut messages) = Conn::begin(which);
    let mut events = EventStream::new();
    let mut tick = time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let colors = colors();
    let mut drawn = Instant::now() - FRAME;
    let mut is_drawn = false;
    loop {
        let message = tokio::select! {
            // Keys first: however much is printed, the screen obeys.
            biased;
            _ = terminate.recv() => return Ok(()),
            _ = hangup.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = quit.recv() => return Ok(()),
            event = events.next() => match event {
                Some(Ok(event)) => message(&event, &state),
                // The terminal is gone.
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            },
            () = time::sleep_until(drawn + FRAME), if !is_drawn => {
                let now = Instant::now();
                let mut overflow = Overflow::default();
                screen.draw(|frame| overflow = view::draw(frame, &state, now, colors))?;
                state.overflow = overflow;
                (drawn, is_drawn) = (now, true);
                None
            }
            Some(message) = messages.recv() => Some(message),
            _ = tick.tick() => Some(Message::Tick),
        };
        let Some(message) = message else {
            continue;
        };
        if let Message::Link(_) = message {
            conn.cut();
        }
        for wish in state.update(message, Instant::now()) {
            match wish {
                Wish::Quit => return Ok(()),
                Wish::Copy(text) => screen.copy(&text)?,
                wish => conn.perform(wish),
            }
        }
        is_drawn = false;
    }
}

fn message(event: &Event, state: &State) -> Option<Message> {
    if let Event::Resize(width, height) = *event {
        return Some(Message::Resized { width, height });
    }
    input::action(event, &state.open).map(Message::Action)
}

/// As <https://no-color.org> says.
fn colors() -> Colors {
    match env::var_os("NO_COLOR") {
        Some(value) if !value.is_empty() => Colors::None,
        _ => Colors::Some,
    }
}
