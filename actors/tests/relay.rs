//! The relay among real sockets.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "relay/bulk.rs"]
mod bulk;
#[path = "relay/stage.rs"]
mod stage;

use std::{cell::Cell, io::ErrorKind, net::SocketAddr, rc::Rc};

use bpm_actors::{ids::RunId, relay::private_port};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
};

use stage::{Stage, backlog, eventually, limited, listen, raise_descriptor_limit};

const V4: &str = "127.0.0.1";
const V6: &str = "::1";

async fn says(stream: &mut TcpStream, words: &[u8]) {
    let mut heard = vec![0; words.len()];
    stream.read_exact(&mut heard).await.unwrap();
    assert_eq!(heard, words);
}

/// The bytes until the end, and how it ended.
async fn to_the_end(stream: &mut TcpStream) -> (usize, Result<(), ErrorKind>) {
    let mut buffer = vec![0; 1 << 16];
    let mut total = 0;
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) => return (total, Ok(())),
            Ok(count) => total += count,
            Err(error) => return (total, Err(error.kind())),
        }
    }
}

#[actix::test]
async fn without_a_route_connections_wait_in_the_backlog() {
    limited(async {
        let stage = Stage::new(V4);
        let child = listen(V4, 0);
        stage.route(1, &child);
        let (_client, _server) = stage.meet(&child).await;
        stage.relay.route(None);

        let mut waiting = stage.connect().await;
        waiting.write_all(b"hello").await.unwrap();
        assert_eq!(backlog(stage.address), 1);

        stage.route(1, &child);
        let (mut server, _) = child.accept().await.unwrap();
        says(&mut server, b"hello").await;
    })
    .await;
}

#[actix::test]
async fn a_connection_that_the_child_refuses_waits_until_the_child_listens() {
    limited(async {
        let stage = Stage::new(V4);
        let port = private_port().unwrap();
        stage.route_to(1, port);
        let mut client = stage.connect().await;
        client.write_all(b"hello").await.unwrap();
        eventually(|| backlog(stage.address) == 0, "it is accepted").await;

        let child = listen(V4, port);

        let (mut server, _) = child.accept().await.unwrap();
        says(&mut server, b"hello").await;
        server.write_all(b"at last").await.unwrap();
        says(&mut client, b"at last").await;
    })
    .await;
}

#[actix::test]
async fn a_refused_connection_goes_to_the_next_route() {
    limited(async {
        let stage = Stage::new(V4);
        stage.route_to(1, private_port().unwrap());
        let mut client = stage.connect().await;
        client.write_all(b"hello").await.unwrap();
        eventually(|| backlog(stage.address) == 0, "it is accepted").await;
        stage.relay.route(None);
        stage.relay.drained(RunId(1)).await;

        let child = listen(V4, 0);
        stage.route(2, &child);

        let (mut server, _) = child.accept().await.unwrap();
        says(&mut server, b"hello").await;
    })
    .await;
}

#[actix::test]
async fn a_bounded_number_waits_inside_and_all_are_served_in_the_end() {
    const CLIENTS: usize = 300;
    const INSIDE: usize = 256;
    raise_descriptor_limit();
    limited(async {
        let stage = Stage::new(V4);
        let port = private_port().unwrap();
        stage.route_to(1, port);
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            clients.push(stage.connect().await);
        }
        eventually(
            || backlog(stage.address) == CLIENTS - INSIDE,
            "as many as may are accepted",
        )
        .await;

        let child = listen(V4, port);
        let mut servers = Vec::new();
        for _ in 0..CLIENTS {
            let (mut server, _) = child.accept().await.unwrap();
            server.write_all(b"x").await.unwrap();
            servers.push(server);
        }

        for client in &mut clients {
            says(client, b"x").await;
        }
        assert_eq!(backlog(stage.address), 0);
    })
    .await;
}

#[actix::test]
async fn a_client_that_hangs_up_while_it_waits_is_forgotten() {
    limited(async {
        let stage = Stage::new(V4);
        let port = private_port().unwrap();
        stage.route_to(1, port);
        let silent = stage.connect().await;
        let mut resetting = stage.connect().await;
        resetting.write_all(b"not me").await.unwrap();
        let gone = [&silent, &resetting].map(|it| it.local_addr().unwrap());
        eventually(|| backlog(stage.address) == 0, "both are accepted").await;

        drop(silent);
        resetting.set_zero_linger().unwrap();
        drop(resetting);
        for client in gone {
            eventually(|| !stage.holds(client), "its socket is closed").await;
        }

        let mut asking = stage.connect().await;
        asking.write_all(b"only me").await.unwrap();
        asking.shutdown().await.unwrap();
        let child = listen(V4, port);
        let (mut server, _) = child.accept().await.unwrap();
        says(&mut server, b"only me").await;
        server.write_all(b"yes").await.unwrap();
        says(&mut asking, b"yes").await;
    })
    .await;
}

