//! What outlives the driver: the listening sockets, the counters, the list of models.

use crate::config::{API_FLAG, CONSOLE_FLAG, HttpConfig};
use bytes::Bytes;
use kernel::Entropy;
use messages::{ModelAdvert, QueryId, RequestId, TraceContext, Wall};
use serde_json::{Value, json};
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

/// The bound sockets and what else every life of the driver shares. Cheap to clone.
///
/// A node binds it once, before anything else: a taken port is one sentence to its caller. While a
/// driver restarts, new connections wait in the sockets' queues.
#[derive(Clone, Debug)]
pub struct Front(Arc<Shared>);

/// Where the server listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The OpenAI-compatible API.
    pub api: SocketAddr,
    /// The management API.
    pub console: SocketAddr,
}

/// Which of the two listeners a connection came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Api,
    Console,
}

#[derive(Debug)]
struct Shared {
    config: HttpConfig,
    /// The API's and the console's; nothing once the node stopped.
    listeners: Mutex<Option<[TcpListener; 2]>>,
    addresses: Addresses,
    requests: AtomicU64,
    queries: AtomicU64,
    /// Draws the traces of requests that come without one.
    traces: Mutex<Entropy>,
    since: OnceLock<Wall>,
    models: RwLock<Arc<Models>>,
}

/// The models that a client may name.
#[derive(Debug, Default)]
pub(crate) struct Models {
    adverts: Vec<ModelAdvert>,
    rendered: Bytes,
}

impl Front {
    /// Binds both listeners.
    ///
    /// # Errors
    /// One sentence that says what to do: a port is taken or may not be used, or a listener would
    /// be reachable from other machines without a key.
    pub fn bind(config: HttpConfig) -> Result<Self, String> {
        let api = listen(config.api, API_FLAG, &config)?;
        let console = listen(config.console, CONSOLE_FLAG, &config)?;
        let at = |listener: &TcpListener| {
            listener
                .local_addr()
                .map_err(|error| format!("a listener has no address: {error}"))
        };
        let addresses = Addresses {
            api: at(&api)?,
            console: at(&console)?,
        };
        let traces = Mutex::new(Entropy::from_seed(config.trace_seed));
        Ok(Self(Arc::new(Shared {
            config,
            listeners: Mutex::new(Some([api, console])),
            addresses,
            requests: AtomicU64::new(0),
            queries: AtomicU64::new(0),
            traces,
            since: OnceLock::new(),
            models: RwLock::new(Arc::new(Models::new(Vec::new(), Wall::default()))),
        })))
    }

    /// Where it listens: real ports, where port 0 was asked for.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        self.0.addresses
    }

    pub(crate) fn config(&self) -> &HttpConfig {
        &self.0.config
    }

    pub(crate) fn address(&self, side: Side) -> SocketAddr {
        match side {
            Side::Api => self.0.addresses.api,
            Side::Console => self.0.addresses.console,
        }
    }

    /// A listener for one life of the driver.
    pub(crate) fn listener(&self, side: Side) -> Result<TcpListener, String> {
        let listeners = self
            .0
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let Some([api, console]) = &*listeners else {
            return Err("the ports are closed, because the node stopped".to_owned());
        };
        let listener = match side {
            Side::Api => api,
            Side::Console => console,
        };
        listener
            .try_clone()
            .map_err(|error| format!("a listener cannot be shared: {error}"))
    }

    /// Gives the ports back: the driver stopped for good.
    pub(crate) fn close(&self) {
        *self
            .0
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// An id that no request of this boot had.
    pub(crate) fn mint(&self) -> RequestId {
        let n = self.0.requests.fetch_add(1, Ordering::Relaxed) + 1;
        RequestId {
            boot: self.0.config.boot,
            n,
        }
    }

    /// A trace that nobody else has.
    pub(crate) fn begin_trace(&self) -> TraceContext {
        let mut traces = self.0.traces.lock().unwrap_or_else(PoisonError::into_inner);
        let mut number = || traces.number();
        TraceContext::begin([number(), number()], number())
    }

    /// An id that no prompt has yet.
    pub(crate) fn new_prompt_id(&self) -> String {
        let mut traces = self.0.traces.lock().unwrap_or_else(PoisonError::into_inner);
        format!("prm-{:016x}", traces.number())
    }

    pub(crate) fn mint_query(&self) -> QueryId {
        QueryId(self.0.queries.fetch_add(1, Ordering::Relaxed) + 1)
    }

    pub(crate) fn models(&self) -> Arc<Models> {
        Arc::clone(&self.0.models.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the list; `now` is when models are said to be created if this is the first.
    pub(crate) fn set_models(&self, adverts: Vec<ModelAdvert>, now: Wall) {
        let since = *self.0.since.get_or_init(|| now);
        let models = Arc::new(Models::new(adverts, since));
        *self
            .0
            .models
            .write()
            .unwrap_or_else(PoisonError::into_inner) = models;
    }

    pub(crate) fn since(&self) -> Wall {
        self.0.since.get().copied().unwrap_or_default()
    }
}

impl Models {
    fn new(adverts: Vec<ModelAdvert>, since: Wall) -> Self {
        let data: Vec<Value> = adverts
            .iter()
            .map(|advert| model_json(advert, since))
            .collect();
        let rendered = json!({ "object": "list", "data": data }).to_string();
        Self {
            adverts,
            rendered: Bytes::from(rendered),
        }
    }

    /// The body of `GET /v1/models`.
    pub(crate) fn rendered(&self) -> Bytes {
        self.rendered.clone()
    }

    #[cfg(test)]
    pub(crate) const fn len(&self) -> usize {
        self.adverts.len()
    }

    /// By name, or by printed digest.
    pub(crate) fn find(&self, id: &str) -> Option<&ModelAdvert> {
        self.adverts
            .iter()
            .find(|advert| &*advert.name == id)
            .or_else(|| {
                self.adverts
                    .iter()
                    .find(|advert| advert.model.to_string() == id)
            })
    }
}

/// One entry of the model list.
pub(crate) fn model_json(advert: &ModelAdvert, since: Wall) -> Value {
    json!({
        "id": &*advert.name,
        "object": "model",
        "created": since.as_secs(),
        "owned_by": "mesh",
        "mesh": { "digest": advert.model.to_string(), "context": advert.context },
    })
}

fn listen(at: SocketAddr, flag: &str, config: &HttpConfig) -> Result<TcpListener, String> {
    if !at.ip().is_loopback() && config.api_key.is_none() {
        return Err(format!(
            "{flag} {at} can be reached from other machines, so clients must present a key: \
             configure an API key, or use a loopback address such as 127.0.0.1:{}",
            at.port()
        ));
    }
    let listener = TcpListener::bind(at).map_err(|error| unbound(at, flag, &error))?;
    listener
        .set_nonblocking(true)
        .map_err(|error| format!("cannot listen on {at} without blocking: {error}"))?;
    Ok(listener)
}

fn unbound(at: SocketAddr, flag: &str, error: &std::io::Error) -> String {
    let (port, ip) = (at.port(), at.ip());
    if error.kind() == ErrorKind::AddrInUse {
        format!(
            "port {port} of {ip} is taken by another program: stop that program, or choose \
             another port with {flag}"
        )
    } else if error.kind() == ErrorKind::PermissionDenied {
        format!("port {port} may not be used by this user: choose one above 1023 with {flag}")
    } else {
        format!("cannot listen on {at}: {error}: choose another address with {flag}")
    }
}
