//! An answer that takes time and is given up when nobody waits for it any more.

use std::pin::Pin;

use actix::{dev::OneshotSender, prelude::*};

/// Like [`ResponseFuture`], but dropped as soon as the asker is gone.
pub struct Answer<T>(Pin<Box<dyn Future<Output = T>>>);

impl<T> Answer<T> {
    pub(super) fn new(work: impl Future<Output = T> + 'static) -> Self {
        Self(Box::pin(work))
    }
}

impl<A, M> actix::dev::MessageResponse<A, M> for Answer<M::Result>
where
    A: Actor,
    M: Message,
{
    fn handle(self, _: &mut A::Context, asker: Option<OneshotSender<M::Result>>) {
        let Some(mut asker) = asker else {
            return;
        };
        actix::spawn(async move {
            let answer = tokio::select! {
                answer = self.0 => Some(answer),
                () = asker.closed() => None,
            };
            if let Some(answer) = answer {
                // He may have left at this very moment.
                let _ = asker.send(answer);
            }
        });
    }
}
