//! The files that a direnv evaluation depends upon: read from what direnv exports, and compared with
//! the disk before an evaluation is used again.

use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::Deserialize;

use crate::artifact::{Direnv, Environment, Watch};

/// Longer than any real list; a bomb is not unpacked.
const MOST_UNPACKED: usize = 4 << 20;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

// direnv renamed these between versions.
#[derive(Deserialize)]
struct FileTime {
    #[serde(alias = "Path")]
    path: PathBuf,
    #[serde(alias = "Modtime", alias = "modTime", default)]
    modtime: i64,
    #[serde(alias = "Exists")]
    exists: bool,
}

/// The value of `DIRENV_WATCHES`: URL-safe base64 of zlib of JSON. `None` if it is anything else.
pub(crate) fn decode(exported: &str) -> Option<Vec<Watch>> {
    let packed = BASE64.decode(exported.trim()).ok()?;
    let json =
        miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(&packed, MOST_UNPACKED).ok()?;
    let files: Vec<FileTime> = serde_json::from_slice(&json).ok()?;
    let watches = files.into_iter().map(|file| Watch {
        path: file.path,
        modified: file.exists.then_some(file.modtime),
    });
    Some(watches.collect())
}

/// A watch on `path` as it is now.
pub(crate) fn watch(path: &Path) -> Watch {
    Watch {
        path: path.to_owned(),
        modified: modified(path),
    }
}

/// As direnv sees it: the newer one of a link and what it points to.
fn modified(path: &Path) -> Option<i64> {
    let link = path.symlink_metadata().ok()?;
    let file = path.metadata().ok()?;
    Some(link.mtime().max(file.mtime()))
}

/// The `.envrc` that direnv would use in `cwd`.
pub(crate) fn nearest_envrc(cwd: &Path) -> Option<PathBuf> {
    let mut candidates = cwd.ancestors().map(|folder| folder.join(".envrc"));
    candidates.find(|path| path.is_file())
}

/// Whether `environment` is still what direnv would say in `cwd`. Some calls of stat, nothing else.
pub(crate) fn is_fresh(environment: &Environment, cwd: &Path) -> bool {
    match (&environment.direnv, nearest_envrc(cwd)) {
        (Direnv::Absent, None) => true,
        (Direnv::Evaluated(before), Some(now)) => {
            let mut watches = environment.watches.iter();
            *before == now && watches.all(|w| modified(&w.path) == w.modified)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, File},
        time::{Duration, SystemTime},
    };

    use tempfile::TempDir;

    use super::*;

    /// What direnv 2.32.1 exported.
    const REAL: &str = "eJyMzr9KxzAQAOB3ubn8Lrnmn90dBXdxSO-utJA2ksZWEN_d0dUH-OB7-4bX3FeYAPv-gfONgg89rsYwwEuVvu0Kk41P3tkxhDjA89d29hOm3j71Z_jjrdaOj1I5FzzX3BRla3pcmEupN1JmSjIu1rMab5MzNpukhslk0plkcdGTCey9kKiwV-t45hBTsobcvzrvvwEAAP__HCM_Hw==";

    fn packed(json: &str) -> String {
        let packed = miniz_oxide::deflate::compress_to_vec_zlib(json.as_bytes(), 6);
        base64::engine::general_purpose::URL_SAFE.encode(packed)
    }

    #[test]
    fn what_direnv_exports_is_understood() {
        let allowed = "/root/.local/share/direnv/allow/2ac28d3f15ce0518401a08e0c20a2eb2df475206c55d2dedc5e14cbc67881024";
        let watches = ["/tmp/bw/d/.envrc", allowed].map(|path| Watch {
            path: path.into(),
            modified: Some(1_795_413_667),
        });
        assert_eq!(decode(REAL), Some(watches.to_vec()));
    }

    #[test]
    fn both_spellings_of_the_keys_are_understood() {
        let json =
            r#"[{"path":"/a","modtime":7,"exists":true},{"Path":"/b","Modtime":0,"Exists":false}]"#;
        let watch = |path: &str, modified| Watch {
            path: path.into(),
            modified,
        };
        let expected = vec![watch("/a", Some(7)), watch("/b", None)];
        assert_eq!(decode(&packed(json)), Some(expected));
    }

    #[test]
    fn anything_else_is_not_understood() {
        for text in [
            "",
            "%%%",
            "aGVsbG8=",
            &packed("{}"),
            &packed(r#"[{"x":1}]"#),
        ] {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    #[test]
    fn an_environment_is_stale_when_a_watched_file_changes_appears_or_vanishes() {
        let dir = TempDir::new().unwrap();
        let [envrc, other] = [".envrc", "other"].map(|name| dir.path().join(name));
        fs::write(&envrc, "").unwrap();
        let environment = Environment {
            direnv: Direnv::Evaluated(envrc.clone()),
            watches: vec![watch(&envrc), watch(&other)],
            ..Environment::default()
        };
        assert!(is_fresh(&environment, dir.path()));

        fs::write(&other, "").unwrap();
        assert!(!is_fresh(&environment, dir.path()), "one appeared");
        fs::remove_file(&other).unwrap();
        assert!(is_fresh(&environment, dir.path()));

        let file = File::options().write(true).open(&envrc).unwrap();
        file.set_modified(SystemTime::now() + Duration::from_secs(5))
            .unwrap();
        assert!(!is_fresh(&environment, dir.path()), "one changed");
        fs::remove_file(&envrc).unwrap();
        assert!(!is_fresh(&environment, dir.path()), "one vanished");
    }

    #[test]
    fn a_nearer_envrc_makes_an_environment_stale() {
        let dir = TempDir::new().unwrap();
        let inner = dir.path().join("inner");
        fs::create_dir(&inner).unwrap();
        assert!(is_fresh(&Environment::default(), &inner));
        let envrc = dir.path().join(".envrc");
        fs::write(&envrc, "").unwrap();
        assert!(!is_fresh(&Environment::default(), &inner));
        let environment = Environment {
            direnv: Direnv::Evaluated(envrc),
            ..Environment::default()
        };
        assert!(is_fresh(&environment, &inner));
        fs::write(inner.join(".envrc"), "").unwrap();
        assert!(!is_fresh(&environment, &inner));
    }

    #[test]
    fn without_known_watches_nothing_is_fresh() {
        let dir = TempDir::new().unwrap();
        let envrc = dir.path().join(".envrc");
        fs::write(&envrc, "").unwrap();
        let environment = Environment {
            direnv: Direnv::Unwatched(envrc),
            ..Environment::default()
        };
        assert!(!is_fresh(&environment, dir.path()));
    }
}
