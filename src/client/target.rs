//! Where a daemon is asked.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    path::PathBuf,
};

/// Where a daemon is asked.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// How it is reached.
    pub address: Address,
    /// What must be shown, if anything.
    pub token: Option<String>,
    /// The URL of its MCP endpoint, for people.
    pub url: String,
    /// Whose daemon it is, if that is known.
    pub project_dir: Option<PathBuf>,
}

// By hand, so that no log tells the token.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("address", &self.address)
            .field("token", &self.token.as_ref().map(|_| "…"))
            .field("url", &self.url)
            .field("project_dir", &self.project_dir)
            .finish()
    }
}

/// How a daemon is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// Over its unix socket.
    Unix(PathBuf),
    /// Over TCP.
    Tcp {
        /// A name or an address, without brackets.
        host: String,
        /// The port.
        port: u16,
    },
}

/// The text is no URL of a daemon.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{url:?}: {}", self.reason())]
pub struct BadUrl {
    /// What was given.
    pub url: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl BadUrl {
    /// What is wrong, and what is right, for where the text itself is named already.
    #[must_use]
    pub fn reason(&self) -> String {
        let why = self.why;
        format!("{why}; a daemon's URL looks like http://localhost:3001/mcp")
    }
}

impl Address {
    /// Reads the URL of a daemon, with or without `/mcp`. The scheme may be left out.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(url: &str) -> Result<Self, BadUrl> {
        let bad = |why| BadUrl {
            url: url.to_owned(),
            why,
        };
        let rest = match url.trim().split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some(_) => return Err(bad("only http is spoken")),
            None => url.trim(),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if !matches!(path.trim_end_matches('/'), "" | "mcp") {
            return Err(bad("its path must be empty or /mcp"));
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or_else(|| bad("a ] is missing"))?;
                if host.parse::<Ipv6Addr>().is_err() {
                    return Err(bad("in brackets stands an IPv6 address"));
                }
                let port = match port.strip_prefix(':') {
                    Some(port) => Some(port),
                    None if port.is_empty() => None,
                    None => return Err(bad("a port follows a colon")),
                };
                (host, port)
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let named = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
        if host.is_empty() || !host.chars().all(named) {
            return Err(bad("it names no host"));
        }
        let port = match port {
            None => 80,
            Some(port) => port
                .parse()
                .ok()
                .filter(|number| *number > 0 && !port.starts_with('+'))
                .ok_or_else(|| bad("a port is a number up to 65535"))?,
        };
        Ok(Self::Tcp {
            host: host.to_owned(),
            port,
        })
    }

    /// Whether it is on this machine, as far as its name tells.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Unix(_) => true,
            Self::Tcp { host, .. } => {
                host.eq_ignore_ascii_case("localhost")
                    || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
            }
        }
    }

    /// What the `Host` header says.
    pub(super) fn authority(&self) -> String {
        match self {
            Self::Unix(_) => "localhost".to_owned(),
            Self::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
            Self::Tcp { host, port } => format!("{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_understood_with_and_without_what_goes_without_saying() {
        for (url, authority) in [
            ("http://localhost:3001/mcp", "localhost:3001"),
            ("http://localhost:3001/mcp/", "localhost:3001"),
            ("http://localhost:3001", "localhost:3001"),
            ("HTTP://127.0.0.1:3001/", "127.0.0.1:3001"),
            ("localhost:3001", "localhost:3001"),
            ("http://[::1]:3001/mcp", "[::1]:3001"),
            ("http://[::1]/mcp", "[::1]:80"),
            ("http://box", "box:80"),
        ] {
            assert_eq!(Address::parse(url).unwrap().authority(), authority, "{url}");
        }
    }

    #[test]
    fn what_is_no_url_of_a_daemon_says_why() {
        for (url, why) in [
            ("https://localhost:3001/mcp", "only http"),
            ("http://localhost:3001/api", "path"),
            ("http://:3001", "host"),
            ("http://u:p@localhost:3001", "port"),
            ("http://u@localhost:3001", "host"),
            ("localhost:0", "port"),
            ("localhost:+1", "port"),
            ("localhost:65536", "port"),
            ("http://[::1:3001", "]"),
            ("http://[::1]3001", "colon"),
            ("http://[localhost]:3001", "IPv6"),
            ("", "host"),
        ] {
            let refused = Address::parse(url).unwrap_err();
            assert!(refused.why.contains(why), "{url}: {refused}");
        }
    }

    #[test]
    fn a_token_is_not_shown() {
        let target = Target {
            address: Address::Unix("/s".into()),
            token: Some("secret".to_owned()),
            url: "http://localhost:3001/mcp".to_owned(),
            project_dir: None,
        };
        assert!(!format!("{target:?}").contains("secret"));
    }
}
