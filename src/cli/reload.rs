//! `bpm reload`.

use super::{
    arguments::ReloadArguments, code::Code, console::Console, failure::Failure, harmless,
    link::Link, paint::Colours,
};
use crate::service::{ReloadChange, ReloadReport};

/// Lets the daemon read its configuration again, and tells what changed.
///
/// # Errors
/// When the configuration is wrong, so that nothing was changed, or the daemon does not answer.
pub(super) async fn reload(
    link: Link,
    arguments: &ReloadArguments,
    console: &mut Console,
) -> Result<Code, Failure> {
    let report = link.client().reload().await?;
    if arguments.json {
        console.line(&super::json(&report))?;
    } else {
        for line in lines(&report) {
            console.line(&harmless::line(&line, Colours::Off))?;
        }
    }
    Ok(Code::Done)
}

fn lines(report: &ReloadReport) -> Vec<String> {
    let mut lines: Vec<String> = report
        .processes
        .iter()
        .map(|process| {
            let done = match process.change {
                ReloadChange::Added => "is new and starts",
                ReloadChange::Removed => "is gone and stops",
                ReloadChange::Settled => "holds from now on",
                ReloadChange::Swapped => "is swapped without a build",
                ReloadChange::Rebuilt => "is built and swapped",
            };
            let keys = match process.keys.as_slice() {
                [] => String::new(),
                keys => format!(" ({})", keys.join(", ")),
            };
            format!("{}: {done}{keys}", process.name)
        })
        .collect();
    lines.extend(report.keys.iter().map(|key| format!("{key}: changed")));
    if report.keys.iter().any(|key| key == "mcp_port") {
        lines.push(format!("serving {}", report.url));
    }
    let later = report.later.iter();
    lines.extend(later.map(|key| format!("{key}: takes effect when the daemon is started again")));
    if lines.is_empty() {
        lines.push("nothing has changed".to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::ReloadedProcess;

    #[test]
    fn what_changed_is_said_line_by_line() {
        let nothing = ReloadReport::default();
        assert_eq!(lines(&nothing), ["nothing has changed"]);
        let process = |name: &str, change, keys: &[&str]| ReloadedProcess {
            name: name.to_owned(),
            change,
            keys: keys.iter().map(ToString::to_string).collect(),
        };
        let report = ReloadReport {
            changed: true,
            processes: vec![
                process("main", ReloadChange::Swapped, &["env", "args"]),
                process("web", ReloadChange::Removed, &[]),
            ],
            keys: vec!["mcp_port".to_owned()],
            later: vec!["token".to_owned()],
            url: "http://localhost:3002/mcp".to_owned(),
        };
        assert_eq!(
            lines(&report),
            [
                "main: is swapped without a build (env, args)",
                "web: is gone and stops",
                "mcp_port: changed",
                "serving http://localhost:3002/mcp",
                "token: takes effect when the daemon is started again",
            ]
        );
    }
}
