//! Which file rustc means, and what people of the project call it.

use std::path::{Component, Path, PathBuf};

use crate::spec::Project;

/// The file that rustc means, which it names relative to the root of the workspace: an unknown one
/// of the folders above the package.
pub(crate) fn place(file: &Path, package: Option<&Path>, project: &Project) -> String {
    let roots = package.into_iter().flat_map(Path::ancestors);
    let straight = straight(file);
    // A detour through a link leads elsewhere.
    let mut candidates = roots.flat_map(|root| [root.join(&straight), root.join(file)]);
    let found = candidates.find(|path| path.is_file());
    let path = found.as_deref().unwrap_or(file);
    project.relative(path).display().to_string()
}

/// The path without detours: `#[path]` makes rustc name files such as `src/bin/../shared.rs`.
pub(crate) fn straight(path: &Path) -> PathBuf {
    let mut straight = PathBuf::new();
    for part in path.components() {
        let returns = part == Component::ParentDir
            && matches!(
                straight.components().next_back(),
                Some(Component::Normal(_))
            );
        if returns {
            straight.pop();
        } else {
            straight.push(part);
        }
    }
    straight
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_told_without_its_detours() {
        for (path, expected) in [
            ("src/bin/../shared.rs", "src/shared.rs"),
            ("a/b/../../c.rs", "c.rs"),
            ("../a/./b.rs", "../a/b.rs"),
            ("../../a.rs", "../../a.rs"),
            ("/../a.rs", "/../a.rs"),
        ] {
            assert_eq!(straight(Path::new(path)), Path::new(expected));
        }
    }

    #[test]
    fn a_file_that_is_nowhere_keeps_its_name() {
        let place = |file: &str| {
            place(
                Path::new(file),
                Some(Path::new("/no/a")),
                &Project {
                    dir: "/no".into(),
                    state_dir: "/s".into(),
                },
            )
        };
        assert_eq!(place("src/x.rs"), "src/x.rs");
        assert_eq!(
            place("/rustc/1/library/core/src/lib.rs"),
            "/rustc/1/library/core/src/lib.rs"
        );
    }
}
