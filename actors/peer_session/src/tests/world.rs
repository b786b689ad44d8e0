//! Two sessions and what lies between them: wires that can be cut, rosters that admit everybody,
//! and a clock of their own.

use super::*;
use messages::peer_session::{Ended, LinkLoss};
use std::collections::BTreeMap;

/// What a world does with a frame that meets no session, or a dead one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Early {
    Hold,
    Drop,
}

pub(super) struct World {
    pub(super) now: Mono,
    pub(super) sides: [Side; 2],
    pub(super) wires: Vec<Wire>,
    /// Frames that reached a session.
    pub(super) frames: usize,
    /// From a dial or a send to its arrival, by wire dialler and receiver.
    pub(super) latency: [[Micros; 2]; 2],
    queue: BTreeMap<(Mono, u64), (usize, Event)>,
    sequence: u64,
    early: Early,
}

pub(super) struct Side {
    pub(super) session: Option<PeerSession>,
    pub(super) ended: Vec<Ended>,
    pub(super) boot: u64,
    /// Whether it ever said Admit, and whether it ever was active.
    admits: bool,
    seed: Option<Seed>,
    held: Vec<Input>,
}

pub(super) struct Wire {
    dialler: usize,
    pub(super) up: [bool; 2],
    /// When the last frame arrives at each side: what follows arrives no earlier.
    last: [Mono; 2],
}

enum Event {
    Input(Input),
    Announce(usize),
    Redial,
    Revive,
}

impl Wire {
    pub(super) fn is_dialled_by(&self, side: usize) -> bool {
        self.dialler == side
    }
}

const NODES: [NodeId; 2] = [ME, PEER];

impl World {
    pub(super) fn new(early: Early) -> Self {
        let side = || Side {
            session: None,
            ended: Vec::new(),
            boot: 1,
            admits: false,
            seed: None,
            held: Vec::new(),
        };
        Self {
            now: Mono(1_000_000),
            sides: [side(), side()],
            wires: Vec::new(),
            frames: 0,
            latency: [[Micros::from_millis(20); 2]; 2],
            queue: BTreeMap::new(),
            sequence: 0,
            early,
        }
    }

    pub(super) fn link(wire: usize, side: usize) -> LinkId {
        LinkId((wire * 2 + side + 10) as u64)
    }

    fn wire(link: LinkId) -> usize {
        (usize::try_from(link.0).unwrap() - 10) / 2
    }

    pub(super) fn dial(&mut self, dialler: usize) {
        let wire = self.wires.len();
        self.wires.push(Wire {
            dialler,
            up: [true; 2],
            last: [self.now; 2],
        });
        let there = self.now + self.latency[dialler][1 - dialler];
        self.at(there, 1 - dialler, Event::Announce(wire));
        let back = there + self.latency[dialler][dialler];
        self.at(back, dialler, Event::Announce(wire));
    }

    /// Both ends lose a wire, and what is on it.
    pub(super) fn cut(&mut self, wire: usize) {
        self.wires[wire].up = [false; 2];
        for side in [0, 1] {
            let (link, why) = (Self::link(wire, side), LinkLoss::TimedOut);
            self.at(self.now, side, Event::Input(Input::LinkDown { link, why }));
            // For a dial that comes to nothing.
            self.at(
                self.now + Micros::from_secs(1 + side as u64),
                side,
                Event::Redial,
            );
        }
    }

    /// A session dies; what waits for it is lost or parked, as the world is made.
    pub(super) fn kill(&mut self, side: usize) {
        if self.sides[side].session.take().is_some() {
            self.at(self.now + Micros::from_millis(10), side, Event::Revive);
        }
    }

    /// A node goes down without a word and comes back in its next boot: the other side's wires
    /// stay up, and lead nowhere.
    pub(super) fn reboot(&mut self, side: usize) {
        self.sides[side] = Side {
            session: None,
            boot: self.sides[side].boot + 1,
            ended: Vec::new(),
            admits: self.sides[side].admits,
            seed: None,
            held: Vec::new(),
        };
        for wire in &mut self.wires {
            wire.up[side] = false;
        }
        self.dial(side);
    }

