//! Hello, Proof, Admit: from a bare connection to mutual admission, on each link apart.
//!
//! Either side may begin anew at any moment, because its session may restart. A greeting resets
//! what its receiver knew; whoever greets sends its Proof and its Admit behind the greeting, in
//! order, so both sides come together again whatever was lost before.

use crate::PeerSession;
use kernel::Outbox;
use messages::gossip_store::Input as Records;
use messages::peer_session::{Ended, Verdict};
use messages::roster;
use messages::wire::latest::{ControlFrame, Deny, Hello, VERSION};
use messages::{Credential, Label, LinkId, Micros, Mono, Now};

/// The handshake of one link.
#[derive(Debug)]
pub(crate) struct Talk {
    /// Whether this side ever said Hello there.
    pub(crate) hello_sent: bool,
    /// When this side greeted, until a Hello of the peer arrives.
    pub(crate) greeting: Option<Mono>,
    /// The peer's Hello, and when it came.
    pub(crate) hello: Option<(Hello, Mono)>,
    pub(crate) proof_sent: bool,
    pub(crate) proof: Option<Box<Credential>>,
    pub(crate) judged: Judged,
    /// Whether the peer admits this side.
    pub(crate) admitted: bool,
}

/// How far the session is, over the link in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Waiting for the peer's Hello.
    Greeting,
    /// Waiting for the peer's Proof and for the verdict on it.
    Judging,
    /// The peer is admitted and was told; waiting for its own Admit.
    Admitting,
    /// Both sides admit each other.
    Active,
    /// Over.
    Closing,
}

impl Phase {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Greeting => "greeting",
            Self::Judging => "judging",
            Self::Admitting => "admitting",
            Self::Active => "active",
            Self::Closing => "closing",
        }
    }
}

/// How far this side is with the peer's Proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judged {
    No,
    Asked,
    /// The peer is admitted, and was told.
    Admitted,
}

impl Talk {
    pub(crate) const fn new() -> Self {
        Self {
            hello_sent: false,
            greeting: None,
            hello: None,
            proof_sent: false,
            proof: None,
            judged: Judged::No,
            admitted: false,
        }
    }

    pub(crate) const fn phase(&self) -> Phase {
        match (self.hello.is_some(), self.judged, self.admitted) {
            (false, _, _) => Phase::Greeting,
            (true, Judged::No | Judged::Asked, _) => Phase::Judging,
            (true, Judged::Admitted, false) => Phase::Admitting,
            (true, Judged::Admitted, true) => Phase::Active,
        }
    }
}

/// The Hellos that a peer may still send.
#[derive(Debug, Default)]
pub(crate) struct HelloBudget {
    since: Mono,
    count: u32,
}

impl HelloBudget {
    fn allow(&mut self, now: Mono) -> bool {
        if now.since(self.since) > HELLO_WINDOW {
            *self = Self {
                since: now,
                count: 0,
            };
        }
        self.count += 1;
        self.count <= HELLOS_MAX
    }
}

impl PeerSession {
    /// Says Hello on a link: a greeting, or the answer where the peer's Hello is already here.
    pub(crate) fn say_hello(&mut self, now: Now, id: LinkId, out: &mut Outbox) {
        let Some(link) = self.links.get_mut(id) else {
            return;
        };
        let answers = link.talk.hello.is_some();
        link.talk.hello_sent = true;
        link.talk.greeting = (!answers).then_some(now.mono);
        let hello = self.hello(answers);
        self.send_on(id, ControlFrame::Hello(hello), out);
    }

    /// Greets again on links whose greeting got no Hello in time: it may have met nobody.
    pub(crate) fn greet_again(&mut self, now: Now, out: &mut Outbox) {
        for id in self.links.all().collect::<Vec<_>>() {
            let due = self.links.get_mut(id).and_then(|link| link.talk.greeting);
            if due.is_some_and(|at| now.mono >= at + GREET_AGAIN) {
                kernel::sometimes!(true, "session: it greets again");
                self.say_hello(now, id, out);
            }
        }
    }

    pub(crate) fn on_hello(&mut self, now: Now, id: LinkId, hello: Hello, out: &mut Outbox) {
        if !self.hellos.allow(now.mono) {
            kernel::sometimes!(true, "session: too many Hellos");
            let why = Deny::Protocol(Label::truncated("too many Hellos"));
            return self.refuse(why, out);
        }
        if self.hello(true).common_version(&hello).is_none() {
            kernel::sometimes!(true, "session: no version in common");
            return match id == self.links.primary.id {
                true => self.refuse(Deny::Version, out),
                false => self.close_link(id, "no protocol version in common", out),
            };
        }
        let (is_primary, active) = (id == self.links.primary.id, self.active);
        let Some(link) = self.links.get_mut(id) else {
            return;
        };
        let talk = &mut link.talk;
        let is_answer = hello.features & Hello::ANSWER != 0;
        if is_answer && talk.hello.is_some() {
            // The peer began anew on a greeting of ours and admits us anew.
            kernel::sometimes!(true, "session: a greeting is answered twice");
            talk.hello = Some((hello, now.mono));
            talk.admitted = false;
            return;
        }
        let answer = !is_answer && talk.hello_sent && talk.greeting.is_none();
        *talk = Talk {
            hello: Some((hello, now.mono)),
            hello_sent: talk.hello_sent,
            ..Talk::new()
        };
        if answer {
            self.say_hello(now, id, out);
        }
        if is_primary {
            self.ask_at = None;
        } else if active {
            // Whether the link in use still carries anything decides which one stays.
            kernel::sometimes!(true, "session: a Hello comes on a second link");
            self.ping(now, out);
        }
    }

