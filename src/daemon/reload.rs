//! The reload: what the configuration says now takes the place of what it said before.
//!
//! ```text
//! read, check ─► plan ─► bind what is new ─► tell the actors ─► publish
//!     └── wrong       └───── cannot be had: nothing was changed, the old one holds
//! ```
//! Everything that may fail comes before anything that is done. What the new runs come to is the
//! processes' own affair: one that does not become ready is rolled back to its old entry.

use std::sync::Arc;

use tokio::{sync::watch, task::spawn_blocking};

use super::{
    DaemonError, Front, activation, cannot,
    held::{Held, SocketFiles},
    listen,
    listener::{Listeners, Origin},
    state_dir::StateDir,
    systemd::ServiceManager,
    team::Team,
};
use crate::{
    config::{Config, Plan, Reload},
    service::{Configured, ReloadError, ReloadReport},
};

/// How much of what is wrong is shown in the status, in bytes; the log has all.
const MOST_SHOWN: usize = 2_000;

/// Who has to know that the daemon reads its configuration: whoever started it, perhaps.
pub(super) trait Witness {
    /// It begins.
    fn reloading(&self);

    /// It is done, whatever came of it.
    fn reloaded(&self);
}

impl Witness for ServiceManager {
    fn reloading(&self) {
        Self::reloading(self);
    }

    fn reloaded(&self) {
        self.ready();
    }
}

/// Why the configuration is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trigger {
    /// Somebody says so.
    Order,
    /// The file was changed.
    File,
}

/// What a reload works on: everything that the configuration decides.
pub(super) struct Reloader<'a> {
    /// The configuration that holds.
    pub(super) config: Config,
    pub(super) team: Team,
    pub(super) front: Front,
    /// The files of the unix sockets that are held.
    pub(super) files: SocketFiles,
    pub(super) state: &'a StateDir,
    pub(super) configured: watch::Sender<Arc<Configured>>,
    pub(super) witness: Box<dyn Witness>,
}

/// What a new configuration needs before it can hold.
struct Prepared {
    held: Held,
    /// Where it is to be served, if that changes.
    listeners: Option<Listeners>,
}

impl Reloader<'_> {
    /// Whether a changed file takes effect by itself.
    pub(super) fn is_automatic(&self) -> bool {
        self.config.reload == Reload::Auto
    }

    /// Publishes what the configuration comes to.
    pub(super) fn publish(&self, error: Option<String>) {
        self.configured.send_replace(Arc::new(Configured {
            members: self.team.members(),
            url: self.front.url(),
            error,
        }));
    }

    /// Reads the configuration and lets it hold.
    pub(super) async fn reload(&mut self, trigger: Trigger) -> Result<ReloadReport, ReloadError> {
        let project = self.config.project_dir.clone();
        let loaded = match spawn_blocking(move || Config::load(&project)).await {
            Ok(loaded) => loaded.map_err(|error| error.to_string()),
            // Broken off only when the daemon ends.
            Err(_) => return Err(ReloadError::ShuttingDown),
        };
        // Who ordered it waits to hear of it; a file that was only touched is no news.
        let is_news = match &loaded {
            Ok(new) => *new != self.config,
            Err(_) => false,
        };
        let is_told = is_news || trigger == Trigger::Order;
        if is_told {
            self.witness.reloading();
        }
        let adopted = match loaded {
            Ok(new) => self.adopt(new).map_err(|error| {
                format!("{error}\n`bpm reload` tries again when that has changed")
            }),
            Err(error) => Err(error),
        };
        if is_told {
            self.witness.reloaded();
        }
        match adopted {
            Ok(plan) => {
                let news = self.tell(&plan, trigger);
                self.publish(None);
                if let Some(news) = news {
                    self.team.note_reload(news);
                }
                Ok(ReloadReport::of(&plan, &self.front.url()))
            }
            Err(why) => {
                self.reject(&why, trigger);
                Err(ReloadError::Refused(why))
            }
        }
    }

    /// Lets a valid configuration hold, or changes nothing.
    fn adopt(&mut self, new: Config) -> Result<Plan, DaemonError> {
        let plan = self.config.plan_to(&new);
        if new == self.config {
            return Ok(plan);
        }
        let Prepared { held, listeners } = self.prepare(&new)?;
        let doorways = self.team.open(&new.processes, held.bound);
        let doorways = doorways.map_err(cannot("relay connections"))?;
        if let Some(listeners) = listeners {
            self.front
                .move_to(listeners)
                .map_err(cannot("serve MCP at its new port"))?;
            self.tell_url();
        }
        self.team.adopt(&plan, &new, doorways);
        self.files.extend(held.files);
        self.config = new;
        Ok(plan)
    }

    /// Binds what the new configuration asks for, beside what the old one has.
    fn prepare(&self, new: &Config) -> Result<Prepared, DaemonError> {
        let moves = match self.front.origin() {
            Origin::Bound => {
                new.mcp_port != self.config.mcp_port && new.mcp_port != self.front.port()
            }
            Origin::Passed => {
                activation::agree(self.front.port(), new.mcp_port, &new.file)?;
                false
            }
        };
        let listeners = moves.then(|| listen(new)).transpose()?;
        let held = Held::bind_beside(&self.team.stock(), &new.processes, &new.file)?;
        Ok(Prepared { held, listeners })
    }

    /// Says where the daemon is reached.
    pub(super) fn tell_url(&self) {
        let url = self.front.url();
        let socket = self.front.socket();
        let project = &self.config.project_dir;
        // First, for whoever reads it as soon as it is said.
        if let Err(error) = self.state.write_daemon_file(&url, project, socket) {
            log::warn!("{error}; the project's own tools do not find this daemon");
        }
        log::info!("serving {url} for {}", project.display());
        log::info!("to connect Claude Code: {}", self.front.how_to_connect());
    }

    /// Tells the log; and what followers are to hear, if it is news to them.
    fn tell(&self, plan: &Plan, trigger: Trigger) -> Option<String> {
        let was_wrong = self.configured.borrow().error.is_some();
        let file = self.config.file.display();
        for key in &plan.later {
            log::warn!("{file}: {key} takes effect when the daemon is started again");
        }
        let text = match trigger {
            _ if !plan.is_empty() => format!("reloaded: {plan}"),
            _ if was_wrong => "ok again, nothing changed".to_owned(),
            Trigger::File => return None,
            Trigger::Order => "reloaded: nothing changed".to_owned(),
        };
        log::info!("{file}: {text}");
        (was_wrong || !plan.is_empty()).then_some(text)
    }

    /// The new configuration does not hold. Said once per change.
    fn reject(&self, why: &str, trigger: Trigger) {
        let shown = shortened(why);
        let known = self.configured.borrow().error.as_ref() == Some(&shown);
        if known && trigger == Trigger::File {
            return;
        }
        log::warn!("{why}\nthe configuration before goes on");
        if !known {
            self.team.note_rejected(&first_line(why));
            self.publish(Some(shown));
        }
    }
}

fn shortened(why: &str) -> String {
    let end = why.floor_char_boundary(MOST_SHOWN);
    if end == why.len() {
        why.to_owned()
    } else {
        format!("{}…", &why[..end])
    }
}

/// For a history, which has room for one.
fn first_line(why: &str) -> String {
    let mut lines = why.lines().filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    match lines.count() {
        0 => first.to_owned(),
        more => format!("{first} (and {more} more lines in the log)"),
    }
}
