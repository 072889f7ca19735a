//! What cargo says on its stdout (`--message-format=json…`), as far as it matters here. Unknown
//! messages and fields are skipped, so that an older or newer cargo is understood as well.

use std::path::PathBuf;

use serde::Deserialize;

/// One line of cargo's stdout.
#[derive(Debug)]
pub(crate) enum Message {
    Artifact(Artifact),
    Compiler(CompilerMessage),
    BuildScript(BuildScript),
    /// A message that does not matter here.
    Other,
    /// Not from cargo: a wrapper or a plugin printed it.
    Foreign,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Artifact {
    pub(crate) package_id: String,
    pub(crate) manifest_path: PathBuf,
    pub(crate) target: Target,
    pub(crate) profile: Profile,
    pub(crate) executable: Option<PathBuf>,
    #[serde(default)]
    pub(crate) filenames: Vec<PathBuf>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) src_path: Option<PathBuf>,
    pub(crate) kind: Vec<String>,
    #[serde(default)]
    pub(crate) crate_types: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Profile {
    pub(crate) test: bool,
}

#[derive(Debug, Deserialize)]
pub(crate) struct CompilerMessage {
    pub(crate) manifest_path: Option<PathBuf>,
    pub(crate) target: Option<Target>,
    pub(crate) message: Finding,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Finding {
    pub(crate) level: String,
    pub(crate) message: String,
    pub(crate) code: Option<Code>,
    #[serde(default)]
    pub(crate) spans: Vec<Span>,
    pub(crate) rendered: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Code {
    pub(crate) code: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Span {
    pub(crate) file_name: PathBuf,
    pub(crate) line_start: usize,
    pub(crate) column_start: usize,
    pub(crate) is_primary: bool,
    /// The lines of the source that it covers.
    #[serde(default)]
    pub(crate) text: Vec<SourceLine>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct SourceLine {
    pub(crate) text: String,
    /// From which character, from 1, to before which one.
    pub(crate) highlight_start: usize,
    pub(crate) highlight_end: usize,
}

#[derive(Debug, Deserialize)]
pub(crate) struct BuildScript {
    #[serde(default)]
    pub(crate) package_id: String,
    #[serde(default)]
    pub(crate) linked_paths: Vec<String>,
    pub(crate) out_dir: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Envelope {
    reason: String,
}

/// Understands one line.
pub(crate) fn parse(line: &[u8]) -> Message {
    if !line.starts_with(b"{") {
        return Message::Foreign;
    }
    let Ok(Envelope { reason }) = serde_json::from_slice(line) else {
        return Message::Foreign;
    };
    let message = match reason.as_str() {
        "compiler-artifact" => serde_json::from_slice(line).map(Message::Artifact),
        "compiler-message" => serde_json::from_slice(line).map(Message::Compiler),
        "build-script-executed" => serde_json::from_slice(line).map(Message::BuildScript),
        _ => Ok(Message::Other),
    };
    message.unwrap_or(Message::Foreign)
}

/// The answer of `cargo metadata --no-deps`.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) manifest_path: PathBuf,
    pub(crate) default_run: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_lines_are_told_from_messages_that_do_not_matter() {
        for line in [
            &b"hello"[..],
            b"",
            b"{",
            b"{}",
            b"[1]",
            b"\xff\xfe",
            br#"{"a":1}"#,
        ] {
            assert!(matches!(parse(line), Message::Foreign), "{line:?}");
        }
        for line in [
            &br#"{"reason":"build-finished","success":false}"#[..],
            br#"{"reason":"from-the-future","x":[1,2]}"#,
        ] {
            assert!(matches!(parse(line), Message::Other));
        }
    }

    #[test]
    fn a_message_that_lacks_what_it_must_have_is_foreign_and_nothing_worse() {
        let line = br#"{"reason":"compiler-message","message":3}"#;
        assert!(matches!(parse(line), Message::Foreign));
    }
}
