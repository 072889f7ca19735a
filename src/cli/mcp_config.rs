//! `bpm mcp-config`: how to connect a coding agent.

use serde_json::{Value, json};

use super::{
    arguments::{McpClient, Place},
    code::Code,
    console::Console,
    failure::Failure,
};
use crate::{
    client::{FindError, find, token_of},
    config::Config,
};

/// By what name agents know the server.
const NAME: &str = "bpm";

/// Prints what a client needs.
///
/// # Errors
/// When it cannot be told where the daemon serves.
pub(super) fn print(
    client: McpClient,
    place: &Place,
    console: &mut Console,
) -> Result<Code, Failure> {
    let server = server(place)?;
    let Snippet { about, text } = snippet(client, &server);
    for line in about {
        console.note(&line);
    }
    console.line(&text)?;
    Ok(Code::Done)
}

/// Where the daemon serves, and what must be shown to it.
struct Server {
    url: String,
    token: Option<String>,
}

fn server(place: &Place) -> Result<Server, Failure> {
    let project_dir = match find(&place.which()) {
        Ok(target) => {
            let (url, token) = (target.url, target.token);
            // One that was made once is kept, also where it is not asked for any more.
            let config = target.project_dir.map(|dir| Config::load(&dir));
            let is_asked_for = !matches!(config, Some(Ok(config)) if !config.token);
            let token = token.filter(|_| is_asked_for);
            return Ok(Server { url, token });
        }
        Err(FindError::NotRunning { project_dir }) => project_dir,
        Err(error) => return Err(error.into()),
    };
    // It will serve where the configuration says.
    let config = Config::load(&project_dir)?;
    let token = config.token.then(|| token_of(&project_dir));
    match (config.mcp_port, token) {
        // It chooses the port when it starts, and makes the token when it starts first.
        (0, _) | (_, Some(None)) => Err(Failure::from(FindError::NotRunning { project_dir })),
        (port, token) => Ok(Server {
            url: format!("http://localhost:{port}/mcp"),
            token: token.flatten(),
        }),
    }
}

/// What a client needs.
struct Snippet {
    /// For people: where it belongs.
    about: Vec<String>,
    text: String,
}

fn snippet(client: McpClient, server: &Server) -> Snippet {
    let Server { url, token } = server;
    let bearer = token.as_ref().map(|token| format!("Bearer {token}"));
    let secret = "it has the token in it: keep it out of the repository";
    let file = |file: &str| {
        let mut about = vec![format!("in {file}:")];
        about.extend(token.as_ref().map(|_| secret.to_owned()));
        about
    };
    let entry = |mut entry: Value| {
        if let Some(bearer) = &bearer {
            entry["headers"] = json!({"Authorization": bearer});
        }
        entry
    };
    let typed = || entry(json!({"type": "http", "url": url}));
    let plain = || entry(json!({"url": url}));
    match client {
        McpClient::Claude => {
            let header = bearer.as_ref().map_or_else(String::new, |bearer| {
                format!(" --header \"Authorization: {bearer}\"")
            });
            let mut about = vec!["run this in the project's directory:".to_owned()];
            if token.is_none() {
                let shared = json!({"mcpServers": {NAME: typed()}});
                about.insert(
                    0,
                    format!(
                        "for everybody who works in the project, in its .mcp.json: {shared}; or"
                    ),
                );
            }
            Snippet {
                about,
                text: format!("claude mcp add --transport http {NAME} {url}{header}"),
            }
        }
        McpClient::Codex => {
            let header = bearer.map_or_else(String::new, |bearer| {
                format!("\nhttp_headers = {{ Authorization = {} }}", json!(bearer))
            });
            Snippet {
                about: file("~/.codex/config.toml, or .codex/config.toml of a trusted project"),
                text: format!("[mcp_servers.{NAME}]\nurl = {}{header}", json!(url)),
            }
        }
        McpClient::Gemini => in_json(file(".gemini/settings.json"), "mcpServers", &typed()),
        McpClient::Cursor => in_json(file(".cursor/mcp.json"), "mcpServers", &plain()),
        McpClient::Vscode => in_json(file(".vscode/mcp.json"), "servers", &typed()),
        McpClient::Zed => in_json(
            file("Zed's settings.json, or .zed/settings.json of the project"),
            "context_servers",
            &plain(),
        ),
    }
}

