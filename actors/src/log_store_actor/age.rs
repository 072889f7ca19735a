//! Files of the history leave when they have become too old, however quiet everybody is.

use actix::prelude::*;

use super::LogStoreActor;
use crate::logs::archive::Archive;

/// Fact, told by the store to itself: a file of the history has become too old.
#[derive(Message)]
#[rtype(result = "()")]
struct Aged;

impl Handler<Aged> for LogStoreActor {
    type Result = ();

    fn handle(&mut self, _: Aged, ctx: &mut Self::Context) {
        self.age = None;
        if let Some(archive) = &mut self.archive {
            archive.let_go();
        }
        self.watch_age(ctx);
    }
}

impl LogStoreActor {
    /// Sets the alarm for the next file of the history that becomes too old, unless it is set: one
    /// that rings too early just sets the next.
    pub(super) fn watch_age(&mut self, ctx: &mut Context<Self>) {
        if self.age.is_some() {
            return;
        }
        let due = self.archive.as_ref().and_then(Archive::until_due);
        // Days may pass: it does not keep alive whom nobody needs any more.
        let store = ctx.address().downgrade();
        self.age = due.map(|wait| {
            actix::spawn(async move {
                tokio::time::sleep(wait).await;
                if let Some(store) = store.upgrade() {
                    store.do_send(Aged);
                }
            })
        });
    }
}
