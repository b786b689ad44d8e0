//! PeerSession: the protocol with one peer.
//!
//! # Role
//! Owns what is in flight with one peer in one network: which of their connections is in use, who
//! has admitted whom over it, whether the peer is alive, and the job streams both ways. It lives
//! from a link's coming up to the end of the last link. It sees no token and judges nobody: the
//! roster does.
//!
//! # Inputs
//! `peer_session::Input`: links and membership from the roster, frames and streams from the
//! transport, jobs from requests, what to say of records from the gossip store. `Down` of the
//! streams that it counts, of the transport, and of the router, the roster, the gossip store and
//! the snapshot, which are told again what they knew.
//!
//! # Output
//! On the link: `Hello`; `Proof` once the peer's Hello is here; `Admit` once the roster admits the
//! peer; `Deny` last. When both sides have admitted each other, in this order: `Roster::Active`,
//! `GossipStore::Active`, the load, a ping, `Router::Peer`. The *end* is, in this order:
//! `GossipStore::Gone` where the session was active, `Deny` where this side refuses,
//! `Transport::Close` of every link, `NotOpened` for streams that were asked for, `PeerGone`,
//! `Ended`, `Forget`, and the session's own stop. A life begins with Started, and with it alone:
//! it watches its five neighbours and says Hello.
//!
//! Phases are those of the link in use. A greeting is a Hello without [`Hello::ANSWER`], an answer
//! one with it; "anew" is an answer and a Proof; "up" is `Roster::Active`, "records", a ping and
//! "fresh"; "records" and "parted" are `Active` and `Gone` to the gossip store, "heard" what the
//! peer says of records and "gossip" what it is told of them; "fresh" and "stale" are
//! `Router::Peer`, which also says when the pings of running jobs stay unanswered; "serve" is
//! `Stream::Serve`, `Worker::Job` and a watch; "opened" is a watch and `Proxy::Opened`, "no" is
//! `NotOpened`; "born" is a watch on each of the five neighbours; "·" is nothing, "later" what the
//! turn after 200 ms does. Who is absent is looked for after 10 s; a "ping" is any frame whose loss
//! is made up for anyway, "news" what the peer says of members. Facts for people are left out;
//! changes of the peer's adverts, load and path reach the router within 100 ms, and people are
//! shown the models that the router was told of, in the same turn: never one that no request would
//! find.
//!
//! | input          | greeting  | judging      | admitting    | active               | closing    |
//! |----------------|-----------|--------------|--------------|----------------------|------------|
//! | Started        | born, hello | born, answer | born, answer | born, answer     | born, answer |
//! | Link, new      | hello     | hello        | hello        | hello                | link up    |
//! | Link, known    | ·         | ·            | ·            | ·                    | link up    |
//! | LinkDown       | end       | end          | end          | end                  | ·          |
//! | LinkDown other | ·         | ·            | ·            | ·                    | ·          |
//! | greeting       | proof     | anew         | anew         | anew, parted, stale  | ·          |
//! | answer         | proof     | ·            | ·            | parted, stale        | ·          |
//! | Hello, foreign | deny, end | deny, end    | deny, end    | deny, end            | ·          |
//! | Proof          | hello     | judge        | ·            | ·                    | ·          |
//! | Admit          | ·         | ·            | up           | ·                    | ·          |
//! | Deny           | end       | end          | end          | end                  | ·          |
//! | Ping           | ·         | ·            | ·            | pong                 | ·          |
//! | Pong           | ·         | ·            | ·            | ·                    | ·          |
//! | Introductions  | ·         | ·            | ·            | introduced           | ·          |
//! | Load of peer   | ·         | ·            | ·            | ·                    | ·          |
//! | Revoke of peer | ·         | ·            | ·            | revoked              | ·          |
//! | Gossip of peer | ·         | ·            | ·            | heard                | ·          |
//! | Leave(false)   | ·         | ·            | ·            | stale                | ·          |
//! | Leave(true)    | ·         | ·            | ·            | end                  | ·          |
//! | BadFrame       | deny, end | deny, end    | deny, end    | deny, end            | ·          |
//! | Path           | ·         | ·            | ·            | ·                    | ·          |
//! | Inbound        | refuse    | refuse       | serve        | serve                | refuse     |
//! | Opened         | opened    | opened       | opened       | opened               | cancel, no |
//! | OpenFailed     | no        | no           | no           | no                   | no         |
//! | Verdict Admit  | ·         | admit        | ·            | ·                    | ·          |
//! | Verdict Deny   | ·         | deny, end    | deny, end    | deny, end            | ·          |
//! | Unknown        | ·         | ·            | ·            | ·                    | ·          |
//! | Introduce      | ·         | ·            | ·            | members              | ·          |
//! | Revoke         | ·         | ·            | ·            | revoke               | ·          |
//! | Gossip         | ·         | ·            | ·            | gossip               | ·          |
//! | Load           | ·         | ·            | ·            | load                 | ·          |
//! | Serves         | ·         | ·            | ·            | ·                    | ·          |
//! | Cut            | deny, end | deny, end    | deny, end    | deny, end            | ·          |
//! | Release        | ·         | ·            | ·            | deny, end            | ·          |
//! | Release, busy  | ·         | ·            | ·            | in use               | ·          |
//! | Open           | no        | no           | no           | open                 | no         |
//! | Leave          | end       | end          | end          | leave, end           | ·          |
//! | Transport down | end       | end          | end          | end                  | ·          |
//! | Router down    | watch     | watch        | watch        | watch, fresh         | ·          |
//! | Roster down    | watch     | watch, judge | watch, judge | watch, judge, active | ·          |
//! | Observer down  | watch     | watch        | watch        | watch                | ·          |
//! | Records down   | watch     | watch        | watch        | watch, records       | ·          |
//! | Router absent  | ·         | ·            | ·            | ·                    | ·          |
//! | Roster absent  | ·         | ·            | ·            | ·                    | ·          |
//! | Observer absent | ·        | ·            | ·            | ·                    | ·          |
//! | Records absent | ·         | ·            | ·            | ·                    | ·          |
//! | Stream down    | ·         | ·            | ·            | ·                    | ·          |
//! | Another down   | ·         | ·            | ·            | ·                    | ·          |
//! | frame Returned | end       | end          | end          | end                  | ·          |
//! | ping Returned  | ·         | ·            | ·            | ·                    | ·          |
//! | job Returned   | refuse    | refuse       | refuse       | refuse               | refuse     |
//! | open Returned  | no        | no           | no           | no                   | no         |
//! | opened Returned | cancel   | cancel       | cancel       | cancel               | cancel     |
//! | router Returned | ·        | ·            | ·            | later fresh          | ·          |
//! | judge Returned | ·         | later judge  | ·            | ·                    | ·          |
//! | active Returned | later active | later active | later active | later active     | ·          |
//! | records Returned | ·       | ·            | ·            | later records        | ·          |
//! | fact Returned  | later watch | later watch | later watch | later watch          | ·          |
//! | news Returned | later revoked | later revoked | later revoked | later revoked   | ·          |
//! | Another Returned | ·       | ·            | ·            | ·                    | ·          |
//! | Deadline       | hello     | judge        | deny, end    | ping                 | ·          |
//!
//! # Invariants
//! A session that is active trusts no silence of its own clock: where the wall clock shows that the
//! machine slept, the peer answers a new ping within 2 s or the session ends.
//!
//! No job is served and no frame but Hello, Proof, Admit and Deny is looked at before this side
//! admitted the peer. Active here implies that the peer said Admit after its last greeting. Of
//! several links both sides keep the same one: that of the peer's newer boot; else the one dialled
//! by the smaller node id; else the newer one; but a link in use that carries nothing gives way. At
//! most [`JOBS_PER_PEER_MAX`] streams each way and four links.
//!
//! # Failure
//! None of its own. What a peer may do wrong ends the session with a `Deny` that says so, or is
//! dropped and counted. A letter lost on the way to the transport is a hole in an ordered stream
//! and ends the session too, unless its loss is made up for anyway: pings and loads are repeated,
//! and records are compared.
//!
//! # After restart
//! Begins as new on the seed's link: it greets, and the peer answers and proves itself anew, while
//! running job streams go on untouched. If the seed's link is gone the transport says `LinkDown`,
//! and the session goes on over the links that the roster announces again, or ends. `Serves` and
//! the load are resent by the roster; streams of the earlier life are not counted.
//!
//! [`Hello::ANSWER`]: messages::wire::latest::Hello::ANSWER

