//! An HTTP server on this machine that misbehaves on demand. It needs no runtime, so that the
//! unit tests of `remote` can include this file too.
//!
//! A server is a function from a request to a [`Reply`], which may break off, stall, or be nonsense.
//! The server counts the requests, and keeps them for the test to look at.
#![allow(
    dead_code,
    reason = "the unit tests and the integration tests use different parts"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// A request that the server has received.
#[derive(Debug, Clone, Default)]
pub struct Received {
    /// The path and the query; the host and port of `CONNECT`.
    pub path: String,
    /// The method.
    pub method: String,
    /// The headers, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// The number of earlier requests for the same path.
    pub earlier: usize,
}

impl Received {
    /// Returns the value of a header, or the empty text.
    pub fn header(&self, name: &str) -> &str {
        let mut headers = self.headers.iter();
        headers
            .find(|(known, _)| known == name)
            .map_or("", |(_, value)| value)
    }
}

/// How a reply ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// As HTTP has it.
    Whole,
    /// The connection is closed after so many bytes of the body.
    ClosedAfter(usize),
    /// The connection is reset after so many bytes of the body.
    ResetAfter(usize),
    /// Nothing more is sent after so many bytes of the body, and the connection stays open.
    StallsAfter(usize),
    /// The connection is closed before the header.
    Unanswered,
}

/// How the length of a body is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// By `Content-Length`.
    Length,
    /// In chunks.
    Chunked,
    /// By closing the connection.
    Close,
}

/// A reply of the server.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub framing: Framing,
    pub end: End,
}

impl Reply {
    /// Replies with a status and a body.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
            framing: Framing::Length,
            end: End::Whole,
        }
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Sets how the reply ends.
    pub fn end(mut self, end: End) -> Self {
        self.end = end;
        self
    }

    /// Sets how the length of the body is sent.
    pub fn framing(mut self, framing: Framing) -> Self {
        self.framing = framing;
        self
    }

    /// Replies with a redirect.
    pub fn redirect(location: &str) -> Self {
        Self::new(302, "").header("Location", location)
    }

    /// Replies with a file as a good server does: its entity tag, 304 if the client has it, and the
    /// requested range.
    pub fn file(request: &Received, content: &[u8], etag: &str) -> Self {
        let tagged = |reply: Self| reply.header("ETag", etag).header("Accept-Ranges", "bytes");
        if request.header("if-none-match") == etag {
            return tagged(Self::new(304, ""));
        }
        let if_range = request.header("if-range");
        let range = request.header("range").strip_prefix("bytes=");
        let Some(range) = range.filter(|_| if_range.is_empty() || if_range == etag) else {
            return tagged(Self::new(200, content));
        };
        let size = content.len();
        let (first, last) = match range.split_once('-').unwrap() {
            ("", length) => (size.saturating_sub(length.parse().unwrap()), size - 1),
            (first, "") => (first.parse().unwrap(), size - 1),
            (first, last) => (
                first.parse().unwrap(),
                last.parse::<usize>().unwrap().min(size - 1),
            ),
        };
        if first >= size {
            return tagged(Self::new(416, "")).header("Content-Range", format!("bytes */{size}"));
        }
        tagged(Self::new(206, &content[first..=last]))
            .header("Content-Range", format!("bytes {first}-{last}/{size}"))
    }
}

/// A running server. It ends when it is dropped.
pub struct HttpServer {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    connections: Arc<AtomicUsize>,
    has_ended: Arc<AtomicBool>,
    listener: Option<JoinHandle<()>>,
}

impl HttpServer {
    /// Starts a server on a free port of 127.0.0.1.
    pub fn start(answer: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut server = Self {
            address: listener.local_addr().unwrap(),
            received: Arc::default(),
            connections: Arc::default(),
            has_ended: Arc::default(),
            listener: None,
        };
        let connections = Arc::clone(&server.connections);
        let (received, has_ended) = (Arc::clone(&server.received), Arc::clone(&server.has_ended));
        let answer = Arc::new(answer);
        server.listener = Some(std::thread::spawn(move || {
            for connection in listener.incoming() {
                if has_ended.load(Ordering::Relaxed) {
                    return;
                }
                connections.fetch_add(1, Ordering::Relaxed);
                let (received, answer) = (Arc::clone(&received), Arc::clone(&answer));
                std::thread::spawn(move || {
                    // A client that goes away is not an error of the server.
                    let _ = serve(&connection?, &received, &*answer);
                    Ok::<_, std::io::Error>(())
                });
            }
        }));
        server
    }

