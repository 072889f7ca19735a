//! The box where a pattern is typed, and the search that it begins.

use tokio::time::Instant;

use super::{
    Open, State,
    messages::Tone,
    prompt::{Purpose, Stroke},
    search::{self, Search, Way},
};

impl State {
    pub(super) fn type_in(&mut self, stroke: Stroke) {
        let Open::Prompt(prompt) = &mut self.open else {
            return;
        };
        prompt.apply(stroke);
        let purpose = prompt.purpose;
        if prompt.text.is_empty() {
            prompt.error = None;
            if purpose == Purpose::Search {
                self.search = self.earlier.clone();
            }
            return;
        }
        prompt.error = search::check(&prompt.text).err();
        // What is typed is highlighted at once.
        if purpose == Purpose::Search
            && let Ok(search) = Search::parse(&prompt.text)
        {
            self.search = Some(search);
        }
    }

    pub(super) fn accept(&mut self, now: Instant) {
        let Open::Prompt(prompt) = &mut self.open else {
            return;
        };
        let text = prompt.text.clone();
        if !text.is_empty()
            && let Err(why) = search::check(&text)
        {
            prompt.error = Some(why);
            return;
        }
        let purpose = prompt.purpose;
        self.open = Open::Nothing;
        match purpose {
            Purpose::Filter => {
                self.filter = (!text.is_empty()).then(|| text.as_str().into());
            }
            Purpose::Search if text.is_empty() => self.search = None,
            Purpose::Search => {
                match Search::parse(&text) {
                    Ok(search) => self.search = Some(search),
                    Err(why) => return self.messages.say(now, Tone::Bad, why),
                }
                // The newest is nearest.
                self.seek(Way::Up, now);
            }
        }
    }

    pub(super) fn close(&mut self) {
        if let Open::Prompt(prompt) = &self.open
            && prompt.purpose == Purpose::Search
        {
            self.search = self.earlier.take();
        }
        self.open = Open::Nothing;
    }

    /// Goes to the next match.
    pub(super) fn seek(&mut self, way: Way, now: Instant) {
        let lens = self.lens();
        let Some(topic) = self.topic() else {
            return;
        };
        let (Some(search), Some(pane)) = (&mut self.search, self.feeds.pane_mut(&topic)) else {
            return;
        };
        let visible = pane.visible(lens);
        let current = search
            .current(&topic)
            .filter(|it| pane.ring.entry(*it).is_some());
        let from = match (current, way) {
            (Some(current), Way::Down) => current + 1,
            (Some(current), Way::Up) => current - 1,
            (None, Way::Down) => visible.first().map_or(0, |row| row.entry),
            (None, Way::Up) => visible.last().map_or(0, |row| row.entry),
        };
        if let Some(found) = search.next(pane, from, way) {
            search.found(topic, found);
            pane.reveal(found, search, lens);
        } else if pane.ring.is_empty() && !pane.heard {
            let text = format!("lines are still loading; n finds {} then", search.text);
            self.messages.say(now, Tone::Plain, text);
        } else {
            let text = format!("nothing matches {}", search.text);
            self.messages.say(now, Tone::Warning, text);
        }
    }
}
