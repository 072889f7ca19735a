//! Whether an event loop waits at a socket, as far as we may see. Who waits in another way is not
//! seen, and one who waits need not accept: it is a hint, no proof.

use std::{fs, path::Path};

const EPOLLIN: u64 = 1;

/// Whether this process waits for connections at this socket by epoll.
pub(super) fn waits_at(pid: u32, inode: u64) -> bool {
    let folder = format!("/proc/{pid}");
    let folder = Path::new(&folder);
    let Ok(descriptors) = fs::read_dir(folder.join("fd")) else {
        return false;
    };
    let loops = descriptors.flatten().filter(|descriptor| {
        fs::read_link(descriptor.path()).is_ok_and(|to| to.as_os_str() == "anon_inode:[eventpoll]")
    });
    loops
        .filter_map(|it| fs::read_to_string(folder.join("fdinfo").join(it.file_name())).ok())
        .any(|info| contains(&info, inode))
}

/// Whether what the kernel says of an epoll descriptor names this socket. A line of it:
/// `tfd:        8 events:       19 data:  55d0c0ffee  pos:0 ino:1f3b sdev:8`
fn contains(info: &str, inode: u64) -> bool {
    info.lines().any(|line| {
        let readable = number(line, " events:").is_some_and(|events| events & EPOLLIN != 0);
        readable && number(line, " ino:") == Some(inode)
    })
}

/// The hexadecimal number behind a name.
fn number(line: &str, name: &str) -> Option<u64> {
    let (_, rest) = line.split_once(name)?;
    u64::from_str_radix(rest.split_ascii_whitespace().next()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_counts_only_while_something_is_to_be_read_from_it() {
        let info = "pos:\t0\nflags:\t02\n\
                    tfd:        8 events:       19 data:  55d0c0ffee  pos:0 ino:1f3b sdev:8\n\
                    tfd:        9 events: 80000000 data:                9  pos:0 ino:1f3c sdev:8\n";
        assert!(contains(info, 0x1f3b));
        assert!(!contains(info, 0x1f3c));
        assert!(!contains(info, 8));
        assert!(!contains("tfd: events: ino:\n", 0));
    }

    #[actix::test]
    async fn a_listener_is_waited_at_once_an_event_loop_has_it() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let inode = rustix::fs::fstat(&listener).unwrap().st_ino;
        let me = std::process::id();
        assert!(!waits_at(me, inode));
        let _in_the_loop = tokio::net::TcpListener::from_std(listener).unwrap();
        assert!(waits_at(me, inode));
    }
}