#[actix::test]
async fn a_change_of_route_moves_only_new_connections() {
    limited(async {
        let stage = Stage::new(V4);
        let (old, new) = (listen(V4, 0), listen(V4, 0));
        stage.route(1, &old);
        let (mut old_client, mut old_server) = stage.meet(&old).await;

        stage.route(2, &new);
        let (mut new_client, mut new_server) = stage.meet(&new).await;

        for (client, server) in [
            (&mut old_client, &mut old_server),
            (&mut new_client, &mut new_server),
        ] {
            client.write_all(b"ping").await.unwrap();
            says(server, b"ping").await;
            server.write_all(b"pong").await.unwrap();
            says(client, b"pong").await;
        }
    })
    .await;
}

#[actix::test]
async fn a_run_is_drained_when_its_last_connection_ended_after_the_route_left_it() {
    limited(async {
        let stage = Stage::new(V4);
        let (old, new) = (listen(V4, 0), listen(V4, 0));
        stage.relay.drained(RunId(1)).await;
        stage.route(1, &old);
        let (client, mut server) = stage.meet(&old).await;
        let drained = actix::spawn(stage.relay.drained(RunId(1)));

        stage.route(2, &new);
        stage.meet(&new).await;
        assert!(!drained.is_finished(), "one connection is there");

        drop(client);
        assert_eq!(to_the_end(&mut server).await, (0, Ok(())));
        assert!(!drained.is_finished(), "the child may still speak");
        drop(server);
        drained.await.unwrap();
    })
    .await;
}

#[actix::test]
async fn a_run_that_leaves_the_route_under_load_is_drained_only_when_all_of_its_connections_ended()
{
    limited(async {
        let stage = Stage::new(V4);
        let child = listen(V4, 0);
        for run in 1..=30 {
            stage.route(run, &child);
            let clients = futures_util::future::join_all((0..20).map(|_| stage.connect())).await;
            // In the middle of accepting them.
            stage.relay.route(None);
            drop(clients);
            let drained = stage.relay.drained(RunId(run));
            let serve = async {
                loop {
                    let (mut server, _) = child.accept().await.unwrap();
                    to_the_end(&mut server).await.1.unwrap();
                }
            };
            tokio::select! {
                () = drained => {}
                () = serve => {}
            }
            assert_eq!(backlog(child.local_addr().unwrap()), 0, "nobody comes late");
        }
    })
    .await;
}

#[actix::test]
async fn fifty_changes_of_child_under_load_cost_no_connection() {
    const CHILDREN: u64 = 50;
    const CLIENTS: usize = 16;
    limited(async {
        let stage = Stage::new(V4);
        let over = Rc::new(Cell::new(false));
        let child = Child::new();
        stage.route_to(0, child.port);
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| actix::spawn(asks_until(Rc::clone(&over), stage.address)))
            .collect();

        let mut old = child;
        for run in 1..=CHILDREN {
            let new = Child::new();
            stage.route_to(run, new.port);
            stage.relay.drained(RunId(run - 1)).await;
            // Its listener goes at once: whoever still was in its queue would be reset.
            old.serving.abort();
            old = new;
            // It has its share of the work before the next one comes.
            while old.served.get() < 20 {
                tokio::task::yield_now().await;
            }
        }

        over.set(true);
        for client in clients {
            client.await.unwrap();
        }
    })
    .await;
}

/// Asks with a new connection each time; whatever goes wrong fails the test.
async fn asks_until(over: Rc<Cell<bool>>, address: SocketAddr) {
    while !over.get() {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"question").await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b"answer");
    }
}

/// Answers each connection once and closes it.
struct Child {
    port: u16,
    served: Rc<Cell<u32>>,
    serving: JoinHandle<()>,
}

impl Child {
    fn new() -> Self {
        let listener = listen(V4, 0);
        let served = Rc::new(Cell::new(0));
        let port = listener.local_addr().unwrap().port();
        let count = Rc::clone(&served);
        let serving = actix::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                stream.read_exact(&mut [0; 8]).await.unwrap();
                stream.write_all(b"answer").await.unwrap();
                count.set(count.get() + 1);
            }
        });
        Self {
            port,
            served,
            serving,
        }
    }
}

