//! A world that is drawn at random, and the book that it keeps of every letter and watch.

use super::*;
use crate::Entropy;
use std::collections::VecDeque;

/// A letter on its way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sent {
    pub(super) from: Source,
    pub(super) to: Address,
}

/// The switchboard under test and everything that it must not forget.
pub(super) struct Model {
    pub(super) board: Switchboard,
    pub(super) dice: Entropy,
    pub(super) now: Now,
    /// Letters offered and not yet delivered, returned or excused.
    pub(super) open: BTreeMap<u64, Sent>,
    /// Which of them wait, by address, in order.
    pub(super) parked: BTreeMap<Address, VecDeque<(u64, Class)>>,
    /// Spawned and neither started nor ended.
    pub(super) unborn: BTreeMap<Address, Incarnation>,
    /// Halted and not yet ended.
    pub(super) halted: BTreeMap<Address, Incarnation>,
    /// Started, with what each life heard last of each sender.
    pub(super) living: BTreeMap<(Address, Incarnation), BTreeMap<Source, u64>>,
    /// Watches that owe a Down: (watcher, its life, watched).
    pub(super) owed: BTreeSet<(Address, Incarnation, Address)>,
    pub(super) last_life: Incarnation,
    pub(super) letters: u64,
    /// How often each fate befell a letter or watch.
    pub(super) fates: BTreeMap<&'static str, u64>,
}

