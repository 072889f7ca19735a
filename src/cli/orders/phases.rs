//! How far a process is in carrying out an order, as its events tell.

use std::fmt;

use bpm_actors::report::StateName;

use crate::{
    cli::{harmless, paint::Colours},
    client::Event,
};

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// cargo works.
    Building,
    /// The new run is up and must show that it is ready.
    Proving,
    /// The old run ends.
    Stopping,
    /// It is ready.
    Running,
    /// It failed and waits.
    BackingOff,
    /// It is stopped.
    Stopped,
    /// Something that is said in words.
    Said(String),
}

impl Phase {
    /// What an event says of it, if anything.
    pub(super) fn of(event: &Event) -> Option<Self> {
        if event.kind == Event::STATE {
            return Some(match event.state? {
                StateName::Building => Self::Building,
                StateName::Proving => Self::Proving,
                StateName::Stopping => Self::Stopping,
                StateName::Running => Self::Running,
                StateName::BackingOff => Self::BackingOff,
                StateName::Stopped => Self::Stopped,
            });
        }
        match event.kind.as_str() {
            "build_started" => Some(Self::Building),
            "build_failed" | "rolled_back" | "crashed" => {
                let kind = event.kind.replace('_', " ");
                let text = harmless::line(&event.text, Colours::Off);
                Some(Self::Said(format!("{kind}: {text}")))
            }
            _ => None,
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Building => "building",
            Self::Proving => "proving",
            Self::Stopping => "stopping",
            Self::Running => "running",
            Self::BackingOff => "backing off",
            Self::Stopped => "stopped",
            Self::Said(text) => text,
        })
    }
}
