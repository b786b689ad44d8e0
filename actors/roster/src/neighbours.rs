//! Neighbours that go down, and letters that come back.

use crate::{Phase, Roster};
use kernel::{Deadline, Exit, Outbox, ReturnReason};
use messages::ports::{store, transport};
use messages::{Address, Letter, List, Micros, Mono, Now, inference_worker};

/// Neighbours that are not there, and when to look for them again.
#[derive(Debug, Default)]
pub(crate) struct Away(Vec<(Mono, Address)>);

impl Away {
    pub(crate) fn deadline(&self) -> Option<Deadline> {
        self.0
            .iter()
            .map(|(at, _)| Deadline {
                at: *at,
                why: "watch again",
            })
            .min()
    }

    fn add(&mut self, who: Address, at: Mono) {
        self.0.retain(|(_, away)| *away != who);
        self.0.push((at, who));
    }

    fn take_due(&mut self, now: Mono) -> Vec<Address> {
        let due = self
            .0
            .iter()
            .filter(|(at, _)| *at <= now)
            .map(|(_, who)| *who)
            .collect();
        self.0.retain(|(at, _)| *at > now);
        due
    }
}

impl Roster {
    /// Watches every neighbour and asks it for what it knows.
    pub(crate) fn greet_neighbours(&mut self, now: Now, out: &mut Outbox) {
        let workers = self.advert.devices().into_iter().map(Address::Worker);
        let others = [Address::Store, Address::Transport, Address::Observer];
        let records = Address::GossipStore(self.seed.network);
        for who in others.into_iter().chain(workers).chain([records]) {
            self.greet(now, who, out);
        }
    }

    fn greet(&mut self, now: Now, who: Address, out: &mut Outbox) {
        let network = self.seed.network;
        // Before it is told anything: who dies between two effects takes what it was told with it,
        // and its next life would be watched as if nothing had been.
        out.watch(who);
        match who {
            Address::Store => {
                if let Phase::Loading { again } = &mut self.phase {
                    *again = now.mono + LOAD_AGAIN;
                    self.load(out);
                }
                self.write_again(out);
            }
            Address::Transport => {
                out.tell(Letter::Transport(transport::Command::Attach(network)));
            }
            Address::Worker(device) => {
                out.tell(Letter::Worker(
                    device,
                    inference_worker::Input::Attach(network),
                ));
            }
            Address::Observer => self.fact = None,
            Address::GossipStore(_) => self.tell_all_members(out),
            Address::Stream(_)
            | Address::Engine(_)
            | Address::Roster(_)
            | Address::Session(..)
            | Address::Router
            | Address::Proxy(_)
            | Address::Gateway
            | Address::Control => {}
        }
    }

    fn load(&self, out: &mut Outbox) {
        let asker = store::Asker::Roster(self.seed.network);
        out.tell(Letter::Store(store::Command::Load(asker)));
    }

    /// Whatever is due towards neighbours.
    pub(crate) fn look_again(&mut self, now: Now, out: &mut Outbox) {
        for who in self.away.take_due(now.mono) {
            kernel::sometimes!(true, "roster: an absent neighbour is greeted again");
            self.greet(now, who, out);
        }
        if let Phase::Loading { again } = &mut self.phase
            && *again <= now.mono
        {
            kernel::sometimes!(true, "roster: the disk is asked again");
            *again = now.mono + LOAD_AGAIN;
            self.load(out);
        }
    }

    pub(crate) fn on_down(&mut self, now: Now, who: Address, why: &Exit, out: &mut Outbox) {
        if let Address::Session(network, peer) = who {
            if network == self.seed.network {
                self.on_session_down(now, peer, why, out);
            }
            return;
        }
        if who == Address::Transport {
            // Its connections died with it: what was dialled is dialled again.
            kernel::sometimes!(true, "roster: the transport dies");
            for peer in self.dials.in_flight() {
                self.on_dial_failed(now, peer);
            }
        }
        if why.is_abnormal() && !matches!(why, Exit::StartFailed(_)) {
            return self.greet(now, who, out);
        }
        if let Address::Worker(device) = who {
            // What nobody serves is not advertised.
            kernel::sometimes!(true, "roster: a device is gone for good");
            self.on_models(now, device, List::new(), out);
        }
        self.away.add(who, now.mono + AWAY);
    }

    pub(crate) fn on_returned(
        &mut self,
        now: Now,
        letter: &Letter,
        why: ReturnReason,
        out: &mut Outbox,
    ) {
        match letter {
            Letter::Session(_, peer, input) => {
                self.on_session_returned(now, *peer, input, why, out);
            }
            Letter::Transport(transport::Command::Dial { peer, .. }) => {
                kernel::sometimes!(true, "roster: a dial is returned");
                self.on_dial_failed(now, *peer);
            }
            Letter::Store(store::Command::Commit { token, .. }) => {
                kernel::sometimes!(true, "roster: a write is returned");
                self.on_commit_failed(now, *token, out);
            }
            // A greeting that found no room: without it nothing would ever come from there.
            Letter::Transport(transport::Command::Attach(_))
            | Letter::Worker(..)
            | Letter::Observer(_)
            | Letter::GossipStore(..)
                if matches!(why, ReturnReason::Busy | ReturnReason::ParkFull) =>
            {
                self.away.add(letter.to(), now.mono + GREET_AGAIN);
            }
            // Of the rest, the neighbour's Down or its next greeting covers what is lost.
            Letter::Store(store::Command::Load(_))
            | Letter::Transport(_)
            | Letter::Worker(..)
            | Letter::Observer(_)
            | Letter::Control(_)
            | Letter::Roster(..)
            | Letter::GossipStore(..)
            | Letter::Router(_)
            | Letter::Proxy(..)
            | Letter::Stream(..)
            | Letter::Engine(..)
            | Letter::Gateway(_) => {}
        }
    }
}

/// A store that does not answer is asked again after this.
const LOAD_AGAIN: Micros = Micros::from_secs(5);
/// After this one that had no room for a greeting is greeted again.
const GREET_AGAIN: Micros = Micros::from_secs(1);
/// After this a neighbour that is not there is looked for again.
const AWAY: Micros = Micros::from_secs(10);
