use std::{
    io::{IoSlice, Read},
    os::{fd::AsFd, unix::net::UnixDatagram as Sender},
};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use super::*;

fn bind(folder: &Path) -> NotifySocket {
    NotifySocket::bind(folder, &"main".parse().unwrap(), RunId(7)).unwrap()
}

fn connected(socket: &NotifySocket) -> Sender {
    let sender = Sender::unbound().unwrap();
    sender.connect(socket.path()).unwrap();
    sender
}

#[test]
fn known_notices_are_told_in_their_order_and_unknown_ones_are_left_out() {
    let said = b"MAINPID=12\nSTATUS=loading\nREADY=1\nREADY=0\n\nWATCHDOG=1\nnonsense\nWATCHDOG=trigger\nSTOPPING=1\n";
    let expected = [
        Notice::Status("loading".into()),
        Notice::Ready,
        Notice::Alive,
        Notice::Stuck,
        Notice::Stopping,
    ];
    assert_eq!(notices(said), expected);
    for nothing in [&b""[..], b"\n", b"READY", b"READY=11", b"xREADY=1"] {
        assert_eq!(notices(nothing), []);
    }
}

#[test]
fn a_status_shows_no_control_character_and_is_no_longer_than_a_line() {
    assert_eq!(status(b"a\tb\x1b[1mc\xff\r"), "a b [1mc\u{fffd} ");
    assert_eq!(status(b""), "");
    let long = status("é".repeat(1_000).as_bytes());
    assert_eq!(long.chars().count(), LONGEST_STATUS);
    assert!(long.ends_with("é…"));
    let fits = "é".repeat(LONGEST_STATUS);
    assert_eq!(status(fits.as_bytes()), fits);
}

#[actix::test]
async fn what_a_child_says_is_heard_datagram_by_datagram() {
    let folder = tempfile::tempdir().unwrap();
    let socket = bind(folder.path());
    let child = connected(&socket);
    child.send(b"X_UNKNOWN=1").unwrap();
    child.send(b"STATUS=one\nREADY=1").unwrap();
    child.send(b"STOPPING=1\n").unwrap();
    let first = socket.next().await.unwrap();
    assert_eq!(first, [Notice::Status("one".into()), Notice::Ready]);
    assert_eq!(socket.next().await.unwrap(), [Notice::Stopping]);
}

#[actix::test]
async fn descriptors_that_come_with_a_notice_are_closed_so_a_barrier_ends() {
    let folder = tempfile::tempdir().unwrap();
    let socket = bind(folder.path());
    let child = connected(&socket);
    let (mut barrier, passed) = io::pipe().unwrap();
    let descriptors = [passed.as_fd()];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(&descriptors)));
    let said = [IoSlice::new(b"BARRIER=1")];
    sendmsg(&child, &said, &mut control, SendFlags::empty()).unwrap();
    drop(passed);
    child.send(b"READY=1").unwrap();
    assert_eq!(socket.next().await.unwrap(), [Notice::Ready]);
    assert_eq!(
        barrier.read(&mut [0]).unwrap(),
        0,
        "the descriptor is still open"
    );
}

#[actix::test]
async fn its_folder_is_private_its_file_replaces_a_stale_one_and_goes_with_it() {
    use std::os::unix::fs::PermissionsExt;
    let state = tempfile::tempdir().unwrap();
    let folder = state.path().join("a/notify");
    let first = bind(&folder);
    let mode = fs::metadata(&folder).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    assert_eq!(first.path(), folder.join("main-7"));
    // As a daemon that was killed leaves it.
    std::mem::forget(first);
    let second = bind(&folder);
    connected(&second).send(b"READY=1").unwrap();
    assert_eq!(second.next().await.unwrap(), [Notice::Ready]);
    let path = second.path().to_owned();
    drop(second);
    assert!(!path.exists());
}

#[actix::test]
async fn what_is_no_socket_is_not_removed_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("main-7");
    fs::write(&file, "mine").unwrap();
    let refused = NotifySocket::bind(folder.path(), &"main".parse().unwrap(), RunId(7));
    assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    clear(folder.path()).unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
}

#[actix::test]
async fn a_path_that_is_too_long_for_a_socket_is_replaced_by_a_short_one() {
    let state = tempfile::tempdir().unwrap();
    let deep = state.path().join("x".repeat(120));
    let socket = bind(&deep);
    assert!(!deep.exists());
    connected(&socket).send(b"WATCHDOG=1").unwrap();
    assert_eq!(socket.next().await.unwrap(), [Notice::Alive]);
    let folder = socket.path().parent().unwrap().to_owned();
    drop(socket);
    assert!(!folder.exists());
}
