//! Router: whom we choose.
//!
//! # Role
//! Keeps what sessions and workers say of the holders of models, and answers each request with one
//! of them and the reason in words. One per node. It sees no prompt and no token.
//!
//! # Inputs
//! `router::Input`: `Peer` and `PeerGone` from sessions, `Local` from workers, `Route` and
//! `Outcome` from requests. After `Down` of a session or a worker nothing is routed to its holder
//! until the next life speaks.
//!
//! # Output
//! `Proxy::Routed` for each question, exactly one; `Gateway::Models` and the Models fact when the
//! list of models changes, before the answers of the same turn.
//!
//! A router is *gathering* for the first 500 ms of its life, while its neighbours resend what it
//! knew, and *routing* ever after. "models" stands for both letters of the list, where it was told
//! before or changed; "·" stands for nothing, "later" for a turn that this plans. Each word stands
//! once, where it first occurs. A session or a worker is absent where it ended by itself or cannot
//! be started, a reader of the list where it is not there.
//!
//! | input               | gathering           | routing             |
//! |---------------------|---------------------|---------------------|
//! | Started             | watch, models       | watch, models       |
//! | Peer, new models    | watch, models       | watch, models       |
//! | Peer, as before     | ·                   | ·                   |
//! | Peer, awaited       | watch, models, route | watch, models      |
//! | PeerGone            | unwatch, models     | unwatch, models     |
//! | PeerGone, unknown   | ·                   | ·                   |
//! | Local, new models   | watch, models       | watch, models       |
//! | Local, as before    | ·                   | ·                   |
//! | Route, served       | route               | route               |
//! | Route, not served   | ·                   | no route            |
//! | Route, all left out | ·                   | wanted, no route    |
//! | Outcome             | ·                   | ·                   |
//! | Down of a session   | watch, models       | watch, models       |
//! | Down of a worker    | watch, models       | watch, models       |
//! | Session is absent   | models              | models              |
//! | Worker is absent    | models              | models              |
//! | Down of the gateway | watch, models       | watch, models       |
//! | Gateway is absent   | later watch, models | later watch, models |
//! | Down of the observer | watch, models      | watch, models       |
//! | Observer is absent  | later watch, models | later watch, models |
//! | Down of another     | ·                   | ·                   |
//! | List returned       | later watch, models | later watch, models |
//! | Another returned    | ·                   | ·                   |
//! | Deadline            | no route            | watch, models       |
//!
//! # Invariants
//! Nothing is routed to a peer without fresh inbound traffic or that leaves the pings of running
//! jobs unanswered, to a holder that the question
//! excludes, or to another model than it pins. At most [`HOLDERS_MAX`] holders and
//! [`WAITING_MAX`] waiting questions. Equal tables and equal draws give equal choices.
//!
//! # Failure
//! None of its own. A question that nobody fits is answered with the reason. A list of models
//! that comes back is sent again, a second later to a reader without room, and else when its
//! reader is back. Other letters that come back need nothing: a request that is gone asks no more.
//!
//! # After restart
//! Begins empty; sessions and workers see it go down and resend `Peer` and `Local`. Questions that
//! were lost with it are asked again by their requests.

mod choose;
mod lately;
mod listing;
mod table;

use choose::{Verdict, choose, meant};
use kernel::{Ctx, Deadline, Entropy, Exit, Failure, Machine, Outbox, Signal, View};
use messages::observer::{Fact, FactKey};
use messages::ports::gateway;
use messages::router::{Input, Outcome, Query};
use messages::{
    Address, Letter, List, Micros, ModelAdvert, Mono, Now, limits::MODELS_MAX, observer,
    request_proxy, roster,
};
use std::collections::VecDeque;
use table::Table;

/// Holders in the table: the members of a few networks, and devices.
pub const HOLDERS_MAX: usize = 32_768;
/// Questions that may wait for the end of the gathering: the requests of a busy half second.
pub const WAITING_MAX: usize = 1_024;

/// Whom we choose. See the crate's page.
#[derive(Debug)]
pub struct Router {
    entropy: Entropy,
    table: Table,
    /// When this life began.
    born: Option<Mono>,
    /// Questions that nobody fits yet, in order.
    waiting: VecDeque<Query>,
    /// The list of models as its readers have it.
    told: Option<List<ModelAdvert, MODELS_MAX>>,
    /// When to look again for each reader that is not there, or had no room.
    absent: [Option<Mono>; READERS.len()],
}

