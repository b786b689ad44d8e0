//! Each client request ends exactly once, within the time that it was given, and nothing follows.

use super::{Checker, Findings, Seen, Sight};
use crate::event::{NodeIndex, Time};
use crate::world::World;
use kernel::{Mail, Signal};
use messages::{Address, Letter, RequestId};
use std::collections::{BTreeMap, BTreeSet};

/// From a request's deadline to the last word about it: a turn, even on a node that was frozen.
const GRACE_US: Time = 5_000_000;

/// See the module.
#[derive(Default)]
pub(super) struct RequestsEndOnce {
    open: BTreeMap<(NodeIndex, RequestId), Known>,
    due: BTreeSet<(Time, NodeIndex, RequestId)>,
    /// Requests of which the gateway was told something in this step.
    news: Vec<(NodeIndex, RequestId)>,
}

#[derive(Debug)]
struct Known {
    due: Time,
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
            let (ended, read) = (false, None);
            let known = Known { due, ended, read };
            self.open.insert((at.node, seed.request), known);
            self.due.insert((due, at.node, seed.request));
        } else if let Seen::HungUp(request) = seen {
            // Whoever went away is told nothing, and nobody waits.
            self.forget(at.node, *request);
        } else if let Seen::Takes(Address::Gateway, mail) = seen {
            self.news.extend(request_of(mail).map(|it| (at.node, it)));
        } else if matches!(seen, Seen::Dies) {
            let of = |node: NodeIndex| node != at.node;
            self.open.retain(|(node, _), _| of(*node));
            self.due.retain(|(_, node, _)| of(*node));
        }
    }

    fn after(&mut self, world: &World, _node: NodeIndex, found: &mut Findings<'_>) {
        for (node, request) in std::mem::take(&mut self.news) {
            self.look(world, node, request, found);
        }
        while let Some((due, node, request)) = self.due.first().copied()
            && due <= world.time
        {
            self.due.pop_first();
            if world.nodes[node].frozen.is_some() {
                self.due.insert((world.time + GRACE_US, node, request));
                continue;
            }
            self.look(world, node, request, found);
            let key = (node, request);
            if self.open.remove(&key).is_some_and(|known| !known.ended) {
                found.say(node, format!("request {request} has no end in its time"));
            }
        }
    }
}

impl RequestsEndOnce {
    fn forget(&mut self, node: NodeIndex, request: RequestId) {
        if let Some(known) = self.open.remove(&(node, request)) {
            self.due.remove(&(known.due, node, request));
        }
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

/// The request that the gateway is told of.
pub(super) const fn request_of(mail: &Mail) -> Option<RequestId> {
    use messages::ports::gateway::Command;
    match mail {
        Mail::Letter(Letter::Gateway(command)) => match command {
            Command::Started { request, .. }
            | Command::Delta { request, .. }
            | Command::Finished { request, .. }
            | Command::Failed { request, .. } => Some(*request),
            Command::Models(_) | Command::Snapshot { .. } => None,
        },
        Mail::Signal(Signal::Down {
            who: Address::Proxy(request),
            ..
        }) => Some(*request),
        Mail::Letter(_) | Mail::Signal(_) => None,
    }
}
