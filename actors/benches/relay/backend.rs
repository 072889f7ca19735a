//! The server behind the contestants, on a thread of its own. The first byte of a connection says
//! what it is to do.

use std::{net::SocketAddr, rc::Rc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

/// Answer once and close.
pub(crate) const ONCE: u8 = 1;
/// Answer each message.
pub(crate) const ECHO: u8 = 2;
/// Send without end.
pub(crate) const FLOOD: u8 = 3;

/// Bytes of a question.
pub(crate) const QUESTION: usize = 64;
/// Bytes of an answer.
pub(crate) const ANSWER: usize = 128;
/// Bytes of one write of a flood.
const BLOCK: usize = 256 << 10;

pub(crate) fn start() -> SocketAddr {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, async move {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
            let listener = socket.listen(1024).unwrap();
            sender.send(listener.local_addr().unwrap()).unwrap();
            let block: Rc<[u8]> = vec![7; BLOCK].into();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                // Clients break off floods.
                tokio::task::spawn_local(serve(stream, Rc::clone(&block)));
            }
        });
    });
    receiver.recv().unwrap()
}

async fn serve(mut stream: TcpStream, block: Rc<[u8]>) -> std::io::Result<()> {
    let mut question = [0; QUESTION];
    loop {
        stream.read_exact(&mut question).await?;
        match question[0] {
            ONCE => return stream.write_all(&block[..ANSWER]).await,
            FLOOD => loop {
                stream.write_all(&block).await?;
            },
            _ => stream.write_all(&block[..ANSWER]).await?,
        }
    }
}
