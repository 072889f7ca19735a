//! Binaries of a cargo package or workspace, read from its files: cargo itself may be slow, or not there.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use toml::Table;

use super::{
    draft::{Found, Role, What},
    unusable::Unusable,
};

/// The binaries in this folder of the project.
pub(super) fn detect(folder: &Path, cwd: &str, unusable: &mut Unusable) -> Vec<Found> {
    let Some(manifest) = manifest(folder, unusable) else {
        return Vec::new();
    };
    let mut packages: Vec<Package> = Package::read(folder, &manifest).into_iter().collect();
    for member in members(folder, &manifest) {
        if let Some(manifest) = self::manifest(&member, unusable) {
            packages.extend(Package::read(&member, &manifest));
        }
    }
    packages.retain(|package| !package.binaries.is_empty());
    // A workspace without a package of its own has no binary that goes without saying.
    let is_named = packages.len() > 1 || !manifest.contains_key("package");
    let found = packages.iter().flat_map(|package| {
        let several = package.binaries.len() > 1;
        let main = package.binaries.get(&package.main);
        let others = package.binaries.iter().filter(move |it| Some(*it) != main);
        main.into_iter().chain(others).map(move |binary| {
            let is_main = !several || *binary == package.main;
            let origin = match (several, is_main) {
                (true, false) => format!("another binary of the package {}", package.name),
                _ => format!("the package {}", package.name),
            };
            Found {
                name: binary.clone(),
                what: What::Rust {
                    package: is_named.then(|| package.name.clone()),
                    bin: several.then(|| binary.clone()),
                },
                cwd: cwd.to_owned(),
                origin,
                role: if is_main { Role::Main } else { Role::Other },
            }
        })
    });
    found.collect()
}

fn manifest(folder: &Path, unusable: &mut Unusable) -> Option<Table> {
    let file = folder.join("Cargo.toml");
    let text = unusable.read(&file)?;
    toml::from_str(&text)
        .map_err(|error: toml::de::Error| {
            let before = error.span().and_then(|at| text.get(..at.start));
            let line = before.map_or(1, |before| before.matches('\n').count() + 1);
            unusable.add(format!("{}:{line}: {}", file.display(), error.message()));
        })
        .ok()
}

/// A package with its binaries.
struct Package {
    name: String,
    binaries: BTreeSet<String>,
    /// The one that `cargo run` would run, as far as that can be told.
    main: String,
}

impl Package {
    fn read(folder: &Path, manifest: &Table) -> Option<Self> {
        let package = manifest.get("package")?.as_table()?;
        let name = package.get("name")?.as_str()?.to_owned();
        let declared = declared(manifest);
        let mut binaries: BTreeSet<_> = declared.iter().map(|(name, _)| name.clone()).collect();
        if package.get("autobins").and_then(toml::Value::as_bool) != Some(false) {
            let has_path = |path: &str| declared.iter().any(|(_, it)| it.as_deref() == Some(path));
            if folder.join("src/main.rs").is_file() && !has_path("src/main.rs") {
                binaries.insert(name.clone());
            }
            binaries.extend(discovered(&folder.join("src/bin"), &has_path));
        }
        let default = package.get("default-run").and_then(toml::Value::as_str);
        let main = default
            .map(str::to_owned)
            .or_else(|| binaries.get(&name).cloned())
            .or_else(|| binaries.first().cloned())
            .unwrap_or_default();
        Some(Self {
            name,
            binaries,
            main,
        })
    }
}

/// `[[bin]]`: names, and paths where they are given.
fn declared(manifest: &Table) -> Vec<(String, Option<String>)> {
    let entries = manifest.get("bin").and_then(toml::Value::as_array);
    let entries = entries.into_iter().flatten().filter_map(|entry| {
        let name = entry.get("name")?.as_str()?.to_owned();
        let path = entry.get("path").and_then(toml::Value::as_str);
        Some((name, path.map(str::to_owned)))
    });
    entries.collect()
}

/// `src/bin/NAME.rs` and `src/bin/NAME/main.rs`.
fn discovered(folder: &Path, is_declared: &dyn Fn(&str) -> bool) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| {
        let path = entry.path();
        let file = path.file_name()?.to_str()?;
        let (name, source) = match file.strip_suffix(".rs") {
            Some(name) => (name, format!("src/bin/{file}")),
            None if path.join("main.rs").is_file() => (file, format!("src/bin/{file}/main.rs")),
            None => return None,
        };
        (!is_declared(&source)).then(|| name.to_owned())
    });
    names.collect()
}

/// The folders of a workspace's members.
fn members(root: &Path, manifest: &Table) -> Vec<PathBuf> {
    let Some(workspace) = manifest.get("workspace").and_then(toml::Value::as_table) else {
        return Vec::new();
    };
    let paths = |key: &str| {
        let paths = workspace.get(key).and_then(toml::Value::as_array);
        let paths = paths.into_iter().flatten().filter_map(toml::Value::as_str);
        paths.map(str::to_owned).collect::<Vec<_>>()
    };
    let excluded: Vec<_> = paths("exclude")
        .iter()
        .map(|path| root.join(path))
        .collect();
    let members = paths("members")
        .into_iter()
        .flat_map(|path| expanded(root, &path));
    let members: BTreeSet<_> = members
        .filter(|path| path != root && !excluded.iter().any(|out| path.starts_with(out)))
        .collect();
    members.into_iter().collect()
}

/// The folders that a pattern such as `crates/*` means.
fn expanded(root: &Path, pattern: &str) -> Vec<PathBuf> {
    let mut folders = vec![root.to_owned()];
    for part in pattern.split('/').filter(|part| !matches!(*part, "" | ".")) {
        folders = folders
            .into_iter()
            .flat_map(|folder| {
                if !part.contains(['*', '?']) {
                    return vec![folder.join(part)];
                }
                let entries = fs::read_dir(folder).into_iter().flatten().flatten();
                let named = |path: &PathBuf| {
                    let name = path.file_name().and_then(|name| name.to_str());
                    path.is_dir() && name.is_some_and(|name| matches(part, name))
                };
                entries.map(|entry| entry.path()).filter(named).collect()
            })
            .collect();
    }
    folders
}

/// Whether a name matches a pattern with `*` and `?`.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.chars().next() {
        None => name.is_empty(),
        Some('*') => {
            let rest = &pattern[1..];
            let mut ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
            ends.any(|at| matches(rest, &name[at..]))
        }
        Some(first) => {
            let mut chars = name.chars();
            let next = chars.next();
            next.is_some_and(|it| first == '?' || it == first)
                && matches(&pattern[first.len_utf8()..], chars.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_names() {
        for (pattern, name, expected) in [
            ("*", "anything", true),
            ("bpm-*", "bpm-actors", true),
            ("bpm-*", "actors", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*s", "actors", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