fn in_json(about: Vec<String>, key: &str, entry: &Value) -> Snippet {
    Snippet {
        about,
        text: format!("{:#}", json!({key: {NAME: entry}})),
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    fn all(token: Option<&str>) -> String {
        let server = Server {
            url: "http://localhost:3001/mcp".to_owned(),
            token: token.map(str::to_owned),
        };
        let shown = McpClient::value_variants().iter().map(|client| {
            let Snippet { about, text } = snippet(*client, &server);
            format!("# {}\n{text}\n", about.join("\n# "))
        });
        shown.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn each_client_gets_what_it_reads() {
        insta::assert_snapshot!(all(None), @r#"
            # for everybody who works in the project, in its .mcp.json: {"mcpServers":{"bpm":{"type":"http","url":"http://localhost:3001/mcp"}}}; or
            # run this in the project's directory:
            claude mcp add --transport http bpm http://localhost:3001/mcp

            # in ~/.codex/config.toml, or .codex/config.toml of a trusted project:
            [mcp_servers.bpm]
            url = "http://localhost:3001/mcp"

            # in .gemini/settings.json:
            {
              "mcpServers": {
                "bpm": {
                  "type": "http",
                  "url": "http://localhost:3001/mcp"
                }
              }
            }

            # in .cursor/mcp.json:
            {
              "mcpServers": {
                "bpm": {
                  "url": "http://localhost:3001/mcp"
                }
              }
            }

            # in .vscode/mcp.json:
            {
              "servers": {
                "bpm": {
                  "type": "http",
                  "url": "http://localhost:3001/mcp"
                }
              }
            }

            # in Zed's settings.json, or .zed/settings.json of the project:
            {
              "context_servers": {
                "bpm": {
                  "url": "http://localhost:3001/mcp"
                }
              }
            }
            "#);
    }

    #[test]
    fn where_a_token_is_asked_for_it_is_in_what_they_send() {
        insta::assert_snapshot!(all(Some("s3cret")), @r#"
            # run this in the project's directory:
            claude mcp add --transport http bpm http://localhost:3001/mcp --header "Authorization: Bearer s3cret"

            # in ~/.codex/config.toml, or .codex/config.toml of a trusted project:
            # it has the token in it: keep it out of the repository
            [mcp_servers.bpm]
            url = "http://localhost:3001/mcp"
            http_headers = { Authorization = "Bearer s3cret" }

            # in .gemini/settings.json:
            # it has the token in it: keep it out of the repository
            {
              "mcpServers": {
                "bpm": {
                  "type": "http",
                  "url": "http://localhost:3001/mcp",
                  "headers": {
                    "Authorization": "Bearer s3cret"
                  }
                }
              }
            }

            # in .cursor/mcp.json:
            # it has the token in it: keep it out of the repository
            {
              "mcpServers": {
                "bpm": {
                  "url": "http://localhost:3001/mcp",
                  "headers": {
                    "Authorization": "Bearer s3cret"
                  }
                }
              }
            }

            # in .vscode/mcp.json:
            # it has the token in it: keep it out of the repository
            {
              "servers": {
                "bpm": {
                  "type": "http",
                  "url": "http://localhost:3001/mcp",
                  "headers": {
                    "Authorization": "Bearer s3cret"
                  }
                }
              }
            }

            # in Zed's settings.json, or .zed/settings.json of the project:
            # it has the token in it: keep it out of the repository
            {
              "context_servers": {
                "bpm": {
                  "url": "http://localhost:3001/mcp",
                  "headers": {
                    "Authorization": "Bearer s3cret"
                  }
                }
              }
            }
            "#);
    }
}
