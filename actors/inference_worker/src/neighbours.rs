//! Neighbours that go down, come back, or had no room for a letter.

use crate::InferenceWorker;
use crate::engine::Phase;
use crate::report;
use kernel::{Exit, Outbox, ReturnReason};
use messages::inference_worker::Sink;
use messages::ports::engine::Command;
use messages::ports::stream;
use messages::{Address, Label, Letter, Micros, Now, request_proxy};

impl InferenceWorker {
    pub(crate) fn on_started(&mut self, now: Now, out: &mut Outbox) {
        out.watch(Address::Router);
        out.watch(Address::Observer);
        self.attach_engine(now, out);
        self.report.urgent();
    }

    /// Asks the engine what it serves, again and again until it answers.
    pub(crate) fn attach_engine(&mut self, now: Now, out: &mut Outbox) {
        let engine = Address::Engine(self.seed.device);
        out.watch(engine);
        self.command(Command::Attach, out);
        self.again.insert(engine, now.mono + ATTACH_EVERY);
    }

    pub(crate) fn on_down(&mut self, now: Now, who: Address, why: &Exit, out: &mut Outbox) {
        kernel::sometimes!(
            matches!(why, Exit::StartFailed(_)),
            "worker: a neighbour has spent its restarts"
        );
        let wait = match why {
            Exit::StartFailed(_) => Some(START_FAILED_WAIT),
            Exit::NoActor => Some(ABSENT_WAIT),
            Exit::Normal | Exit::Stopped | Exit::Failed(_) | Exit::Panicked(_) | Exit::Killed => {
                None
            }
        };
        match who {
            Address::Engine(device) if device == self.seed.device => {
                self.refuse_all(&Label::truncated("the engine stopped"), out);
                self.engine.enter(match wait {
                    Some(_) => Phase::Failed(Label::truncated("the engine does not start")),
                    None => Phase::Loading,
                });
                self.report.urgent();
                self.soon(now, who, wait, out);
            }
            Address::Router | Address::Observer => self.soon(now, who, wait, out),
            Address::Stream(stream) => {
                self.on_sink_down(Sink::Stream(stream), out);
            }
            Address::Proxy(request) => {
                self.on_sink_down(Sink::Proxy(request), out);
            }
            Address::Engine(_)
            | Address::Store
            | Address::Transport
            | Address::Worker(_)
            | Address::Roster(_)
            | Address::GossipStore(_)
            | Address::Session(..)
            | Address::Gateway
            | Address::Control => {}
        }
    }

    /// Watches a neighbour and tells it everything, at once or after a wait.
    pub(crate) fn soon(&mut self, now: Now, who: Address, wait: Option<Micros>, out: &mut Outbox) {
        match wait {
            Some(wait) => {
                self.again.insert(who, now.mono + wait);
            }
            None => self.resume_with(now, who, out),
        }
    }

    pub(crate) fn resume_with(&mut self, now: Now, who: Address, out: &mut Outbox) {
        self.again.remove(&who);
        kernel::sometimes!(
            matches!(who, Address::Engine(_)),
            "worker: an engine is attached again"
        );
        match who {
            Address::Engine(_) => self.attach_engine(now, out),
            Address::Router => {
                out.watch(who);
                self.report.router_lost();
            }
            Address::Observer => {
                out.watch(who);
                self.report.observer_lost();
            }
            Address::Roster(network) if self.report.has(network) => {
                report::tell_models(network, self.seed.device, self.served(), out);
                report::tell_load(network, self.seed.device, self.load(), out);
            }
            Address::Roster(_)
            | Address::GossipStore(_)
            | Address::Store
            | Address::Transport
            | Address::Stream(_)
            | Address::Worker(_)
            | Address::Session(..)
            | Address::Proxy(_)
            | Address::Gateway
            | Address::Control => {}
        }
    }

    /// A letter of this worker came back.
    pub(crate) fn on_returned(
        &mut self,
        now: Now,
        letter: Letter,
        why: ReturnReason,
        out: &mut Outbox,
    ) {
        match letter {
            Letter::Stream(stream, stream::Command::Reply(reply)) => {
                let sink = Sink::Stream(stream);
                self.on_reply_lost(sink, reply.attempt(), why, out);
            }
            Letter::Proxy(request, request_proxy::Input::Reply(reply)) => {
                let sink = Sink::Proxy(request);
                self.on_reply_lost(sink, reply.attempt(), why, out);
            }
            Letter::Engine(_, command) => self.on_command_returned(now, command, why, out),
            Letter::Roster(network, _) => match why {
                ReturnReason::NoActor => self.report.detach(network),
                ReturnReason::Busy | ReturnReason::ParkFull | ReturnReason::StartFailed => {
                    kernel::sometimes!(true, "worker: a roster is told again");
                    self.again
                        .insert(Address::Roster(network), now.mono + RETURNED_WAIT);
                }
            },
            Letter::Router(_) => {
                kernel::sometimes!(true, "worker: the router is told again");
                self.again
                    .entry(Address::Router)
                    .or_insert(now.mono + RETURNED_WAIT);
            }
            Letter::Observer(_) => {
                kernel::sometimes!(true, "worker: the snapshot is told again");
                self.again
                    .entry(Address::Observer)
                    .or_insert(now.mono + RETURNED_WAIT);
            }
            Letter::Stream(..)
            | Letter::Proxy(..)
            | Letter::Session(..)
            | Letter::GossipStore(..)
            | Letter::Worker(..)
            | Letter::Transport(_)
            | Letter::Gateway(_)
            | Letter::Store(_)
            | Letter::Control(_) => {}
        }
    }
}

/// The engine is asked again while it loads: inert for it, and a lost question cannot strand it.
const ATTACH_EVERY: Micros = Micros::from_secs(30);
/// The wait before a neighbour that does not exist is watched again: at a node's start it may come
/// at any moment.
const ABSENT_WAIT: Micros = Micros::from_millis(250);
/// The wait before a neighbour that spent its restarts is watched again.
const START_FAILED_WAIT: Micros = Micros::from_secs(10);
/// The wait before a letter that found no room is sent again.
pub(crate) const RETURNED_WAIT: Micros = Micros::from_secs(1);
