//! Who holds what this daemon needs, as far as `/proc` tells.

use std::{
    fmt,
    fs::{self, File},
    io::{self, Read},
    iter,
    os::unix::ffi::OsStrExt,
    path::PathBuf,
};

/// How often one is looked for in a [table of the kernel](kernel_table).
pub(super) const LOOKS: u32 = 32;

/// A process that holds a lock or a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occupant {
    /// Its pid.
    pub pid: u32,
    /// Its command name, cut to 15 bytes by the kernel; `None` if it cannot be read.
    pub command: Option<String>,
}

impl Occupant {
    /// The process with this pid.
    #[must_use]
    pub fn of(pid: u32) -> Self {
        let comm = fs::read(format!("/proc/{pid}/comm")).ok();
        let command = comm.map(|name| {
            let name = String::from_utf8_lossy(&name);
            let shown = name.trim_end_matches('\n').chars();
            // A process names itself as it likes; a terminal must not obey that name.
            shown
                .map(|c| if c.is_control() { '?' } else { c })
                .collect()
        });
        Self { pid, command }
    }

    /// The process that has the socket with this inode open: this one, if it does. `None` if it is not
    /// visible: other users' descriptors are not.
    #[must_use]
    pub fn of_socket(inode: u64) -> Option<Self> {
        let link = format!("socket:[{inode}]");
        let processes = fs::read_dir("/proc").ok()?;
        let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let mut pids = iter::once(std::process::id()).chain(pids);
        pids.find(|pid| holds(*pid, &link)).map(Self::of)
    }
}

impl fmt::Display for Occupant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pid {}", self.pid)?;
        match &self.command {
            Some(command) => write!(f, " ({command})"),
            None => Ok(()),
        }
    }
}

/// A table of the kernel, read in pieces as large as it gives them. Between two pieces it finds its
/// place again by counting: a row that goes meanwhile, anyone's, hides another. Who does not find
/// what must be there looks again.
pub(super) fn kernel_table(path: &str) -> io::Result<Vec<u8>> {
    let mut table = File::open(path)?;
    let (mut text, mut piece) = (Vec::new(), vec![0; 64 * 1024]);
    loop {
        match table.read(&mut piece)? {
            0 => return Ok(text),
            length => text.extend_from_slice(&piece[..length]),
        }
    }
}

fn holds(pid: u32, link: &str) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    let mut targets = descriptors.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    targets.any(|target: PathBuf| target.as_os_str().as_bytes() == link.as_bytes())
}
