//! One completion, from its start to the answer's head, or to the whole answer.

use crate::ask::Ask;
use crate::call::{Call, Gate};
use crate::error::ApiError;
use crate::lane::Event;
use crate::render::{Answer, Ending};
use crate::reply::{Reply, events, json};
use crate::sse::EventStream;
use bytes::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use messages::request_proxy::{Failure, Seed};
use messages::{Digest, Micros, Mono, NodeId, Now, RequestId, TraceContext};
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// How much longer than the request itself its client side waits for its last word.
const GRACE: Duration = Duration::from_secs(5);
/// Bytes of an answer that is sent whole: far above what the longest context comes to.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Which request, when it came, and the trace that it belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) id: RequestId,
    pub(crate) at: Now,
    pub(crate) trace: TraceContext,
}

/// A request whose holder took it.
#[derive(Debug)]
struct Begun {
    call: Call,
    answer: Answer,
    served_by: NodeId,
    /// What was said since.
    waiting: Vec<Event>,
}

/// Starts the request and waits until it is clear what to answer. The head of an event stream
/// waits for a holder, so that an error before that has its own status.
pub(crate) async fn run(
    gate: &Arc<Gate>,
    arrival: Arrival,
    ask: Ask,
) -> Result<Response<Reply>, ApiError> {
    let total = gate.front.config().limits.total_time;
    let until = arrival.at.mono + micros(total + GRACE);
    let (stream, include_usage) = (ask.stream, ask.include_usage);
    let answer = Answer::new(ask.shape, arrival.id, arrival.at.wall, &ask.model);
    let call = gate.begin(seed(gate, arrival, ask, total))?;
    let served = async {
        let begun = begin(call, answer).await?;
        let node = begun.served_by;
        Ok((
            node,
            if stream {
                begun.stream(include_usage, until)
            } else {
                begun.whole().await?
            },
        ))
    };
    let outcome = timeout(total + GRACE, served).await;
    let (node, mut response) = outcome.unwrap_or_else(|_| Err(ApiError::timeout()))?;
    if let Ok(node) = HeaderValue::from_str(&node.to_string()) {
        response.headers_mut().insert(SERVED_BY, node);
    }
    Ok(response)
}

/// Waits until a holder took the request.
async fn begin(call: Call, mut answer: Answer) -> Result<Begun, ApiError> {
    let mut events = Vec::new();
    poll_fn(|cx| call.poll(cx, &mut events)).await;
    let mut events = events.into_iter();
    let failure = match events.next() {
        Some(Event::Started { served_by, model }) => {
            answer.serves(&model);
            return Ok(Begun {
                call,
                answer,
                served_by,
                waiting: events.collect(),
            });
        }
        Some(Event::Failed(failure)) => failure,
        Some(Event::Text(_) | Event::Finished { .. }) | None => Failure::Internal,
    };
    Err(answer.error(&failure))
}

impl Begun {
    fn stream(self, include_usage: bool, until: Mono) -> Response<Reply> {
        let Self {
            call,
            answer,
            waiting,
            ..
        } = self;
        events(EventStream::new(
            call,
            answer,
            include_usage,
            waiting,
            until,
        ))
    }

    async fn whole(self) -> Result<Response<Reply>, ApiError> {
        let Self {
            call,
            answer,
            mut waiting,
            ..
        } = self;
        let mut text: Vec<u8> = Vec::new();
        loop {
            for event in waiting.drain(..) {
                match event {
                    // Another holder went on; the answer is one.
                    Event::Started { .. } => {}
                    Event::Text(more) if text.len() + more.len() > ANSWER_BYTES_MAX => {
                        return Err(answer.error(&Failure::Internal));
                    }
                    Event::Text(more) => text.extend_from_slice(&more),
                    Event::Finished {
                        reason,
                        usage,
                        seam,
                    } => {
                        let body = answer.whole(
                            &text,
                            Ending {
                                reason,
                                usage,
                                seam,
                            },
                        );
                        return Ok(json(StatusCode::OK, Bytes::from(body)));
                    }
                    Event::Failed(failure) => return Err(answer.error(&failure)),
                }
            }
            poll_fn(|cx| call.poll(cx, &mut waiting)).await;
        }
    }
}

fn seed(gate: &Gate, arrival: Arrival, ask: Ask, total: Duration) -> Seed {
    let config = gate.front.config();
    // Whoever holds the key is one tenant; other nodes' clients are others.
    let salt = config.api_key.as_ref().map_or(&[][..], |key| key.salt());
    Seed {
        request: arrival.id,
        trace: arrival.trace,
        me: config.me,
        model: ask.model,
        prompt: ask.prompt,
        arrived: arrival.at.wall,
        temperature_e6: ask.temperature_e6,
        top_p_e6: ask.top_p_e6,
        seed: ask.seed,
        max_tokens: ask.max_tokens,
        stops: ask.stops,
        tenant: Digest::of("mesh-node tenant", &[&config.me.0, salt]),
        total: micros(total),
    }
}

fn micros(span: Duration) -> Micros {
    Micros(u64::try_from(span.as_micros()).unwrap_or(u64::MAX))
}

const SERVED_BY: HeaderName = HeaderName::from_static("x-mesh-served-by");
