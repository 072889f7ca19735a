//! The heartbeat: whoever answers is alive and gets to its messages.
//!
//! The daemon asks each of the actors in turn before it tells a watchdog that all is well. An actor
//! that hangs does not answer, and the mailbox of one that panicked is closed.

/// Question: are you there? Answered at once by the log store, the builder, the idle clock and every
/// process.
#[derive(Clone, Copy, Debug, actix::Message)]
#[rtype(result = "()")]
pub struct Beat;

/// Names a file, for tests of the watchdog: `main hangs` in it makes the actor of `main` hang at its
/// next beat, for ever, and `main panics` makes it panic. Debug builds only.
#[cfg(debug_assertions)]
pub const FAULT: &str = "BPM_TEST_FAULT";

/// Makes `actor` answer to [`Beat`].
macro_rules! beats {
    ($actor:ty, $name:expr) => {
        impl actix::Handler<$crate::beat::Beat> for $actor {
            type Result = ();

            fn handle(&mut self, _: $crate::beat::Beat, _: &mut Self::Context) {
                let name: fn(&Self) -> &str = $name;
                $crate::beat::pass(name(self));
            }
        }
    };
}
pub(crate) use beats;

/// Where a test wants this actor to fail, it does not return.
#[cfg(debug_assertions)]
pub(crate) fn pass(name: &str) {
    let Some(file) = std::env::var_os(FAULT) else {
        return;
    };
    let fault = std::fs::read_to_string(file).unwrap_or_default();
    match fault.trim().strip_prefix(name) {
        Some(" hangs") => loop {
            std::thread::park();
        },
        Some(" panics") => panic!("{name} panics, as a test wants it"),
        _ => {}
    }
}

/// Does nothing.
#[cfg(not(debug_assertions))]
pub(crate) fn pass(_: &str) {}
