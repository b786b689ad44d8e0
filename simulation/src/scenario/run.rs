//! One run: the timeline of asks, faults and expectations, event by event where it matters.

use super::Outcome;
use super::expectations::Admissions;
use super::file::{Arrive, AskPart, Trigger, When};
use super::plan::{Expected, Plan};
use super::values::Who;
use crate::{Answer, Ask, ClientId, Mesh, MeshBuilder, Process, State, millis};
use kernel::Entropy;
use messages::Micros;
use std::collections::BTreeMap;

/// Between two looks at what clients have seen.
const LOOK: Micros = millis(5);
/// Failures that a run reports: the first ones say what is wrong.
const FAILURES_MAX: usize = 16;

/// One request of the run.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) client: ClientId,
    pub(super) node: usize,
    /// What the unbroken run is made from.
    pub(super) seed: u64,
    pub(super) tokens: u32,
    pub(super) stop: Option<String>,
    pub(super) at: u64,
    pub(super) over: Option<u64>,
    /// Its client went away, or its node went down with it.
    pub(super) gone: bool,
    /// What its client had seen of it before its node went down.
    pub(super) kept: Option<Answer>,
}

/// Where something of the timeline stands.
#[derive(Clone, Copy, Debug, Default)]
struct Turn {
    due: Option<u64>,
    happened: u64,
    /// When it happened for the last time.
    done: Option<u64>,
}

pub(super) struct Run<'a> {
    plan: &'a Plan,
    pub(super) mesh: Mesh,
    pub(super) draw: Entropy,
    seed: u64,
    pub(super) asked: BTreeMap<String, Vec<Asked>>,
    asks: Vec<Turn>,
    faults: Vec<Turn>,
    expects: Vec<Turn>,
    struck: Vec<bool>,
    failures: Vec<String>,
    admissions: Admissions,
    /// Whether expectations are looked at.
    judges: bool,
    /// Whether the one that is looked at is looked at after every event.
    looks_always: bool,
}

impl<'a> Run<'a> {
    pub(super) fn new(plan: &'a Plan, seed: u64, builder: MeshBuilder, judges: bool) -> Self {
        let turns = |many: usize| vec![Turn::default(); many];
        let mut mesh = builder.build();
        if judges {
            mesh.hear_reasons();
        }
        let faults = plan.faults.iter().map(|fault| &fault.trigger);
        for trigger in faults.chain(plan.asks.iter().map(|ask| &ask.trigger)) {
            if let Trigger::When(When::Packets(of)) = trigger {
                mesh.count_packets(of.from, of.to);
            }
        }
        Self {
            plan,
            mesh,
            draw: Entropy::from_number(seed ^ u64::from_be_bytes(*b"scenario")),
            seed,
            asked: BTreeMap::new(),
            asks: turns(plan.asks.len()),
            faults: turns(plan.faults.len()),
            expects: turns(plan.expects.len()),
            struck: vec![false; plan.faults.len()],
            failures: Vec::new(),
            admissions: Admissions::default(),
            judges,
            looks_always: false,
        }
    }

    pub(super) fn go(mut self) -> Outcome {
        loop {
            self.look();
            while self.set_dues() | self.fire() {}
            let now = self.mesh.time();
            if now >= self.plan.limit.0.0 || (self.is_done() && now >= self.plan.lasts.0.0) {
                break;
            }
            self.advance();
        }
        self.close()
    }

    fn advance(&mut self) {
        let now = self.mesh.time();
        let turns = self.asks.iter().chain(&self.faults).chain(&self.expects);
        let due = turns
            .filter(|turn| turn.done.is_none())
            .filter_map(|turn| turn.due);
        let until = due.min().unwrap_or(u64::MAX).min(now + LOOK.0);
        let until = until.min(self.plan.limit.0.0).max(now);
        if !self.watches() {
            return self.mesh.run_for(Micros(until - now));
        }
        while self.mesh.step(Micros(until - self.mesh.time())) {
            self.always();
            if self.comes_about() {
                return;
            }
        }
    }

