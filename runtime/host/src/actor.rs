//! The one actor that hosts every machine and every driver.

use crate::door::Gauge;
use crate::driver::Driver;
use crate::panics::{bounded, guard};
use kernel::{
    Deadline, Depth, DynMachine, Effect, Exit, Incarnation, Mono, Now, Outbox, Signal, Source, Turn,
};
use messages::{Address, Class, Coalesce, Letter};
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::fmt;
use std::sync::Arc;

/// A host's only exit. Simulation swaps it.
pub trait Post: Send + Sync {
    /// Both clocks.
    fn now(&self) -> Now;
    /// Carries out a turn's effects, in order, and empties the list.
    fn post(&self, from: Source, effects: &mut Vec<Effect>);
    /// Asks for a [`Envelope::Wake`] at this instant.
    fn arm(&self, who: Address, life: Incarnation, at: Deadline);
    /// A turn is over; what it did was posted.
    fn turned(&self, _who: Address, _deadline: Option<Deadline>) {}
}

/// What an actor hosts.
pub enum Body {
    /// A pure machine.
    Machine(Box<dyn DynMachine>),
    /// The owner of a foreign resource.
    Driver(Box<dyn Driver>),
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Machine(_) => "Machine",
            Self::Driver(_) => "Driver",
        })
    }
}

/// What an actor's mailbox holds.
#[derive(Debug)]
pub enum Envelope {
    /// A letter, and what the gauge counts for it.
    Letter(Letter, Depth),
    /// The newest letter of this key waits in the gauge.
    Coalesced(Coalesce),
    /// A signal.
    Signal(Signal),
    /// A deadline may have come.
    Wake,
    /// A driver's task reports that the driver cannot go on.
    Crash(String),
}

/// The hosting actor.
#[derive(Debug)]
pub struct Host;

/// What a host is spawned with.
#[derive(Debug)]
pub struct HostArgs {
    /// What it hosts.
    pub body: Body,
    /// Under which address.
    pub at: Address,
    /// In which life.
    pub life: Incarnation,
    /// What waits in its mailbox.
    pub gauge: Arc<Gauge>,
    /// Its exit.
    pub post: Arc<dyn Post>,
}

impl fmt::Debug for dyn Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Post")
    }
}

/// A host's state.
#[derive(Debug)]
pub struct HostState {
    args: HostArgs,
    out: Outbox,
    armed: Option<Mono>,
}

/// Carries an exit through ractor's error type to the supervisor.
#[derive(Debug)]
pub(crate) struct Died(pub(crate) Exit);

impl fmt::Display for Died {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Died {}

impl Actor for Host {
    type Msg = Envelope;
    type State = HostState;
    type Arguments = HostArgs;

    async fn pre_start(
        &self,
        _me: ActorRef<Envelope>,
        args: HostArgs,
    ) -> Result<HostState, ActorProcessingErr> {
        Ok(HostState {
            args,
            out: Outbox::new(),
            armed: None,
        })
    }

    async fn handle(
        &self,
        _me: ActorRef<Envelope>,
        envelope: Envelope,
        state: &mut HostState,
    ) -> Result<(), ActorProcessingErr> {
        state
            .take(envelope)
            .map_err(|exit| Box::new(Died(exit)) as ActorProcessingErr)
    }

    /// A host has no children; the default would stop it at any event.
    async fn handle_supervisor_evt(
        &self,
        _me: ActorRef<Envelope>,
        _event: SupervisionEvent,
        _state: &mut HostState,
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn post_stop(
        &self,
        _me: ActorRef<Envelope>,
        state: &mut HostState,
    ) -> Result<(), ActorProcessingErr> {
        if let Body::Driver(driver) = &mut state.args.body {
            driver.stop().await;
        }
        Ok(())
    }
}

/// What the gauge counts for anything but data and frames.
const ONE: Depth = Depth::of(&Class::Control);

impl HostState {
    fn take(&mut self, envelope: Envelope) -> Result<(), Exit> {
        let turn = match envelope {
            Envelope::Letter(letter, depth) => {
                self.args.gauge.leave(depth);
                Turn::Letter(letter)
            }
            Envelope::Coalesced(key) => {
                self.args.gauge.leave(ONE);
                match self.args.gauge.take_newest(&key) {
                    Some(letter) => Turn::Letter(letter),
                    None => return Ok(()),
                }
            }
            Envelope::Signal(signal) => {
                self.args.gauge.leave(ONE);
                Turn::Signal(signal)
            }
            Envelope::Wake => {
                self.armed = None;
                Turn::Deadline
            }
            Envelope::Crash(why) => return Err(Exit::Failed(bounded(why))),
        };
        let HostArgs { body, post, at, .. } = &mut self.args;
        let now = post.now();
        match body {
            Body::Machine(machine) => {
                let due = machine
                    .deadline()
                    .is_some_and(|deadline| deadline.at <= now.mono);
                if turn != Turn::Deadline || due {
                    step(machine.as_mut(), now, turn, &mut self.out)?;
                }
            }
            Body::Driver(driver) => {
                guard(|| driver.turn(turn))
                    .map_err(Exit::Panicked)?
                    .map_err(|failure| Exit::Failed(bounded(failure.0)))?;
                let _ = at;
                return Ok(());
            }
        }
        self.leave_turn();
        Ok(())
    }

    fn leave_turn(&mut self) {
        let HostArgs {
            body,
            post,
            at,
            life,
            ..
        } = &self.args;
        if !self.out.effects().is_empty() {
            post.post(Source::Actor(*at, *life), self.out.effects_mut());
        }
        let Body::Machine(machine) = body else { return };
        let deadline = machine.deadline();
        if let Some(deadline) = deadline
            && self.armed.is_none_or(|armed| deadline.at < armed)
        {
            self.armed = Some(deadline.at);
            post.arm(*at, *life, deadline);
        }
        post.turned(*at, deadline);
    }
}

/// One turn: effects stay in `out` only if it succeeded.
fn step(machine: &mut dyn DynMachine, now: Now, turn: Turn, out: &mut Outbox) -> Result<(), Exit> {
    let result = guard(|| {
        let result = machine.turn(now, turn, out);
        if cfg!(debug_assertions) && result.is_ok() {
            machine.invariants();
        }
        result
    });
    let exit = match result {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(failure)) => Exit::Failed(bounded(failure.0)),
        Err(place) => Exit::Panicked(place),
    };
    out.effects_mut().clear();
    Err(exit)
}