impl Model {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            board: Switchboard::new(7),
            dice: Entropy::from_number(seed),
            now: Now::default(),
            open: BTreeMap::new(),
            parked: BTreeMap::new(),
            unborn: BTreeMap::new(),
            halted: BTreeMap::new(),
            living: BTreeMap::new(),
            owed: BTreeSet::new(),
            last_life: Incarnation::default(),
            letters: 0,
            fates: BTreeMap::new(),
        }
    }

    pub(super) fn below(&mut self, end: u64) -> usize {
        usize::try_from(self.dice.below(end)).unwrap()
    }

    fn count(&mut self, fate: &'static str) {
        *self.fates.entry(fate).or_default() += 1;
    }

    /// Whether letters and signals for this life can be told from the dead's.
    fn is_live(&self, source: Source) -> bool {
        match source {
            Source::Actor(who, life) => self.board.live(who) == Some(life),
            Source::World => false,
        }
    }

    /// One effect, and the book of what it did.
    pub(super) fn effect(&mut self, from: Source, effect: Effect) {
        let mut out = Vec::new();
        self.board.apply(from, &mut vec![effect], &mut out);
        self.note(&out);
    }

    /// Sends the next letter of this sort.
    pub(super) fn offer(&mut self, from: Source, to: Address, sort: usize) {
        self.letters += 1;
        let letter = letter(to, sort, self.letters);
        self.open.insert(self.letters, Sent { from, to });
        self.effect(from, Effect::Tell(letter));
        let waits = self
            .parked
            .values()
            .flatten()
            .any(|(n, _)| *n == self.letters);
        if !waits && self.open.remove(&self.letters).is_some() {
            assert!(
                !self.is_live(from),
                "letter {} of {from:?} vanished",
                self.letters
            );
            self.count("excused");
        }
    }

    /// Everything that the switchboard did, in order.
    pub(super) fn note(&mut self, out: &[Action]) {
        for action in out {
            match action {
                Action::Deliver {
                    to,
                    life,
                    from,
                    mail,
                } => self.delivered(*to, *life, *from, mail),
                Action::Spawn { child, life } => {
                    assert!(
                        *life > self.last_life,
                        "{life:?} after {:?}",
                        self.last_life
                    );
                    self.last_life = *life;
                    let twice = self.unborn.insert(child.at, *life);
                    assert!(twice.is_none(), "{} is born twice", child.at);
                }
                Action::Halt { who, life, .. } => {
                    self.halted.insert(*who, *life);
                }
                Action::Parked { to, letter } => self.park(*to, letter),
            }
        }
        self.excuse();
        self.board.invariants();
    }

    fn park(&mut self, to: Address, letter: &Letter) {
        let Some(n) = number_of(letter) else { return };
        self.count("parked");
        let line = self.parked.entry(to).or_default();
        let class = letter.class();
        if matches!(class, Class::Coalesce(_)) {
            for (old, _) in line.iter().filter(|(_, waiting)| *waiting == class) {
                self.open.remove(old);
            }
            line.retain(|(_, waiting)| *waiting != class);
        }
        line.push_back((n, class));
    }

    fn delivered(&mut self, to: Address, life: Incarnation, from: Source, mail: &Mail) {
        assert_eq!(
            self.board.live(to),
            Some(life),
            "{to} gets mail of another life"
        );
        match mail {
            Mail::Letter(letter) => self.letter(to, life, from, letter),
            Mail::Signal(Signal::Started(told)) => {
                assert_eq!(*told, life);
                let begun = self.living.insert((to, life), BTreeMap::new());
                assert!(begun.is_none(), "{to} begins twice");
            }
            Mail::Signal(Signal::Down { who, .. }) => {
                let owed = self.owed.remove(&(to, life, *who));
                assert!(owed, "{to} learns of {who}, which it does not watch");
                self.count("down");
            }
            Mail::Signal(Signal::Returned { letter, .. }) => {
                let Some(n) = number_of(letter) else { return };
                let sent = self.open.remove(&n);
                let sender = Source::Actor(to, life);
                let back = Some(Sent {
                    from: sender,
                    to: letter.to(),
                });
                assert_eq!(sent, back, "letter {n} comes back");
                self.unpark(letter.to(), n);
                self.count("returned");
            }
        }
    }

    fn letter(&mut self, to: Address, life: Incarnation, from: Source, letter: &Letter) {
        let Some(n) = number_of(letter) else { return };
        assert_eq!(
            self.open.remove(&n),
            Some(Sent { from, to }),
            "letter {n} arrives"
        );
        let first = self
            .parked
            .get(&to)
            .and_then(|line| line.front())
            .map(|(n, _)| *n);
        assert!(
            first.is_none_or(|first| first == n),
            "{n} overtakes {first:?}, which waited"
        );
        self.unpark(to, n);
        let heard = self
            .living
            .get_mut(&(to, life))
            .expect("the first mail is Started");
        let last = heard.insert(from, n);
        assert!(last < Some(n), "{n} after {last:?} from one sender");
        self.count("delivered");
    }

    fn unpark(&mut self, to: Address, n: u64) {
        if let Some(line) = self.parked.get_mut(&to) {
            line.retain(|(waiting, _)| *waiting != n);
            if line.is_empty() {
                self.parked.remove(&to);
            }
        }
    }

    pub(super) fn watch(&mut self, from: Source, who: Address) {
        if let Source::Actor(watcher, life) = from
            && self.is_live(from)
        {
            self.owed.insert((watcher, life, who));
        }
        self.effect(from, Effect::Watch(who));
    }

    pub(super) fn unwatch(&mut self, from: Source, who: Address) {
        if let Source::Actor(watcher, life) = from {
            self.owed.remove(&(watcher, life, who));
        }
        self.effect(from, Effect::Unwatch(who));
    }

    pub(super) fn begin(&mut self, who: Address) {
        let Some(life) = self.unborn.remove(&who) else {
            return;
        };
        let mut out = Vec::new();
        self.board.started(who, life, &mut out);
        self.note(&out);
    }

    pub(super) fn end(&mut self, who: Address, life: Incarnation, exit: Exit) {
        self.unborn
            .retain(|at, unborn| (*at, *unborn) != (who, life));
        self.halted
            .retain(|at, halted| (*at, *halted) != (who, life));
        let mut out = Vec::new();
        self.board.exited(self.now, who, life, exit, &mut out);
        self.note(&out);
    }

    pub(super) fn pass(&mut self, span: Micros) {
        self.now.mono = self.now.mono + span;
        let mut out = Vec::new();
        self.board.on_deadline(self.now, &mut out);
        self.note(&out);
    }

    /// A watch ends with its watcher's life. A letter that neither waits nor came back
    /// must be a dead sender's.
    fn excuse(&mut self) {
        let board = &self.board;
        self.owed
            .retain(|(watcher, life, _)| board.live(*watcher) == Some(*life));
        let lines = self.parked.iter();
        let gone: Vec<(Address, u64)> = lines
            .flat_map(|(to, line)| line.iter().map(|(n, class)| (*to, *n, class)))
            .filter(|(to, _, class)| !self.may_wait(*to, class))
            .map(|(to, n, _)| (to, n))
            .collect();
        for (to, n) in gone {
            let sender = self.open.remove(&n).map(|sent| sent.from);
            let sender = sender.expect("a letter that waits is open");
            assert!(
                !self.is_live(sender),
                "letter {n} of {sender:?} to {to} vanished"
            );
            self.unpark(to, n);
            self.count("excused");
        }
    }

    fn may_wait(&self, to: Address, class: &Class) -> bool {
        let Some(entry) = self.board.entries.get(&to) else {
            return false;
        };
        match entry.phase {
            Phase::Starting(_) => entry.starts == 1 || may_park(class),
            Phase::Waiting { .. } => may_park(class),
            Phase::Live | Phase::Failed { .. } | Phase::Stopping => false,
        }
    }
}