    /// Whether something is looked at after every event.
    fn watches(&self) -> bool {
        let waits = |trigger: &Trigger, turn: &Turn| {
            matches!(trigger, Trigger::When(_)) && turn.due.is_none()
        };
        let faults = self.plan.faults.iter().zip(&self.faults);
        let asks = self.plan.asks.iter().zip(&self.asks);
        let watched = self.judges && self.plan.expects.iter().any(|expected| expected.always);
        watched
            || faults
                .into_iter()
                .any(|(fault, turn)| waits(&fault.trigger, turn))
            || asks
                .into_iter()
                .any(|(ask, turn)| waits(&ask.trigger, turn))
    }

    fn comes_about(&self) -> bool {
        let faults = self.plan.faults.iter().zip(&self.faults);
        let faults = faults.map(|(fault, turn)| (&fault.trigger, turn));
        let asks = self.plan.asks.iter().zip(&self.asks);
        let asks = asks.map(|(ask, turn)| (&ask.trigger, turn));
        faults.chain(asks).any(|(trigger, turn)| {
            matches!(trigger, Trigger::When(when) if turn.due.is_none() && self.holds(when))
        })
    }

    /// Gives moments to what can have one; tells whether there was any.
    fn set_dues(&mut self) -> bool {
        let mut any = false;
        let all_struck = self
            .faults
            .iter()
            .map(|turn| turn.done)
            .collect::<Option<Vec<_>>>();
        let last = all_struck.and_then(|done| done.into_iter().max());
        for index in 0..self.faults.len() {
            let before = index
                .checked_sub(1)
                .and_then(|before| self.faults[before].done);
            let due = self.due(&self.plan.faults[index].trigger, before);
            any |= settle(&mut self.faults[index], due);
        }
        for index in 0..self.asks.len() {
            let due = self.due(&self.plan.asks[index].trigger, last);
            any |= settle(&mut self.asks[index], due);
        }
        for index in 0..self.expects.len() {
            let trigger = self.plan.expects[index].trigger.as_ref();
            let due = trigger.and_then(|trigger| self.due(trigger, last));
            any |= settle(&mut self.expects[index], due);
        }
        any
    }

    fn due(&self, trigger: &Trigger, before: Option<u64>) -> Option<u64> {
        match trigger {
            Trigger::At(at) => Some(at.0.0),
            Trigger::After(after) => before.map(|before| before + after.0.0),
            Trigger::When(when) => self.holds(when).then(|| self.mesh.time()),
        }
    }

    fn holds(&self, when: &When) -> bool {
        let answer = |name: &str| self.first(name).map(|asked| self.answer(asked));
        match when {
            When::Served(name) => answer(name).is_some_and(|answer| answer.served_by.is_some()),
            When::Over(name) => self.first(name).is_some_and(|asked| self.is_over(asked)),
            When::Packets(of) => self.mesh.counted_packets(of.from, of.to) >= of.number,
            When::Pieces(count) => {
                answer(&count.of).is_some_and(|answer| answer.deltas >= count.number)
            }
            When::Tokens(count) => {
                answer(&count.of).is_some_and(|answer| answer.served_by.is_some())
                    && self.drawn() >= count.number
            }
        }
    }

    /// Does what is due; tells whether there was anything.
    fn fire(&mut self) -> bool {
        let now = self.mesh.time();
        let mut any = false;
        // What is expected of a moment is looked at before anything happens in it.
        for index in 0..self.expects.len() {
            if is_due(&self.expects[index], now) {
                self.expects[index].done = Some(now);
                any = true;
                let expected = &self.plan.expects[index];
                if !expected.always {
                    self.judge(expected);
                }
            }
        }
        for index in 0..self.asks.len() {
            while is_due(&self.asks[index], now) {
                let part = &self.plan.asks[index].part;
                let nth = self.asks[index].happened;
                self.ask(part, index, nth);
                let process = match part.arrive {
                    Arrive::Steady => Process::Steady,
                    Arrive::Random => Process::Random,
                    Arrive::Bursts(size) => Process::Bursts(size),
                };
                let wait = process.wait(part.every.0, nth + 1, &mut self.draw);
                self.asks[index].again(now, part.count, Micros(wait));
                any = true;
            }
        }
        for index in 0..self.faults.len() {
            while is_due(&self.faults[index], now) {
                let fault = &self.plan.faults[index];
                self.struck[index] |= self.strike(&fault.what);
                self.faults[index].again(now, fault.times, fault.every.0);
                any = true;
            }
        }
        any
    }

