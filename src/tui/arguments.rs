//! The command line of `bpm-tui`.

use std::path::PathBuf;

use clap::Parser;

use crate::client::{self, Address, Which};

/// Shows what a running daemon does: its processes, their output, their builds.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "bpm-tui",
    version,
    after_help = "Keys are explained by ?. Exit codes: 0 done, 1 the terminal cannot be used, 2 usage.\n\
                  NO_COLOR=1 switches colours off."
)]
pub struct Arguments {
    /// The daemon's URL; by default that of the project around the current directory, else
    /// `http://localhost:3001/mcp`.
    #[arg(value_name = "URL", value_parser = url)]
    pub url: Option<String>,
}

impl Arguments {
    /// Where a daemon is expected when nobody said.
    const USUAL: &str = "http://localhost:3001/mcp";

    /// Which daemon is meant, seen from this directory.
    #[must_use]
    pub fn which(&self, here: PathBuf) -> Which {
        match &self.url {
            Some(url) => Which::Url(url.clone()),
            None if client::project(&here).is_ok() => Which::Project(here),
            None => Which::Url(Self::USUAL.to_owned()),
        }
    }
}

/// One that is none will not become one: it is refused, not tried for ever.
fn url(text: &str) -> Result<String, String> {
    match Address::parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(bad) => Err(bad.reason()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_url_is_refused_with_its_value_and_the_reason() {
        for (given, why) in [
            ("foo://bar", "only http is spoken"),
            ("", "it names no host"),
        ] {
            let refused = Arguments::try_parse_from(["bpm-tui", given]).unwrap_err();
            assert_eq!(refused.exit_code(), 2);
            let said = refused.to_string();
            let wanted = format!("invalid value '{given}' for '[URL]': {why}; a daemon's URL");
            assert!(said.contains(&wanted), "{said}");
        }
        let taken = Arguments::try_parse_from(["bpm-tui", "localhost:3001"]).unwrap();
        assert_eq!(taken.url.as_deref(), Some("localhost:3001"));
    }

    #[test]
    fn the_argument_counts_then_the_project_then_the_usual_place() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().join("src");
        std::fs::create_dir(&here).unwrap();
        let named = Arguments {
            url: Some("localhost:4000".to_owned()),
        };
        let plain = Arguments { url: None };
        let url = |url: &str| Which::Url(url.to_owned());
        assert_eq!(named.which(here.clone()), url("localhost:4000"));
        assert_eq!(plain.which(here.clone()), url(Arguments::USUAL));
        std::fs::write(folder.path().join(".mcp-run"), "").unwrap();
        assert_eq!(plain.which(here.clone()), Which::Project(here));
    }
}
