//! The reaper among real processes. One process can have only one reaper, so the tests take turns.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::PathBuf;

use bpm_actors::{
    children::{Children, Launch, TreeEvent},
    exit::Exit,
    leftovers,
    proc_table::{self, Identity},
};

use crate::support::Scene;

fn is_there(pid: u32) -> bool {
    proc_table::Stat::of(pid).is_some_and(|stat| stat.is_alive())
}

#[actix::test]
async fn an_exit_is_told_with_its_code_and_nothing_is_left() {
    let scene = Scene::new();
    let mut child = scene.spawn("exit 3");
    assert_eq!(
        child.ends().await,
        [TreeEvent::Exited(Exit::Code(3)), TreeEvent::Gone]
    );
    assert_eq!(Identity::of(child.pid), None, "a zombie is left");
}

#[actix::test]
async fn a_real_time_signal_is_an_exit_like_any_other() {
    let scene = Scene::new();
    let mut child = scene.spawn("kill -s RTMIN+3 $$ 2>/dev/null || kill -37 $$");
    assert_eq!(
        child.ends().await,
        [TreeEvent::Exited(Exit::Signal(37)), TreeEvent::Gone]
    );
}

#[actix::test]
async fn a_child_leads_its_own_session_and_group_and_has_no_stdin() {
    let scene = Scene::new();
    let mut child = scene.spawn("read line || echo $$; exec sleep 1000");
    assert_eq!(child.prints(1).await, [child.pid]);
    let stat = proc_table::Stat::of(child.pid).unwrap();
    assert_eq!((stat.session, stat.group), (child.pid, child.pid));
    scene.reaper.kill(child.tree);
    child.ends().await;
}

#[actix::test]
async fn stdout_and_stderr_are_two_pipes_that_outlive_the_child() {
    let scene = Scene::new();
    let said = scene.spawn("echo out; echo err >&2").says().await;
    assert_eq!(said, ("out\n".to_owned(), "err\n".to_owned()));
}

#[actix::test]
async fn terminating_reaches_the_whole_group() {
    let scene = Scene::new();
    let mut child = scene.spawn("sleep 1000 & echo $!; wait");
    let grandchild = child.prints(1).await[0];
    scene.reaper.terminate(child.tree);
    assert_eq!(
        child.ends().await,
        [TreeEvent::Exited(Exit::Signal(15)), TreeEvent::Gone]
    );
    assert!(!is_there(grandchild));
}

#[actix::test]
async fn one_that_left_the_session_is_asked_when_its_leader_ended() {
    let scene = Scene::new();
    let mut child = scene.spawn("setsid sh -c 'echo $$; exec sleep 1000' & wait");
    let grandchild = child.prints(1).await[0];
    scene.reaper.terminate(child.tree);
    child.ends().await;
    assert!(!is_there(grandchild));
}

#[actix::test]
async fn after_a_crash_a_double_forked_descendant_is_found_and_killed() {
    let scene = Scene::new();
    let mut child = scene.spawn(
        "(setsid sh -c 'echo $$; trap \"\" TERM; sleep 1000; sleep 1000' &) ; read x; kill -9 $$",
    );
    let grandchild = child.prints(1).await[0];
    assert_eq!(
        child.events.recv().await,
        Some(TreeEvent::Exited(Exit::Signal(9)))
    );
    assert!(is_there(grandchild));
    scene.reaper.kill(child.tree);
    assert_eq!(child.events.recv().await, Some(TreeEvent::Gone));
    assert!(!is_there(grandchild));
}

#[actix::test]
async fn one_that_threw_its_environment_and_session_away_is_remembered() {
    let scene = Scene::new();
    let mut child =
        scene.spawn("setsid env -i sh -c 'echo $$; while :; do /bin/sleep 1000; done' & wait");
    let grandchild = child.prints(1).await[0];
    scene.reaper.kill(child.tree);
    child.ends().await;
    assert!(!is_there(grandchild));
}

#[actix::test]
async fn a_double_forked_descendant_that_execs_all_the_time_is_found() {
    let scene = Scene::new();
    let endless = scene.folder.path().join("endless");
    std::fs::write(&endless, "exec sh endless\n").unwrap();
    for _ in 0..40 {
        let script = "(setsid sh -c 'echo $$; exec sh endless' &); read forever; exit 1";
        let mut child = scene.spawn(script);
        let far = child.prints(1).await[0];
        scene.reaper.kill(child.tree);
        child.ends().await;
        assert!(!is_there(far));
    }
}