mod ending;
mod handshake;
mod links;
mod liveness;
mod neighbours;
mod report;
mod sleep;
mod streams;

use ending::Leave;
use handshake::{GREET_AGAIN, HANDSHAKE, HelloBudget, Phase};
use kernel::{Ctx, Deadline, Failure, Machine, Outbox, Signal, View};
use links::{Link, Links};
use liveness::Liveness;
use messages::limits::JOBS_PER_PEER_MAX;
use messages::peer_session::{Ended, Input, Seed};
use messages::ports::transport;
use messages::wire::latest::{ControlFrame, Deny, Introduction, Load};
use messages::{
    DeviceId, Label, Letter, LinkId, List, ModelId, Mono, Now, Wall, gossip_store,
    limits::INTRODUCTIONS_MAX, roster,
};
use neighbours::Neighbours;
use report::{Advertised, Report};
use streams::Streams;

/// The protocol with one peer in one network.
#[derive(Debug)]
pub struct PeerSession {
    seed: Seed,
    links: Links,
    hellos: HelloBudget,
    /// When the handshake must be over; it counts while the session is not active.
    handshake_until: Mono,
    /// When to ask the roster for its verdict again.
    ask_at: Option<Mono>,
    /// When the peer's membership ends by itself.
    until: Option<Wall>,
    /// Whether both sides admitted each other, and everybody was told.
    active: bool,
    live: Liveness,
    streams: Streams,
    /// What this node serves, and where.
    serves: Vec<(ModelId, DeviceId)>,
    /// How busy this node is.
    load: Option<Load>,
    peer: Advertised,
    report: Report,
    neighbours: Neighbours,
    leave: Leave,
    ended: Option<Ended>,
    /// Frames that came before admission, or out of order.
    dropped: u64,
}

