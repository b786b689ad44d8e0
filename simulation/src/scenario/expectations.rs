//! What each expectation demands of the world: one arm per variant of the schema.

use super::file::{
    ActorOf, AtMost, Between, DialErrorKind, DialFailed, EndedWith, Expectation, FailedWith,
    FailureKind, ModelsAt, Nodes, NumberAt, PathIs, PathOf, RefusalKind, Refusals, ServedBy,
    Unreached,
};
use super::run::{Asked, Run};
use super::values::{Span, Who};
use crate::{Answer, Obstacle, PathClass, State};
use kernel::scripted;
use messages::ports::transport::DialError;
use messages::request_proxy::Failure;
use messages::{Address, Micros, Refusal};
use std::collections::{BTreeMap, BTreeSet};

/// A verdict is on its way for less: the longest path of a scenario, there and back.
const ADMITTED_WITHIN: Micros = Micros::from_secs(1);

/// Who has admitted whom, as far as it was seen.
#[derive(Debug, Default)]
pub(super) struct Admissions {
    /// When `.0` last had `.1` admitted.
    admitted: BTreeMap<(usize, usize), u64>,
    active: BTreeSet<(usize, usize)>,
}

impl Run<'_> {
    pub(super) fn meets(
        &self,
        that: &Expectation,
        admissions: &mut Admissions,
    ) -> Result<(), String> {
        match that {
            Expectation::Answered(name) => self.each(name, answered),
            Expectation::Failed(failure) => {
                self.each(&failure.of, |answer, _| failed(answer, failure))
            }
            Expectation::Pause(most) => self.within(most, "its longest pause", |answer, _| {
                Some(answer.pause_us_max)
            }),
            Expectation::Gap(most) => {
                self.within(most, "its longest gap", |answer, _| Some(answer.gap_us_max))
            }
            Expectation::First(most) => {
                self.within(most, "its first piece of text", |answer, _| answer.first_us)
            }
            Expectation::Took(most) => self.within(most, "it", |_, asked| {
                Some(asked.over.unwrap_or_else(|| self.mesh.time()) - asked.at)
            }),
            Expectation::ServedBy(served) => self.served_by(served),
            Expectation::Active(nodes) => {
                self.pairs(nodes, |a, b| match self.mesh.is_active(a, b) {
                    true => Ok(()),
                    false => Err(format!("node {a} has no active session with {b}")),
                })
            }
            Expectation::Connected => self.connected(),
            Expectation::Sessions(at) => self.number("sessions", at, |node| self.sessions(node)),
            Expectation::Apart(groups) => self.apart(groups),
            Expectation::Admitted => self.admitted(admissions),
            Expectation::OneLink(nodes) => self.one_link(nodes),
            Expectation::Path(path) => self.path(path),
            Expectation::DialFailed(dial) => self.dial_failed(dial),
            Expectation::Unreached(shown) => self.unreached(shown),
            Expectation::Jobs(at) => self.number("jobs", at, |node| self.mesh.jobs(node) as u64),
            Expectation::Waiting(at) => {
                self.number("waiting letters", at, |node| self.mesh.waiting(node) as u64)
            }
            Expectation::Unsent(at) => {
                self.number("unsent bytes", at, |node| self.mesh.unsent(node) as u64)
            }
            Expectation::Unread(unread) => self.each(&unread.of, |_, asked| {
                let waiting = self.mesh.unread(asked.client) as u64;
                between("unread bytes", waiting, 0, unread.at_most)
            }),
            Expectation::Dials(at) => self.number("dials", at, |node| self.mesh.dials(node)),
            Expectation::Drawn(number) => between(
                "drawn tokens",
                self.drawn(),
                number.at_least,
                number.at_most,
            ),
            Expectation::Packets(number) => {
                let packets = self.mesh.report().packets;
                between("packets", packets, number.at_least, number.at_most)
            }
            Expectation::Queued(at) => {
                self.number("waiting jobs", at, |node| self.mesh.queued(node))
            }
            Expectation::Refusals(refusals) => self.refusals(refusals),
            Expectation::Ended(ended) => self.ended(ended),
            Expectation::Models(models) => self.models(models),
            Expectation::Alive(actor) => self.alive(actor),
            Expectation::Agree(nodes) => self.agree(nodes),
            Expectation::Records(at) => {
                self.number("records", at, |node| self.figure(node, "records"))
            }
            Expectation::Record(record) => self.record(record),
            Expectation::RecordFigure(at) => self.record_figure(at),
        }
    }

    fn served_by(&self, served: &ServedBy) -> Result<(), String> {
        let wanted = self.find(&served.node).map(|node| self.mesh.id(node));
        self.each(&served.of, |answer, _| match answer.served_by {
            by if by == wanted => Ok(()),
            by => Err(format!(
                "served by {:?}",
                by.and_then(|by| self.mesh.index(by))
            )),
        })
    }

    fn alive(&self, actor: &ActorOf) -> Result<(), String> {
        let mut found = self.actors(actor).into_iter();
        match found.any(|(node, who)| self.mesh.is_alive(node, who)) {
            true => Ok(()),
            false => Err(format!("no {:?} is alive there", actor.actor)),
        }
    }

    /// What is demanded of every run, whatever its file says.
    pub(super) fn broken_rules(&self) -> Vec<String> {
        let mut broken = Vec::new();
        for (name, all) in &self.asked {
            for (nth, asked) in all.iter().enumerate() {
                if let Err(why) = self.rules_of(asked) {
                    broken.push(format!("request `{name}` ({nth}): {why}"));
                }
            }
        }
        let crashes = self.mesh.crashes().into_iter();
        let unasked = crashes.filter(|crash| !crash.ends_with("killed"));
        broken.extend(unasked.map(|crash| format!("an actor crashed: {crash}")));
        broken
    }

    fn rules_of(&self, asked: &Asked) -> Result<(), String> {
        let answer = self.answer(asked);
        if asked.gone {
            return Ok(());
        }
        if matches!(answer.state, State::Waiting | State::Streaming) {
            return Err(format!(
                "it hangs: {:?} after {} pieces",
                answer.state, answer.deltas
            ));
        }
        if answer.ends != 1 {
            return Err(format!("it ended {} times", answer.ends));
        }
        match unbroken(asked).starts_with(&answer.text) {
            true => Ok(()),
            false => Err(format!(
                "its text is not an unbroken run's: {:?}",
                answer.text
            )),
        }
    }

    fn each(
        &self,
        name: &str,
        demand: impl Fn(&Answer, &Asked) -> Result<(), String>,
    ) -> Result<(), String> {
        let Some(all) = self.asked.get(name) else {
            return match self.looks_always() {
                // It may yet be asked; in the end it must have been.
                true => Ok(()),
                false => Err(format!("nobody has asked `{name}`")),
            };
        };
        for (nth, asked) in all.iter().enumerate() {
            let answer = self.answer(asked);
            demand(&answer, asked).map_err(|why| format!("request `{name}` ({nth}): {why}"))?;
        }
        Ok(())
    }

    fn within(
        &self,
        AtMost { of, at_most }: &AtMost,
        what: &str,
        span: impl Fn(&Answer, &Asked) -> Option<u64>,
    ) -> Result<(), String> {
        self.each(of, |answer, asked| {
            let us = span(answer, asked).ok_or("no text has come")?;
            at_most_span(what, us, *at_most)
        })
    }

    pub(super) fn pairs(
        &self,
        nodes: &Nodes,
        demand: impl Fn(usize, usize) -> Result<(), String>,
    ) -> Result<(), String> {
        let nodes: Vec<usize> = match nodes {
            Nodes::All => (0..self.nodes())
                .filter(|node| !self.mesh.addresses(*node).is_empty())
                .collect(),
            Nodes::Of(nodes) => nodes.clone(),
        };
        for a in &nodes {
            for b in nodes.iter().filter(|b| *b != a) {
                demand(*a, *b)?;
            }
        }
        Ok(())
    }

    fn one_link(&self, nodes: &Nodes) -> Result<(), String> {
        self.pairs(nodes, |a, b| {
            let (here, there) = (self.mesh.links(a, b), self.mesh.links(b, a));
            match here.len() == 1 && here == there {
                true => Ok(()),
                false => Err(format!(
                    "{a} has links {here:?} with {b}, which has {there:?}"
                )),
            }
        })
    }

    fn apart(&self, groups: &Between) -> Result<(), String> {
        for a in self.find_all(&groups.between) {
            for b in self.find_all(&groups.and) {
                for (a, b) in [(a, b), (b, a)] {
                    if self.mesh.is_active(a, b) {
                        return Err(format!("node {a} has an active session with {b}"));
                    }
                }
            }
        }
        Ok(())
    }

    fn admitted(&self, seen: &mut Admissions) -> Result<(), String> {
        let now = self.mesh.time();
        let network = self.mesh.network();
        let mut first_active = Vec::new();
        for a in 0..self.nodes() {
            for b in (0..self.nodes()).filter(|b| *b != a) {
                let phase = self
                    .mesh
                    .phase(a, Address::Session(network, self.mesh.id(b)));
                let phase = phase.unwrap_or_default().to_ascii_lowercase();
                if phase == "admitting" || phase == "active" {
                    seen.admitted.insert((a, b), now);
                }
                if phase != "active" {
                    seen.active.remove(&(a, b));
                } else if seen.active.insert((a, b)) {
                    first_active.push((a, b));
                }
            }
        }
        for (a, b) in first_active {
            let admitted = seen.admitted.get(&(b, a));
            if admitted.is_none_or(|at| now - at > ADMITTED_WITHIN.0) {
                return Err(format!("{a} is active with {b}, which has not admitted it"));
            }
        }
        Ok(())
    }

    fn connected(&self) -> Result<(), String> {
        match self.mesh.graph().parts.as_slice() {
            [] | [_] => Ok(()),
            [_, apart @ ..] => Err(format!("not connected with the rest: {apart:?}")),
        }
    }

    fn sessions(&self, node: usize) -> u64 {
        self.mesh.neighbours(node).len() as u64
    }

    fn path(&self, path: &PathOf) -> Result<(), String> {
        let class = self.mesh.path_class(path.from, path.to);
        let wanted = match path.is {
            PathIs::Direct => PathClass::Direct,
            PathIs::Relayed => PathClass::Relayed,
            PathIs::SomebodyElse => PathClass::None(Some(Obstacle::SomebodyElse)),
            PathIs::Unroutable => PathClass::None(Some(Obstacle::Unroutable)),
            PathIs::NoHairpin => PathClass::None(Some(Obstacle::NoHairpin)),
            PathIs::Filtered => PathClass::None(Some(Obstacle::Filtered)),
            PathIs::UdpBlocked => PathClass::None(Some(Obstacle::UdpBlocked)),
        };
        let PathOf { from, to, .. } = path;
        match class == wanted {
            true => Ok(()),
            false => Err(format!(
                "from {from} to {to} it is {class:?}, not {wanted:?}"
            )),
        }
    }

    fn dial_failed(&self, dial: &DialFailed) -> Result<(), String> {
        let DialFailed { from, to, with } = dial;
        match self.mesh.dial_error(*from, *to) {
            Some(said) if *said == dial_error(*with) => Ok(()),
            said => Err(format!("of its dial to {to} node {from} was told {said:?}")),
        }
    }

    fn unreached(&self, unreached: &Unreached) -> Result<(), String> {
        let Unreached { node, of, with } = unreached;
        match self.mesh.shown_unreached(*node, *of) {
            Some(shown) if *shown == dial_error(*with) => Ok(()),
            Some(shown) => Err(format!("node {node} shows {of} as not reached: {shown:?}")),
            None => Err(format!("node {node} does not show {of} as not reached")),
        }
    }

    fn refusals(&self, refusals: &Refusals) -> Result<(), String> {
        let node = self.node(&refusals.node)?;
        let said = self.mesh.refusals(node);
        let count = said.iter().filter(|why| refusal(why) == refusals.with);
        let what = format!("refusals of node {node} with {:?}", refusals.with);
        let count = count.count() as u64;
        between(&what, count, refusals.at_least, refusals.at_most)
            .map_err(|why| format!("{why}; it said {}", summary(&said)))
    }

    fn ended(&self, ended: &EndedWith) -> Result<(), String> {
        let EndedWith { node, with, .. } = ended;
        let ends = self.mesh.session_ends(*node, *with);
        let said = ends.iter().map(|why| format!("{why:?}"));
        let said = said.filter(|why| why.contains(&ended.saying)).count() as u64;
        let what = format!("ends of {node} with {with} for {:?}", ended.saying);
        between(&what, said, ended.at_least, ended.at_most)
            .map_err(|why| format!("{why}; it said {}", summary(&ends)))
    }

    fn models(&self, models: &ModelsAt) -> Result<(), String> {
        let node = self.node(&models.node)?;
        let shown = self.mesh.models(node);
        let shown: Vec<String> = shown.iter().map(|it| it.name.to_string()).collect();
        match shown == models.are {
            true => Ok(()),
            false => Err(format!("node {node} shows the models {shown:?}")),
        }
    }

    fn number(
        &self,
        what: &str,
        at: &NumberAt,
        count: impl FnOnce(usize) -> u64,
    ) -> Result<(), String> {
        let node = self.node(&at.node)?;
        let what = format!("{what} of node {node}");
        between(&what, count(node), at.at_least, at.at_most)
    }

    fn node(&self, who: &Who) -> Result<usize, String> {
        self.find(who)
            .ok_or_else(|| format!("{who:?} is nobody now"))
    }
}

