//! One listener and its connections.

use crate::api;
use crate::call::Gate;
use crate::front::Side;
use crate::socket::{Socket, gone};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// The wait after a failed accept: descriptors are short, and spinning frees none.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long a stop waits for answers that are being written.
const STOP_WAIT: Duration = Duration::from_secs(2);

/// Accepts until it is told to stop, then waits for what is open. Beyond the limit of connections
/// the next ones wait in the socket's queue.
pub(crate) async fn run(
    gate: Arc<Gate>,
    side: Side,
    listener: TcpListener,
    mut stopping: watch::Receiver<bool>,
) {
    let most = gate.front.config().limits.connections;
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stopping.wait_for(|stop| *stop) => break,
            Some(_) = open.join_next() => continue,
            accepted = listener.accept(), if open.len() < most => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                open.spawn(connection(
                    Arc::clone(&gate),
                    side,
                    stream,
                    stopping.clone(),
                ));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let ended = async { while open.join_next().await.is_some() {} };
    if timeout(STOP_WAIT, ended).await.is_err() {
        tracing::info!("connections were cut at the end of the stop's wait");
    }
}

async fn connection(
    gate: Arc<Gate>,
    side: Side,
    stream: TcpStream,
    mut stopping: watch::Receiver<bool>,
) {
    // Events are small and must not wait for each other; a socket that refuses this is slow only.
    let _ = stream.set_nodelay(true);
    let limits = gate.front.config().limits;
    let stream = Arc::new(stream);
    let socket = Socket::new(Arc::clone(&stream), limits.stall_time, Arc::clone(&gate));
    let service = service_fn(|request| {
        let gate = Arc::clone(&gate);
        async move { Ok::<_, Infallible>(api::serve(gate, side, request).await) }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_time)
        .max_buf_size(limits.head_bytes)
        .serve_connection(TokioIo::new(socket), service);
    let mut serving = pin!(serving);
    let mut told = false;
    loop {
        tokio::select! {
            biased;
            // An error is the client's: it left, or does not speak HTTP. Neither is news.
            _ = serving.as_mut() => return,
            _ = stopping.wait_for(|stop| *stop), if !told => {
                told = true;
                serving.as_mut().graceful_shutdown();
            }
            () = gone(&stream) => return,
        }
    }
}
