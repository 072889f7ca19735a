//! What the tries found, in words.

use std::{cell::RefCell, rc::Rc};

use super::{Findings, owner::Somebody, target::Names};

/// What one try found. Ordered: where several addresses are tried, the greatest says most.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Finding {
    /// None was made yet.
    Untried,
    /// Nobody listens.
    Refused,
    /// No connection, and why.
    Unreachable(String),
    /// The connection broke.
    Lost,
    /// The connection waits to be accepted.
    Queued,
    /// With held sockets: somebody accepted it, and it cannot be seen who.
    Unseen,
    /// Somebody accepted it and closed it before it could be seen who.
    Closed,
    /// Somebody else serves there.
    Taken(Somebody),
    /// With held sockets: somebody else accepted it.
    TakenByOld,
    /// The run accepted it, and has not answered yet.
    Silent,
    /// The run's answer was none.
    NoAnswer(&'static str),
    /// The run answered with this status.
    Answered(u16),
}

impl Finding {
    /// Whether this stays although the latest try found `next`. Who took a connection counts more
    /// than that the next one waits; that the run has taken none, or what it answered, more than what
    /// becomes of further connections.
    fn outweighs(&self, next: &Self) -> bool {
        match next {
            Self::Queued => *self > Self::Queued,
            _ if *next < Self::Silent => *self >= Self::TakenByOld && self > next,
            _ => false,
        }
    }

    fn words(&self, names: &Names) -> String {
        let Names { address, question } = names;
        match self {
            Self::Untried => format!("{address} was not tried yet"),
            Self::Refused => format!("{address} refuses connections"),
            Self::Unreachable(why) => format!("{address} cannot be reached: {why}"),
            Self::Lost => format!("{address} broke the connection"),
            Self::Queued => format!("{address} accepts no connection yet"),
            Self::Unseen => format!(
                "{address} accepts connections, but it cannot be seen who does; use notify or log"
            ),
            Self::Closed => format!(
                "{address} closes connections before it can be seen who took them; use notify or log"
            ),
            Self::Taken(somebody) => {
                format!("{address} is served by another process ({somebody})")
            }
            Self::TakenByOld => "the old process took every probe; use notify or log".to_owned(),
            Self::Silent => format!("{question} has not answered yet"),
            Self::NoAnswer(why) => format!("{question} {why}"),
            Self::Answered(status) => format!("{question} answered {status}"),
        }
    }
}

/// Collects what is found at each address of a target, and says what counts most.
#[derive(Clone)]
pub(super) struct Slate {
    names: Rc<Names>,
    latest: Rc<RefCell<Vec<Finding>>>,
    findings: Findings,
}

impl Slate {
    /// One for so many addresses.
    pub(super) fn new(names: Names, addresses: usize, findings: Findings) -> Self {
        let slate = Self {
            names: Rc::new(names),
            latest: Rc::new(RefCell::new(vec![Finding::Untried; addresses])),
            findings,
        };
        slate.publish();
        slate
    }

    /// The latest finding at the address of this number.
    pub(super) fn note(&self, number: usize, finding: Finding) {
        if let Some(latest) = self.latest.borrow_mut().get_mut(number)
            && !latest.outweighs(&finding)
        {
            *latest = finding;
        }
        self.publish();
    }

    /// The run accepted a connection: what there was to say about that is over.
    pub(super) fn note_accepted(&self, number: usize) {
        if let Some(latest) = self.latest.borrow_mut().get_mut(number)
            && *latest < Finding::Silent
        {
            *latest = Finding::Silent;
        }
        self.publish();
    }

    fn publish(&self) {
        let latest = self.latest.borrow();
        if let Some(most) = latest.iter().max() {
            self.findings.say(most.words(&self.names));
        }
    }
}
