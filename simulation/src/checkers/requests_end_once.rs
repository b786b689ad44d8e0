//! Each client request ends exactly once, within the time that it was given, and nothing follows.

use super::dues::Dues;
use super::{Checker, Findings, Seen, Sight};
use crate::event::{NodeIndex, Time};
use crate::world::World;
use kernel::{Effect, Mail, Signal, TraceEvent};
use messages::{Address, Letter, RequestId};
use std::collections::BTreeMap;

/// From a request's deadline to the last word about it: a turn, even on a node that was frozen.
const GRACE_US: Time = 5_000_000;

/// See the module.
pub(super) struct RequestsEndOnce {
    open: BTreeMap<(NodeIndex, RequestId), Known>,
    due: Dues<RequestId>,
    /// Requests of which the gateway was told something in this step.
    news: Vec<(NodeIndex, RequestId)>,
}

impl Default for RequestsEndOnce {
    fn default() -> Self {
        Self {
            open: BTreeMap::new(),
            due: Dues::new(GRACE_US),
            news: Vec::new(),
        }
    }
}

#[derive(Debug)]
struct Known {
    /// How long it may take from its first turn on.
    total: Time,
    /// Whether it had its first turn: a node that stands still begins nothing.
    begun: bool,
    /// Whether its last word is on the way to the gateway, behind whatever waits there.
    told: bool,
    /// Whether it was told the end.
    ended: bool,
    /// Bytes that the client had when it had read the end.
    read: Option<usize>,
}

impl Checker for RequestsEndOnce {
    fn name(&self) -> &'static str {
        "requests end once"
    }

    fn see(&mut self, at: &Sight, seen: &Seen<'_>, _found: &mut Findings<'_>) {
        if let Seen::Asked(seed) = seen {
            let due = at.time + seed.total.0 + GRACE_US;
            let known = Known {
                total: seed.total.0,
                begun: false,
                told: false,
                ended: false,
                read: None,
            };
            self.open.insert((at.node, seed.request), known);
            self.due.set(due, at.node, seed.request);
        } else if let Seen::HungUp(request) = seen {
            // Whoever went away is told nothing, and nobody waits.
            self.forget(at.node, *request);
        } else if let Seen::Takes(Address::Gateway, mail) = seen {
            self.news.extend(request_of(mail).map(|it| (at.node, it)));
        } else if matches!(seen, Seen::Dies) {
            self.open.retain(|(node, _), _| *node != at.node);
            self.due.dies(at.node);
        } else if let Seen::Turn(Address::Proxy(request), _, TraceEvent::Start) = seen {
            if let Some(known) = self.open.get_mut(&(at.node, *request)) {
                known.begun = true;
            }
        } else if let Seen::Turn(Address::Proxy(request), _, TraceEvent::Effects(effects)) = seen {
            if effects.iter().any(is_last_word)
                && let Some(known) = self.open.get_mut(&(at.node, *request))
            {
                known.told = true;
            }
        } else if let Seen::Thaws(slept) = seen {
            self.due.thaws(at.time, at.node, *slept);
            for ((_, request), known) in self.open.iter().filter(|((of, _), _)| *of == at.node) {
                if !known.begun {
                    let due = at.time + known.total + GRACE_US;
                    self.due.set(due, at.node, *request);
                }
            }
        }
    }

    fn after(&mut self, world: &World, _node: NodeIndex, found: &mut Findings<'_>) {
        for (node, request) in std::mem::take(&mut self.news) {
            self.look(world, node, request, found);
        }
        while let Some((node, request)) = self.due.over(world) {
            self.look(world, node, request, found);
            let key = (node, request);
            let is_told = self.open.get(&key).is_some_and(|of| of.told && !of.ended);
            if is_told && is_behind(world, node) {
                // A gateway that takes ever so long with each letter of others says it later.
                self.due.set(world.time + GRACE_US, node, request);
            } else if self.open.remove(&key).is_some_and(|known| !known.ended) {
                found.say(node, format!("request {request} has no end in its time"));
            }
        }
    }
}

impl RequestsEndOnce {
    fn forget(&mut self, node: NodeIndex, request: RequestId) {
        self.open.remove(&(node, request));
        self.due.remove(node, request);
    }

    fn look(
        &mut self,
        world: &World,
        node: NodeIndex,
        request: RequestId,
        found: &mut Findings<'_>,
    ) {
        let Some(answer) = world.answer(node, request) else {
            return;
        };
        let Some(known) = self.open.get_mut(&(node, request)) else {
            return;
        };
        if answer.ends > 1 {
            let times = answer.ends;
            found.say(node, format!("request {request} ended {times} times"));
        }
        known.ended |= answer.ends > 0;
        // A slow client still reads when all is said.
        let length = answer.text.len();
        match known.read {
            None if !answer.is_open() => known.read = Some(length),
            Some(_) if answer.is_open() => {
                found.say(node, format!("request {request} began again after its end"));
            }
            Some(read) if read != length => {
                found.say(
                    node,
                    format!("request {request} was sent text after its end"),
                );
            }
            Some(_) | None => {}
        }
    }
}

/// Whether letters wait for a node's gateway.
fn is_behind(world: &World, node: NodeIndex) -> bool {
    let boot = world.nodes[node].boot.as_ref();
    let mailbox = boot.and_then(|boot| boot.mailboxes.get(&Address::Gateway));
    mailbox.is_some_and(|mailbox| !mailbox.mail.is_empty())
}

/// Whether a client is told the end.
const fn is_last_word(effect: &Effect) -> bool {
    use messages::ports::gateway::Command;
    matches!(
        effect,
        Effect::Tell(Letter::Gateway(
            Command::Finished { .. } | Command::Failed { .. }
        ))
    )
}

/// The request that the gateway is told of.
pub(super) const fn request_of(mail: &Mail) -> Option<RequestId> {
    use messages::ports::gateway::Command;
    match mail {
        Mail::Letter(Letter::Gateway(command)) => match command {
            Command::Started { request, .. }
            | Command::Delta { request, .. }
            | Command::Finished { request, .. }
            | Command::Failed { request, .. } => Some(*request),
            Command::Models(_) | Command::Snapshot { .. } | Command::Answer { .. } => None,
        },
        Mail::Signal(Signal::Down {
            who: Address::Proxy(request),
            ..
        }) => Some(*request),
        Mail::Letter(_) | Mail::Signal(_) => None,
    }
}
