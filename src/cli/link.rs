//! The daemon that is meant, also after it was restarted.

use std::time::Duration;

use super::{console::Console, failure::Failure};
use crate::client::{Client, ClientError, Which, find};

/// The first pause between two looks for a daemon that went away, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// The daemon that is meant.
pub(super) struct Link {
    which: Which,
    client: Client,
}

impl Link {
    /// Finds it.
    ///
    /// # Errors
    /// When it does not run.
    pub(super) fn find(which: Which) -> Result<Self, Failure> {
        let client = Client::new(find(&which)?);
        Ok(Self { which, client })
    }

    /// The one that runs now.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Looks for it, which went away, until it answers again; says once that it does.
    ///
    /// # Errors
    /// When it answers that it will not.
    pub(super) async fn again<T>(
        &mut self,
        console: &mut Console,
        mut ask: impl AsyncFnMut(&Client) -> Result<T, ClientError>,
    ) -> Result<T, Failure> {
        console.flush()?;
        console.note("reconnecting");
        let (mut pause, longest) = PAUSES;
        loop {
            tokio::time::sleep(pause).await;
            pause = longest.min(pause * 2);
            // It may have come back at another address.
            let Ok(target) = find(&self.which) else {
                continue;
            };
            let client = Client::new(target);
            match ask(&client).await {
                Ok(answer) => {
                    self.client = client;
                    return Ok(answer);
                }
                Err(error) if error.may_pass() => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}
