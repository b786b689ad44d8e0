//! Requests in progress: who waits for what, and that nobody is forgotten.

use crate::error::ApiError;
use crate::front::Front;
use crate::lane::{Event, Lane, Pushed};
use bytes::Bytes;
use host::Port;
use kernel::{Child, Effect, Restart};
use messages::ports::control::Answer;
use messages::request_proxy::{Failure, Flow, Input, Seed};
use messages::{Address, Branch, Letter, QueryId, RequestId};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use tokio::sync::oneshot;

/// Questions of the management API that may wait at once: consoles ask one each.
const QUERIES_MAX: usize = 64;

/// What the connections of one life of the driver share with it.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) front: Front,
    pub(crate) port: Port,
    calls: Mutex<BTreeMap<RequestId, Arc<Lane>>>,
    queries: Mutex<BTreeMap<QueryId, oneshot::Sender<Box<Answer>>>>,
}

/// One request's client side. Dropping it before the answer's end tells the request that its
/// client is gone.
#[derive(Debug)]
pub(crate) struct Call {
    gate: Arc<Gate>,
    id: RequestId,
    lane: Arc<Lane>,
}

impl Gate {
    pub(crate) fn new(front: Front, port: Port) -> Self {
        Self {
            front,
            port,
            calls: Mutex::default(),
            queries: Mutex::default(),
        }
    }

    /// Starts a request.
    ///
    /// # Errors
    /// As many as may be in progress are.
    pub(crate) fn begin(self: &Arc<Self>, seed: Seed) -> Result<Call, ApiError> {
        let id = seed.request;
        let lane = Arc::new(Lane::default());
        {
            let mut calls = self.calls();
            if calls.len() >= self.front.config().limits.requests {
                return Err(ApiError::overloaded(
                    "this node has too many requests in progress",
                ));
            }
            calls.insert(id, Arc::clone(&lane));
        }
        let at = Address::Proxy(id);
        let child = Child {
            at,
            seed: messages::Seed::Proxy(Box::new(seed)),
            under: Branch::Requests,
            restart: Restart::Temporary,
        };
        self.port
            .post(vec![Effect::Start(Arc::new(child)), Effect::Watch(at)]);
        Ok(Call {
            gate: Arc::clone(self),
            id,
            lane,
        })
    }

    /// A holder took a request.
    pub(crate) fn started(&self, id: RequestId, event: Event) {
        if let Some(lane) = self.lane(id) {
            lane.push(event);
        }
    }

    /// A request has more text.
    pub(crate) fn text(&self, id: RequestId, offset: u64, text: Bytes) {
        let Some(lane) = self.lane(id) else {
            return;
        };
        let full = || self.port.tell(Letter::Proxy(id, Input::Client(Flow::Full)));
        match lane.text(offset, text, full) {
            Pushed::Kept => {}
            Pushed::Overflow => {
                tracing::warn!(request = %id, "a request did not stop for a slow client");
                self.break_off(id);
            }
            Pushed::Gap => {
                tracing::warn!(request = %id, offset, "text of an answer was lost on the way");
                self.break_off(id);
            }
        }
    }

    /// A request has said all: whether its client has all of it shows here.
    pub(crate) fn finished(&self, id: RequestId, total: u64, event: Event) {
        if self.lane(id).is_none_or(|lane| lane.taken() == total) {
            return self.last(id, event);
        }
        tracing::warn!(request = %id, total, "the end of an answer was lost on the way");
        self.break_off(id);
    }

    /// What the client has cannot become the answer: it is told so, and so is the request.
    fn break_off(&self, id: RequestId) {
        self.last(id, Event::Failed(Failure::Internal));
        self.port.tell(Letter::Proxy(id, Input::ClientGone));
    }

    fn lane(&self, id: RequestId) -> Option<Arc<Lane>> {
        self.calls().get(&id).map(Arc::clone)
    }

    /// A request has said all, or is gone. Inert where it has said all before.
    pub(crate) fn last(&self, id: RequestId, event: Event) {
        let lane = self.calls().remove(&id);
        if let Some(lane) = lane {
            lane.push(event);
        }
    }

    /// Waits for the answer to a new question.
    ///
    /// # Errors
    /// As many as may wait do.
    pub(crate) fn ask(&self) -> Result<(QueryId, oneshot::Receiver<Box<Answer>>), ApiError> {
        let (sender, receiver) = oneshot::channel();
        let query = self.front.mint_query();
        let mut queries = self.queries();
        // The ones whose asker went away leave room.
        queries.retain(|_, waiting| !waiting.is_closed());
        if queries.len() >= QUERIES_MAX {
            return Err(ApiError::overloaded(
                "too many questions wait for an answer",
            ));
        }
        queries.insert(query, sender);
        Ok((query, receiver))
    }

    /// The answer to a question; nothing where there will be none.
    pub(crate) fn answer(&self, query: QueryId, answer: Option<Box<Answer>>) {
        let waiting = self.queries().remove(&query);
        if let (Some(waiting), Some(answer)) = (waiting, answer) {
            // Whoever asked may be gone by now.
            let _ = waiting.send(answer);
        }
    }

    fn calls(&self) -> MutexGuard<'_, BTreeMap<RequestId, Arc<Lane>>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queries(&self) -> MutexGuard<'_, BTreeMap<QueryId, oneshot::Sender<Box<Answer>>>> {
        self.queries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Call {
    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Takes what the request has said into `into`, once there is anything.
    pub(crate) fn poll(&self, cx: &mut Context<'_>, into: &mut Vec<Event>) -> Poll<()> {
        self.lane.poll(cx, into, || {
            let letter = Letter::Proxy(self.id, Input::Client(Flow::Ready));
            self.gate.port.tell(letter);
        })
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let unfinished = self.gate.calls().remove(&self.id).is_some();
        if unfinished {
            self.gate
                .port
                .tell(Letter::Proxy(self.id, Input::ClientGone));
        }
    }
}
