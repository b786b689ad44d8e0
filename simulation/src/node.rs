//! One simulated node: its switchboard, its mailboxes, its machines and its drivers.

use crate::drivers::DriverOut;
use crate::drivers::engine::Engine;
use crate::drivers::gateway::Gateway;
use crate::drivers::store::{Disk, Store};
use crate::drivers::transport::{Air, Transport};
use crate::event::{NodeIndex, Time};
use crate::executor::Executor;
use crate::network::Network;
use ed25519_dalek::{Signer as _, SigningKey};
use kernel::{
    Depth, Incarnation, Limits, Mail, Mono, Signed, Signer, Source, Switchboard, admit, limits_of,
};
use messages::{Address, Class, DeviceId, Digest, Letter, NodeId, Signature};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// A node of the world. Key and disk outlive its boots.
pub(crate) struct Node {
    pub(crate) index: NodeIndex,
    pub(crate) me: NodeId,
    pub(crate) signer: Arc<NodeKey>,
    pub(crate) disk: Disk,
    pub(crate) boots: u64,
    /// What runs; nothing while the node is down.
    pub(crate) boot: Option<Boot>,
    /// Since when it is frozen, and what it has missed.
    pub(crate) frozen: Option<Vec<crate::event::Event>>,
    /// Device speeds, in microseconds a step.
    pub(crate) engines: Vec<u64>,
}

/// One boot of a node.
pub(crate) struct Boot {
    pub(crate) number: u64,
    pub(crate) started: Time,
    pub(crate) switchboard: Switchboard,
    pub(crate) executor: Box<dyn Executor>,
    pub(crate) mailboxes: BTreeMap<Address, Mailbox>,
    pub(crate) requests: u64,
    pub(crate) drivers: Drivers,
}

/// The drivers of one boot.
pub(crate) struct Drivers {
    pub(crate) transport: Transport,
    pub(crate) store: Store,
    pub(crate) gateway: Gateway,
    pub(crate) engines: BTreeMap<DeviceId, Engine>,
}

/// What waits for one life.
#[derive(Debug)]
pub(crate) struct Mailbox {
    pub(crate) life: Incarnation,
    pub(crate) limits: Limits,
    pub(crate) depth: Depth,
    pub(crate) mail: VecDeque<(Source, Mail)>,
    /// Whether a turn is on its way.
    pub(crate) scheduled: bool,
    /// The earliest wake that is on its way.
    pub(crate) armed: Option<Mono>,
    pub(crate) deadline: Option<Mono>,
    /// Whether the life ends when nothing waits any more.
    pub(crate) draining: bool,
}

/// What a signal adds to a mailbox.
const SIGNAL: Depth = Depth::of(&Class::Control);

impl Mailbox {
    pub(crate) fn new(who: Address, life: Incarnation) -> Self {
        Self {
            life,
            limits: limits_of(who),
            depth: Depth::default(),
            mail: VecDeque::new(),
            scheduled: false,
            armed: None,
            deadline: None,
            draining: false,
        }
    }

    /// Lets mail in, or gives the letter back.
    pub(crate) fn enter(&mut self, from: Source, mail: Mail) -> Result<(), Box<Letter>> {
        let Mail::Letter(letter) = mail else {
            self.depth += SIGNAL;
            self.mail.push_back((from, mail));
            return Ok(());
        };
        let class = letter.class();
        if admit(&class, self.depth, self.limits).is_err() {
            return Err(Box::new(letter));
        }
        if let Class::Coalesce(_) = &class {
            let older = self.mail.iter_mut().find(
                |(_, waiting)| matches!(waiting, Mail::Letter(waiting) if waiting.class() == class),
            );
            if let Some((_, waiting)) = older {
                *waiting = Mail::Letter(letter);
                return Ok(());
            }
        }
        self.depth += Depth::of(&class);
        self.mail.push_back((from, Mail::Letter(letter)));
        Ok(())
    }

    /// The next mail.
    pub(crate) fn take(&mut self) -> Option<(Source, Mail)> {
        let (from, mail) = self.mail.pop_front()?;
        self.depth -= match &mail {
            Mail::Letter(letter) => Depth::of(&letter.class()),
            Mail::Signal(_) => SIGNAL,
        };
        Some((from, mail))
    }
}

impl Drivers {
    /// A letter or signal to a driver or a leaf. False: the address is no driver's.
    pub(crate) fn take(
        &mut self,
        now: Time,
        disk: &Disk,
        to: Address,
        mail: Mail,
        network: &mut Network,
        out: &mut DriverOut,
    ) {
        match mail {
            Mail::Letter(Letter::Transport(command)) => {
                self.transport
                    .command(command, &mut Air { now, network }, out);
            }
            Mail::Letter(Letter::Stream(stream, command)) => {
                self.transport.stream_command(stream, command, out);
            }
            Mail::Letter(Letter::Store(command)) => self.store.command(disk, command, out),
            Mail::Letter(Letter::Gateway(command)) => self.gateway.command(now, command, out),
            Mail::Letter(Letter::Engine(device, command)) => {
                if let Some(engine) = self.engines.get_mut(&device) {
                    engine.command(command, out);
                }
            }
            Mail::Letter(_) => {}
            Mail::Signal(signal) => match to {
                Address::Stream(stream) => self.transport.stream_signal(stream, &signal, out),
                Address::Transport => self.transport.signal(signal, out),
                Address::Gateway => self.gateway.signal(&signal),
                Address::Store
                | Address::Engine(_)
                | Address::Control
                | Address::Worker(_)
                | Address::Roster(_)
                | Address::Session(..)
                | Address::Router
                | Address::Proxy(_)
                | Address::Observer => {}
            },
        }
    }
}

/// Whether an address belongs to a driver rather than to a machine.
pub(crate) const fn is_driver(who: Address) -> bool {
    match who {
        Address::Store
        | Address::Transport
        | Address::Stream(_)
        | Address::Engine(_)
        | Address::Gateway
        | Address::Control => true,
        Address::Worker(_)
        | Address::Roster(_)
        | Address::Session(..)
        | Address::Router
        | Address::Proxy(_)
        | Address::Observer => false,
    }
}

/// A simulated node's key.
#[derive(Debug)]
pub(crate) struct NodeKey {
    pub(crate) key: SigningKey,
    pub(crate) checked: Arc<Checked>,
}

/// What signatures the nodes of a world have checked: each of them sees the same ones.
#[derive(Debug, Default)]
pub(crate) struct Checked(Mutex<BTreeMap<Digest, bool>>);

impl Signer for NodeKey {
    fn node(&self) -> NodeId {
        NodeId(self.key.verifying_key().to_bytes())
    }

    fn sign(&self, bytes: &[u8]) -> Signature {
        Signature::from_bytes(&self.key.sign(bytes).to_bytes())
    }

    fn verify(&self, signed: &Signed<'_>, check: fn(&Signed<'_>) -> bool) -> bool {
        let parts: [&[u8]; 3] = [signed.key, &signed.signature.to_bytes(), signed.bytes];
        let what = Digest::of("simulated check", &parts);
        let mut checked = self
            .checked
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if checked.len() >= CHECKED_MAX {
            checked.clear();
        }
        *checked.entry(what).or_insert_with(|| check(signed))
    }
}

/// Answers that a world remembers: three of each of 100,000 nodes, about 30 MiB.
const CHECKED_MAX: usize = 300_000;