    /// Returns the URL of a path on this server.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Returns the address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the number of connections so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Returns the requests so far.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// Returns the paths of the requests so far.
    pub fn paths(&self) -> Vec<String> {
        self.received()
            .into_iter()
            .map(|request| request.path)
            .collect()
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.has_ended.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for a connection.
        drop(TcpStream::connect(self.address));
        // From here on the port refuses connections.
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

/// Answers the requests of one connection until one side closes it.
fn serve(
    connection: &TcpStream,
    received: &Mutex<Vec<Received>>,
    answer: &dyn Fn(&Received) -> Reply,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(connection);
    while let Some(mut request) = read_request(&mut reader)? {
        let reply = {
            let mut received = received.lock().unwrap();
            let earlier = received.iter().filter(|other| other.path == request.path);
            request.earlier = earlier.count();
            received.push(request.clone());
            drop(received);
            answer(&request)
        };
        if !send(connection, &request, &reply)? {
            return Ok(());
        }
    }
    Ok(())
}

fn read_request(reader: &mut impl BufRead) -> std::io::Result<Option<Received>> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        return Ok(None);
    };
    let mut request = Received {
        path,
        method,
        ..Received::default()
    };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => {
                let header = (name.to_ascii_lowercase(), value.trim().to_owned());
                request.headers.push(header);
            }
            None => break,
        }
    }
    let length = request.header("content-length").parse().unwrap_or(0);
    request.body = vec![0; length];
    reader.read_exact(&mut request.body)?;
    Ok(Some(request))
}

/// Sends a reply. Returns whether the connection stays open.
fn send(mut connection: &TcpStream, request: &Received, reply: &Reply) -> std::io::Result<bool> {
    if reply.end == End::Unanswered {
        connection.shutdown(Shutdown::Both)?;
        return Ok(false);
    }
    let mut header = vec![format!("HTTP/1.1 {} X", reply.status)];
    let headers = reply.headers.iter();
    header.extend(headers.map(|(name, value)| format!("{name}: {value}")));
    let has_body = reply.status != 304;
    match reply.framing {
        Framing::Length if has_body => header.push(format!("Content-Length: {}", reply.body.len())),
        Framing::Chunked if has_body => header.push("Transfer-Encoding: chunked".to_owned()),
        Framing::Close => header.push("Connection: close".to_owned()),
        _ => {}
    }
    connection.write_all((header.join("\r\n") + "\r\n\r\n").as_bytes())?;
    let length = match reply.end {
        _ if request.method == "HEAD" => 0,
        End::Unanswered => 0,
        End::Whole => reply.body.len(),
        End::ClosedAfter(length) | End::ResetAfter(length) | End::StallsAfter(length) => length,
    };
    let body = &reply.body[..length.min(reply.body.len())];
    if reply.framing == Framing::Chunked {
        for chunk in body.chunks(1000) {
            write!(connection, "{:x}\r\n", chunk.len())?;
            connection.write_all(chunk)?;
            connection.write_all(b"\r\n")?;
        }
        if reply.end == End::Whole {
            connection.write_all(b"0\r\n\r\n")?;
        }
    } else {
        connection.write_all(body)?;
    }
    match reply.end {
        End::Whole if reply.framing != Framing::Close => return Ok(true),
        End::Whole | End::ClosedAfter(_) | End::Unanswered => {
            connection.shutdown(Shutdown::Both)?;
        }
        // Bytes of the client that the server has not read make the system send a reset.
        End::ResetAfter(_) => reset(connection)?,
        // The client gives up first.
        End::StallsAfter(_) => {
            connection.set_read_timeout(Some(Duration::from_mins(1)))?;
            while connection
                .read(&mut [0; 1024])
                .is_ok_and(|length| length > 0)
            {}
        }
    }
    Ok(false)
}

/// Makes closing the connection send a reset.
fn reset(connection: &TcpStream) -> std::io::Result<()> {
    let linger = nix::libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    nix::sys::socket::setsockopt(connection, nix::sys::socket::sockopt::Linger, &linger)
        .map_err(std::io::Error::from)
}