    fn ask(&mut self, part: &AskPart, index: usize, nth: u64) {
        // Each request has a text of its own, and another one with each seed.
        let seed = self.seed * 10_000 + index as u64 * 1_000 + nth;
        let mut ask = Ask::new(seed);
        if let Some(tokens) = part.tokens {
            ask = ask.max_tokens(tokens);
        }
        if let Some(stop) = &part.stop {
            ask = ask.stop(stop);
        }
        if let Some(bytes) = part.prompt {
            ask = ask.prompt_bytes(bytes);
        }
        if let Some(model) = &part.model {
            ask = ask.model(model);
        }
        let client = self.mesh.ask(part.node, ask);
        self.asked
            .entry(part.name.clone())
            .or_default()
            .push(Asked {
                client,
                node: part.node,
                seed,
                tokens: part.tokens.unwrap_or(kernel::scripted::ANSWER_TOKENS),
                stop: part.stop.clone(),
                at: self.mesh.time(),
                over: None,
                gone: false,
                kept: None,
            });
    }

    /// Notes which requests are over.
    fn look(&mut self) {
        let now = self.mesh.time();
        let mut asked = std::mem::take(&mut self.asked);
        for asked in asked.values_mut().flatten() {
            if asked.over.is_none() && self.is_over(asked) {
                asked.over = Some(now);
            }
        }
        self.asked = asked;
    }

    /// What its client has seen.
    pub(super) fn answer(&self, asked: &Asked) -> Answer {
        let kept = asked.kept.clone();
        kept.unwrap_or_else(|| self.mesh.answer(asked.client))
    }

    pub(super) fn is_over(&self, asked: &Asked) -> bool {
        asked.gone || !matches!(self.answer(asked).state, State::Waiting | State::Streaming)
    }

    /// Nothing more is to come: what waits for a request that is over waits in vain.
    fn is_done(&self) -> bool {
        let faults = self.plan.faults.iter().zip(&self.faults);
        let faults = faults.map(|(fault, turn)| (&fault.trigger, turn));
        let asks = self.plan.asks.iter().zip(&self.asks);
        let asks = asks.map(|(ask, turn)| (&ask.trigger, turn));
        let mut vain = false;
        for (trigger, turn) in faults.chain(asks) {
            let in_vain = match trigger {
                _ if turn.done.is_some() => false,
                Trigger::When(
                    When::Tokens(super::file::Count { of, .. })
                    | When::Pieces(super::file::Count { of, .. })
                    | When::Served(of)
                    | When::Over(of),
                ) if turn.due.is_none() => self.first(of).is_some_and(|asked| asked.over.is_some()),
                Trigger::After(_) if turn.due.is_none() => vain,
                Trigger::At(_) | Trigger::When(_) | Trigger::After(_) => false,
            };
            if turn.done.is_none() && !in_vain {
                return false;
            }
            vain |= in_vain;
        }
        let over = self
            .asked
            .values()
            .flatten()
            .all(|asked| asked.over.is_some());
        let judged = |(expected, turn): (&Expected, &Turn)| {
            expected.trigger.is_none() || turn.done.is_some() || vain
        };
        over && self.plan.expects.iter().zip(&self.expects).all(judged)
    }

