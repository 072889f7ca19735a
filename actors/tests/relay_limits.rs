//! The relay where descriptors run out. A process of its own: the limit is the whole process's.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "relay/stage.rs"]
#[expect(dead_code, reason = "the other tests of the relay need more of it")]
mod stage;

use std::{fs::File, os::fd::AsRawFd};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use stage::{
    Stage, backlog_in, eventually, limit_descriptors, limited, listen, raise_descriptor_limit,
    table,
};

const CLIENTS: u8 = 30;

/// Those who hang up.
const IMPATIENT: u8 = 20;

/// Connections that the relay can have at a time; each needs two descriptors.
const AFFORDABLE: u8 = 4;

#[actix::test]
async fn without_descriptors_connections_wait_in_the_backlog_and_get_in_as_others_end() {
    raise_descriptor_limit();
    limited(async {
        let stage = Stage::new("127.0.0.1");
        let child = listen("127.0.0.1", 0);
        let mut clients = Vec::new();
        for number in 0..CLIENTS {
            let mut client = stage.connect().await;
            client.write_all(&[number]).await.unwrap();
            clients.push(client);
        }
        let mut table = table();
        let next = File::open("/dev/null").unwrap().as_raw_fd();
        limit_descriptors(Some(
            u64::try_from(next).unwrap() + 2 * u64::from(AFFORDABLE),
        ));

        stage.route(1, &child);
        eventually(
            || backlog_in(&mut table, stage.address) == usize::from(CLIENTS - AFFORDABLE),
            "as many as can be are let in",
        )
        .await;

        let patient = clients.split_off(usize::from(IMPATIENT));
        for client in clients {
            client.set_zero_linger().unwrap();
        }
        eventually(
            || backlog_in(&mut table, stage.address) == 0,
            "all are let in",
        )
        .await;

        raise_descriptor_limit();
        let mut seen = Vec::new();
        while seen.len() < patient.len() {
            let (mut server, _) = child.accept().await.unwrap();
            let mut number = [0];
            // Those who broke off may be among them.
            if server.read_exact(&mut number).await.is_ok() && number[0] >= IMPATIENT {
                seen.push(number[0]);
            }
        }
        seen.sort_unstable();
        assert_eq!(seen, (IMPATIENT..CLIENTS).collect::<Vec<_>>());
    })
    .await;
}