impl PeerSession {
    /// The session of a connection that came up.
    #[must_use]
    pub fn new(seed: Seed, _ctx: Ctx) -> Self {
        let primary = Link::new(seed.link, Some(seed.dialled), Mono::default());
        Self {
            links: Links::new(primary),
            seed,
            hellos: HelloBudget::default(),
            handshake_until: Mono::default(),
            ask_at: None,
            until: None,
            active: false,
            live: Liveness::default(),
            streams: Streams::default(),
            serves: Vec::new(),
            load: None,
            peer: Advertised::default(),
            report: Report::default(),
            neighbours: Neighbours::default(),
            leave: Leave::default(),
            ended: None,
            dropped: 0,
        }
    }

    fn phase(&self) -> Phase {
        match &self.ended {
            Some(_) => Phase::Closing,
            None => self.links.primary.talk.phase(),
        }
    }

    fn on_started(&mut self, now: Now, out: &mut Outbox) {
        self.handshake_until = now.mono + HANDSHAKE;
        self.live.heard(now.mono);
        for who in self.watched() {
            out.watch(who);
        }
        if self.seed.peer == self.seed.me {
            let why = Deny::Protocol(Label::truncated("a node has no session with itself"));
            return self.refuse(why, out);
        }
        self.say_hello(now, self.links.primary.id, out);
    }

    fn on_frame(&mut self, now: Now, id: LinkId, frame: ControlFrame, out: &mut Outbox) {
        let is_hello = matches!(frame, ControlFrame::Hello(_));
        if let Some(link) = self.links.get_mut(id) {
            link.heard = now.mono;
        } else if is_hello && !self.links.is_gone(id) && self.links.has_room() {
            // The peer's Hello is faster than the roster's word on a new link.
            self.links.others.push(Link::new(id, None, now.mono));
        } else {
            self.dropped += 1;
            return;
        }
        let is_primary = id == self.links.primary.id;
        if is_primary {
            self.live.heard(now.mono);
        }
        match frame {
            ControlFrame::Hello(hello) => self.on_hello(now, id, hello, out),
            ControlFrame::Proof(proof) => self.on_proof(now, id, proof, out),
            ControlFrame::Admit(()) => self.on_admit(id),
            ControlFrame::Deny(why) => self.on_deny(id, why, out),
            admitted if is_primary && self.active => self.on_admitted_frame(now, admitted, out),
            ControlFrame::Ping(_)
            | ControlFrame::Pong(_)
            | ControlFrame::Introductions(_)
            | ControlFrame::Load(_)
            | ControlFrame::Revoke(_)
            | ControlFrame::Leave(_)
            | ControlFrame::Gossip(_) => self.dropped += 1,
        }
    }

