//! Clients and the HTTP server that they would talk to.

use super::DriverOut;
use crate::event::Time;
use kernel::{Effect, Signal};
use messages::ports::gateway::{Command, Place, Seam};
use messages::request_proxy::{Failure, Input, Seed};
use messages::{
    Address, Digest, EndReason, Label, Letter, List, Message, Micros, ModelAdvert, NodeId, Prompt,
    RequestId, Role, Text, Usage, Wall,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A client's request.
#[derive(Clone, Debug)]
pub struct Ask {
    model: String,
    prompt: String,
    seed: Option<u64>,
    max_tokens: Option<u32>,
    stops: Vec<String>,
}

impl Ask {
    /// Asks the scripted model, with this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            model: "scripted".to_owned(),
            prompt: "hello".to_owned(),
            seed: Some(seed),
            max_tokens: None,
            stops: Vec::new(),
        }
    }

    /// Asks another model.
    #[must_use]
    pub fn model(mut self, model: &str) -> Self {
        model.clone_into(&mut self.model);
        self
    }

    /// Tokens of the answer at most.
    #[must_use]
    pub const fn max_tokens(mut self, tokens: u32) -> Self {
        self.max_tokens = Some(tokens);
        self
    }

    /// A text that ends the answer.
    #[must_use]
    pub fn stop(mut self, text: &str) -> Self {
        self.stops.push(text.to_owned());
        self
    }

    pub(crate) fn seed_for(&self, request: RequestId, me: NodeId, arrived: Wall) -> Seed {
        let message = Message {
            role: Role::User,
            content: Text::from(self.prompt.as_str()),
        };
        Seed {
            request,
            me,
            model: Label::truncated(&self.model),
            prompt: Prompt::Chat(List::truncated([message])),
            arrived,
            temperature_e6: 1_000_000,
            top_p_e6: 1_000_000,
            seed: self.seed,
            max_tokens: self.max_tokens,
            stops: List::truncated(self.stops.iter().map(|stop| Label::truncated(stop))),
            tenant: Digest::default(),
            total: Micros::from_secs(600),
        }
    }
}

/// Where a request is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// No holder has accepted it.
    #[default]
    Waiting,
    /// Text may arrive.
    Streaming,
    /// It is complete.
    Finished {
        /// Why it ended.
        reason: EndReason,
        /// Tokens spent.
        usage: Usage,
        /// How it came together.
        seam: Seam,
    },
    /// It ended with an error.
    Failed(Failure),
    /// The request's actor died: one clear error.
    Broken,
    /// The client went away.
    Gone,
}

/// What a client has seen so far.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The text.
    pub text: String,
    /// Where it is.
    pub state: State,
    /// Who began to serve it.
    pub served_by: Option<NodeId>,
    /// Pieces of text that arrived.
    pub deltas: u64,
    /// The longest wait between two pieces of text, in microseconds.
    pub pause_us_max: u64,
    /// Ends that were reported: more than one is a defect.
    pub ends: u32,
    last: Option<Time>,
    /// Bytes of text that it was sent.
    taken: u64,
    /// Its text has a hole: the client was told so, and nothing follows.
    broken_off: bool,
}

/// The HTTP server of one boot, and the clients that use it.
#[derive(Debug, Default)]
pub(crate) struct Gateway {
    pub(crate) answers: BTreeMap<RequestId, Answer>,
    pub(crate) models: Vec<ModelAdvert>,
}

impl Gateway {
    pub(crate) fn ask(&mut self, seed: Seed, out: &mut DriverOut) {
        let request = seed.request;
        self.answers.insert(request, Answer::default());
        let child = Arc::new(tree::request_child(seed));
        out.effects.push((Address::Gateway, Effect::Start(child)));
        out.watch(Address::Gateway, Address::Proxy(request));
    }

    pub(crate) fn hang_up(&mut self, request: RequestId, out: &mut DriverOut) {
        if let Some(answer) = self.answers.get_mut(&request) {
            answer.state = State::Gone;
            out.tell(Address::Gateway, Letter::Proxy(request, Input::ClientGone));
        }
    }

    pub(crate) fn command(&mut self, now: Time, command: Command, out: &mut DriverOut) {
        match command {
            Command::Models(models) => self.models = models.into_vec(),
            Command::Started {
                request, served_by, ..
            } => {
                if let Some(answer) = self.answers.get_mut(&request) {
                    answer.served_by = Some(served_by);
                    answer.state = State::Streaming;
                }
            }
            Command::Delta {
                request,
                offset,
                text,
            } => self.delta(now, request, (offset, text), out),
            Command::Finished {
                request,
                reason,
                usage,
                total,
                seam,
            } => {
                let state = State::Finished {
                    reason,
                    usage,
                    seam,
                };
                let taken = self.answers.get(&request).map(|answer| answer.taken);
                if taken.is_some_and(|taken| taken != total) {
                    self.break_off(request, out);
                } else {
                    self.end(request, state);
                }
            }
            Command::Failed { request, why } => self.end(request, State::Failed(why)),
            Command::Snapshot { .. } => {}
        }
    }

    pub(crate) fn signal(&mut self, signal: &Signal) {
        if let Signal::Down {
            who: Address::Proxy(request),
            ..
        } = signal
            && let Some(answer) = self.answers.get(request)
            && matches!(answer.state, State::Waiting | State::Streaming)
        {
            self.end(*request, State::Broken);
        }
    }

    fn delta(
        &mut self,
        now: Time,
        request: RequestId,
        (offset, text): (u64, Text),
        out: &mut DriverOut,
    ) {
        let answer = self.answers.get_mut(&request);
        let Some(answer) = answer.filter(|answer| !answer.broken_off) else {
            return;
        };
        match Place::of(answer.taken, offset, text.len()) {
            Place::Next => {
                let pause = answer.last.map_or(0, |last| now - last);
                answer.pause_us_max = answer.pause_us_max.max(pause);
                answer.last = Some(now);
                answer.deltas += 1;
                answer.taken += u64::try_from(text.len()).unwrap_or(0);
                answer.text.push_str(&String::from_utf8_lossy(&text.0));
            }
            Place::Repeat => {}
            Place::Gap => self.break_off(request, out),
        }
    }

    /// Text is missing: one clear error, and nothing after it.
    fn break_off(&mut self, request: RequestId, out: &mut DriverOut) {
        self.end(request, State::Failed(Failure::Internal));
        if let Some(answer) = self.answers.get_mut(&request) {
            answer.broken_off = true;
            out.tell(Address::Gateway, Letter::Proxy(request, Input::ClientGone));
        }
    }

    fn end(&mut self, request: RequestId, state: State) {
        if let Some(answer) = self.answers.get_mut(&request)
            && answer.state != State::Gone
            && !answer.broken_off
        {
            answer.ends += 1;
            answer.state = state;
        }
    }
}

#[cfg(test)]
mod tests;
