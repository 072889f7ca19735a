//! Answers as text: for people, for clients that read only text, and for errors, where clients drop
//! the structured part. So the text says everything that the structured part says.

mod diagnostics;
mod measures;
mod restart;
mod search;
mod status;
mod wait;

pub(super) use self::{
    diagnostics::diagnostics,
    restart::restart,
    search::{budget, search},
    status::status,
    wait::wait,
};
