//! The connections to the peer: the one in use, and those that compete with it.
//!
//! Both sides must keep the same one without a word about it, so the choice rests on what both
//! know: who dialled, and the boots in the Hellos.

use crate::PeerSession;
use crate::handshake::{HANDSHAKE, Judged, Talk};
use kernel::{Deadline, Outbox};
use messages::peer_session::{Ended, LinkLoss};
use messages::ports::transport::{Command, PathInfo};
use messages::roster;
use messages::{Label, Letter, LinkId, Micros, Mono, NodeId, Now};
use std::collections::VecDeque;

/// One connection.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) id: LinkId,
    /// Whether this side dialled it. Nothing until the roster announces it: the peer's Hello may
    /// be faster.
    pub(crate) dialled: Option<bool>,
    pub(crate) since: Mono,
    pub(crate) heard: Mono,
    pub(crate) path: PathInfo,
    pub(crate) talk: Talk,
}

impl Link {
    pub(crate) const fn new(id: LinkId, dialled: Option<bool>, now: Mono) -> Self {
        let path = PathInfo {
            kind: messages::ports::transport::PathKind::None,
            addr: None,
            rtt: Micros::ZERO,
        };
        Self {
            id,
            dialled,
            since: now,
            heard: now,
            path,
            talk: Talk::new(),
        }
    }
}

/// All connections to the peer that this session knows.
#[derive(Debug)]
pub(crate) struct Links {
    pub(crate) primary: Link,
    pub(crate) others: Vec<Link>,
    /// The last ones that were closed or lost: what still arrives from them means nothing.
    gone: VecDeque<LinkId>,
}

impl Links {
    pub(crate) const fn new(primary: Link) -> Self {
        Self {
            primary,
            others: Vec::new(),
            gone: VecDeque::new(),
        }
    }

    pub(crate) fn get_mut(&mut self, id: LinkId) -> Option<&mut Link> {
        if self.primary.id == id {
            return Some(&mut self.primary);
        }
        self.others.iter_mut().find(|link| link.id == id)
    }

    pub(crate) fn is_gone(&self, id: LinkId) -> bool {
        self.gone.contains(&id)
    }

    pub(crate) fn has_room(&self) -> bool {
        self.others.len() < OTHERS_MAX
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = LinkId> + '_ {
        std::iter::once(self.primary.id).chain(self.others.iter().map(|link| link.id))
    }

    pub(crate) fn forget(&mut self, id: LinkId) {
        self.others.retain(|link| link.id != id);
        if self.gone.len() == GONE_MAX {
            kernel::sometimes!(true, "session: the oldest link that is gone is forgotten");
            self.gone.pop_front();
        }
        self.gone.push_back(id);
    }

    /// A link that was gone is there again: other networks may have kept it up.
    fn remember(&mut self, id: LinkId) {
        self.gone.retain(|gone| *gone != id);
    }

    /// Puts another link into the primary's place and gives the old one back.
    fn promote(&mut self, id: LinkId) -> Option<Link> {
        let at = self.others.iter().position(|link| link.id == id)?;
        let chosen = self.others.remove(at);
        Some(std::mem::replace(&mut self.primary, chosen))
    }

    pub(crate) fn invariants(&self) {
        assert!(self.others.len() <= OTHERS_MAX, "too many links");
        assert!(self.gone.len() <= GONE_MAX, "too many links are remembered");
        for link in &self.others {
            assert!(link.id != self.primary.id, "a link competes with itself");
            assert_eq!(
                link.talk.judged,
                Judged::No,
                "only the link in use is judged"
            );
        }
        for link in self.all() {
            assert!(!self.is_gone(link), "a link is both gone and there");
        }
    }

    /// When the choice between the links must be made, or a silent one is given up.
    pub(crate) fn deadline(&self) -> Option<Deadline> {
        self.others
            .iter()
            .map(|link| match (&link.talk.hello, link.dialled) {
                (Some((_, at)), Some(_)) => Deadline {
                    at: *at + CHOICE_WAIT,
                    why: "choose a link",
                },
                (Some(_) | None, _) => Deadline {
                    at: link.since + HANDSHAKE,
                    why: "a second link is silent",
                },
            })
            .min()
    }
}

/// Which of two links stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Primary,
    Other,
    Later,
}

impl PeerSession {
    /// The roster announces a link.
    pub(crate) fn on_link(&mut self, now: Now, id: LinkId, dialled: bool, out: &mut Outbox) {
        if let Some(ended) = &self.ended {
            // A link that came up as this session lost its own is for the next session.
            kernel::sometimes!(true, "session: a link comes when it has ended");
            let letter = match ended {
                Ended::LinkLost(_) => {
                    let peer = self.seed.peer;
                    self.to_roster(roster::Input::LinkUp {
                        peer,
                        link: id,
                        dialled,
                    })
                }
                Ended::DeniedByPeer(_) | Ended::DeniedHere(_) | Ended::Left => {
                    self.close_letter(id, "the session is over")
                }
            };
            return out.tell(letter);
        }
        self.links.remember(id);
        if let Some(link) = self.links.get_mut(id) {
            link.dialled = Some(dialled);
        } else if self.links.has_room() {
            self.links
                .others
                .push(Link::new(id, Some(dialled), now.mono));
        } else {
            kernel::sometimes!(true, "session: too many links");
            return out.tell(self.close_letter(id, "too many links"));
        }
        if self
            .links
            .get_mut(id)
            .is_some_and(|link| !link.talk.hello_sent)
        {
            self.say_hello(now, id, out);
        }
    }

