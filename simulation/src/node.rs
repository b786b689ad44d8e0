//! One simulated node: its switchboard, its mailboxes, its machines and its drivers.

use crate::clock::NodeClock;
use crate::costs::{InputClass, input_of};
use crate::drivers::DriverOut;
use crate::drivers::engine::{Device, Engine};
use crate::drivers::gateway::{Answer, Gateway};
use crate::drivers::store::{Disk, Store};
use crate::drivers::transport::{Air, Transport};
use crate::event::{NodeIndex, Time};
use crate::executor::{Executor, Outlet};
use crate::network::Network;
use ed25519_dalek::{Signer as _, SigningKey};
use kernel::{
    Depth, Directory, Incarnation, Limits, Mail, Mono, Signed, Signer, Source, Switchboard, admit,
    limits_of,
};
use messages::{Address, Class, DeviceId, Digest, Letter, NodeId, RequestId, Signature};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
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
    /// Its devices.
    pub(crate) engines: Vec<Device>,
    /// Its clocks, which go on whatever happens to it.
    pub(crate) clock: NodeClock,
    /// What clients of earlier boots have seen.
    pub(crate) past: BTreeMap<RequestId, Answer>,
}

impl Node {
    /// The world time of an instant of its boot.
    pub(crate) fn time_of(&self, at: Mono) -> Time {
        let started = self.boot.as_ref().map_or(0, |boot| boot.started);
        self.clock.time_of(started + at.0)
    }
}

/// One boot of a node.
pub(crate) struct Boot {
    pub(crate) number: u64,
    /// What the node's clock had counted when it began.
    pub(crate) started: u64,
    /// Lives that are being built.
    pub(crate) unborn: BTreeSet<(Address, Incarnation)>,
    pub(crate) switchboard: Switchboard,
    pub(crate) executor: Box<dyn Executor>,
    pub(crate) mailboxes: Directory<Mailbox>,
    pub(crate) requests: u64,
    pub(crate) drivers: Drivers,
    /// Where the actors are, if not here.
    pub(crate) outlet: Option<Box<dyn Outlet>>,
}

impl Boot {
    /// The life that an address has now.
    pub(crate) fn live(&self, who: Address) -> Option<Incarnation> {
        match &self.outlet {
            Some(outlet) => outlet.live(who),
            None => self.switchboard.live(who),
        }
    }

    /// Makes a leaf reachable.
    pub(crate) fn leaf_up(&mut self, leaf: Address) {
        if let Some(outlet) = &mut self.outlet {
            outlet.leaf_up(leaf);
        } else {
            let life = self.switchboard.leaf_up(leaf);
            self.mailboxes.insert(leaf, Mailbox::new(leaf, life));
        }
    }
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
    /// Whether the first mail is being worked on: it waits no more.
    begun: bool,
    /// A deadline that has come and waits for its turn, and how many are before it.
    woken: Option<usize>,
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
            begun: false,
            woken: None,
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
            let older = self.mail.iter_mut().skip(usize::from(self.begun)).find(
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

    /// What waits; what is being worked on waits no more.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = &Mail> {
        let mail = self.mail.iter().skip(usize::from(self.begun));
        mail.map(|(_, mail)| mail)
    }

    /// Whether there is something to do.
    pub(crate) fn has_next(&self) -> bool {
        self.woken == Some(0) || !self.mail.is_empty()
    }

    /// What is next, and what sort of work it is.
    fn next(&self) -> Option<InputClass> {
        if self.woken == Some(0) {
            return Some(InputClass::Deadline);
        }
        self.mail.front().map(|(_, mail)| match mail {
            Mail::Letter(letter) => input_of(&letter.class()),
            Mail::Signal(_) => InputClass::Signal,
        })
    }

    /// Begins what is next; it waits no more, and nothing replaces it.
    pub(crate) fn begin(&mut self) -> Option<InputClass> {
        let next = self.next()?;
        if next != InputClass::Deadline
            && let Some((_, mail)) = self.mail.front()
        {
            self.begun = true;
            self.depth -= depth_of(mail);
        }
        Some(next)
    }

    /// Takes what is next.
    pub(crate) fn take(&mut self) -> Option<Work> {
        if self.woken == Some(0) {
            self.woken = None;
            return Some(Work::Deadline);
        }
        let (_, mail) = self.mail.pop_front()?;
        self.woken = self.woken.map(|before| before - 1);
        if !std::mem::take(&mut self.begun) {
            self.depth -= depth_of(&mail);
        }
        Some(Work::Mail(mail))
    }

    /// A deadline has come: its turn is after what waits.
    pub(crate) fn wake(&mut self) {
        self.woken.get_or_insert(self.mail.len());
    }

    /// Whether a deadline waits for its turn.
    pub(crate) const fn is_woken(&self) -> bool {
        self.woken.is_some()
    }
}

/// What a turn takes from a mailbox.
#[derive(Debug)]
pub(crate) enum Work {
    /// A letter or a signal.
    Mail(Mail),
    /// The deadline.
    Deadline,
}

fn depth_of(mail: &Mail) -> Depth {
    match mail {
        Mail::Letter(letter) => Depth::of(&letter.class()),
        Mail::Signal(_) => SIGNAL,
    }
}

impl Drivers {
    /// A letter or signal to a driver or a leaf. False: the address is no driver's.
    pub(crate) fn take(
        &mut self,
        now: Time,
        disk: &mut Disk,
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
                self.transport.stream_command(now, stream, command, out);
            }
            Mail::Letter(Letter::Store(command)) => self.store.command(disk, command, out),
            Mail::Letter(Letter::Gateway(command)) => self.gateway.command(now, command, out),
            Mail::Letter(Letter::Engine(device, command)) => {
                if let Some(engine) = self.engines.get_mut(&device) {
                    engine.command(now, command, out);
                }
            }
            Mail::Letter(_) => {}
            Mail::Signal(signal) => match to {
                Address::Stream(stream) => self.transport.stream_signal(stream, &signal, out),
                Address::Transport => self.transport.signal(now, signal, out),
                Address::Gateway => self.gateway.signal(now, &signal),
                Address::Store
                | Address::Engine(_)
                | Address::Control
                | Address::Worker(_)
                | Address::Roster(_)
                | Address::GossipStore(_)
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
        | Address::GossipStore(_)
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
