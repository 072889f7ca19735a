//! What tells how old a file is: the clock that people see, because files carry its times. A test has
//! one of its own.

use std::{fmt, time::SystemTime};

/// Tells the time.
pub(crate) struct Clock(Box<dyn Fn() -> SystemTime + Send>);

impl Clock {
    /// One that tells this.
    #[cfg(test)]
    pub(crate) fn new(now: impl Fn() -> SystemTime + Send + 'static) -> Self {
        Self(Box::new(now))
    }

    pub(super) fn now(&self) -> SystemTime {
        (self.0)()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self(Box::new(SystemTime::now))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
