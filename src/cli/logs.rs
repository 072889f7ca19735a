//! `bpm logs`.

mod place;
mod printer;
mod question;

use futures_util::{FutureExt, StreamExt};

use self::{place::Place, printer::Printer};
use super::{
    arguments::LogsArguments,
    code::Code,
    console::{Console, reader_gone},
    failure::Failure,
    link::Link,
    names,
};
use crate::client::{ClientError, LogItem, LogItems};

/// Shows what processes printed and, with `--follow`, what they print.
///
/// # Errors
/// When the daemon does not answer, or not to this.
pub(super) async fn logs(
    mut link: Link,
    arguments: &LogsArguments,
    console: &mut Console,
) -> Result<Code, Failure> {
    let status = link.client().status().await?;
    let names = match arguments.names.as_slice() {
        [] => status.processes.iter().map(|it| it.name.clone()).collect(),
        names => names::chosen(&status, names)?,
    };
    let filter = match arguments.names.as_slice() {
        // Those as well that are added later.
        [] if arguments.follow => question::filter(arguments, &[])?,
        _ => question::filter(arguments, &names)?,
    };
    let mut place = Place::now(&names);
    let mut printer = Printer::new(arguments, &names);
    let mut gone = std::pin::pin!(reader_gone());
    let mut items = link.client().logs(&filter).await?;
    loop {
        let ended = tokio::select! {
            () = &mut gone => return Ok(Code::Done),
            ended = pass_on(&mut items, &mut place, &mut printer, console) => ended?,
        };
        match (ended, arguments.run) {
            (None, _) if !arguments.follow => {
                console.flush()?;
                if place.is_at_the_beginning() && !arguments.json {
                    console.note("-- no lines");
                }
                return Ok(Code::Done);
            }
            (Some(error), _) if !(arguments.follow && error.may_pass()) => {
                console.flush()?;
                return Err(error.into());
            }
            // A connection that breaks does not look like that.
            (None, Some(run)) => {
                console.flush()?;
                if !arguments.json {
                    let what = if arguments.build { "build" } else { "run" };
                    console.note(&format!("-- {what} {run} is over"));
                }
                return Ok(Code::Done);
            }
            // The daemon went away.
            (Some(_) | None, _) => {
                let resumed = place.resume(&filter);
                items = tokio::select! {
                    () = &mut gone => return Ok(Code::Done),
                    items = link.again(console, async |client| client.logs(&resumed).await) => items?,
                };
            }
        }
    }
}

/// Prints what arrives until there is no more; tells why.
async fn pass_on(
    items: &mut LogItems,
    place: &mut Place,
    printer: &mut Printer,
    console: &mut Console,
) -> Result<Option<ClientError>, Failure> {
    loop {
        let next = if let Some(next) = items.next().now_or_never() {
            next
        } else {
            // There is nothing more for now: what is buffered must be seen.
            console.flush()?;
            items.next().await
        };
        match next {
            None => return Ok(None),
            Some(Err(error)) => return Ok(Some(error)),
            Some(Ok(item)) => {
                place.pass(&item);
                match &item {
                    LogItem::Line(line) => printer.line(line, console)?,
                    LogItem::Notice(notice) => printer.notice(notice, console)?,
                }
            }
        }
    }
}
