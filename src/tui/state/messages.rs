//! What the screen has to say, newest last.

use std::collections::VecDeque;

use tokio::time::Instant;

/// How a message is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// For information.
    Plain,
    /// Something went well.
    Good,
    /// Something is not as it should be.
    Warning,
    /// Something failed.
    Bad,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// When it was said.
    pub at: Instant,
    /// How it is meant.
    pub tone: Tone,
    /// In words.
    pub text: String,
}

/// The last messages.
#[derive(Debug, Default)]
pub struct Messages {
    said: VecDeque<Message>,
}

impl Messages {
    const KEPT: usize = 100;

    /// Says something. The same twice in a row is said once, with the newer time.
    pub fn say(&mut self, at: Instant, tone: Tone, text: impl Into<String>) {
        let text = text.into();
        if self.said.back().is_some_and(|last| last.text == text) {
            self.said.pop_back();
        }
        self.said.push_back(Message { at, tone, text });
        if self.said.len() > Self::KEPT {
            self.said.pop_front();
        }
    }

    /// The newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = &Message> {
        self.said.iter().rev()
    }
}
