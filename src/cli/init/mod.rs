//! `bpm init`: writes a `.mcp-run` for what is found in a directory.

mod cargo;
mod detect;
mod draft;
mod node;
mod procfile;
mod unusable;

use std::{fs::OpenOptions, io, io::Write, path::Path};

use self::unusable::Unusable;
use super::{
    code::Code,
    console::Console,
    failure::{Failure, quoted},
};
use crate::{
    client,
    config::{Config, EXAMPLE, FILE_NAME},
};

/// Writes the configuration. What is there stays.
///
/// # Errors
/// When there is one already, nothing is found that could run, or it cannot be written.
pub(super) fn init(dir: &Path, console: &mut Console) -> Result<Code, Failure> {
    let failed = |text| Err(Failure::new(Code::Failed, text));
    let project = dir
        .canonicalize()
        .map_err(|cause| Failure::new(Code::Usage, format!("{}: {cause}", dir.display())))?;
    let file = project.join(FILE_NAME);
    if file.symlink_metadata().is_ok() {
        return failed(format!(
            "{}: is there already; bpm check looks at it",
            file.display()
        ));
    }
    let mut unusable = Unusable::default();
    let found = detect::detect(&project, &mut unusable);
    for why in unusable.lines() {
        console.note(&format!("left out: {why}"));
    }
    let Some(text) = draft::text(&found) else {
        return failed(format!(
            "{}: nothing to run was found (a Cargo.toml with a binary, a package.json with a script \
             dev or start, a Procfile); a {FILE_NAME} to begin with:\n\n{EXAMPLE}",
            project.display()
        ));
    };
    let config = Config::parse(&text, &project).map_err(|error| {
        let text =
            format!("what is found here cannot be configured without you: {error}\n\n{text}");
        Failure::new(Code::Failed, text)
    })?;
    // Made anew or not at all, whoever else writes it at this moment.
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&file)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    match written {
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {
            return failed(format!("{}: is there already", file.display()));
        }
        Err(cause) => return failed(format!("{}: cannot write it: {cause}", file.display())),
        Ok(()) => {}
    }
    let names: Vec<_> = config.processes.iter().map(|it| it.name.as_str()).collect();
    console.line(&format!("wrote {}: {}", file.display(), names.join(", ")))?;
    if let Some(Ok(above)) = project.parent().map(client::project) {
        console.note(&format!(
            "{} is a project, too; from here on bpm means this one",
            above.display()
        ));
    }
    console.note(&format!(
        "read it, then start the daemon: bpm run {}",
        quoted(&project)
    ));
    Ok(Code::Done)
}