/// The `n`-th letter to an address: control, data or news.
pub(super) fn letter(to: Address, sort: usize, n: u64) -> Letter {
    let attempt = u32::try_from(n).unwrap();
    match (to, sort) {
        (Address::Router, 0) => control(n),
        (Address::Router, 1) => data(n),
        (Address::Router, _) => news(n % 3, attempt),
        (Address::Session(network, peer), 0) => {
            let why = peer_session::LinkLoss::Reset;
            let input = peer_session::Input::LinkDown {
                link: LinkId(n),
                why,
            };
            Letter::Session(network, peer, input)
        }
        (Address::Session(network, peer), _) => {
            let load = Load {
                active: attempt,
                ..Load::default()
            };
            Letter::Session(network, peer, peer_session::Input::Load(load))
        }
        (Address::Stream(stream), 0) => {
            let end = End {
                attempt: 1,
                reason: EndReason::Stop,
                tokens: attempt,
            };
            Letter::Stream(stream, ports::stream::Command::Reply(JobReply::End(end)))
        }
        (Address::Stream(stream), _) => {
            let beacon = JobReply::Beacon(Beacon {
                attempt: 1,
                steps: n,
            });
            Letter::Stream(stream, ports::stream::Command::Reply(beacon))
        }
        (Address::Worker(device), _) => {
            let sink = inference_worker::Sink::Stream(StreamId(1));
            Letter::Worker(device, inference_worker::Input::Cancel { sink, attempt })
        }
        (other, _) => panic!("no letters for {other}"),
    }
}

/// Which of the letters of [`letter`] it is.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the model sends few sorts of letters"
)]
fn number_of(letter: &Letter) -> Option<u64> {
    use ports::stream::Command::Reply;
    match letter {
        Letter::Router(Routing::PeerGone { peer, .. }) => Some(number(*peer)),
        Letter::Router(Routing::Outcome { via, .. }) => Some(number(via.node())),
        Letter::Router(Routing::Peer(state)) => Some(u64::from(state.in_flight)),
        Letter::Session(_, _, peer_session::Input::LinkDown { link, .. }) => Some(link.0),
        Letter::Session(_, _, peer_session::Input::Load(load)) => Some(u64::from(load.active)),
        Letter::Stream(_, Reply(JobReply::End(end))) => Some(u64::from(end.tokens)),
        Letter::Stream(_, Reply(JobReply::Beacon(beacon))) => Some(beacon.steps),
        Letter::Worker(_, inference_worker::Input::Cancel { attempt, .. }) => {
            Some(u64::from(*attempt))
        }
        _ => None,
    }
}
