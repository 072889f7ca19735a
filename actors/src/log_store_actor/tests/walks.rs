//! Readers who follow.

use super::*;
use crate::search::walk::{Item, Listen, Locate, Page, Reach, ReadOn, Then, Walk};

async fn append(store: &Addr<LogStoreActor>, key: LogKey, text: &str) {
    let (stream, bytes) = (Stream::Stdout, Bytes::copy_from_slice(text.as_bytes()));
    store.send(Append { key, stream, bytes }).await.unwrap();
}

async fn locate(store: &Addr<LogStoreActor>, reach: Reach) -> Result<Walk, NoSuchLog> {
    let search = Search {
        processes: vec![main()],
        kind: LogKind::Builds,
        which: Which::Index(-1),
        query: Query::default(),
    };
    store.send(Locate { search, reach }).await.unwrap()
}

/// The texts of a page, and the walk if there may be more later.
async fn page(store: &Addr<LogStoreActor>, walk: Walk) -> (Vec<String>, Option<Walk>) {
    let Page { items, then } = store.send(ReadOn(walk)).await.unwrap().unwrap();
    let items = items.into_iter().map(|item| match item {
        Item::Line(line) => line.text,
        other => format!("{other:?}"),
    });
    let walk = match then {
        Then::Later(walk) => Some(walk),
        Then::End => None,
        Then::More(_) => panic!("a page that is not full"),
    };
    (items.collect(), walk)
}

#[actix::test]
async fn who_listens_is_told_of_a_new_log_of_its_lines_and_of_its_end() {
    let store = silent_store();
    let listen = Listen {
        processes: vec![main()],
        kind: LogKind::Builds,
    };
    let mut bells = store.send(listen).await.unwrap();
    let bell = &mut bells[0];
    // Nothing was built, so that there is nothing to read but what comes.
    assert!(matches!(
        locate(&store, Reach::Kept).await,
        Err(NoSuchLog::None)
    ));
    let walk = locate(&store, Reach::Later).await.unwrap();
    let (items, walk) = page(&store, walk).await;
    assert_eq!(items, [""; 0]);
    assert!(!bell.has_changed().unwrap());

    open(&store, build(1), vec![]).await;
    bell.changed().await.unwrap();
    append(&store, build(1), "a\nb\nunfinished").await;
    bell.changed().await.unwrap();
    let (items, walk) = page(&store, walk.unwrap()).await;
    assert_eq!(items, ["a", "b"]);
    store
        .send(BuildEnded {
            process: main(),
            build: BuildId(1),
            ending: BuildEnding::Succeeded,
        })
        .await
        .unwrap();
    bell.changed().await.unwrap();
    let (items, walk) = page(&store, walk.unwrap()).await;
    assert_eq!(items, ["unfinished"]);
    // Those of runs are told to others.
    open(&store, run(1), vec![]).await;
    assert!(!bell.has_changed().unwrap());
    assert_eq!(page(&store, walk.unwrap()).await.0, [""; 0]);
}

#[actix::test]
async fn who_does_not_follow_is_at_the_end_of_a_log_that_goes_on() {
    let store = silent_store();
    open(&store, build(1), vec![]).await;
    append(&store, build(1), "a\n").await;
    let walk = locate(&store, Reach::Kept).await.unwrap();
    let (items, walk) = page(&store, walk).await;
    assert_eq!(items, ["a"]);
    assert!(walk.is_none());
}
