//! What the daemon's log is told by the thread of one test.

use std::cell::RefCell;

use log::{LevelFilter, Log, Metadata, Record};
use tokio::sync::mpsc;

thread_local! {
    static LISTENER: RefCell<Option<mpsc::UnboundedSender<String>>> = const { RefCell::new(None) };
}

struct Logger;

impl Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        LISTENER.with_borrow(|listener| {
            if let Some(listener) = listener {
                // The test may be over.
                let _ = listener.send(format!("{} {}", record.level(), record.args()));
            }
        });
    }

    fn flush(&self) {}
}

/// Every line from now on, with its level before it.
pub(super) fn listen() -> mpsc::UnboundedReceiver<String> {
    // Another test may have been first.
    let _ = log::set_logger(&Logger);
    log::set_max_level(LevelFilter::Info);
    let (tell, lines) = mpsc::unbounded_channel();
    LISTENER.set(Some(tell));
    lines
}
