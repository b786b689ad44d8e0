//! Clients and the HTTP server that they would talk to.

mod reader;

use super::DriverOut;
use crate::event::{Occurrence, Time};
use kernel::{Effect, Signal};
use messages::ports::gateway::{Command, Place, Seam};
use messages::request_proxy::{Failure, Flow, Input, Seed};
use messages::{
    Address, Digest, EndReason, Label, Letter, List, Message, Micros, ModelAdvert, NodeId, Prompt,
    RequestId, Role, Text, TraceContext, Usage, Wall,
};
use reader::{Pushed, Reader};
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
    total: Micros,
}

/// How long a client waits for the end.
const PATIENCE: Micros = Micros::from_secs(600);

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
            total: PATIENCE,
        }
    }

    /// Asks with a prompt of so many bytes.
    #[must_use]
    pub fn prompt_bytes(mut self, bytes: usize) -> Self {
        self.prompt = "x".repeat(bytes);
        self
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

    /// The time within which it is over; ten minutes unless told.
    #[must_use]
    pub const fn within(mut self, total: Micros) -> Self {
        self.total = total;
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
        // From the ids and not drawn: a client that asks shifts nobody's chance.
        let trace = Digest::of("simulated trace", &[&me.0]).short();
        Seed {
            request,
            trace: TraceContext::begin([trace, request.span()], request.span()),
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
            total: self.total,
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
    /// The request's actor, the server or the node died: one clear error.
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
    /// The longest wait, in microseconds: from asking to the first piece of text, between two
    /// pieces, from the last one to the end.
    pub pause_us_max: u64,
    /// The longest wait between two pieces of text, in microseconds.
    pub gap_us_max: u64,
    /// From asking to the first piece of text, in microseconds.
    pub first_us: Option<u64>,
    /// Ends that were reported: more than one is a defect.
    pub ends: u32,
    /// When it was asked, or the last piece came.
    last: Time,
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
    /// Clients that read slowly, and how their answers end when they have read them.
    readers: BTreeMap<RequestId, (Reader, Option<State>)>,
}

impl Answer {
    /// Nothing yet.
    pub(crate) fn asked(now: Time) -> Self {
        Self {
            last: now,
            ..Self::default()
        }
    }

    /// Nobody listens where the client knocks.
    pub(crate) fn refused() -> Self {
        Self {
            state: State::Broken,
            ends: 1,
            ..Self::default()
        }
    }

    /// Whether the client waits for more.
    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.state, State::Waiting | State::Streaming)
    }

    fn read(&mut self, now: Time, text: &str) {
        let pause = self.pause(now);
        match self.first_us {
            Some(_) => self.gap_us_max = self.gap_us_max.max(pause),
            None => self.first_us = Some(pause),
        }
        self.deltas += 1;
        self.text.push_str(text);
    }

    /// The client has the end.
    fn close(&mut self, now: Time, state: State) {
        self.pause(now);
        self.state = state;
    }

    /// A wait is over; how long it was.
    fn pause(&mut self, now: Time) -> u64 {
        let pause = now - self.last;
        self.pause_us_max = self.pause_us_max.max(pause);
        self.last = now;
        pause
    }
}

impl Gateway {
    pub(crate) fn ask(&mut self, now: Time, seed: Seed, out: &mut DriverOut) {
        let request = seed.request;
        self.answers.insert(request, Answer::asked(now));
        let child = Arc::new(tree::request_child(seed));
        out.effects.push((Address::Gateway, Effect::Start(child)));
        out.watch(Address::Gateway, Address::Proxy(request));
    }

    pub(crate) fn hang_up(&mut self, request: RequestId, out: &mut DriverOut) {
        if let Some(answer) = self.answers.get_mut(&request) {
            answer.state = State::Gone;
            self.readers.remove(&request);
            out.tell(Address::Gateway, Letter::Proxy(request, Input::ClientGone));
        }
    }

    pub(crate) fn command(&mut self, now: Time, command: Command, out: &mut DriverOut) {
        match command {
            Command::Models(models) => self.models = models.into_vec(),
            Command::Started {
                request, served_by, ..
            } => {
                // A client whose connection is gone is not there for a second start.
                let answer = self.answers.get_mut(&request);
                if let Some(answer) = answer.filter(|answer| answer.is_open()) {
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
                    self.break_off(now, request, out);
                } else {
                    self.end(now, request, state);
                }
            }
            Command::Failed { request, why } => self.end(now, request, State::Failed(why)),
            Command::Snapshot { .. } | Command::Answer { .. } => {}
        }
    }

