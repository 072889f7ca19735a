//! The heart: asks every actor whether it is there, and gives a sign of life when all of them are.
//!
//! One that hangs keeps the sign from being given, so the watchdog acts. One whose mailbox is closed
//! has panicked: that is known at once.

use std::{cell::RefCell, collections::BTreeSet, rc::Rc, time::Duration};

use actix::Recipient;
use bpm_actors::beat::Beat;
use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::time::sleep;

/// Who is asked. Clones share the list.
#[derive(Clone, Default)]
pub(in crate::daemon) struct Pulse(Rc<RefCell<Vec<Member>>>);

/// An actor and the name by which it is reported.
type Member = (String, Recipient<Beat>);

impl Pulse {
    /// From now on this one is asked as well.
    pub(in crate::daemon) fn add(&self, name: &str, actor: Recipient<Beat>) {
        self.0.borrow_mut().push((name.to_owned(), actor));
    }

    /// This one may end from now on.
    pub(in crate::daemon) fn remove(&self, actor: &Recipient<Beat>) {
        self.0.borrow_mut().retain(|(_, it)| it != actor);
    }

    fn has(&self, actor: &Recipient<Beat>) -> bool {
        self.0.borrow().iter().any(|(_, it)| it == actor)
    }
}

/// Asks all, gives a `sign` when all have answered, waits for `pause`, and so on. Returns the name of
/// one who is gone.
pub(super) async fn beat(pulse: &Pulse, pause: Duration, sign: impl Fn()) -> String {
    loop {
        if let Some(gone) = round(pulse, pause).await {
            return gone;
        }
        sign();
        sleep(pause).await;
    }
}

/// Returns when all have answered, or one is gone. Who has not answered for `patience` is named in the
/// log: afterwards nobody may be there to ask.
async fn round(pulse: &Pulse, patience: Duration) -> Option<String> {
    let all = pulse.0.borrow().clone();
    let mut silent: BTreeSet<String> = all.iter().map(|(name, _)| name.clone()).collect();
    let mut answers: FuturesUnordered<_> = all
        .into_iter()
        .map(|(name, actor)| async move {
            let answer = actor.send(Beat).await;
            (name, actor, answer)
        })
        .collect();
    let mut late = std::pin::pin!(sleep(patience));
    let mut named = false;
    loop {
        let answer = tokio::select! {
            answer = answers.next() => answer,
            () = &mut late, if !named => {
                named = true;
                let names: Vec<_> = silent.iter().map(String::as_str).collect();
                log::error!("no sign of life from {}: the watchdog will act", names.join(", "));
                continue;
            }
        };
        let (name, actor, answer) = answer?;
        // Who was taken off the list meanwhile may go.
        if answer.is_err() && pulse.has(&actor) {
            return Some(name);
        }
        silent.remove(&name);
    }
}

#[cfg(test)]
mod tests {
    use actix::prelude::*;
    use tokio::time::Instant;

    use super::*;

    /// Answers after a while, or never, or dies of it.
    enum Patient {
        After(Duration),
        Dies,
    }

    impl Actor for Patient {
        type Context = Context<Self>;
    }

    impl Handler<Beat> for Patient {
        type Result = ResponseFuture<()>;

        fn handle(&mut self, _: Beat, ctx: &mut Self::Context) -> Self::Result {
            match self {
                Self::After(time) => Box::pin(sleep(*time)),
                Self::Dies => {
                    ctx.terminate();
                    Box::pin(async {})
                }
            }
        }
    }

    const PAUSE: Duration = Duration::from_secs(10);

    fn with(actors: Vec<(&str, Patient)>) -> Pulse {
        let pulse = Pulse::default();
        for (name, actor) in actors {
            pulse.add(name, actor.start().recipient());
        }
        pulse
    }

    /// When signs were given within ten pauses, and who is gone.
    async fn signs(pulse: &Pulse) -> (Vec<Duration>, Option<String>) {
        tokio::time::pause();
        let (begun, signs) = (Instant::now(), RefCell::new(Vec::new()));
        let heart = beat(pulse, PAUSE, || signs.borrow_mut().push(begun.elapsed()));
        let gone = tokio::time::timeout(PAUSE * 10, heart).await.ok();
        (signs.into_inner(), gone)
    }

    #[actix::test]
    async fn as_long_as_all_answer_a_sign_is_given_at_once_and_after_every_pause() {
        let pulse = with(vec![
            ("a", Patient::After(Duration::ZERO)),
            ("b", Patient::After(Duration::from_secs(1))),
        ]);
        let (signs, gone) = signs(&pulse).await;
        assert_eq!(gone, None);
        let seconds: Vec<u64> = signs.iter().map(Duration::as_secs).collect();
        assert_eq!(seconds, [1, 12, 23, 34, 45, 56, 67, 78, 89]);
    }

    #[actix::test]
    async fn no_sign_is_given_while_one_is_silent() {
        let pulse = with(vec![
            ("a", Patient::After(Duration::ZERO)),
            ("b", Patient::After(PAUSE * 1000)),
        ]);
        assert_eq!(signs(&pulse).await, (vec![], None));
    }

    #[actix::test]
    async fn one_whose_mailbox_is_closed_is_named_and_no_further_sign_is_given() {
        let pulse = with(vec![
            ("a", Patient::After(Duration::ZERO)),
            ("b", Patient::Dies),
        ]);
        let (signs, gone) = signs(&pulse).await;
        assert!(signs.len() <= 1, "{signs:?}");
        assert_eq!(gone.as_deref(), Some("b"));
    }
}
