//! Which processes are meant.

use super::{code::Code, failure::Failure};
use crate::service::StatusReport;

/// These, or the only one there is.
///
/// # Errors
/// When one does not exist, or none is named and there are several.
pub(super) fn chosen(status: &StatusReport, names: &[String]) -> Result<Vec<String>, Failure> {
    let known: Vec<&str> = status.processes.iter().map(|it| it.name.as_str()).collect();
    if names.is_empty() {
        if let [only] = known.as_slice() {
            return Ok(vec![(*only).to_owned()]);
        }
        let known = known.join(", ");
        return Err(Failure::new(Code::Usage, format!("name one of: {known}")));
    }
    let mut chosen: Vec<String> = Vec::new();
    for name in names {
        if !known.contains(&name.as_str()) {
            return Err(unknown(name, &known));
        }
        if !chosen.contains(name) {
            chosen.push(name.clone());
        }
    }
    Ok(chosen)
}

fn unknown(name: &str, known: &[&str]) -> Failure {
    const MOST_SLIPS: usize = 2;
    let near = known
        .iter()
        .map(|it| (strsim::damerau_levenshtein(name, it), it))
        .filter(|(slips, it)| *slips <= MOST_SLIPS && *slips < it.len())
        .min();
    let near = near.map_or_else(String::new, |(_, it)| format!(" (did you mean {it}?)"));
    let known = known.join(", ");
    let text = format!("no process {name:?}{near}; there are: {known}");
    Failure::new(Code::UnknownProcess, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::samples;

    fn chosen_of(there: &[&str], names: &[&str]) -> Result<Vec<String>, (Code, String)> {
        let status = samples::status(there.iter().map(|name| samples::process(name)).collect());
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        chosen(&status, &names).map_err(|failure| (failure.code(), failure.to_string()))
    }

    #[test]
    fn no_name_means_the_only_process() {
        assert_eq!(chosen_of(&["main"], &[]), Ok(vec!["main".to_owned()]));
        let several = chosen_of(&["main", "web"], &[]);
        assert_eq!(
            several,
            Err((Code::Usage, "name one of: main, web".to_owned()))
        );
    }

    #[test]
    fn a_slip_is_recognised_and_nothing_is_done_twice() {
        let there = ["main", "web"];
        let both = vec!["web".to_owned(), "main".to_owned()];
        assert_eq!(chosen_of(&there, &["web", "main", "web"]), Ok(both));
        let text = "no process \"mian\" (did you mean main?); there are: main, web";
        let slip = chosen_of(&there, &["web", "mian"]);
        assert_eq!(slip, Err((Code::UnknownProcess, text.to_owned())));
        let other = chosen_of(&there, &["database"]).unwrap_err();
        assert_eq!(other.1, "no process \"database\"; there are: main, web");
    }
}
