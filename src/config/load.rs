//! Finding and reading the file.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::{Config, FILE_NAME, InvalidConfig, problem::line_after};

/// A configuration to begin with.
pub const EXAMPLE: &str = r#"mcp_port = 3001        # agents connect to http://localhost:3001/mcp

[process.main]
type = "rust"          # cargo builds and the daemon runs it; or "npm", "command"
args = []              # what the program is started with
cwd = "."              # where, relative to this file
"#;

/// The largest file that is read, in bytes.
const MOST_BYTES: u64 = 1 << 20;

/// There is no configuration to work with.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The project's directory cannot be used.
    #[error("{}: cannot use it as the project's directory: {cause}", dir.display())]
    Directory {
        /// What was given.
        dir: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The project's directory is something else.
    #[error("{}: not a directory: name the one that contains {FILE_NAME}", .0.display())]
    NoDirectory(PathBuf),
    /// It is a link to nothing.
    #[error("{}: leads to {}, which does not exist", file.display(), target.display())]
    Dangling {
        /// The link.
        file: PathBuf,
        /// What it says.
        target: PathBuf,
    },
    /// There is no file.
    #[error("{}: no such file; one to begin with:\n\n{EXAMPLE}", .0.display())]
    NoFile(PathBuf),
    /// There is something else in its place.
    #[error("{}: not a regular file", .0.display())]
    NotRegular(PathBuf),
    /// The file cannot be read.
    #[error("{}: cannot read it: {cause}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The file is no configuration that a person wrote.
    #[error("{}: larger than {MOST_BYTES} bytes", .0.display())]
    TooLarge(PathBuf),
    /// The file is no text.
    #[error("{}:{line}: not UTF-8 text: byte {byte:#04x}", file.display())]
    NoText {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The first byte that is wrong.
        byte: u8,
    },
    /// The file says something wrong.
    #[error(transparent)]
    Invalid(#[from] InvalidConfig),
}

/// Reads and checks the `.mcp-run` of a project.
pub(super) fn load(dir: &Path) -> Result<Config, LoadError> {
    let project = dir.canonicalize().map_err(|cause| LoadError::Directory {
        dir: dir.to_owned(),
        cause,
    })?;
    if !project.is_dir() {
        return Err(LoadError::NoDirectory(project));
    }
    let file = project.join(FILE_NAME);
    let bytes = read(&file)?;
    let text = decode(&file, &bytes)?;
    Ok(Config::parse(text, &project)?)
}

fn read(file: &Path) -> Result<Vec<u8>, LoadError> {
    let unreadable = |cause: io::Error| LoadError::Unreadable {
        file: file.to_owned(),
        cause,
    };
    // Asked first: to open a pipe is to wait for its writer.
    let metadata = file.metadata().map_err(|cause| match cause.kind() {
        io::ErrorKind::NotFound => match file.read_link() {
            Ok(target) => LoadError::Dangling {
                file: file.to_owned(),
                target,
            },
            Err(_) => LoadError::NoFile(file.to_owned()),
        },
        _ => unreadable(cause),
    })?;
    if !metadata.is_file() {
        return Err(LoadError::NotRegular(file.to_owned()));
    }
    let mut bytes = Vec::new();
    let opened = File::open(file).map_err(unreadable)?;
    let read = opened
        .take(MOST_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if read as u64 > MOST_BYTES {
        return Err(LoadError::TooLarge(file.to_owned()));
    }
    Ok(bytes)
}

fn decode<'b>(file: &Path, bytes: &'b [u8]) -> Result<&'b str, LoadError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let (valid, rest) = bytes.split_at(error.valid_up_to());
        LoadError::NoText {
            file: file.to_owned(),
            line: line_after(valid),
            byte: rest.first().copied().unwrap_or_default(),
        }
    })
}