    fn always(&mut self) {
        if !self.judges {
            return;
        }
        let plan = self.plan;
        for (index, expected) in plan.expects.iter().enumerate() {
            let begun = expected.trigger.is_none() || self.expects[index].done.is_some();
            if expected.always && begun {
                self.looks_always = true;
                self.judge(expected);
                self.looks_always = false;
            }
        }
    }

    pub(super) const fn looks_always(&self) -> bool {
        self.looks_always
    }

    fn judge(&mut self, expected: &Expected) {
        if !self.judges || self.failures.len() >= FAILURES_MAX {
            return;
        }
        let mut admissions = std::mem::take(&mut self.admissions);
        if let Err(why) = self.meets(&expected.that, &mut admissions) {
            let at = self.mesh.time();
            let failure = format!("expectation of line {}, at {at} µs: {why}", expected.line);
            self.failures.push(failure);
        }
        self.admissions = admissions;
    }

    fn close(mut self) -> Outcome {
        self.look();
        let plan = self.plan;
        let hangs = self.mesh.time() >= plan.limit.0.0;
        for (index, expected) in plan.expects.iter().enumerate() {
            let begun = self.expects[index].done.is_some();
            if expected.trigger.is_none() || (expected.always && begun) {
                self.judge(expected);
            } else if hangs && !begun {
                let line = expected.line;
                self.fail(format!("expectation of line {line}: its moment never came"));
            }
        }
        for broken in self.broken_rules() {
            self.fail(broken);
        }
        let violations = self.mesh.violations().iter();
        for violation in violations.map(ToString::to_string).collect::<Vec<_>>() {
            self.fail(violation);
        }
        let missed = plan.faults.iter().zip(&self.struck);
        let missed = missed.filter(|(_, struck)| !**struck);
        let unseen = plan.expects.iter().zip(&self.expects);
        let unseen = unseen.filter(|(it, turn)| it.trigger.is_some() && turn.done.is_none());
        Outcome {
            report: self.mesh.report(),
            missed: missed.map(|(fault, _)| fault.line).collect(),
            unseen: unseen.map(|(expected, _)| expected.line).collect(),
            failures: self.failures,
        }
    }

    fn fail(&mut self, why: String) {
        if self.judges && self.failures.len() < FAILURES_MAX {
            self.failures.push(why);
        }
    }

    pub(super) fn first(&self, name: &str) -> Option<&Asked> {
        self.asked.get(name).and_then(|asked| asked.first())
    }

    pub(super) fn nodes(&self) -> usize {
        self.plan.mesh.nodes
    }

    /// Tokens that all engines have drawn.
    pub(super) fn drawn(&self) -> u64 {
        (0..self.nodes()).map(|node| self.mesh.drawn(node)).sum()
    }

    /// The node that is meant, if there is one now.
    pub(super) fn find(&self, who: &Who) -> Option<usize> {
        match who {
            Who::Node(node) => Some(*node),
            Who::ServerOf(name) => {
                let asked = self.first(name)?;
                let server = self.answer(asked).served_by?;
                self.mesh.index(server)
            }
            Who::Busy => {
                let has_clients =
                    |node: usize| self.plan.asks.iter().any(|ask| ask.part.node == node);
                (0..self.nodes()).find(|node| self.mesh.jobs(*node) > 0 && !has_clients(*node))
            }
        }
    }

    pub(super) fn find_all(&self, who: &[Who]) -> Vec<usize> {
        who.iter().filter_map(|who| self.find(who)).collect()
    }
}

impl Turn {
    /// It happened: is it due again?
    fn again(&mut self, now: u64, times: u64, every: Micros) {
        self.happened += 1;
        if self.happened < times {
            self.due = self.due.map(|due| due + every.0);
        } else {
            self.done = Some(now);
        }
    }
}

const fn is_due(turn: &Turn, now: u64) -> bool {
    match turn.due {
        Some(due) => due <= now && turn.done.is_none(),
        None => false,
    }
}

fn settle(turn: &mut Turn, due: Option<u64>) -> bool {
    let new = turn.due.is_none() && due.is_some();
    if new {
        turn.due = due;
    }
    new
}