    /// What only an admitted peer may say.
    fn on_admitted_frame(&mut self, now: Now, frame: ControlFrame, out: &mut Outbox) {
        match frame {
            ControlFrame::Ping(number) => self.send(ControlFrame::Pong(number), out),
            ControlFrame::Pong(number) => self.live.pong(now.mono, number),
            ControlFrame::Introductions(entries) => self.on_introductions(entries, out),
            ControlFrame::Load(load) => self.peer.load = load,
            ControlFrame::Revoke(record) => self.on_revoke(record, out),
            ControlFrame::Leave(at_once) => self.on_peer_leaves(now, at_once, out),
            ControlFrame::Gossip(gossip) => {
                let heard = gossip_store::Input::Heard(self.seed.peer, gossip);
                out.tell(Letter::GossipStore(self.seed.network, heard));
            }
            ControlFrame::Hello(_)
            | ControlFrame::Proof(_)
            | ControlFrame::Admit(())
            | ControlFrame::Deny(_) => {}
        }
    }

    fn on_introductions(
        &mut self,
        entries: List<Introduction, INTRODUCTIONS_MAX>,
        out: &mut Outbox,
    ) {
        let own = |entry: &&Introduction| entry.record.record.author == self.seed.peer;
        if let Some(own) = entries.iter().find(own).cloned() {
            self.on_own_record(&own);
        }
        let from = self.seed.peer;
        out.tell(self.to_roster(roster::Input::Introduced { from, entries }));
    }

    fn on_bad_frame(&mut self, id: LinkId, why: &str, out: &mut Outbox) {
        if id == self.links.primary.id {
            self.refuse(Deny::Protocol(Label::truncated(why)), out);
        } else if self.links.get_mut(id).is_some() {
            self.close_link(id, why, out);
        }
    }

    /// What is in order after any turn: which link, how far its handshake, who must know.
    fn settle(&mut self, now: Now, out: &mut Outbox) {
        if self.ended.is_some() {
            return;
        }
        self.look_at_clocks(now, out);
        self.choose(now, out);
        self.advance(now, out);
        if self.active {
            self.live.refresh(now.mono);
        }
        self.leave_if_idle(now, out);
        if self.ended.is_none() {
            self.report(now, out);
        }
    }

    fn send(&self, frame: ControlFrame, out: &mut Outbox) {
        self.send_on(self.links.primary.id, frame, out);
    }

    fn send_on(&self, link: LinkId, frame: ControlFrame, out: &mut Outbox) {
        let (network, frame) = (self.seed.network, Box::new(frame));
        out.tell(Letter::Transport(transport::Command::Send {
            link,
            network,
            frame,
        }));
    }

    const fn to_roster(&self, input: roster::Input) -> Letter {
        Letter::Roster(self.seed.network, input)
    }
}

impl Machine for PeerSession {
    type Input = Input;