    pub(crate) fn signal(&mut self, now: Time, signal: &Signal) {
        if let Signal::Down {
            who: Address::Proxy(request),
            ..
        } = signal
            && let Some(answer) = self.answers.get(request)
            && answer.is_open()
            && answer.ends == 0
        {
            self.end(now, *request, State::Broken);
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
        let hears = |answer: &&mut Answer| !answer.broken_off && answer.state != State::Gone;
        let Some(answer) = answer.filter(hears) else {
            return;
        };
        match Place::of(answer.taken, offset, text.len()) {
            Place::Next => {
                answer.taken += u64::try_from(text.len()).unwrap_or(0);
                let text = String::from_utf8_lossy(&text.0);
                let Some((reader, _)) = self.readers.get_mut(&request) else {
                    return answer.read(now, &text);
                };
                let (pushed, flow) = reader.push(&text);
                out.flow(request, flow);
                match pushed {
                    Pushed::Kept => self.pump(request, out),
                    Pushed::Overflow => self.break_off(now, request, out),
                }
            }
            Place::Repeat => {}
            Place::Gap => self.break_off(now, request, out),
        }
    }

    /// Text is missing: one clear error, and nothing after it.
    fn break_off(&mut self, now: Time, request: RequestId, out: &mut DriverOut) {
        self.readers.remove(&request);
        self.end(now, request, State::Failed(Failure::Internal));
        if let Some(answer) = self.answers.get_mut(&request) {
            answer.broken_off = true;
            out.tell(Address::Gateway, Letter::Proxy(request, Input::ClientGone));
        }
    }

    fn end(&mut self, now: Time, request: RequestId, state: State) {
        if let Some(answer) = self.answers.get_mut(&request)
            && answer.state != State::Gone
            && !answer.broken_off
        {
            answer.ends += 1;
            match self.readers.get_mut(&request) {
                Some((reader, end)) if !reader.is_empty() => *end = Some(state),
                Some(_) | None => answer.close(now, state),
            }
        }
    }

    /// A client reads at this pace from now on; as fast as it comes, where there is none.
    pub(crate) fn set_pace(
        &mut self,
        now: Time,
        request: RequestId,
        rate: Option<u64>,
        out: &mut DriverOut,
    ) {
        let Some(answer) = self.answers.get_mut(&request) else {
            return;
        };
        if let Some(rate) = rate {
            let (reader, _) = self.readers.entry(request).or_default();
            return reader.set_rate(rate);
        }
        if let Some((reader, end)) = self.readers.remove(&request) {
            let (text, flow) = reader.drain();
            out.flow(request, flow);
            if !text.is_empty() {
                answer.read(now, &text);
            }
            if let Some(state) = end {
                answer.close(now, state);
            }
        }
    }

    /// A slow client has read for a while.
    pub(crate) fn reads(&mut self, now: Time, request: RequestId, out: &mut DriverOut) {
        let answer = self.answers.get_mut(&request);
        let (Some(answer), Some((reader, end))) = (answer, self.readers.get_mut(&request)) else {
            return;
        };
        let Some((text, flow)) = reader.read() else {
            // It has read nothing for so long that it is taken for dead.
            self.readers.remove(&request);
            return self.break_off(now, request, out);
        };
        if !text.is_empty() {
            answer.read(now, &text);
        }
        if reader.is_empty()
            && let Some(state) = end.take()
        {
            answer.close(now, state);
        }
        out.flow(request, flow);
        self.pump(request, out);
    }

    /// Bytes that wait for one client.
    pub(crate) fn waiting(&self, request: RequestId) -> usize {
        let reader = self.readers.get(&request);
        reader.map_or(0, |(reader, _)| reader.waiting())
    }

    /// The most bytes that wait for one client.
    pub(crate) fn waiting_max(&self) -> usize {
        let waiting = self.readers.values().map(|(reader, _)| reader.waiting());
        waiting.max().unwrap_or(0)
    }

    /// The server is gone, and with it every connection. What clients have seen is theirs.
    pub(crate) fn cut_off(mut self) -> BTreeMap<RequestId, Answer> {
        for answer in self.answers.values_mut().filter(|answer| answer.is_open()) {
            answer.state = State::Broken;
            answer.ends = 1;
            answer.broken_off = true;
        }
        self.answers
    }

    /// The next life of the server.
    pub(crate) fn renewed(self) -> Self {
        Self {
            answers: self.cut_off(),
            ..Self::default()
        }
    }

    fn pump(&mut self, request: RequestId, out: &mut DriverOut) {
        if let Some((reader, _)) = self.readers.get_mut(&request) {
            out.flow(request, reader.pump());
            if let Some(after) = reader.look() {
                out.later.push((after, Occurrence::Reads(request)));
            }
        }
    }
}

impl DriverOut {
    /// Tells a request what its client can take.
    fn flow(&mut self, request: RequestId, flow: Option<Flow>) {
        if let Some(flow) = flow {
            let input = Input::Client(flow);
            self.tell(Address::Gateway, Letter::Proxy(request, input));
        }
    }
}

#[cfg(test)]
mod tests;
