//! What the same machine does without a mesh: a hyper server that answers as the scripted engine
//! does, and a hyper proxy before it that passes on what it gets. Each is a process of its own,
//! as the nodes are.

use anyhow::{Context, Result};
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::io::{BufRead, BufReader};
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::task::{self, Poll};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

/// As long as an event of a node.
const EVENT: &str = "data: {\"id\":\"chatcmpl-0000000000000001-1\",\
    \"object\":\"chat.completion.chunk\",\"created\":1790000000,\"model\":\"scripted\",\
    \"system_fingerprint\":\"fp_0123456789abcdef\",\
    \"choices\":[{\"index\":0,\"delta\":{\"content\":\"word \"},\"logprobs\":null,\
    \"finish_reason\":null}]}\n\n";
/// As long as a whole answer of a node.
const WHOLE: &str = "{\"id\":\"chatcmpl-0000000000000001-1\",\"object\":\"chat.completion\",\
    \"created\":1790000000,\"model\":\"scripted\",\"system_fingerprint\":\"fp_0123456789abcdef\",\
    \"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"word \",\
    \"refusal\":null},\"logprobs\":null,\"finish_reason\":\"length\"}],\
    \"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1,\"total_tokens\":2}}";

/// The two processes. Dropping them kills them.
#[derive(Debug)]
pub(crate) struct Bare {
    processes: Vec<Child>,
    pub(crate) proxy: String,
}

impl Bare {
    pub(crate) fn start() -> Result<Self> {
        let mut bare = Self {
            processes: Vec::new(),
            proxy: String::new(),
        };
        let upstream = bare.run(&["bare-upstream"])?;
        bare.proxy = bare.run(&["bare-proxy", &upstream])?;
        Ok(bare)
    }

    /// Runs this program in another role and reads where it listens.
    fn run(&mut self, arguments: &[&str]) -> Result<String> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().context("a pipe")?;
        self.processes.push(child);
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        for process in &mut self.processes {
            // It may be gone already.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Serves as the engine's node would, until it is killed.
pub(crate) async fn upstream() -> Result<()> {
    let answer = |request: Request<Incoming>| async move {
        let (streams, tokens) = asked(request).await;
        let (kind, answer) = if streams {
            ("text/event-stream", Answer::Events(tokens))
        } else {
            (
                "application/json",
                Answer::Whole(Some(Bytes::from_static(WHOLE.as_bytes()))),
            )
        };
        let response = Response::builder()
            .header("content-type", kind)
            .body(answer);
        Ok::<_, Infallible>(response.unwrap_or_else(|_| Response::new(Answer::Whole(None))))
    };
    let listener = listen().await?;
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let server = hyper::server::conn::http1::Builder::new();
        connections.spawn(server.serve_connection(TokioIo::new(stream), service_fn(answer)));
    }
}

/// Passes each client's requests to the upstream on a connection of its own.
pub(crate) async fn proxy(to: String) -> Result<()> {
    let listener = listen().await?;
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let upward = TcpStream::connect(&to).await?;
        upward.set_nodelay(true)?;
        let (sender, upward) = hyper::client::conn::http1::handshake(TokioIo::new(upward)).await?;
        connections.spawn(async move { drop(upward.await) });
        let sender: Arc<Mutex<SendRequest<Incoming>>> = Arc::new(Mutex::new(sender));
        let pass = move |request: Request<Incoming>| {
            let sender = Arc::clone(&sender);
            async move { sender.lock().await.send_request(request).await }
        };
        connections.spawn(async move {
            let server = hyper::server::conn::http1::Builder::new();
            drop(
                server
                    .serve_connection(TokioIo::new(stream), service_fn(pass))
                    .await,
            );
        });
    }
}

#[expect(clippy::print_stdout, reason = "its parent reads where it listens")]
async fn listen() -> Result<TcpListener> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    Ok(listener)
}

/// Whether the client wants a stream, and of how many tokens.
async fn asked(request: Request<Incoming>) -> (bool, u32) {
    let mut body = request.into_body();
    let mut bytes = Vec::new();
    while let Some(Ok(frame)) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await
    {
        if let Ok(data) = frame.into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    let body: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let tokens = body["max_tokens"].as_u64().unwrap_or_default();
    let tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
    (body["stream"] == true, tokens)
}

/// A body that is there at once.
enum Answer {
    Whole(Option<Bytes>),
    /// So many events are left.
    Events(u32),
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = match &mut *self {
            Self::Whole(bytes) => bytes.take(),
            Self::Events(0) => None,
            Self::Events(left) => {
                *left -= 1;
                Some(Bytes::from_static(EVENT.as_bytes()))
            }
        };
        Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        match self {
            Self::Whole(bytes) => {
                let length = bytes.as_ref().map_or(0, Bytes::len);
                hyper::body::SizeHint::with_exact(u64::try_from(length).unwrap_or(0))
            }
            Self::Events(_) => hyper::body::SizeHint::default(),
        }
    }
}
