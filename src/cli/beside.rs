//! The programs that are installed together with this one.

use std::{
    env,
    path::{Path, PathBuf},
};

/// The program of this name in the folder of this one, if it is there.
pub(super) fn beside(name: &str) -> Option<PathBuf> {
    let path = env::current_exe().ok()?.with_file_name(name);
    path.is_file().then_some(path)
}

/// The folder of this program.
pub(super) fn folder() -> Option<PathBuf> {
    env::current_exe().ok()?.parent().map(Path::to_owned)
}
