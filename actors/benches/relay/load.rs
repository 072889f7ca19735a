//! The load, from a thread of its own.

use std::{cell::RefCell, net::SocketAddr, rc::Rc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::LocalSet,
    time::Instant,
};

use crate::backend::{ANSWER, ECHO, FLOOD, ONCE, QUESTION};

/// Clients that make one connection after another.
const CONNECTING: usize = 32;

/// Long connections that ask one question after another.
const ASKING: usize = 8;

/// How many connections came, were answered and ended within the time.
pub(crate) async fn connections(to: SocketAddr, time: Duration) -> f64 {
    let counts = on_a_thread(move || async move {
        let until = Instant::now() + time;
        many(CONNECTING, move || async move {
            let mut count = 0_u32;
            while Instant::now() < until {
                let mut stream = TcpStream::connect(to).await.unwrap();
                ask(&mut stream, ONCE).await;
                let end = stream.read(&mut [0]).await.unwrap();
                assert_eq!(end, 0, "the server closes");
                count += 1;
            }
            f64::from(count)
        })
        .await
    });
    counts.await.iter().sum()
}

/// The median and the 99th percentile of the time to an answer, in microseconds.
pub(crate) async fn ping_pong(to: SocketAddr, time: Duration) -> [f64; 2] {
    let times = on_a_thread(move || async move {
        let until = Instant::now() + time;
        let times = Rc::new(RefCell::new(Vec::new()));
        let all = Rc::clone(&times);
        many(ASKING, move || {
            let times = Rc::clone(&times);
            async move {
                let mut stream = TcpStream::connect(to).await.unwrap();
                stream.set_nodelay(true).unwrap();
                while Instant::now() < until {
                    let asked = Instant::now();
                    ask(&mut stream, ECHO).await;
                    times.borrow_mut().push(asked.elapsed().as_secs_f64() * 1e6);
                }
            }
        })
        .await;
        all.take()
    });
    let mut times = times.await;
    times.sort_by(f64::total_cmp);
    [times[times.len() / 2], times[times.len() * 99 / 100]]
}

/// How many bytes of a flood arrived within the time.
pub(crate) async fn bulk(to: SocketAddr, time: Duration) -> f64 {
    let bytes = on_a_thread(move || async move {
        let mut stream = TcpStream::connect(to).await.unwrap();
        let mut question = [0; QUESTION];
        question[0] = FLOOD;
        stream.write_all(&question).await.unwrap();
        let until = Instant::now() + time;
        let mut buffer = vec![0; 256 << 10];
        let mut bytes = 0.0;
        while Instant::now() < until {
            let count = stream.read(&mut buffer).await.unwrap();
            bytes += f64::from(u32::try_from(count).unwrap());
        }
        bytes
    });
    bytes.await
}

async fn ask(stream: &mut TcpStream, what: u8) {
    let mut question = [0; QUESTION];
    question[0] = what;
    stream.write_all(&question).await.unwrap();
    stream.read_exact(&mut [0; ANSWER]).await.unwrap();
}

async fn many<F: Future<Output: 'static> + 'static>(
    count: usize,
    client: impl Fn() -> F,
) -> Vec<F::Output> {
    let clients: Vec<_> = (0..count)
        .map(|_| tokio::task::spawn_local(client()))
        .collect();
    let mut outputs = Vec::new();
    for client in clients {
        outputs.push(client.await.unwrap());
    }
    outputs
}

async fn on_a_thread<T, F>(load: impl FnOnce() -> F + Send + 'static) -> T
where
    T: Send + 'static,
    F: Future<Output = T>,
{
    let (sender, receiver) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let output = LocalSet::new().block_on(&runtime, load());
        let _ = sender.send(output);
    });
    receiver.await.unwrap()
}