/// What an unbroken run says, up to the stop string.
fn unbroken(asked: &Asked) -> String {
    let text = scripted::text(asked.seed, asked.tokens);
    match &asked.stop {
        Some(stop) => text
            .split_once(stop)
            .map_or_else(|| text.clone(), |(text, _)| text.to_owned()),
        None => text,
    }
}

fn answered(answer: &Answer, asked: &Asked) -> Result<(), String> {
    let text = unbroken(asked);
    match &answer.state {
        State::Finished { .. } if answer.text == text => Ok(()),
        State::Finished { .. } => Err(format!("it says {:?}, not {text:?}", answer.text)),
        State::Waiting | State::Streaming | State::Failed(_) | State::Broken | State::Gone => {
            Err(format!("it is not answered: {:?}", answer.state))
        }
    }
}

/// Nothing: no simulated gateway outlives its requests.
const fn kind(why: &Failure) -> Option<FailureKind> {
    Some(match why {
        Failure::UnknownModel => FailureKind::UnknownModel,
        Failure::ContextExceeded { .. } => FailureKind::ContextExceeded,
        Failure::Busy { .. } => FailureKind::Busy,
        Failure::Unsupported(_) => FailureKind::Unsupported,
        Failure::HoldersLost { .. } => FailureKind::HoldersLost,
        Failure::DeadlineExceeded => FailureKind::DeadlineExceeded,
        Failure::Internal => FailureKind::Internal,
        Failure::Stopping => return None,
    })
}

