//! Why a socket cannot be had, in the words of the configuration.

use std::{fmt, io, path::PathBuf};

use bpm_actors::{ids::ProcessName, spec::ListenAddress};

use crate::daemon::port_owner::PortOwner;

/// A socket of a process that cannot be had.
#[derive(Debug, thiserror::Error)]
pub struct HeldError {
    /// Whose it was to be.
    pub process: ProcessName,
    /// What asks for it.
    pub key: Key,
    /// Where it was to listen.
    pub address: ListenAddress,
    /// Why it does not.
    pub reason: Reason,
    /// Where it is configured.
    pub file: PathBuf,
}

/// The key of the configuration that asks for a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// `listen`
    Listen,
    /// `port`
    Port,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Listen => "listen",
            Self::Port => "port",
        })
    }
}

/// Why an address cannot be had.
#[derive(Debug)]
pub enum Reason {
    /// Somebody else listens there.
    Taken(PortOwner),
    /// This daemon has it already, for another entry or for MCP.
    Ours,
    /// The port is one of those that only root may use.
    Privileged,
    /// The machine does not have the address.
    Elsewhere,
    /// The machine does not have IPv6.
    NoIpv6,
    /// The folder of a unix socket is missing.
    NoFolder(PathBuf),
    /// There is a file in its place that is not a socket.
    NoSocket,
    /// The path is longer than the kernel's limit.
    TooLong,
    /// The system refuses for another reason.
    Refused(io::Error),
}

impl HeldError {
    /// Who else is in the way, if that is the reason.
    #[must_use]
    pub fn owner(&self) -> Option<&PortOwner> {
        match &self.reason {
            Reason::Taken(owner) => Some(owner),
            _ => None,
        }
    }
}

impl fmt::Display for HeldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            process,
            key,
            address,
            reason,
            file,
        } = self;
        write!(f, "process {process}: {key} {address} ")?;
        match reason {
            Reason::Taken(owner) => {
                write!(f, "is taken by {owner}: stop that one, or change {key}")
            }
            Reason::Ours => write!(
                f,
                "is taken by this daemon itself, for another entry or as mcp_port: change one of them"
            ),
            Reason::Privileged => write!(f, "needs privileges: choose a port from 1024 upwards"),
            Reason::Elsewhere => write!(f, "is not an address of this machine: change {key}"),
            Reason::NoIpv6 => write!(f, "cannot be had, this machine has no IPv6: change {key}"),
            Reason::NoFolder(folder) => write!(
                f,
                "has no folder to be in: create {}, or change {key}",
                folder.display()
            ),
            Reason::NoSocket => write!(
                f,
                "is a file that is not a socket, and is left alone: remove it, or change {key}"
            ),
            Reason::TooLong => write!(
                f,
                "is longer than the 107 bytes that the path of a socket may have: change {key}"
            ),
            Reason::Refused(cause) => write!(f, "cannot be had: {cause}; change {key}"),
        }?;
        write!(f, " in {}", file.display())
    }
}
