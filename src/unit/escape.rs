//! How values are written into a unit file (`systemd.syntax(7)`, `systemd.service(5)`).

use std::{ffi::OsStr, fmt::Write as _, path::Path};

/// A value that no unit file can hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} cannot be written into a unit file: {value:?} {why}")]
pub struct Unwritable {
    /// What it is.
    what: String,
    /// The value.
    value: String,
    /// Why not.
    why: &'static str,
}

fn readable<'v>(what: &str, value: &'v OsStr) -> Result<&'v str, Unwritable> {
    let unwritable = |why| Unwritable {
        what: what.to_owned(),
        value: value.to_string_lossy().into_owned(),
        why,
    };
    let text = value.to_str().ok_or_else(|| unwritable("is not UTF-8"))?;
    if text.chars().any(char::is_control) {
        return Err(unwritable("has a control character"));
    }
    Ok(text)
}

/// A word of a command line or an assignment, in quotes. `$` stays: see [`command_line`].
///
/// # Errors
/// When it is not UTF-8 or has control characters.
pub fn word(what: &str, value: &OsStr) -> Result<String, Unwritable> {
    let text = readable(what, value)?;
    let mut quoted = String::from("\"");
    for char in text.chars() {
        match char {
            '"' | '\\' => {
                let _ = write!(quoted, "\\{char}");
            }
            // Else it begins a specifier.
            '%' => quoted.push_str("%%"),
            _ => quoted.push(char),
        }
    }
    quoted.push('"');
    Ok(quoted)
}

/// A command line; the program is an absolute path.
///
/// # Errors
/// As [`word`].
pub fn command_line(program: &Path, arguments: &[&OsStr]) -> Result<String, Unwritable> {
    let mut words = vec![word("the program's path", program.as_os_str())?];
    for argument in arguments {
        words.push(word("an argument", argument)?);
    }
    let line = words.join(" ");
    // Where there is a `$`, the colon says that no variable is meant.
    let colon = if line.contains('$') { ":" } else { "" };
    Ok(format!("{colon}{line}"))
}

/// A path that is the whole value of a key: quotes and backslashes mean nothing there.
///
/// # Errors
/// As [`word`], and when systemd would take away its end.
pub fn path(what: &str, value: &Path) -> Result<String, Unwritable> {
    let text = readable(what, value.as_os_str())?;
    if text.ends_with('\\') || text.ends_with(char::is_whitespace) {
        return Err(Unwritable {
            what: what.to_owned(),
            value: text.to_owned(),
            why: "ends with a backslash or a space",
        });
    }
    Ok(text.replace('%', "%%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_backslashes_and_specifiers_are_escaped() {
        let word = |text: &str| word("it", text.as_ref()).unwrap();
        assert_eq!(word("/home/u/my bot"), r#""/home/u/my bot""#);
        assert_eq!(word(r#"a"b\c'd"#), r#""a\"b\\c'd""#);
        assert_eq!(word("100%n"), r#""100%%n""#);
    }

    #[test]
    fn a_dollar_is_no_variable() {
        let line = command_line(Path::new("/b/$HOME"), &["/p/$x".as_ref()]).unwrap();
        assert_eq!(line, r#":"/b/$HOME" "/p/$x""#);
        let line = command_line(Path::new("/b/m"), &["/p".as_ref()]).unwrap();
        assert_eq!(line, r#""/b/m" "/p""#);
    }

    #[test]
    fn a_path_alone_has_no_quotes_and_must_end_visibly() {
        assert_eq!(
            path("it", Path::new("/a b/\"50%\"")).unwrap(),
            "/a b/\"50%%\""
        );
        assert_eq!(
            path("the directory", Path::new("/a\\"))
                .unwrap_err()
                .to_string(),
            r#"the directory cannot be written into a unit file: "/a\\" ends with a backslash or a space"#
        );
        path("it", Path::new("/a ")).unwrap_err();
    }

    #[test]
    fn what_a_line_cannot_hold_is_refused() {
        use std::os::unix::ffi::OsStrExt;
        word("it", "a\nExecStartPre=evil".as_ref()).unwrap_err();
        word("it", OsStr::from_bytes(b"\xff")).unwrap_err();
    }
}