#[actix::test]
async fn one_that_hid_from_its_tree_is_found_at_the_very_end() {
    let scene = Scene::new();
    let mut child = scene.spawn(concat!(
        "(setsid env -i sh -c 'echo $$; : > hidden; exec /bin/sleep 1000' &); ",
        "until [ -e hidden ]; do sleep 0.01; done",
    ));
    let hidden = child.prints(1).await[0];
    child.ends().await;
    scene.reaper.end_strays().await;
    assert!(!is_there(hidden));
}

#[actix::test]
async fn the_end_of_one_tree_does_not_touch_another() {
    let scene = Scene::new();
    let mut one = scene.spawn("exec sleep 1000");
    let mut other = scene.spawn("exec sleep 1000");
    scene.reaper.kill(one.tree);
    one.ends().await;
    assert!(is_there(other.pid));
    scene.reaper.kill(other.tree);
    other.ends().await;
}

#[actix::test]
async fn a_program_that_is_missing_is_an_error_and_not_an_exit() {
    let scene = Scene::new();
    let launch = Launch {
        program: PathBuf::from("/no/such/program"),
        ..scene.launch("")
    };
    let error = scene.reaper.spawn(&launch, Box::new(|_| ())).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot run /no/such/program: No such file or directory (os error 2)"
    );
    let launch = Launch {
        cwd: PathBuf::from("/no/such/folder"),
        ..scene.launch("exit 0")
    };
    let error = scene.reaper.spawn(&launch, Box::new(|_| ())).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot run sh: its working directory /no/such/folder is not there"
    );
}

#[actix::test]
async fn what_a_dead_daemon_left_is_found_by_its_marks_and_ended() {
    let scene = Scene::new();
    let mut child = scene.spawn(
        "trap '' TERM; setsid sh -c 'echo $$; exec sleep 1000' & echo $$; sleep 1000; sleep 1000",
    );
    let pids = child.prints(2).await;
    // As the next daemon would: it knows nothing but the folder.
    let ledger = scene.folder.path().join("children.json");
    let ended = leftovers::end(&ledger, scene.folder.path(), std::time::Duration::ZERO);
    let ended = ended.await.unwrap();
    assert!(ended >= 2, "only {ended} were found");
    child.ends().await;
    assert!(!pids.iter().any(|pid| is_there(*pid)));
}

#[actix::test]
async fn what_a_child_starts_while_it_shuts_down_may_finish_within_the_grace() {
    let scene = Scene::new();
    let mut child = scene.spawn(concat!(
        "trap 'sh -c \"echo saving > state; sleep 0.1; echo saved > state\" & exit 0' TERM; ",
        "echo $$; while :; do sleep 0.01; done"
    ));
    child.prints(1).await;
    scene.reaper.terminate(child.tree);
    assert_eq!(
        child.ends().await,
        [TreeEvent::Exited(Exit::Code(0)), TreeEvent::Gone]
    );
    let state = std::fs::read_to_string(scene.folder.path().join("state")).unwrap();
    assert_eq!(state, "saved\n");
}

#[actix::test]
async fn one_that_escaped_before_the_stop_is_asked_as_well() {
    let scene = Scene::new();
    let mut child = scene.spawn(concat!(
        "(setsid sh -c 'trap \"echo asked > asked; exit 0\" TERM; echo $$; while :; do sleep 0.01; done' &); ",
        "while :; do sleep 0.01; done"
    ));
    child.prints(1).await;
    scene.reaper.terminate(child.tree);
    child.ends().await;
    let asked = std::fs::read_to_string(scene.folder.path().join("asked")).unwrap();
    assert_eq!(asked, "asked\n");
}

#[actix::test]
async fn the_members_of_a_tree_are_the_leader_first_and_whoever_left_it() {
    let scene = Scene::new();
    let mut child = scene.spawn(concat!(
        "echo $$; sleep 1000 & echo $!; ",
        "(setsid sh -c 'echo $$; exec sleep 1000' &); wait"
    ));
    let mut pids = child.prints(3).await;
    let mut other = scene.spawn("exec sleep 1000");

    let mut members = scene.reaper.members(child.tree);

    assert_eq!((pids[0], members[0]), (child.pid, child.pid));
    pids.sort_unstable();
    members.sort_unstable();
    assert_eq!(members, pids);
    scene.reaper.kill(other.tree);
    other.ends().await;
    scene.reaper.kill(child.tree);
    child.ends().await;
    assert_eq!(scene.reaper.members(child.tree), [0; 0]);
}