const fn refusal(why: &Refusal) -> RefusalKind {
    match why {
        Refusal::Busy { .. } => RefusalKind::Busy,
        Refusal::NoModel => RefusalKind::NoModel,
        Refusal::ContextExceeded { .. } => RefusalKind::ContextExceeded,
        Refusal::PromptMismatch => RefusalKind::PromptMismatch,
        Refusal::Unsupported(_) => RefusalKind::Unsupported,
        Refusal::NotAdmitted => RefusalKind::NotAdmitted,
        Refusal::EngineFailed(_) => RefusalKind::EngineFailed,
        Refusal::TooSlow => RefusalKind::TooSlow,
        Refusal::Draining => RefusalKind::Draining,
    }
}

const fn dial_error(kind: DialErrorKind) -> DialError {
    match kind {
        DialErrorKind::TimedOut => DialError::TimedOut,
        DialErrorKind::WrongPeer => DialError::WrongPeer,
    }
}

/// What was said, and how often each.
fn summary<T: std::fmt::Debug>(said: &[T]) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for what in said {
        *counts.entry(format!("{what:?}")).or_default() += 1;
    }
    format!("{counts:?}")
}

fn failed(answer: &Answer, failure: &FailedWith) -> Result<(), String> {
    let (with, at_most) = (failure.with, failure.retry_at_most);
    if let (State::Failed(Failure::Busy { retry_after_ms }), Some(at_most)) =
        (&answer.state, at_most)
    {
        let after = u64::from(*retry_after_ms) * 1_000;
        between("µs until it may ask again", after, 1, at_most.0.0)?;
    }
    let kind = match &answer.state {
        State::Broken => Some(FailureKind::Broken),
        State::Failed(why) => kind(why),
        State::Waiting | State::Streaming | State::Finished { .. } | State::Gone => None,
    };
    match kind == Some(with) {
        true => Ok(()),
        false => Err(format!("it ended otherwise: {:?}", answer.state)),
    }
}

fn at_most_span(what: &str, us: u64, at_most: Span) -> Result<(), String> {
    match us <= at_most.0.0 {
        true => Ok(()),
        false => Err(format!("{what} took {us} µs, and {at_most} are allowed")),
    }
}

pub(super) fn between(what: &str, count: u64, at_least: u64, at_most: u64) -> Result<(), String> {
    match (at_least..=at_most).contains(&count) {
        true => Ok(()),
        false => Err(format!(
            "{count} {what}, where {at_least} to {at_most} are allowed"
        )),
    }
}