    pub(crate) fn on_proof(
        &mut self,
        now: Now,
        id: LinkId,
        proof: Box<Credential>,
        out: &mut Outbox,
    ) {
        let Some(link) = self.links.get_mut(id) else {
            return;
        };
        match link.talk.phase() {
            Phase::Greeting => {
                // The peer's Hello met nobody here: ask for it.
                kernel::sometimes!(true, "session: a Proof comes before its Hello");
                self.dropped += 1;
                if link.talk.hello_sent {
                    self.say_hello(now, id, out);
                }
            }
            Phase::Judging => {
                link.talk.proof = Some(proof);
                link.talk.judged = Judged::No;
            }
            Phase::Admitting | Phase::Active | Phase::Closing => {
                // A second copy of what is admitted is harmless; anything else is not looked at.
                self.dropped += u64::from(link.talk.proof.as_ref() != Some(&proof));
            }
        }
    }

    pub(crate) fn on_admit(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(id) else {
            return;
        };
        match link.talk.phase() {
            Phase::Greeting => self.dropped += 1,
            Phase::Judging | Phase::Admitting | Phase::Active | Phase::Closing => {
                link.talk.admitted = true;
            }
        }
    }

    pub(crate) fn on_deny(&mut self, id: LinkId, why: Deny, out: &mut Outbox) {
        match id == self.links.primary.id {
            true => self.end(Ended::DeniedByPeer(why), None, out),
            // It refused that link; whether it refuses this node shows on the link in use.
            false => self.close_link(id, "the peer refused it", out),
        }
    }

    pub(crate) fn on_verdict(&mut self, now: Now, verdict: Verdict, out: &mut Outbox) {
        let judged = self.links.primary.talk.judged;
        match (verdict, judged) {
            // Of an earlier handshake.
            (_, Judged::No) => {}
            (Verdict::Unknown, Judged::Asked | Judged::Admitted) => {
                // A standing admission holds while the roster loads.
                kernel::sometimes!(true, "session: the roster cannot judge yet");
                self.ask_at = self.ask_at.map(|_| now.mono + UNKNOWN_AGAIN);
            }
            (Verdict::Deny(why), Judged::Asked | Judged::Admitted) => self.refuse(why, out),
            (Verdict::Admit { until: Some(until) }, Judged::Asked | Judged::Admitted)
                if until <= now.wall =>
            {
                self.refuse(Deny::Expired, out);
            }
            (Verdict::Admit { until }, Judged::Asked) => {
                self.ask_at = None;
                self.until = until;
                self.links.primary.talk.judged = Judged::Admitted;
                self.send(ControlFrame::Admit(()), out);
            }
            (Verdict::Admit { until }, Judged::Admitted) => {
                if self.ask_at.take().is_some() {
                    self.until = until;
                }
            }
        }
    }

    /// Takes the handshake of the link in use as far as it goes.
    pub(crate) fn advance(&mut self, now: Now, out: &mut Outbox) {
        self.peer_is_back();
        let talk = &mut self.links.primary.talk;
        if talk.hello.is_some() && !talk.proof_sent {
            talk.proof_sent = true;
            let proof = ControlFrame::Proof(self.seed.credential.clone().into());
            self.send(proof, out);
        }
        if self.links.primary.talk.judged == Judged::No && self.links.primary.talk.proof.is_some() {
            self.links.primary.talk.judged = Judged::Asked;
            self.judge(now, out);
        }
        match (
            self.links.primary.talk.phase() == Phase::Active,
            self.active,
        ) {
            (true, false) => self.activate(now, out),
            (false, true) => {
                kernel::sometimes!(
                    true,
                    "session: a handshake begins anew under an active session"
                );
                self.active = false;
                self.tell_records(Records::Gone, out);
                self.handshake_until = now.mono + HANDSHAKE;
            }
            (true, true) | (false, false) => {}
        }
    }

    /// Puts the peer's credential before the roster.
    pub(crate) fn judge(&mut self, now: Now, out: &mut Outbox) {
        let Some(credential) = self.links.primary.talk.proof.clone() else {
            return;
        };
        let peer = self.seed.peer;
        self.ask_at = Some(now.mono + ASK_AGAIN);
        out.tell(self.to_roster(roster::Input::Judge { peer, credential }));
    }

    fn activate(&mut self, now: Now, out: &mut Outbox) {
        self.active = true;
        self.live.begin(now.mono);
        out.tell(self.to_roster(roster::Input::Active {
            peer: self.seed.peer,
        }));
        self.tell_records(Records::Active, out);
        if let Some(load) = self.load {
            self.send(ControlFrame::Load(load), out);
        }
        self.ping(now, out);
    }

    const fn hello(&self, answers: bool) -> Hello {
        Hello {
            version_min: VERSION,
            version_max: VERSION,
            features: if answers { Hello::ANSWER } else { 0 },
            boot: self.seed.boot,
        }
    }
}

/// From the first Hello to mutual admission. A handshake takes two round trips; the rest is for a
/// roster that restarts meanwhile.
pub(crate) const HANDSHAKE: Micros = Micros::from_secs(5);
/// A greeting that got no Hello is repeated: longer than a round trip around the world.
pub(crate) const GREET_AGAIN: Micros = Micros::from_millis(500);
/// A roster that is loading is asked again after this.
const UNKNOWN_AGAIN: Micros = Micros::from_millis(200);
/// A roster whose answer was lost is asked again after this.
const ASK_AGAIN: Micros = Micros::from_secs(1);
/// Hellos that a peer may send within [`HELLO_WINDOW`]: each costs a verification. A session that
/// crashes until it spends its restarts sends six.
const HELLOS_MAX: u32 = 16;
/// The time in which Hellos count together.
const HELLO_WINDOW: Micros = Micros::from_secs(10);
