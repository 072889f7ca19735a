//! The daemon that is meant, also after it was restarted.

use std::{path::PathBuf, time::Duration};

use tokio::time::Instant;

use super::{code::Code, console::Console, failure::Failure};
use crate::{
    client::{Client, ClientError, FindError, Target, Which, find},
    config::FILE_NAME,
};

/// The first pause between two looks for a daemon that went away, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// How long a configuration may be missing before the project counts as gone: who writes a file anew may
/// remove it first.
const MISSING: Duration = Duration::from_secs(2);

/// The daemon that is meant.
pub(super) struct Link {
    which: Which,
    /// Its project, if that is known.
    project: Option<PathBuf>,
    client: Client,
}

impl Link {
    /// Finds it.
    ///
    /// # Errors
    /// When it does not run.
    pub(super) fn find(which: Which) -> Result<Self, Failure> {
        let target = find(&which)?;
        let project = target.project_dir.clone();
        let which = match (which, &project) {
            // Another one above it is not meant when it is gone.
            (Which::Project(_), Some(project)) => Which::Project(project.clone()),
            (which, _) => which,
        };
        let client = Client::new(target);
        Ok(Self {
            which,
            project,
            client,
        })
    }

    /// The one that runs now.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Looks for it, which went away, until it answers again; says once that it does.
    ///
    /// # Errors
    /// When it answers that it will not, or its project is gone.
    pub(super) async fn again<T>(
        &mut self,
        console: &mut Console,
        mut ask: impl AsyncFnMut(&Client) -> Result<T, ClientError>,
    ) -> Result<T, Failure> {
        console.flush()?;
        console.note("reconnecting");
        let (mut pause, longest) = PAUSES;
        let mut missing_since = None;
        loop {
            tokio::time::sleep(pause).await;
            pause = longest.min(pause * 2);
            // It may have come back at another address.
            let Ok(target) = self.look() else {
                let missing = self.missing();
                let since = missing.as_ref().map(|_| Instant::now());
                missing_since = since.and(missing_since).or(since);
                let for_good = missing_since.is_some_and(|it| it.elapsed() >= MISSING);
                if let Some(file) = missing.filter(|_| for_good) {
                    let text = format!("{}: the project is gone", file.display());
                    return Err(Failure::new(Code::NotRunning, text));
                }
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

    /// Where it is now. That of a project above is not meant.
    fn look(&self) -> Result<Target, FindError> {
        let target = find(&self.which)?;
        match (&self.which, &target.project_dir) {
            (Which::Project(dir), Some(found)) if found != dir => {
                let project_dir = dir.clone();
                Err(FindError::NotRunning { project_dir })
            }
            _ => Ok(target),
        }
    }

    /// The configuration of the project, where it is not there.
    fn missing(&self) -> Option<PathBuf> {
        let file = self.project.as_ref()?.join(FILE_NAME);
        (!file.exists()).then_some(file)
    }
}