impl Router {
    /// A router that knows nobody.
    #[must_use]
    pub fn new(ctx: Ctx) -> Self {
        Self {
            entropy: ctx.entropy,
            table: Table::new(),
            born: None,
            waiting: VecDeque::new(),
            told: None,
            absent: [None; READERS.len()],
        }
    }

    /// The instant at which it stops waiting for its neighbours.
    fn gathered_at(&self) -> Option<Mono> {
        self.born.map(|born| born + GATHERING)
    }

    fn is_gathering(&self, now: Mono) -> bool {
        self.gathered_at().is_none_or(|at| now < at)
    }

    fn on_route(&mut self, now: Mono, query: Query, out: &mut Outbox) {
        // A request asks one question at a time: its newer one takes the older one's place.
        self.waiting
            .retain(|waiting| waiting.request != query.request);
        let verdict = choose(&mut self.table, &mut self.entropy, now, &query);
        let waits = verdict.is_err() && self.is_gathering(now);
        kernel::sometimes!(
            waits && self.waiting.len() >= WAITING_MAX,
            "router: too many questions wait"
        );
        if waits && self.waiting.len() < WAITING_MAX {
            kernel::sometimes!(true, "router: a question waits for neighbours to speak");
            self.waiting.push_back(query);
        } else {
            self.answer(now, &query, verdict, out);
        }
    }

    /// Answers a question. Where nobody fits, those who know more members are told what is wanted.
    fn answer(&self, now: Mono, query: &Query, verdict: Verdict, out: &mut Outbox) {
        if verdict.is_err()
            && let Some(model) = meant(&self.table, now, query)
        {
            for network in self.table.networks() {
                out.tell(Letter::Roster(network, roster::Input::Wanted { model }));
            }
        }
        let choice = verdict.map(Box::new);
        let routed = request_proxy::Input::Routed {
            attempt: query.attempt,
            choice,
        };
        out.tell(Letter::Proxy(query.request, routed));
    }

    /// Answers the waiting questions that somebody fits, and after the gathering all of them.
    fn answer_waiting(&mut self, now: Mono, out: &mut Outbox) {
        let gathering = self.is_gathering(now);
        for query in std::mem::take(&mut self.waiting) {
            let verdict = choose(&mut self.table, &mut self.entropy, now, &query);
            if verdict.is_err() && gathering {
                kernel::sometimes!(true, "router: a question waits on");
                self.waiting.push_back(query);
            } else {
                self.answer(now, &query, verdict, out);
            }
        }
    }

    /// After the table changed.
    fn on_change(&mut self, now: Mono, out: &mut Outbox) {
        self.tell_models(now, out);
        if !self.waiting.is_empty() {
            self.answer_waiting(now, out);
        }
    }

    fn tell_models(&mut self, now: Mono, out: &mut Outbox) {
        let models = self.table.models();
        // An empty list in the first moments says only that nobody has spoken yet.
        let premature = models.is_empty() && self.is_gathering(now) && self.told.is_none();
        if premature || self.told.as_ref() == Some(&models) {
            return;
        }
        for reader in READERS {
            tell_reader(reader, &models, out);
        }
        self.told = Some(models);
    }

    fn on_down(&mut self, now: Mono, who: Address, why: &Exit, out: &mut Outbox) {
        if let Some(reader) = READERS.iter().position(|reader| *reader == who) {
            match why {
                // Watching again at once would only be answered at once.
                Exit::StartFailed(_) | Exit::NoActor => {
                    kernel::sometimes!(true, "router: a reader is absent");
                    self.absent[reader] = Some(now + ABSENT_WAIT);
                }
                Exit::Normal
                | Exit::Stopped
                | Exit::Failed(_)
                | Exit::Panicked(_)
                | Exit::Killed => self.greet(reader, out),
            }
            return;
        }
        let changed = match why {
            // Its next life will speak: until then its models are known, and nobody's.
            Exit::Failed(_) | Exit::Panicked(_) | Exit::Killed => {
                kernel::sometimes!(true, "router: a holder's speaker crashes");
                self.table.silence_speaker(who, out)
            }
            Exit::Normal | Exit::Stopped | Exit::StartFailed(_) | Exit::NoActor => {
                self.table.remove_speaker(who, now)
            }
        };
        if changed {
            self.on_change(now, out);
        }
    }

