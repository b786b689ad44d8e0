//! What a file says must fit together: every node exists, every request is asked.

use super::error::ScenarioError;
use super::file::{Expectation, Fault, File, Nodes, Trigger, When};
use super::plan::Plan;
use super::values::Who;

/// The first thing that does not fit.
pub(super) fn check(text: &str, file: &File, plan: &Plan) -> Result<(), ScenarioError> {
    let names: Vec<&str> = plan.asks.iter().map(|ask| ask.part.name.as_str()).collect();
    let known = Known {
        nodes: file.mesh.nodes,
        names,
    };
    if file.guards.get_ref().split_whitespace().count() < 3 {
        let why = "say in a sentence what holds as long as this passes".to_owned();
        return Err(ScenarioError::at(text, file.guards.span(), why));
    }
    known.mesh(file).map_err(|why| {
        let start = text.find("[mesh]").unwrap_or(0);
        ScenarioError::at(text, start..start, why)
    })?;
    for (part, ask) in file.ask.iter().zip(&plan.asks) {
        let wrong = known
            .node(ask.part.node)
            .and_then(|()| known.trigger(&ask.trigger));
        let wrong = wrong.and_then(|()| needs_fault(&ask.trigger, plan));
        wrong.map_err(|why| ScenarioError::at(text, part.span(), why))?;
    }
    for (index, (part, fault)) in file.fault.iter().zip(&plan.faults).enumerate() {
        let wrong = match (index, &fault.trigger) {
            (0, Trigger::After(_)) => {
                Err("no fault comes before it: give it at or when".to_owned())
            }
            (_, trigger) => known.trigger(trigger),
        };
        let wrong = wrong.and_then(|()| known.fault(&fault.what));
        wrong.map_err(|why| ScenarioError::at(text, part.span(), why))?;
    }
    for (part, expected) in file.expect.iter().zip(&plan.expects) {
        let timed = expected.trigger.as_ref();
        let wrong = timed.map_or(Ok(()), |trigger| needs_fault(trigger, plan));
        let wrong = wrong.and_then(|()| known.expectation(&expected.that));
        wrong.map_err(|why| ScenarioError::at(text, part.span(), why))?;
    }
    Ok(())
}

fn needs_fault(trigger: &Trigger, plan: &Plan) -> Result<(), String> {
    match trigger {
        Trigger::After(_) if plan.faults.is_empty() => {
            Err("after counts from the last fault, and there is none: give it at".to_owned())
        }
        Trigger::At(_) | Trigger::When(_) | Trigger::After(_) => Ok(()),
    }
}

/// The largest mesh that fits into a few GiB.
const NODES_MAX: usize = 10_000;

/// What a file may name.
struct Known<'a> {
    nodes: usize,
    names: Vec<&'a str>,
}

