//! Looks at a directory for what could run there.

use std::{fs, path::Path};

use super::{
    cargo,
    draft::{Found, What},
    node, procfile,
    unusable::Unusable,
};

/// What could run, in the order of the file that is written.
pub(super) fn detect(project: &Path, unusable: &mut Unusable) -> Vec<Found> {
    let mut found = cargo::detect(project, ".", unusable);
    let declared = procfile::detect(project, unusable);
    if declared.is_empty() {
        found.extend(node::detect(project, ".", unusable));
    } else {
        // What it starts with cargo is found already, and better.
        let is_known = |it: &Found| match &it.what {
            What::Command(command) => !found.is_empty() && procfile::runs_cargo(command),
            What::Rust { .. } | What::Npm(_) => false,
        };
        let new: Vec<_> = declared.into_iter().filter(|it| !is_known(it)).collect();
        found.extend(new);
    }
    let has_cargo = project.join("Cargo.toml").is_file();
    for folder in folders(project) {
        let below = project.join(&folder);
        if !has_cargo {
            found.extend(cargo::detect(&below, &folder, unusable));
        }
        if !project.join("package.json").is_file() {
            found.extend(node::detect(&below, &folder, unusable));
        }
    }
    found
}

/// The folders in which a part of the project may lie, by name.
fn folders(project: &Path) -> Vec<String> {
    let entries = fs::read_dir(project).into_iter().flatten().flatten();
    let mut folders: Vec<String> = entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| {
            !name.starts_with('.') && !matches!(name.as_str(), "node_modules" | "target")
        })
        .collect();
    folders.sort_unstable();
    folders
}

#[cfg(test)]
mod tests;
