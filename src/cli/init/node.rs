//! Scripts of a package.json.

use std::path::Path;

use serde_json::Value;

use super::{
    draft::{Found, Role, What},
    unusable::Unusable,
};

/// The scripts that serve while somebody develops, the best first.
const SCRIPTS: [&str; 2] = ["dev", "start"];

/// By which file a package manager is known.
const LOCKS: [(&str, &str); 6] = [
    ("pnpm-lock.yaml", "pnpm"),
    ("yarn.lock", "yarn"),
    ("bun.lock", "bun"),
    ("bun.lockb", "bun"),
    ("package-lock.json", "npm"),
    ("npm-shrinkwrap.json", "npm"),
];

/// The script to run in this folder of the project.
pub(super) fn detect(folder: &Path, cwd: &str, unusable: &mut Unusable) -> Option<Found> {
    let file = folder.join("package.json");
    let text = unusable.read(&file)?;
    let package: Value = serde_json::from_str(&text)
        .map_err(|error| unusable.add(format!("{}: {error}", file.display())))
        .ok()?;
    let has = |script: &&&str| package["scripts"][**script].is_string();
    let script = SCRIPTS.iter().find(has)?;
    let manager = manager(folder, &package);
    let path = folder.file_name().and_then(|name| name.to_str());
    // `@scope/name` is known as `name`.
    let name = package["name"]
        .as_str()
        .and_then(|name| name.rsplit('/').next());
    let name = name
        .filter(|name| !name.is_empty())
        .or(path)
        .unwrap_or("web");
    let says = package["scripts"][*script].as_str().unwrap_or_default();
    let place = if cwd == "." { "" } else { &format!("{cwd}/") };
    Some(Found {
        name: name.to_owned(),
        what: What::Npm([manager, "run", script].map(str::to_owned).to_vec()),
        cwd: cwd.to_owned(),
        origin: format!("the script {script} of {place}package.json: {says}"),
        role: Role::Main,
    })
}

/// Which package manager the project uses: what it says, else whose lock file lies there or, in a
/// workspace, above.
fn manager(folder: &Path, package: &Value) -> &'static str {
    let said = package["packageManager"].as_str();
    let said = said.and_then(|said| said.split('@').next());
    let known = LOCKS.iter().map(|(_, manager)| *manager);
    if let Some(manager) = known.into_iter().find(|it| Some(*it) == said) {
        return manager;
    }
    let folders = [Some(folder), folder.parent()];
    let locked = folders.into_iter().flatten().find_map(|folder| {
        let lock = LOCKS.iter().find(|(lock, _)| folder.join(lock).is_file())?;
        Some(lock.1)
    });
    locked.unwrap_or("npm")
}