    pub(super) fn run(&mut self, span: Micros) {
        let end = self.now + span;
        while self.step(end) {}
        self.now = end;
    }

    /// Runs until so many frames have reached a session.
    pub(super) fn run_to_frame(&mut self, frames: usize) {
        let end = self.now + Micros::from_secs(5);
        while self.frames < frames && self.step(end) {}
    }

    /// The wire that both use, where both are active over the same one and no other is up.
    pub(super) fn settled(&self) -> Result<usize, String> {
        let used = |side: usize| {
            let session = self.sides[side].session.as_ref().ok_or("no session")?;
            match session.active && session.live.is_fresh() {
                true => Ok(Self::wire(session.links.primary.id)),
                false => Err(format!("side {side} is {}", session.phase().name())),
            }
        };
        let (one, other) = (used(0)?, used(1)?);
        let up = self
            .wires
            .iter()
            .filter(|wire| wire.up == [true; 2])
            .count();
        match one == other && up == 1 {
            true => Ok(one),
            false => Err(format!("wires {one} and {other}, {up} up")),
        }
    }

    fn at(&mut self, at: Mono, side: usize, event: Event) {
        self.sequence += 1;
        self.queue
            .insert((at.max(self.now), self.sequence), (side, event));
    }

    /// The next turn or event, if it comes before `end`.
    fn step(&mut self, end: Mono) -> bool {
        let due = |side: &Side| side.session.as_ref()?.deadline().map(|due| due.at);
        let wake = [0, 1]
            .into_iter()
            .filter_map(|side| Some((due(&self.sides[side])?, side)));
        let wake = wake.min();
        let event = self.queue.first_key_value().map(|(key, _)| *key);
        match (wake, event) {
            (Some((at, side)), _) if at <= end && event.is_none_or(|event| at < event.0) => {
                self.now = self.now.max(at);
                self.turn(side, |session, now, out| {
                    session.on_deadline(now, out).unwrap()
                });
                let next = due(&self.sides[side]);
                assert!(
                    next.is_none_or(|next| next > self.now),
                    "{next:?} is due at once"
                );
            }
            (_, Some(key)) if key.0 <= end => {
                self.now = self.now.max(key.0);
                let (side, event) = self.queue.remove(&key).unwrap();
                self.happen(side, event);
            }
            _ => return false,
        }
        true
    }

    fn happen(&mut self, side: usize, event: Event) {
        match event {
            Event::Input(input) => self.input(side, input),
            Event::Announce(wire) if !self.wires[wire].up[side] => {}
            Event::Announce(wire) => {
                let (link, dialled) = (Self::link(wire, side), self.wires[wire].dialler == side);
                if self.sides[side].seed.is_some() {
                    self.input(side, Input::Link { link, dialled });
                } else {
                    let (me, peer) = (NODES[side], NODES[1 - side]);
                    let seed = Seed {
                        boot: self.sides[side].boot,
                        ..seed(me, peer, link, dialled)
                    };
                    self.sides[side].seed = Some(seed);
                    self.start(side);
                }
            }
            Event::Redial if self.sides[side].seed.is_none() => self.dial(side),
            Event::Redial => {}
            Event::Revive => self.start(side),
        }
    }

    fn start(&mut self, side: usize) {
        let Some(seed) = self.sides[side].seed.clone() else {
            return;
        };
        self.sides[side].session = Some(PeerSession::new(seed, ctx()));
        let life = Incarnation {
            boot: 1,
            n: self.sequence,
        };
        self.turn(side, |session, now, out| {
            session.signal(now, Signal::Started(life), out).unwrap();
        });
        // The roster announces again what it knows, and what waited is delivered.
        for wire in 0..self.wires.len() {
            self.happen(side, Event::Announce(wire));
        }
        for input in std::mem::take(&mut self.sides[side].held) {
            self.input(side, input);
        }
    }