impl Known<'_> {
    fn mesh(&self, file: &File) -> Result<(), String> {
        if !(1..=NODES_MAX).contains(&self.nodes) {
            return Err(format!("a mesh has 1 to {NODES_MAX} nodes"));
        }
        if file
            .mesh
            .degree
            .is_some_and(|degree| !(1..=448).contains(&degree))
        {
            return Err("a degree is a number from 1 to 448".to_owned());
        }
        if file.mesh.tail.is_some_and(|tail| tail.permille > 1_000) {
            return Err("a tail has up to a thousand of a thousand packets".to_owned());
        }
        file.mesh
            .nat
            .iter()
            .try_for_each(|nat| nat.nat().map(drop))?;
        let boxes = file.mesh.nat.iter().flat_map(|nat| &nat.before);
        let named = file.mesh.engines.iter().chain(&file.mesh.absent);
        let clocks = file.mesh.clock.iter().map(|clock| &clock.node);
        let named = named.chain(boxes).chain(clocks);
        named.copied().try_for_each(|node| self.node(node))
    }

    fn node(&self, node: usize) -> Result<(), String> {
        match node < self.nodes {
            true => Ok(()),
            false => Err(format!(
                "there is no node {node}: this mesh has 0 to {}",
                self.nodes - 1
            )),
        }
    }

    fn who(&self, who: &Who) -> Result<(), String> {
        match who {
            Who::Node(node) => self.node(*node),
            Who::ServerOf(name) => self.name(name),
            Who::Busy => Ok(()),
        }
    }

    fn name(&self, name: &str) -> Result<(), String> {
        if self.names.contains(&name) {
            return Ok(());
        }
        let mut names = self.names.clone();
        names.dedup();
        Err(match names.as_slice() {
            [] => format!("no request is called `{name}`: there is no [[ask]]"),
            names => format!(
                "no request is called `{name}`: there are {}",
                names.join(", ")
            ),
        })
    }

    fn trigger(&self, trigger: &Trigger) -> Result<(), String> {
        match trigger {
            Trigger::At(_) | Trigger::After(_) => Ok(()),
            Trigger::When(When::Packets(of)) => self.node(of.from).and_then(|()| self.node(of.to)),
            Trigger::When(When::Tokens(count) | When::Pieces(count)) => self.name(&count.of),
            Trigger::When(When::Served(name) | When::Over(name)) => self.name(name),
        }
    }

    fn all(&self, one: &[Who], two: &[Who]) -> Result<(), String> {
        if one.is_empty() || two.is_empty() {
            return Err("a group without a node: name at least one on each side".to_owned());
        }
        one.iter().chain(two).try_for_each(|who| self.who(who))
    }

    fn fault(&self, fault: &Fault) -> Result<(), String> {
        match fault {
            Fault::Kill(who)
            | Fault::Close(who)
            | Fault::Start(who)
            | Fault::Freeze(who)
            | Fault::Suspend(who)
            | Fault::Thaw(who)
            | Fault::Wedge(who)
            | Fault::Unwedge(who)
            | Fault::Unload(who)
            | Fault::Revoke(who)
            | Fault::Drain(who)
            | Fault::Rebind(who)
            | Fault::StaleLetters(who) => self.who(who),
            Fault::Cut(groups) | Fault::Reset(groups) => self.all(&groups.between, &groups.and),
            Fault::CutOneWay(way) => self.all(&way.from, &way.to),
            Fault::Clog(way) => self.all(&way.from, &way.to),
            Fault::StopReading(unread) | Fault::ReadAgain(unread) => {
                self.who(&unread.node).and_then(|()| self.who(&unread.from))
            }
            Fault::Busy(busy) => self.who(&busy.node),
            Fault::Heal => Ok(()),
            Fault::KillActor(actor) => self.who(&actor.node),
            Fault::Fall(fall) => self.who(&fall.node),
            Fault::HangUp(name) => self.name(name),
            Fault::SlowReader(reader) => self.name(&reader.of),
            Fault::ClockAhead(jump) | Fault::ClockBack(jump) => self.who(&jump.node),
            Fault::Drift(drift) => self.who(&drift.node),
            Fault::Disk(disk) => self.who(&disk.node),
            Fault::Engine(engine) => self.who(&engine.node),
            Fault::Garbage(garbage) => self.who(&garbage.from).and_then(|()| self.who(&garbage.to)),
            Fault::Streams(streams) => self.who(&streams.from).and_then(|()| self.who(&streams.to)),
            Fault::Tokens(forged) => self.name(&forged.of),
            Fault::Publish(of) => self.who(&of.node),
            Fault::Withdraw(of) => self.who(&of.node),
            Fault::Share(of) => self.who(&of.node),
            Fault::Record(forged) => {
                let ends = self.who(&forged.from).and_then(|()| self.who(&forged.to));
                ends.and_then(|()| self.node(forged.of))
            }
        }
    }

    fn expectation(&self, that: &Expectation) -> Result<(), String> {
        match that {
            Expectation::Answered(name) => self.name(name),
            Expectation::Failed(failed) => self.name(&failed.of),
            Expectation::Unread(unread) => self.name(&unread.of),
            Expectation::Pause(most)
            | Expectation::Gap(most)
            | Expectation::First(most)
            | Expectation::Took(most) => self.name(&most.of),
            Expectation::ServedBy(served) => {
                self.name(&served.of).and_then(|()| self.who(&served.node))
            }
            Expectation::Active(nodes)
            | Expectation::OneLink(nodes)
            | Expectation::Agree(nodes) => match nodes {
                Nodes::All => Ok(()),
                Nodes::Of(nodes) => nodes.iter().try_for_each(|node| self.node(*node)),
            },
            Expectation::Admitted
            | Expectation::Connected
            | Expectation::Drawn(_)
            | Expectation::Packets(_) => Ok(()),
            Expectation::Path(path) => self.node(path.from).and_then(|()| self.node(path.to)),
            Expectation::DialFailed(dial) => self.node(dial.from).and_then(|()| self.node(dial.to)),
            Expectation::Unreached(shown) => {
                self.node(shown.node).and_then(|()| self.node(shown.of))
            }
            Expectation::Apart(groups) => self.all(&groups.between, &groups.and),
            Expectation::Jobs(at)
            | Expectation::Waiting(at)
            | Expectation::Unsent(at)
            | Expectation::Queued(at)
            | Expectation::Dials(at)
            | Expectation::Records(at)
            | Expectation::Sessions(at) => self.who(&at.node),
            Expectation::Record(record) => {
                self.who(&record.node).and_then(|()| self.node(record.of))
            }
            Expectation::RecordFigure(at) => self.who(&at.node),
            Expectation::Refusals(refusals) => self.who(&refusals.node),
            Expectation::Ended(ended) => self.node(ended.node).and_then(|()| self.node(ended.with)),
            Expectation::Models(models) => self.who(&models.node),
            Expectation::Alive(actor) => self.who(&actor.node),
        }
    }
}