    /// A list that found no room is told again: no other may come for as long as nothing changes.
    fn on_returned(&mut self, now: Mono, letter: &Letter) {
        let reader = READERS.iter().position(|reader| *reader == letter.to());
        if let Some(reader) = reader {
            kernel::sometimes!(true, "router: a reader has no room for the list");
            self.absent[reader].get_or_insert(now + FULL_WAIT);
        }
    }

    /// Watches a reader and tells it all that it should know.
    fn greet(&mut self, reader: usize, out: &mut Outbox) {
        self.absent[reader] = None;
        out.watch(READERS[reader]);
        if let Some(models) = &self.told {
            tell_reader(READERS[reader], models, out);
        }
    }
}

impl Machine for Router {
    type Input = Input;

    fn handle(&mut self, now: Now, input: Input, out: &mut Outbox) -> Result<(), Failure> {
        let now = now.mono;
        self.born.get_or_insert(now);
        match input {
            Input::Peer(state) => {
                if self.table.set_peer(*state, out) {
                    self.on_change(now, out);
                }
            }
            Input::PeerGone { network, peer } => {
                let who = Address::Session(network, peer);
                if self.table.remove_speaker(who, now) {
                    out.unwatch(who);
                    self.on_change(now, out);
                }
            }
            Input::Local {
                me,
                device,
                models,
                load,
            } => {
                if self.table.set_local(me, device, models, load, out) {
                    self.on_change(now, out);
                }
            }
            Input::Route(query) => self.on_route(now, *query, out),
            Input::Outcome { via, result } => {
                self.table.forget_choice(via);
                match result {
                    Outcome::Failed => self.table.remember_failure(via, now),
                    Outcome::Served | Outcome::Busy => {}
                }
            }
        }
        Ok(())
    }

    fn signal(&mut self, now: Now, signal: Signal, out: &mut Outbox) -> Result<(), Failure> {
        match signal {
            Signal::Started(_) => {
                self.born = Some(now.mono);
                for reader in 0..READERS.len() {
                    self.greet(reader, out);
                }
            }
            Signal::Down { who, why, .. } => self.on_down(now.mono, who, &why, out),
            Signal::Returned { letter, .. } => self.on_returned(now.mono, &letter),
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Deadline> {
        let unsaid = !self.waiting.is_empty() || self.told.is_none();
        let gathered = self.gathered_at().filter(|_| unsaid);
        let gathered = gathered.map(|at| Deadline {
            at,
            why: "answer without more neighbours",
        });
        let absent = self.absent.iter().flatten().min();
        let absent = absent.map(|at| Deadline {
            at: *at,
            why: "look for an absent neighbour",
        });
        Deadline::earliest(gathered, absent)
    }

    fn on_deadline(&mut self, now: Now, out: &mut Outbox) -> Result<(), Failure> {
        for reader in 0..READERS.len() {
            if self.absent[reader].is_some_and(|at| at <= now.mono) {
                self.greet(reader, out);
            }
        }
        if !self.is_gathering(now.mono) {
            self.on_change(now.mono, out);
        }
        Ok(())
    }

    fn view(&self) -> View {
        View {
            phase: if self.waiting.is_empty() {
                "routing"
            } else {
                "gathering"
            },
            facts: vec![
                ("holders", self.table.len().to_string()),
                (
                    "models",
                    self.told
                        .as_ref()
                        .map_or(0, |models| models.len())
                        .to_string(),
                ),
                ("waiting", self.waiting.len().to_string()),
            ],
        }
    }

    fn invariants(&self) {
        assert!(self.table.len() <= HOLDERS_MAX, "too many holders");
        assert!(self.waiting.len() <= WAITING_MAX, "too many questions wait");
    }
}

fn tell_reader(reader: Address, models: &List<ModelAdvert, MODELS_MAX>, out: &mut Outbox) {
    out.tell(if reader == Address::Gateway {
        Letter::Gateway(gateway::Command::Models(models.clone()))
    } else {
        let fact = Box::new(Fact::Models(models.clone()));
        Letter::Observer(observer::Input::Fact(FactKey::Models, fact))
    });
}

/// Who is told the list of models.
const READERS: [Address; 2] = [Address::Gateway, Address::Observer];
/// What sessions and workers need to resend their state to a new life, with a slow turn in between.
const GATHERING: Micros = Micros::from_millis(500);
/// The wait before looking again for a neighbour that is not there: its supervisor retries it once
/// a minute.
const ABSENT_WAIT: Micros = Micros::from_secs(10);
/// The wait before a reader without room is told again.
const FULL_WAIT: Micros = Micros::from_secs(1);

#[cfg(test)]
mod tests;