#[actix::test]
async fn a_half_close_is_passed_on_and_the_other_half_goes_on() {
    limited(async {
        let stage = Stage::new(V4);
        let child = listen(V4, 0);
        stage.route(1, &child);
        let (mut client, mut server) = stage.meet(&child).await;

        client.write_all(b"question").await.unwrap();
        client.shutdown().await.unwrap();
        assert_eq!(to_the_end(&mut server).await, (8, Ok(())));
        server.write_all(b"answer").await.unwrap();
        says(&mut client, b"answer").await;
        server.shutdown().await.unwrap();
        assert_eq!(to_the_end(&mut client).await, (0, Ok(())));
    })
    .await;
}

#[actix::test]
async fn a_reset_is_passed_on_as_a_reset() {
    limited(async {
        let stage = Stage::new(V4);
        let child = listen(V4, 0);
        stage.route(1, &child);

        let (mut client, server) = stage.meet(&child).await;
        server.set_zero_linger().unwrap();
        drop(server);
        let reset = Err(ErrorKind::ConnectionReset);
        assert_eq!(to_the_end(&mut client).await, (0, reset));

        let (client, mut server) = stage.meet(&child).await;
        client.set_zero_linger().unwrap();
        drop(client);
        assert_eq!(to_the_end(&mut server).await, (0, reset));

        // Also after the side that breaks off had said everything.
        let (mut client, mut server) = stage.meet(&child).await;
        client.shutdown().await.unwrap();
        assert_eq!(to_the_end(&mut server).await, (0, Ok(())));
        client.set_zero_linger().unwrap();
        drop(client);
        eventually(
            || server.try_write(b"anybody?").is_err(),
            "the child learns it",
        )
        .await;
    })
    .await;
}

#[actix::test]
async fn an_answer_that_ends_in_a_reset_arrives_before_it() {
    limited(async {
        let stage = Stage::new(V4);
        let child = listen(V4, 0);
        stage.route(1, &child);
        let (mut client, mut server) = stage.meet(&child).await;
        client.write_all(&[1; 4096]).await.unwrap();
        server.peek(&mut [0]).await.unwrap();

        server.write_all(&[2; 4096]).await.unwrap();
        // It has unread bytes, so the kernel resets it.
        drop(server);

        let reset = Err(ErrorKind::ConnectionReset);
        assert_eq!(to_the_end(&mut client).await, (4096, reset));
    })
    .await;
}

#[actix::test]
async fn a_child_that_listens_only_on_v6_is_found() {
    limited(async {
        let stage = Stage::new(V6);
        let child = listen(V6, 0);
        stage.route(1, &child);
        for _ in 0..3 {
            let (mut client, mut server) = stage.meet(&child).await;
            server.write_all(b"six").await.unwrap();
            says(&mut client, b"six").await;
        }
    })
    .await;
}

#[actix::test]
async fn a_thousand_connections_are_served_at_the_same_time() {
    const CLIENTS: usize = 1_000;
    raise_descriptor_limit();
    limited(async {
        let stage = Stage::new(V4);
        let child = listen(V4, 0);
        stage.route(1, &child);
        let mut pairs = Vec::new();
        for _ in 0..CLIENTS {
            pairs.push(stage.meet(&child).await);
        }
        for (number, (client, _)) in pairs.iter_mut().enumerate() {
            client.write_all(&number.to_be_bytes()).await.unwrap();
        }
        for (number, (client, server)) in pairs.iter_mut().enumerate() {
            says(server, &number.to_be_bytes()).await;
            server.write_all(&(!number).to_be_bytes()).await.unwrap();
            says(client, &(!number).to_be_bytes()).await;
        }
    })
    .await;
}

#[actix::test]
async fn the_relay_ends_with_its_last_clone() {
    limited(async {
        let stage = Stage::new(V4);
        let child = listen(V4, 0);
        stage.route(1, &child);
        let (mut client, mut server) = stage.meet(&child).await;
        let clone = stage.relay.clone();
        let drained = stage.relay.drained(RunId(1));
        let (address, _arbiter) = stage.end();
        client.write_all(b"still there").await.unwrap();
        says(&mut server, b"still there").await;

        drop(clone);

        drained.await;
        to_the_end(&mut client).await.1.unwrap();
        to_the_end(&mut server).await.1.unwrap();
        eventually(
            || std::net::TcpStream::connect(address).is_err(),
            "the port is closed",
        )
        .await;
    })
    .await;
}
