//! `bpm status`.

mod aged;
mod screen;
mod watch;

use super::{
    arguments::StatusArguments, code::Code, console::Console, failure::Failure, link::Link,
};

/// Shows what every process does.
///
/// # Errors
/// When the daemon does not answer.
pub(super) async fn status(
    mut link: Link,
    arguments: &StatusArguments,
    console: &mut Console,
) -> Result<Code, Failure> {
    if arguments.watch {
        return watch::watch(&mut link, arguments, console).await;
    }
    let report = link.client().status().await?;
    if arguments.json {
        console.line(&super::json(&report))?;
    } else {
        for line in screen::lines(&report, console.face) {
            console.line(&line)?;
        }
    }
    Ok(Code::Done)
}
