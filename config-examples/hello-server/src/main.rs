//! A small web server to try the daemon with. Change the greeting, ask for a restart, look again:
//! `curl http://localhost:8080/`.

use std::{
    env,
    error::Error,
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

const GREETING: &str = "Hello, world!";

/// The most that is read of one request, in bytes.
const LONGEST_REQUEST: u64 = 16 * 1024;
/// How long a client may take for each part of its request.
const PATIENCE: Duration = Duration::from_secs(5);

fn main() -> Result<(), Box<dyn Error>> {
    let port = match env::var("PORT") {
        Ok(text) => text
            .parse()
            .map_err(|_| format!("PORT is no port: {text}"))?,
        Err(_) => 8080,
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    println!("listening on http://{}", listener.local_addr()?);
    for connection in listener.incoming() {
        let Ok(connection) = connection else { continue };
        thread::spawn(move || {
            if let Err(error) = answer(connection) {
                eprintln!("request failed: {error}");
            }
        });
    }
    Ok(())
}

fn answer(mut connection: TcpStream) -> io::Result<()> {
    connection.set_read_timeout(Some(PATIENCE))?;
    let mut request = BufReader::new((&connection).take(LONGEST_REQUEST));
    let mut first_line = String::new();
    request.read_line(&mut first_line)?;
    // The headers say nothing that matters here, but they must be taken off the wire.
    let mut header = String::new();
    while request.read_line(&mut header)? > 2 {
        header.clear();
    }

    let mut words = first_line.split_whitespace();
    let (status, body) = match (words.next(), words.next()) {
        (Some("GET"), Some("/")) => ("200 OK", GREETING),
        (Some("GET"), Some(_)) => ("404 Not Found", "There is only /"),
        _ => ("405 Method Not Allowed", "There is only GET"),
    };
    println!("{} -> {status}", first_line.trim_end());
    write!(
        connection,
        "HTTP/1.1 {status}\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {}\r\n\
         Connection: close\r\n\r\n\
         {body}\n",
        body.len() + 1,
    )
}
