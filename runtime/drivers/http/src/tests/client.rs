//! A tiny HTTP/1.1 client that shows bytes as they are.

use super::PATIENCE;
use serde_json::Value;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// One connection.
pub(super) struct Client {
    pub(super) stream: TcpStream,
    read: Vec<u8>,
}

/// The head of an answer.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub(super) struct Response {
    pub(super) head: Head,
    pub(super) body: String,
}

impl Client {
    pub(super) async fn connect(to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to).await.expect("the server listens");
        stream.set_nodelay(true).expect("a socket takes options");
        Self {
            stream,
            read: Vec::new(),
        }
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) {
        self.stream
            .write_all(bytes)
            .await
            .expect("the server reads");
    }

    /// Sends a request with a `Host` header unless `headers` have one.
    pub(super) async fn ask(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) {
        let mut text = format!("{method} {path} HTTP/1.1\r\n");
        if !headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("host"))
        {
            text.push_str("Host: localhost\r\n");
        }
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if method == "POST" {
            text.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(body);
        self.send(&bytes).await;
    }

    pub(super) async fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        self.ask(method, path, headers, body).await;
        self.response(method == "HEAD").await
    }

    pub(super) async fn response(&mut self, no_body: bool) -> Response {
        let head = self.head().await;
        let length = head
            .header("content-length")
            .map(|length| length.parse().expect("digits"));
        let body = match length {
            _ if no_body => Vec::new(),
            Some(length) => self.exactly(length).await,
            None => {
                let mut body = Vec::new();
                while let Some(chunk) = self.chunk().await {
                    body.extend(chunk);
                }
                body
            }
        };
        Response {
            head,
            body: String::from_utf8(body).expect("UTF-8"),
        }
    }

    pub(super) async fn head(&mut self) -> Head {
        let mut lines = Vec::new();
        loop {
            let line = self.line().await.expect("a whole head");
            if line.is_empty() {
                break;
            }
            lines.push(line);
        }
        let status = lines[0]
            .split(' ')
            .nth(1)
            .expect("a status")
            .parse()
            .expect("digits");
        let headers = lines[1..].iter().map(|line| {
            let (name, value) = line.split_once(": ").expect("a header");
            (name.to_lowercase(), value.to_owned())
        });
        Head {
            status,
            headers: headers.collect(),
        }
    }

    /// The next chunk of a chunked body; nothing at its end or at the connection's.
    pub(super) async fn chunk(&mut self) -> Option<Vec<u8>> {
        let size = self.line().await?;
        let size = usize::from_str_radix(&size, 16).expect("a chunk's size");
        let mut chunk = self.exactly(size + 2).await;
        chunk.truncate(size);
        (size > 0).then_some(chunk)
    }

    /// Whether the server closes the connection, whatever it sends before.
    pub(super) async fn closed(&mut self) {
        while self.more().await > 0 {}
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.read.windows(2).position(|two| two == b"\r\n") {
                let line = self.read[..end].to_vec();
                self.read.drain(..end + 2);
                return Some(String::from_utf8(line).expect("a head is text"));
            }
            if self.more().await == 0 {
                return None;
            }
        }
    }

    async fn exactly(&mut self, length: usize) -> Vec<u8> {
        while self.read.len() < length {
            assert!(self.more().await > 0, "the body is cut short");
        }
        let rest = self.read.split_off(length);
        std::mem::replace(&mut self.read, rest)
    }

    async fn more(&mut self) -> usize {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.read)).await;
        // A reset is an end too.
        read.expect("the server answers in time").unwrap_or(0)
    }
}

impl Head {
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.headers.iter().map(|(name, _)| name.as_str())
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }
}

impl Response {
    pub(super) fn status(&self) -> u16 {
        self.head.status
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }

    /// What the `data:` events of a stream hold; each line is checked for its form.
    pub(super) fn events(&self) -> Vec<String> {
        let body = self.body.strip_suffix("\n\n").expect("the last event ends");
        body.split("\n\n")
            .filter(|event| !event.starts_with(':'))
            .map(|event| {
                assert!(!event.contains('\n'), "an event is one line: {event}");
                event
                    .strip_prefix("data: ")
                    .expect("an event is data")
                    .to_owned()
            })
            .collect()
    }

    /// The chunks of a stream that ends as it should.
    pub(super) fn chunks(&self) -> Vec<Value> {
        let mut events = self.events();
        assert_eq!(events.pop().as_deref(), Some("[DONE]"));
        events
            .iter()
            .map(|event| serde_json::from_str(event).expect("JSON"))
            .collect()
    }

    /// The error's `(type, code, param)`; all four keys must be there, and no other.
    pub(super) fn error(&self) -> (String, String, Option<String>) {
        let body = self.json();
        let error = body["error"].as_object().expect("an error object");
        let keys: Vec<&str> = error.keys().map(String::as_str).collect();
        assert_eq!(keys, ["code", "message", "param", "type"]);
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|message| message.len() > 10)
        );
        let text = |key: &str| error[key].as_str().map(str::to_owned);
        (
            text("type").expect("a type"),
            text("code").expect("a code"),
            text("param"),
        )
    }
}
