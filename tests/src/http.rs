//! A client that shows what is on the wire: one request a connection, nothing hidden.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Longer than any answer of a test takes.
const READ_WAIT: Duration = Duration::from_secs(60);

/// A whole response.
#[derive(Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(of, _)| of == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }
}

/// An event stream that is being read.
#[derive(Debug)]
pub struct Stream {
    reader: BufReader<TcpStream>,
    /// The status code.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The text of all deltas so far.
    pub text: String,
    /// The longest wait: from the head to the first delta, between two, to the end.
    pub pause: Duration,
    /// Deltas so far.
    pub deltas: usize,
    /// Why it ended, as the last chunk says.
    pub finish: Option<String>,
    /// Errors that came as events.
    pub errors: Vec<String>,
    last: Instant,
}

/// `GET`.
#[must_use]
pub fn get(address: &str, path: &str) -> Reply {
    whole(send(address, "GET", path, ""))
}

/// `POST` of a JSON body.
#[must_use]
pub fn post(address: &str, path: &str, body: &str) -> Reply {
    whole(send(address, "POST", path, body))
}

/// Any method with a JSON body.
#[must_use]
pub fn request(address: &str, method: &str, path: &str, body: &str) -> Reply {
    whole(send(address, method, path, body))
}

/// The same; nothing where no whole answer comes, because the node is gone.
#[must_use]
pub fn try_request(address: &str, method: &str, path: &str, body: &str) -> Option<Reply> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(READ_WAIT)).ok()?;
    stream
        .write_all(request_text(address, method, path, &[], body).as_bytes())
        .ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let is_whole = length.and_then(|length| length.parse().ok()) == Some(body.len());
    let status = head.split(' ').nth(1)?.parse().ok()?;
    is_whole.then(|| Reply {
        status,
        headers: Vec::new(),
        body: body.as_bytes().to_vec(),
    })
}

/// The same with one header more.
#[must_use]
pub fn post_with(address: &str, path: &str, header: (&str, &str), body: &str) -> Reply {
    whole(send_with(address, "POST", path, &[header], body))
}

/// A request whose answer nobody reads yet. Dropping it hangs up.
#[derive(Debug)]
pub struct Asked {
    connection: BufReader<TcpStream>,
}

impl Asked {
    /// Waits for the answer.
    #[must_use]
    pub fn read(self) -> Reply {
        whole(self.connection)
    }
}

/// `POST` of a JSON body, without waiting for the answer.
#[must_use]
pub fn ask(address: &str, path: &str, body: &str) -> Asked {
    Asked {
        connection: send(address, "POST", path, body),
    }
}

/// `POST` whose answer is an event stream.
#[must_use]
pub fn stream(address: &str, path: &str, body: &str) -> Stream {
    let mut reader = send(address, "POST", path, body);
    let (status, headers) = head(&mut reader);
    Stream {
        reader,
        status,
        headers,
        text: String::new(),
        pause: Duration::ZERO,
        deltas: 0,
        finish: None,
        errors: Vec::new(),
        last: now(),
    }
}

impl Stream {
    /// Reads until this many deltas have arrived in all; tells whether the stream goes on.
    pub fn read_deltas(&mut self, count: usize) -> bool {
        while self.deltas < count {
            if !self.read_event() {
                return false;
            }
        }
        true
    }

    /// Reads to the end.
    pub fn read_all(&mut self) {
        while self.read_event() {}
    }

    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(of, _)| of == name)
            .map(|(_, value)| value.as_str())
    }

    /// One line of the body; chunk sizes and blank lines are passed over.
    fn read_event(&mut self) -> bool {
        let mut line = String::new();
        if self
            .reader
            .read_line(&mut line)
            .expect("the stream is readable in time")
            == 0
        {
            return false;
        }
        let Some(data) = line.trim_end().strip_prefix("data: ") else {
            return true;
        };
        if data == "[DONE]" {
            return false;
        }
        let event: serde_json::Value = serde_json::from_str(data).expect("a JSON event");
        if let Some(message) = event["error"]["message"].as_str() {
            self.errors.push(message.to_owned());
            return true;
        }
        let choice = &event["choices"][0];
        if let Some(text) = choice["delta"]["content"]
            .as_str()
            .filter(|text| !text.is_empty())
        {
            self.waited();
            self.deltas += 1;
            self.text.push_str(text);
        }
        if let Some(reason) = choice["finish_reason"].as_str() {
            self.waited();
            self.finish = Some(reason.to_owned());
        }
        true
    }

    /// Something came: how long was it waited for.
    fn waited(&mut self) {
        let now = now();
        self.pause = self.pause.max(now - self.last);
        self.last = now;
    }
}

#[expect(clippy::disallowed_methods, reason = "a client measures real time")]
fn now() -> Instant {
    Instant::now()
}

fn send(address: &str, method: &str, path: &str, body: &str) -> BufReader<TcpStream> {
    send_with(address, method, path, &[], body)
}

fn send_with(
    address: &str,
    method: &str,
    path: &str,
    more: &[(&str, &str)],
    body: &str,
) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(address).expect("the node listens");
    stream
        .set_read_timeout(Some(READ_WAIT))
        .expect("a time limit");
    let text = request_text(address, method, path, more, body);
    stream.write_all(text.as_bytes()).expect("the node reads");
    BufReader::new(stream)
}

fn request_text(
    address: &str,
    method: &str,
    path: &str,
    more: &[(&str, &str)],
    body: &str,
) -> String {
    let length = body.len();
    let more: String = more
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\nconnection: close\r\n{more}\r\n{body}"
    )
}

fn whole(mut reader: BufReader<TcpStream>) -> Reply {
    let (status, headers) = head(&mut reader);
    let chunked = headers
        .iter()
        .any(|(name, value)| name == "transfer-encoding" && value.eq_ignore_ascii_case("chunked"));
    let mut body = Vec::new();
    if chunked {
        while let Some(size) = chunk_size(&mut reader) {
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk).expect("a whole chunk");
            body.extend_from_slice(&chunk[..size]);
        }
    } else {
        reader.read_to_end(&mut body).expect("a whole body");
    }
    Reply {
        status,
        headers,
        body,
    }
}

fn chunk_size(reader: &mut BufReader<TcpStream>) -> Option<usize> {
    let mut line = String::new();
    reader.read_line(&mut line).expect("a chunk's size");
    usize::from_str_radix(line.trim(), 16)
        .ok()
        .filter(|size| *size > 0)
}

fn head(reader: &mut BufReader<TcpStream>) -> (u16, Vec<(String, String)>) {
    let mut line = String::new();
    reader.read_line(&mut line).expect("a status line in time");
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a header");
        match line.trim_end().split_once(':') {
            Some((name, value)) => {
                headers.push((name.to_lowercase(), value.trim().to_owned()));
            }
            None => return (status.expect("a status"), headers),
        }
    }
}
