//! What the screen has to say, newest last.

use std::collections::VecDeque;

use tokio::time::Instant;

use crate::tui::text;

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
    /// How often it happened; the words are those of the last time.
    pub times: usize,
    about: Option<About>,
}

/// What a message is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Which process.
    pub process: Option<String>,
    /// What happened to it; what happens again and again is said once.
    pub kind: Kind,
}

/// What happened to a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// By itself, in the API's words.
    Event(String),
    /// By an order, whose answer is said each time.
    Answer,
}

/// The last messages.
#[derive(Debug, Default)]
pub struct Messages {
    said: VecDeque<Message>,
}

impl Messages {
    const KEPT: usize = 100;
    /// So many characters of a message are kept.
    const LONGEST: usize = 500;

    /// Says something. The same twice in a row is said once, with the newer time.
    pub fn say(&mut self, at: Instant, tone: Tone, text: impl Into<String>) {
        let text = text::head(text.into(), Self::LONGEST);
        let before = self.said.pop_back_if(|last| last.text == text);
        self.push(at, tone, text, None, before);
    }

    /// Says what happened to a process. The same kind of event twice in a row, of this process, is said
    /// once, with the newer time and words: a crash loop is one message.
    pub fn say_about(&mut self, at: Instant, tone: Tone, text: impl Into<String>, about: About) {
        let text = text::head(text.into(), Self::LONGEST);
        let of_process = |it: &Message| {
            let other = it.about.as_ref();
            other.is_some_and(|it| it.process == about.process)
        };
        let last = self.said.iter().rposition(of_process);
        let is_same = |at: &usize| {
            about.kind != Kind::Answer && self.said[*at].about.as_ref() == Some(&about)
        };
        let before = last.filter(is_same).and_then(|at| self.said.remove(at));
        self.push(at, tone, text, Some(about), before);
    }

    /// The newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = &Message> {
        self.said.iter().rev()
    }

    fn push(
        &mut self,
        at: Instant,
        tone: Tone,
        text: String,
        about: Option<About>,
        before: Option<Message>,
    ) {
        self.said.push_back(Message {
            at,
            tone,
            text,
            times: before.map_or(0, |it| it.times) + 1,
            about,
        });
        if self.said.len() > Self::KEPT {
            self.said.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(messages: &Messages) -> Vec<(usize, &str)> {
        let newest = messages.newest_first();
        newest.map(|it| (it.times, it.text.as_str())).collect()
    }

    #[test]
    fn a_crash_loop_is_one_message_of_each_process_until_something_else_happens_to_it() {
        let now = Instant::now();
        let mut messages = Messages::default();
        let about = |process: &str, kind| About {
            process: Some(process.to_owned()),
            kind,
        };
        let crashed = || Kind::Event("crashed".to_owned());
        for run in 1..=300 {
            for process in ["main", "web"] {
                let text = format!("{process} crashed: run {run}");
                messages.say_about(now, Tone::Bad, text, about(process, crashed()));
            }
        }
        let loops = [
            (300, "web crashed: run 300"),
            (300, "main crashed: run 300"),
        ];
        assert_eq!(said(&messages), loops);
        for _ in 0..2 {
            let answer = about("main", Kind::Answer);
            messages.say_about(now, Tone::Good, "main: restarted", answer);
        }
        messages.say_about(now, Tone::Bad, "main crashed", about("main", crashed()));
        let newer = [
            (1, "main crashed"),
            (1, "main: restarted"),
            (1, "main: restarted"),
        ];
        assert_eq!(said(&messages)[..3], newer);
    }

    #[test]
    fn what_is_said_twice_in_a_row_is_counted_and_nothing_is_endless() {
        let now = Instant::now();
        let mut messages = Messages::default();
        messages.say(now, Tone::Plain, "nothing to copy");
        messages.say(now, Tone::Plain, "nothing to copy");
        assert_eq!(said(&messages), [(2, "nothing to copy")]);
        messages.say(now, Tone::Plain, "x".repeat(100_000));
        let newest = messages.newest_first().next().unwrap();
        assert_eq!(newest.text.chars().count(), Messages::LONGEST + 1);
    }
}
