//! Which panes exist and which of them are read: those that are shown, and the build of the chosen
//! process while it is built.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use super::{
    feed::{FeedId, Topic},
    pane::Pane,
    wish::Wish,
};

/// The panes, and the subscriptions that fill them.
#[derive(Debug, Default)]
pub struct Feeds {
    panes: BTreeMap<Topic, Kept>,
    open: BTreeMap<FeedId, Topic>,
    /// Topics whose subscription failed, and when it is tried again.
    resting: BTreeMap<Topic, Instant>,
    last_id: u64,
    clock: u64,
}

#[derive(Debug)]
struct Kept {
    pane: Pane,
    /// When it was wanted last, in rounds.
    used: u64,
}

impl Feeds {
    /// How many panes are kept; those not looked at for the longest time go first.
    const KEPT: usize = 8;
    /// How long a subscription that failed rests.
    const REST: Duration = Duration::from_secs(2);

    /// The pane of a topic.
    #[must_use]
    pub fn pane(&self, topic: &Topic) -> Option<&Pane> {
        self.panes.get(topic).map(|it| &it.pane)
    }

    /// The same, to change it.
    pub fn pane_mut(&mut self, topic: &Topic) -> Option<&mut Pane> {
        self.panes.get_mut(topic).map(|it| &mut it.pane)
    }

    /// The pane that a subscription fills; none when it was given up.
    pub fn filled_by(&mut self, feed: FeedId) -> Option<&mut Pane> {
        let topic = self.open.get(&feed)?;
        self.panes.get_mut(topic).map(|it| &mut it.pane)
    }

    /// The subscriptions are gone with the connection.
    pub fn cut(&mut self) {
        for topic in std::mem::take(&mut self.open).into_values() {
            self.falls_behind(&topic);
        }
        self.resting.clear();
    }

    /// A subscription has read all that there was; another one goes on from there.
    pub fn caught_up(&mut self, feed: FeedId) {
        if let Some(topic) = self.open.remove(&feed)
            && let Some(pane) = self.pane_mut(&topic)
        {
            pane.caught_up();
        }
    }

    /// A subscription ended by itself.
    pub fn ended(&mut self, feed: FeedId, why: String, now: Instant) {
        let Some(topic) = self.open.remove(&feed) else {
            return;
        };
        if let Some(pane) = self.pane_mut(&topic) {
            pane.trouble = Some(why);
            pane.falls_behind();
        }
        self.resting.insert(topic, now + Self::REST);
    }

    /// Gives a subscription up: what its pane holds has changed, so it must begin elsewhere.
    pub fn give_up(&mut self, topic: &Topic) -> Option<Wish> {
        let (feed, _) = self.open.iter().find(|(_, open)| *open == topic)?;
        let feed = *feed;
        self.open.remove(&feed);
        self.falls_behind(topic);
        Some(Wish::Unfollow(feed))
    }

    fn falls_behind(&mut self, topic: &Topic) {
        if let Some(pane) = self.pane_mut(topic) {
            pane.falls_behind();
        }
    }

    /// Opens and closes subscriptions so that these topics are read.
    pub fn want(&mut self, wanted: &[Topic], now: Instant) -> Vec<Wish> {
        self.clock += 1;
        for topic in wanted {
            let new = || Kept {
                pane: Pane::new(topic.clone()),
                used: 0,
            };
            self.panes.entry(topic.clone()).or_insert_with(new).used = self.clock;
        }
        for (_, kept) in self.panes.iter_mut().filter(|(it, _)| !wanted.contains(it)) {
            kept.pane.laid.forget();
        }
        while self.panes.len() > Self::KEPT {
            let oldest = self.panes.iter().min_by_key(|(_, kept)| kept.used);
            let Some(topic) = oldest.map(|(topic, _)| topic.clone()) else {
                break;
            };
            self.panes.remove(&topic);
        }
        self.resting.retain(|_, until| *until > now);

        let takes = |topic: &Topic| self.panes.get(topic).is_some_and(|it| it.pane.takes_more());
        let is_read = |topic: &Topic| wanted.contains(topic) && takes(topic);
        let surplus = self.open.iter().filter(|(_, topic)| !is_read(topic));
        let surplus: Vec<FeedId> = surplus.map(|(feed, _)| *feed).collect();
        let missing: Vec<Topic> = wanted
            .iter()
            .filter(|topic| is_read(topic) && !self.resting.contains_key(topic))
            .filter(|topic| !self.open.values().any(|open| open == *topic))
            .cloned()
            .collect();
        for feed in &surplus {
            if let Some(topic) = self.open.remove(feed) {
                self.falls_behind(&topic);
            }
        }
        let mut wishes: Vec<Wish> = surplus.into_iter().map(Wish::Unfollow).collect();
        for topic in missing {
            self.last_id += 1;
            let feed = FeedId(self.last_id);
            let Some(pane) = self.pane_mut(&topic) else {
                continue;
            };
            let (after, reach) = (pane.resume(), pane.begins());
            self.open.insert(feed, topic.clone());
            wishes.push(Wish::Follow {
                feed,
                topic,
                after,
                reach,
            });
        }
        wishes
    }
}