    /// The transport lost a link.
    pub(crate) fn on_link_down(&mut self, now: Now, id: LinkId, why: LinkLoss, out: &mut Outbox) {
        if self.links.primary.id != id {
            return self.links.forget(id);
        }
        let best = |said: bool| {
            let fits = |link: &&Link| link.talk.hello.is_some() == said;
            self.links.others.iter().find(fits).map(|link| link.id)
        };
        match best(true).or_else(|| best(false)) {
            Some(next) => {
                kernel::sometimes!(true, "session: it goes on over its second link");
                self.switch(now, next, out);
                self.links.forget(id);
            }
            None => self.end(Ended::LinkLost(why), None, out),
        }
    }

    /// Keeps one of two links as soon as it is clear which.
    pub(crate) fn choose(&mut self, now: Now, out: &mut Outbox) {
        for id in self
            .links
            .others
            .iter()
            .map(|link| link.id)
            .collect::<Vec<_>>()
        {
            let Some(other) = self.links.others.iter().find(|link| link.id == id) else {
                continue;
            };
            match self.preference(now.mono, other) {
                Choice::Later => {}
                Choice::Primary => self.close_link(id, "another link stays", out),
                Choice::Other => {
                    let old = self.links.primary.id;
                    self.switch(now, id, out);
                    self.close_link(old, "another link stays", out);
                }
            }
        }
    }

    fn preference(&self, now: Mono, other: &Link) -> Choice {
        let primary = &self.links.primary;
        let (Some((theirs, at)), Some(dialled)) = (&other.talk.hello, other.dialled) else {
            let silent = now >= other.since + HANDSHAKE;
            return if silent {
                Choice::Primary
            } else {
                Choice::Later
            };
        };
        let waited = now >= *at + CHOICE_WAIT;
        let Some((ours, _)) = &primary.talk.hello else {
            return if waited { Choice::Other } else { Choice::Later };
        };
        if theirs.boot != ours.boot {
            // An older boot of the peer is dead, whatever its link looks like.
            kernel::sometimes!(true, "session: a link of another boot competes");
            return if theirs.boot > ours.boot {
                Choice::Other
            } else {
                Choice::Primary
            };
        }
        let Some(primary_dialled) = primary.dialled else {
            return if waited {
                Choice::Primary
            } else {
                Choice::Later
            };
        };
        let (one, two) = (self.dialler(primary_dialled), self.dialler(dialled));
        kernel::sometimes!(one == two, "session: one side dialled twice");
        kernel::sometimes!(one != two, "session: both sides dialled");
        let other_wins = if one == two {
            other.id > primary.id
        } else {
            two < one
        };
        match (other_wins, self.active) {
            (true, _) => Choice::Other,
            (false, false) => Choice::Primary,
            // The peer may have greeted on the other link because this one is dead to it: a link
            // stays only if it still carries something.
            (false, true) if primary.heard > *at => Choice::Primary,
            (false, true) if waited => Choice::Other,
            (false, true) => Choice::Later,
        }
    }

    const fn dialler(&self, dialled: bool) -> NodeId {
        if dialled {
            self.seed.me
        } else {
            self.seed.peer
        }
    }

    /// Goes on over another link: with its own handshake, as far as that has come.
    fn switch(&mut self, now: Now, id: LinkId, out: &mut Outbox) {
        if self.links.promote(id).is_none() {
            return;
        }
        self.ask_at = None;
        self.live.heard(now.mono);
        debug_assert_eq!(
            self.links.primary.talk.judged,
            Judged::No,
            "only the primary is judged"
        );
        if !self.links.primary.talk.hello_sent {
            self.say_hello(now, id, out);
        }
    }

    pub(crate) fn close_link(&mut self, id: LinkId, why: &str, out: &mut Outbox) {
        self.links.forget(id);
        out.tell(self.close_letter(id, why));
    }

    pub(crate) fn close_letter(&self, link: LinkId, why: &str) -> Letter {
        let (network, why) = (self.seed.network, Label::truncated(why));
        Letter::Transport(Command::Close { link, network, why })
    }
}

/// Links besides the one in use: a simultaneous dial makes one, a reboot of the peer another.
const OTHERS_MAX: usize = 3;
/// Links to remember as gone: more than there can be at once.
const GONE_MAX: usize = 8;
/// How long the better link may take to show life before the other one wins: a ping's interval
/// and a round trip.
const CHOICE_WAIT: Micros = Micros::from_millis(1_500);
