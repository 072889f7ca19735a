//! The text of a configuration.

use std::fmt::Write;

/// Something that could run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// What it is called where it was found.
    pub(super) name: String,
    /// What runs.
    pub(super) what: What,
    /// Where, relative to the project; `.` is the project itself.
    pub(super) cwd: String,
    /// Where it was found, for people.
    pub(super) origin: String,
    /// Whether it is to run unless somebody says otherwise.
    pub(super) role: Role,
}

/// What runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A binary that cargo builds; named as far as that is needed.
    Rust {
        package: Option<String>,
        bin: Option<String>,
    },
    /// A command of the node world.
    Npm(Vec<String>),
    /// Any command.
    Command(Vec<String>),
}

/// Whether it is to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It is.
    Main,
    /// It is written down as a comment.
    Other,
}

const HEAD: &str = "\
# What background-process-manager runs here. `bpm check` checks it, `bpm run` starts it.

mcp_port = 3001            # agents connect to http://localhost:3001/mcp; each project needs a port of its own
# dev_timeout_hours = 3    # idle this long: back to release builds
";

/// The text of a configuration; `None` where nothing of it would run.
pub(super) fn text(found: &[Found]) -> Option<String> {
    found.iter().find(|it| it.role == Role::Main)?;
    let mut text = HEAD.to_owned();
    let mut taken = Vec::new();
    for it in found {
        let name = free_name(&it.name, &mut taken);
        text.push('\n');
        _ = writeln!(text, "# {}", it.origin.replace(char::is_control, " "));
        let table = table(it, &name);
        match it.role {
            Role::Main => text.push_str(&table),
            Role::Other => {
                for line in table.lines() {
                    _ = writeln!(text, "# {line}");
                }
            }
        }
    }
    Some(text)
}

fn table(found: &Found, name: &str) -> String {
    let mut text = format!("[process.{name}]\n");
    match &found.what {
        What::Rust { package, bin } => {
            text.push_str(
                "type = \"rust\"              # cargo builds it; restart swaps the new build in\n",
            );
            for (key, value) in [("package", package), ("bin", bin)] {
                if let Some(value) = value {
                    _ = writeln!(text, "{key} = {}", string(value));
                }
            }
            text.push_str("args = []                  # what it is started with\n");
        }
        What::Npm(command) => {
            _ = writeln!(text, "type = \"npm\"\ncommand = {}", list(command));
        }
        What::Command(command) => {
            _ = writeln!(text, "type = \"command\"\ncommand = {}", list(command));
        }
    }
    if found.cwd != "." {
        _ = writeln!(text, "cwd = {}", string(&found.cwd));
    }
    if found.role == Role::Main {
        text.push_str(hints(&found.what));
    }
    text
}

/// What makes a swap better, for those who know the port.
fn hints(what: &What) -> &'static str {
    let needs_port = |words: &[String]| {
        words
            .iter()
            .any(|it| it.contains("$PORT") || it.contains("${PORT"))
    };
    match what {
        What::Command(words) if needs_port(words) => {
            "# ready = { http = \"http://127.0.0.1:8080/\" }   # how a new run shows that it is ready\n\
             # port = 8080              # what clients connect to; the program serves at $PORT, which is empty without it\n"
        }
        What::Rust { .. } => {
            "# ready = { http = \"http://127.0.0.1:8080/\" }   # how a new run shows that it is ready\n\
             # port = 8080              # swaps without a refused connection: the program serves at $PORT\n"
        }
        What::Npm(_) | What::Command(_) => {
            "# ready = { http = \"http://127.0.0.1:8080/\" }   # how a new run shows that it is ready\n"
        }
    }
}

fn list(words: &[String]) -> String {
    let words: Vec<_> = words.iter().map(|word| string(word)).collect();
    format!("[{}]", words.join(", "))
}

/// A basic string of TOML, which is one of JSON but for DEL.
fn string(text: &str) -> String {
    serde_json::Value::from(text)
        .to_string()
        .replace('\x7f', "\\u007f")
}

/// A name that the configuration permits and that nobody has yet.
fn free_name(wanted: &str, taken: &mut Vec<String>) -> String {
    const LONGEST: usize = 90;
    let permitted = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let name: String = wanted
        .chars()
        .take(LONGEST)
        .map(|c| if permitted(c) { c } else { '-' })
        .collect();
    let name = match name.trim_matches('-') {
        "" => "main",
        // The word marks the output of builds.
        "build" => "build-1",
        name => name,
    };
    let names = std::iter::once(name.to_owned()).chain((2..).map(|n| format!("{name}-{n}")));
    let free = names.into_iter().find(|name| !taken.contains(name));
    let free = free.unwrap_or_default();
    taken.push(free.clone());
    free
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_the_configuration_permits_and_unique() {
        let mut taken = Vec::new();
        let names = ["web", "web", "@me/my app", "build", "日本", ""]
            .map(|name| free_name(name, &mut taken));
        assert_eq!(
            names,
            ["web", "web-2", "me-my-app", "build-1", "main", "main-2"]
        );
    }

    #[test]
    fn strings_are_those_of_toml() {
        for text in ["plain", "a \"b\" \\ c", "tab\t\u{1}\u{7f}", "日本"] {
            let toml: toml::Table = toml::from_str(&format!("x = {}", string(text))).unwrap();
            assert_eq!(toml["x"].as_str(), Some(text));
        }
    }
}