    fn handle(&mut self, now: Now, input: Input, out: &mut Outbox) -> Result<(), Failure> {
        let over = self.ended.is_some();
        match input {
            Input::Link { link, dialled } => self.on_link(now, link, dialled, out),
            Input::Inbound { stream, link, job } => self.on_inbound(stream, link, job, out),
            Input::Opened {
                stream,
                request,
                attempt,
            } => {
                self.on_opened(now, stream, request, attempt, out);
            }
            Input::OpenFailed { request, attempt } => self.on_open_failed(request, attempt, out),
            Input::Open { request, job } => self.on_open(now, request, job, out),
            Input::LinkDown { .. }
            | Input::Frame { .. }
            | Input::BadFrame { .. }
            | Input::Path { .. }
            | Input::Verdict(_)
            | Input::Introduce(_)
            | Input::Revoke(_)
            | Input::Load(_)
            | Input::Serves(_)
            | Input::Cut(_)
            | Input::Release
            | Input::Gossip(_)
            | Input::Leave
                if over => {}
            Input::LinkDown { link, why } => self.on_link_down(now, link, why, out),
            Input::Frame { link, frame } => self.on_frame(now, link, frame, out),
            Input::BadFrame { link, why } => self.on_bad_frame(link, &why, out),
            Input::Path { link, path } => {
                if let Some(link) = self.links.get_mut(link) {
                    link.path = path;
                }
            }
            Input::Verdict(verdict) => self.on_verdict(now, verdict, out),
            Input::Introduce(entries) if self.active => {
                self.send(ControlFrame::Introductions(entries), out);
            }
            Input::Revoke(record) if self.active => self.send(ControlFrame::Revoke(record), out),
            Input::Gossip(gossip) if self.active => self.send(ControlFrame::Gossip(gossip), out),
            // The roster says both again when the session is active; the records are compared.
            Input::Introduce(_) | Input::Revoke(_) | Input::Gossip(_) => {}
            Input::Load(load) => {
                let news = self.load.replace(load) != Some(load);
                if news && self.active {
                    self.send(ControlFrame::Load(load), out);
                }
            }
            Input::Serves(serves) => self.serves = serves,
            Input::Cut(why) => self.refuse(why, out),
            Input::Release => self.on_release(out),
            Input::Leave => self.on_leave(now, out),
        }
        self.settle(now, out);
        Ok(())
    }

    fn signal(&mut self, now: Now, signal: Signal, out: &mut Outbox) -> Result<(), Failure> {
        match signal {
            Signal::Started(_) => self.on_started(now, out),
            Signal::Down { who, why, .. } => self.on_down(now, who, &why, out),
            Signal::Returned { letter, why } => self.on_returned(now, *letter, why, out),
        }
        self.settle(now, out);
        Ok(())
    }

    fn deadline(&self) -> Option<Deadline> {
        if self.ended.is_some() {
            return None;
        }
        let at = |at: Mono, why| Deadline { at, why };
        let greetings = std::iter::once(&self.links.primary).chain(&self.links.others);
        let greet = greetings.filter_map(|link| link.talk.greeting).min();
        [
            Some(match self.active {
                true => self.live.deadline(),
                false => at(self.handshake_until, "the handshake is too slow"),
            }),
            greet.map(|sent| at(sent + GREET_AGAIN, "greet again")),
            self.ask_at.map(|ask| at(ask, "ask the roster again")),
            self.links.deadline(),
            self.report.deadline(),
            self.neighbours.deadline(),
            self.leave.deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn on_deadline(&mut self, now: Now, out: &mut Outbox) -> Result<(), Failure> {
        if self.ended.is_some() {
            return Ok(());
        }
        if self.active {
            self.on_tick(now, out);
        } else if now.mono >= self.handshake_until {
            self.refuse(Deny::TooSlow, out);
        }
        if self.ended.is_none() {
            self.greet_again(now, out);
            if self.ask_at.is_some_and(|at| now.mono >= at) {
                self.judge(now, out);
            }
            self.catch_up(now, out);
        }
        self.settle(now, out);
        Ok(())
    }

    fn view(&self) -> View {
        View {
            phase: self.phase().name(),
            facts: vec![
                ("link", self.links.primary.id.0.to_string()),
                ("links", self.links.all().count().to_string()),
                ("fresh", self.live.is_fresh().to_string()),
                ("jobs there", self.streams.ours().to_string()),
                ("jobs here", self.streams.peers().to_string()),
                ("dropped", self.dropped.to_string()),
            ],
        }
    }

    fn invariants(&self) {
        let phase = self.phase();
        assert_eq!(
            self.active,
            phase == Phase::Active,
            "active in phase {}",
            phase.name()
        );
        assert!(
            self.streams.peers() <= JOBS_PER_PEER_MAX,
            "more jobs than the peer may have"
        );
        assert!(
            self.ask_at.is_none() || self.links.primary.talk.proof.is_some(),
            "a verdict is awaited on nothing"
        );
        self.links.invariants();
        self.neighbours.invariants();
    }
}

#[cfg(test)]
mod tests;