    fn input(&mut self, side: usize, input: Input) {
        if let Input::Frame { link, .. } = &input
            && !self.wires[Self::wire(*link)].up[side]
        {
            return;
        }
        if self.sides[side].session.is_none() {
            // Only frames can be lost: the roster's letters wait for a restart.
            if self.early == Early::Hold || !matches!(input, Input::Frame { .. }) {
                self.sides[side].held.push(input);
            }
            return;
        }
        if let Input::LinkDown { link, .. } = &input {
            self.wires[Self::wire(*link)].up[side] = false;
        }
        self.frames += usize::from(matches!(input, Input::Frame { .. }));
        self.turn(side, |session, now, out| {
            session.handle(now, input, out).unwrap()
        });
    }

    fn turn(&mut self, side: usize, turn: impl FnOnce(&mut PeerSession, Now, &mut Outbox)) {
        let now = Now {
            mono: self.now,
            wall: WALL,
        };
        let Some(session) = &mut self.sides[side].session else {
            return;
        };
        let mut out = Outbox::new();
        turn(session, now, &mut out);
        session.invariants();
        for effect in std::mem::take(out.effects_mut()) {
            self.carry_out(side, effect);
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a world without the other actors"
    )]
    fn carry_out(&mut self, side: usize, effect: Effect) {
        let letter = match effect {
            Effect::Tell(letter) => letter,
            Effect::Stop(..) => {
                self.sides[side].session = None;
                self.sides[side].seed = None;
                return;
            }
            Effect::Watch(_) | Effect::Unwatch(_) | Effect::Start(_) => return,
        };
        match letter {
            Letter::Transport(transport::Command::Send { link, frame, .. }) => {
                self.sides[side].admits |= *frame == ControlFrame::Admit(());
                self.send(side, link, |link| Input::Frame {
                    link,
                    frame: *frame,
                });
            }
            Letter::Transport(transport::Command::Close { link, .. }) => {
                let wire = Self::wire(link);
                if std::mem::replace(&mut self.wires[wire].up[side], false) {
                    let why = LinkLoss::ClosedByPeer;
                    self.wires[wire].up[side] = true;
                    self.send(side, link, |link| Input::LinkDown { link, why });
                    self.wires[wire].up[side] = false;
                }
            }
            Letter::Roster(_, roster::Input::Judge { .. }) => {
                let verdict = Input::Verdict(Verdict::Admit { until: None });
                self.at(
                    self.now + Micros::from_millis(1),
                    side,
                    Event::Input(verdict),
                );
            }
            Letter::Roster(_, roster::Input::Active { .. }) => {
                assert!(
                    self.sides[1 - side].admits,
                    "active without the peer's Admit"
                );
            }
            Letter::Roster(_, roster::Input::Ended { why, .. }) => {
                self.sides[side].ended.push(why);
                let wait = Micros::from_millis(1_000 + 300 * side as u64);
                self.at(self.now + wait, side, Event::Redial);
            }
            Letter::Roster(_, roster::Input::LinkUp { link, .. }) => {
                self.at(self.now, side, Event::Announce(Self::wire(link)));
            }
            _ => {}
        }
    }

    /// Behind all that was sent before on the same wire.
    fn send(&mut self, side: usize, link: LinkId, input: impl FnOnce(LinkId) -> Input) {
        let (wire, to) = (Self::wire(link), 1 - side);
        if !self.wires[wire].up[side] {
            let down = Input::LinkDown {
                link,
                why: LinkLoss::Reset,
            };
            return self.at(self.now, side, Event::Input(down));
        }
        let input = input(Self::link(wire, to));
        if !self.wires[wire].up[to] {
            return;
        }
        let arrival = self.now + self.latency[self.wires[wire].dialler][to];
        let arrival = arrival.max(self.wires[wire].last[to]);
        self.wires[wire].last[to] = arrival;
        self.at(arrival, to, Event::Input(input));
    }
}
