//! No hole, no repeat: what a client was sent is what an unbroken run of the scripted engine says,
//! at every moment up to where it is, and at its end the whole of it.

use super::requests_end_once::request_of;
use super::{Checker, Findings, Seen, Sight};
use crate::drivers::gateway::{Answer, State};
use crate::event::NodeIndex;
use crate::world::World;
use kernel::scripted;
use messages::{Address, EndReason, Label, RequestId, request_proxy};
use std::collections::BTreeMap;

/// See the module.
#[derive(Default)]
pub(super) struct Tokens {
    requests: BTreeMap<(NodeIndex, RequestId), Reference>,
    news: Vec<(NodeIndex, RequestId)>,
}

/// What an unbroken run says.
#[derive(Debug)]
struct Reference {
    seed: u64,
    max_tokens: Option<u32>,
    stops: Vec<String>,
    /// What the script says, as far as it was needed.
    script: Vec<u8>,
    tokens: u32,
    /// Bytes of the client's text that were compared.
    compared: usize,
}

impl Checker for Tokens {
    fn name(&self) -> &'static str {
        "tokens"
    }

    fn see(&mut self, at: &Sight, seen: &Seen<'_>, _found: &mut Findings<'_>) {
        if let Seen::Asked(seed) = seen {
            // Without a seed of the client's there is nothing to compare with.
            if let Some(reference) = Reference::of(seed) {
                self.requests.insert((at.node, seed.request), reference);
            }
        } else if let Seen::Takes(Address::Gateway, mail) = seen {
            self.news.extend(request_of(mail).map(|it| (at.node, it)));
        } else if let Seen::Reads(request) = seen {
            self.news.push((at.node, *request));
        } else if matches!(seen, Seen::Dies) {
            self.requests.retain(|(node, _), _| *node != at.node);
        }
    }

    fn after(&mut self, world: &World, _node: NodeIndex, found: &mut Findings<'_>) {
        for (node, request) in std::mem::take(&mut self.news) {
            let Some(answer) = world.answer(node, request) else {
                continue;
            };
            let Some(reference) = self.requests.get_mut(&(node, request)) else {
                continue;
            };
            let over = !answer.is_open();
            if let Err(what) = reference.compare(answer) {
                found.say(node, format!("request {request}: {what}"));
                self.requests.remove(&(node, request));
            } else if over {
                self.requests.remove(&(node, request));
            }
        }
    }
}

impl Reference {
    fn of(seed: &request_proxy::Seed) -> Option<Self> {
        let scripted = *seed.model == *"scripted";
        Some(Self {
            seed: seed.seed.filter(|_| scripted)?,
            max_tokens: seed.max_tokens,
            stops: seed.stops.iter().map(Label::to_string).collect(),
            script: Vec::new(),
            tokens: 0,
            compared: 0,
        })
    }

    fn compare(&mut self, answer: &Answer) -> Result<(), String> {
        let text = answer.text.as_bytes();
        self.say(text.len());
        let (news, said) = (text.iter(), self.script.iter());
        let mut pairs = news.zip(said).enumerate().skip(self.compared);
        if let Some((at, _)) = pairs.find(|(_, (one, two))| one != two) {
            let tokens = self.tokens;
            return Err(format!(
                "its text leaves the script at byte {at}, before token {tokens}"
            ));
        }
        if text.len() > self.script.len() {
            return Err("its text is longer than the script".to_owned());
        }
        self.compared = text.len();
        match &answer.state {
            State::Finished { reason, usage, .. } => {
                self.whole(&answer.text, *reason, usage.completion)
            }
            State::Waiting | State::Streaming | State::Failed(_) | State::Broken | State::Gone => {
                Ok(())
            }
        }
    }

    /// Whether a finished text is all that there was to say.
    fn whole(&self, text: &str, reason: EndReason, tokens: u32) -> Result<(), String> {
        let length = match self.max_tokens {
            Some(tokens) => tokens.min(scripted::CONTEXT_TOKENS),
            None => scripted::ANSWER_TOKENS,
        };
        let whole = scripted::text(self.seed, length);
        let stops = self.stops.iter().filter(|stop| !stop.is_empty());
        let cut = stops.filter_map(|stop| whole.find(stop.as_str())).min();
        let wanted = &whole[..cut.unwrap_or(whole.len())];
        if text.len() != wanted.len() {
            let (is, was) = (text.len(), wanted.len());
            return Err(format!("it finished after {is} bytes of {was}"));
        }
        if cut.is_none() && tokens != length {
            return Err(format!(
                "{tokens} tokens were counted, where {length} were drawn"
            ));
        }
        let stopped = cut.is_some() || self.max_tokens.is_none();
        match (reason, stopped) {
            (EndReason::Stop, true) | (EndReason::Length, false) => Ok(()),
            (EndReason::Stop, false) => Err("it says that it was stopped".to_owned()),
            (EndReason::Length, true) => Err("it says that it was cut short".to_owned()),
        }
    }

    /// Lets the script go on to this length.
    fn say(&mut self, length: usize) {
        while self.script.len() < length && self.tokens < scripted::CONTEXT_TOKENS {
            let token = scripted::token(self.seed, self.tokens);
            self.script.extend_from_slice(&token.bytes);
            self.tokens += 1;
        }
    }
}
