//! What happened, as `/api/events` tells it.

use bpm_actors::{report::StateName, spec::Mode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{error::ClientError, sse::ServerSent};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// Its number; it rises, also over restarts of the daemon.
    pub id: u64,
    /// Of which kind: those of a status's events, `state`, `mode`, and `gap` where events that were
    /// asked for are gone. Text, so that a newer daemon's kinds can be shown.
    pub kind: String,
    /// Whose; `None` where it is about all.
    pub process: Option<String>,
    /// When.
    pub at: Timestamp,
    /// In words; may be empty.
    pub text: String,
    /// The state from now on, where that changed and is one that is known here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<StateName>,
    /// Whether a child works from now on, where the state changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serving: Option<bool>,
    /// The run that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<u64>,
    /// The mode from now on, where that changed and is one that is known here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
}

/// The data of an event.
#[derive(Deserialize)]
struct Told {
    #[serde(default)]
    process: Option<String>,
    #[serde(default)]
    at: Option<Timestamp>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    state: Option<Word<StateName>>,
    #[serde(default)]
    serving: Option<bool>,
    #[serde(default)]
    run: Option<u64>,
    #[serde(default)]
    mode: Option<Word<Mode>>,
}

/// A word, which a newer daemon may have more of.
#[derive(Deserialize)]
#[serde(untagged)]
enum Word<T> {
    Known(T),
    New(String),
}

impl<T: Copy> Word<T> {
    fn known(&self) -> Option<T> {
        match self {
            Self::Known(word) => Some(*word),
            Self::New(_) => None,
        }
    }

    fn unknown(self) -> Option<String> {
        match self {
            Self::Known(_) => None,
            Self::New(word) => Some(word),
        }
    }
}

impl Event {
    /// The kind that says that events are missing before this place.
    pub const GAP: &'static str = "gap";
    /// The kind that says that the state of a process, or whether it serves, has changed.
    pub const STATE: &'static str = "state";

    /// Reads what was sent.
    ///
    /// # Errors
    /// When it is no event of a daemon.
    pub fn read(sent: &ServerSent) -> Result<Self, ClientError> {
        let told: Told = serde_json::from_str(&sent.data)
            .map_err(|error| ClientError::Unintelligible(format!("an event: {error}")))?;
        let state = told.state.as_ref().and_then(Word::known);
        let mode = told.mode.as_ref().and_then(Word::known);
        // What there is no name for here is told as it came, at least.
        let word = told.state.and_then(Word::unknown);
        let word = word.or_else(|| told.mode.and_then(Word::unknown));
        let text = told.text.filter(|text| !text.is_empty()).or(word);
        Ok(Self {
            // One without an id says nothing to resume from.
            id: sent.id.parse().unwrap_or_default(),
            kind: sent.kind.clone(),
            process: told.process,
            at: told.at.unwrap_or_else(Timestamp::now),
            text: text.unwrap_or_default(),
            state,
            serving: told.serving,
            run: told.run,
            mode,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: &str, data: &str) -> Result<Event, ClientError> {
        Event::read(&ServerSent {
            id: "42".to_owned(),
            kind: kind.to_owned(),
            data: data.to_owned(),
        })
    }

    #[test]
    fn a_change_of_state_says_which() {
        let event = read(
            "state",
            r#"{"process":"main","at":"2026-11-23T10:00:00Z","kind":"state","text":"","state":"backing_off","serving":false,"run":7,"new":1}"#,
        )
        .unwrap();
        assert_eq!(event.id, 42);
        assert_eq!(event.process.as_deref(), Some("main"));
        assert_eq!(event.state, Some(StateName::BackingOff));
        assert_eq!((event.serving, event.run), (Some(false), Some(7)));
        assert_eq!(event.mode, None);
    }

    #[test]
    fn what_is_missing_or_null_is_unknown_and_nonsense_is_an_error() {
        let event = read("mode", r#"{"process":null,"mode":"dev"}"#).unwrap();
        assert_eq!((event.process, event.mode), (None, Some(Mode::Dev)));
        assert!(read("gap", "{}").is_ok());
        assert!(matches!(
            read("gap", "gone"),
            Err(ClientError::Unintelligible(_))
        ));
    }

    #[test]
    fn a_word_of_a_newer_daemon_is_told_as_it_came() {
        let event = read("state", r#"{"process":"main","state":"frozen","text":""}"#).unwrap();
        assert_eq!((event.state, event.text.as_str()), (None, "frozen"));
        let event = read("mode", r#"{"mode":"bench","text":"now bench"}"#).unwrap();
        assert_eq!((event.mode, event.text.as_str()), (None, "now bench"));
        assert!(read("mode", r#"{"mode":5}"#).is_err());
    }

    #[test]
    fn as_json_it_is_one_flat_object() {
        let data = r#"{"process":"main","at":"2026-11-23T10:00:00Z","text":"up (run 7)"}"#;
        assert_eq!(
            serde_json::to_string(&read("started", data).unwrap()).unwrap(),
            r#"{"id":42,"kind":"started","process":"main","at":"2026-11-23T10:00:00Z","text":"up (run 7)"}"#
        );
    }
}
