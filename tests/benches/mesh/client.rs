//! A client that costs little: it shares the machine with the nodes that it measures.

use anyhow::{Context, Result, bail};
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Bytes that are read at once.
const READ_BYTES: usize = 64 * 1024;

/// One kept connection.
#[derive(Debug)]
pub(crate) struct Client {
    to: String,
    stream: TcpStream,
    buffer: Vec<u8>,
    /// What of `buffer` was read already.
    used: usize,
}

impl Client {
    pub(crate) async fn connect(to: &str) -> Result<Self> {
        let stream = TcpStream::connect(to).await.context("a node listens")?;
        stream.set_nodelay(true)?;
        Ok(Self {
            to: to.to_owned(),
            stream,
            buffer: Vec::new(),
            used: 0,
        })
    }

    /// Posts a request and reads the whole answer; `event` is told when each event that carries
    /// text arrived. Gives the number of all events.
    pub(crate) async fn post(&mut self, body: &str, mut event: impl FnMut(Instant)) -> Result<u64> {
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            self.to,
            body.len()
        );
        self.stream.write_all(head.as_bytes()).await?;
        match self.head().await? {
            Body::Length(length) => self.skip(length).await.map(|()| 0),
            Body::Chunked => self.chunks(&mut event).await,
        }
    }

    async fn head(&mut self) -> Result<Body> {
        let status = self.line().await?;
        if !status.starts_with("HTTP/1.1 200") {
            bail!("{status}");
        }
        let mut body = Body::Length(0);
        loop {
            let line = self.line().await?.to_ascii_lowercase();
            if line.is_empty() {
                return Ok(body);
            } else if let Some(length) = line.strip_prefix("content-length: ") {
                body = Body::Length(length.parse()?);
            } else if line == "transfer-encoding: chunked" {
                body = Body::Chunked;
            }
        }
    }

    async fn chunks(&mut self, event: &mut impl FnMut(Instant)) -> Result<u64> {
        let mut events = 0;
        let mut text = Vec::new();
        loop {
            let length = usize::from_str_radix(&self.line().await?, 16)?;
            if length == 0 {
                self.line().await?;
                return Ok(events);
            }
            self.take(length, &mut text).await?;
            let now = now();
            let mut done = 0;
            while let Some(end) = text[done..].iter().position(|byte| *byte == b'\n') {
                let line = &text[done..done + end];
                done += end + 1;
                if !line.starts_with(b"data: ") {
                    continue;
                }
                events += 1;
                if carries_text(line) {
                    event(now);
                }
            }
            text.drain(..done);
            self.skip(2).await?;
        }
    }

    /// The next line without its end.
    async fn line(&mut self) -> Result<String> {
        let mut from = self.used;
        loop {
            if let Some(end) = self.buffer[from..].iter().position(|byte| *byte == b'\n') {
                let line = &self.buffer[self.used..from + end];
                let line = std::str::from_utf8(line)?.trim_end().to_owned();
                self.used = from + end + 1;
                return Ok(line);
            }
            let seen = self.buffer.len() - self.used;
            self.fill().await?;
            from = self.used + seen;
        }
    }

    async fn take(&mut self, mut length: usize, into: &mut Vec<u8>) -> Result<()> {
        while length > 0 {
            if self.used == self.buffer.len() {
                self.fill().await?;
            }
            let there = length.min(self.buffer.len() - self.used);
            into.extend_from_slice(&self.buffer[self.used..self.used + there]);
            self.used += there;
            length -= there;
        }
        Ok(())
    }

    async fn skip(&mut self, mut length: usize) -> Result<()> {
        while length > 0 {
            if self.used == self.buffer.len() {
                self.fill().await?;
            }
            let there = length.min(self.buffer.len() - self.used);
            self.used += there;
            length -= there;
        }
        Ok(())
    }

    async fn fill(&mut self) -> Result<()> {
        self.buffer.drain(..self.used);
        self.used = 0;
        self.buffer.reserve(READ_BYTES);
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            bail!("the connection ended in the middle of an answer");
        }
        Ok(())
    }
}

/// How long a body is.
enum Body {
    Length(usize),
    Chunked,
}

/// Neither the event that opens an answer nor the ones that end it.
fn carries_text(line: &[u8]) -> bool {
    const CONTENT: &[u8] = b"\"content\":\"";
    let at = line.windows(CONTENT.len()).position(|part| part == CONTENT);
    at.is_some_and(|at| line.get(at + CONTENT.len()) != Some(&b'"'))
}

#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
