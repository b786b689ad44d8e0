//! From a file to plans: one per combination of what varies, each checked.

use super::error::ScenarioError;
use super::file::{
    AskPart, DependsOn, ExpectPart, Expectation, Fault, FaultPart, File, MeshPart, NatKind,
    NatPart, TailPart, Trigger, When,
};
use super::values::{Span, each_of, points};
use super::{Scenario, check};
use crate::{Clock, Costs, Dependence, Latency, MeshBuilder, Nat, PathModel, Tail};
use kernel::Entropy;
use messages::Micros;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ops::Range;
use toml::Spanned;

/// One run's worth of a scenario.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) mesh: MeshPart,
    pub(crate) lasts: Span,
    pub(crate) limit: Span,
    pub(crate) asks: Vec<Ask>,
    pub(crate) faults: Vec<Planned>,
    pub(crate) expects: Vec<Expected>,
}

/// Requests to come.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) trigger: Trigger,
    pub(crate) part: AskPart,
}

/// A fault to come.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) line: usize,
    pub(crate) trigger: Trigger,
    pub(crate) times: u64,
    pub(crate) every: Span,
    pub(crate) what: Fault,
}

/// What must hold.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    pub(crate) line: usize,
    /// From when on; absent: at the end, or always.
    pub(crate) trigger: Option<Trigger>,
    pub(crate) always: bool,
    pub(crate) that: Expectation,
}

/// What is read first: names that stand for other values.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    each: BTreeMap<String, Spanned<toml::Value>>,
}

type Each = Vec<(String, Vec<String>)>;

/// The whole scenario.
pub(crate) fn scenario(source: &str) -> Result<Scenario, ScenarioError> {
    let each = each(source)?;
    let sizes = each.iter().map(|(_, values)| values.len());
    let many =
        points(sizes).map_err(|why| ScenarioError::at(source, find(source, "[each]"), why))?;
    let mut plans = Vec::new();
    let mut head = None;
    for point in 0..many {
        let text = substitute(source, &each, point);
        every_name_stands_for_something(&text)?;
        let file = read(&text)?;
        plans.push(plan(&text, &file)?);
        head.get_or_insert((file, text));
    }
    let Some((file, text)) = head else {
        return Err(ScenarioError::at(
            source,
            0..0,
            "the file is empty".to_owned(),
        ));
    };
    let seeds = file.seeds.get_ref().0.clone();
    let reached: std::collections::BTreeSet<u64> =
        seeds.iter().map(|seed| seed % plans.len() as u64).collect();
    if reached.len() < plans.len() {
        let why = format!(
            "these seeds reach {} of {many} combinations of [each]: 0..{many} reaches all",
            reached.len()
        );
        return Err(ScenarioError::at(&text, file.seeds.span(), why));
    }
    Ok(Scenario {
        guards: file.guards.into_inner(),
        seeds,
        hosts: file.hosts,
        long: file.long,
        open: file.open,
        plans,
    })
}

fn every_name_stands_for_something(text: &str) -> Result<(), ScenarioError> {
    let Some(start) = text.find("\"$") else {
        return Ok(());
    };
    let name = text[start + 2..].split('"').next().unwrap_or("");
    let why = format!("`${name}` stands for nothing: give its values under [each]");
    Err(ScenarioError::at(text, start..start, why))
}

fn read(text: &str) -> Result<File, ScenarioError> {
    toml::from_str(text).map_err(|error| ScenarioError::of_toml(text, &error))
}

/// What varies, in the order of the names.
fn each(source: &str) -> Result<Each, ScenarioError> {
    let head: Head =
        toml::from_str(source).map_err(|error| ScenarioError::of_toml(source, &error))?;
    let mut each = Vec::new();
    for (name, value) in head.each {
        let span = value.span();
        let values = each_of(value.get_ref());
        let values = values.map_err(|why| ScenarioError::at(source, span.clone(), why))?;
        if !source.contains(&format!("\"${name}\"")) {
            let why = format!("nothing varies with it: write \"${name}\" where it shall stand");
            return Err(ScenarioError::at(source, span, why));
        }
        each.push((name, values));
    }
    Ok(each)
}

/// The file as this combination reads it, line for line.
fn substitute(source: &str, each: &Each, mut point: usize) -> String {
    let mut text = source.to_owned();
    for (name, values) in each {
        let value = &values[point % values.len()];
        point /= values.len();
        text = text.replace(&format!("\"${name}\""), value);
    }
    text
}

fn plan(text: &str, file: &File) -> Result<Plan, ScenarioError> {
    let at = |span: Range<usize>, why: String| ScenarioError::at(text, span, why);
    let line = |span: Range<usize>| ScenarioError::at(text, span, String::new()).line;
    let mut plan = Plan {
        mesh: file.mesh.clone(),
        lasts: file.lasts,
        limit: file.limit,
        asks: Vec::new(),
        faults: Vec::new(),
        expects: Vec::new(),
    };
    for part in &file.ask {
        let ask = part.get_ref().clone();
        let trigger = one_of(ask.at, ask.when.clone(), ask.after);
        let trigger = trigger.map_err(|why| at(part.span(), why))?;
        plan.asks.push(Ask { trigger, part: ask });
    }
    for part in &file.fault {
        let FaultPart {
            at: time,
            when,
            after,
            times,
            every,
            what,
        } = part.get_ref().clone();
        let trigger = one_of(time, when, after).map_err(|why| at(part.span(), why))?;
        plan.faults.push(Planned {
            line: line(part.span()),
            trigger,
            times,
            every,
            what,
        });
    }
    for part in &file.expect {
        let ExpectPart {
            at: time,
            after,
            always,
            that,
        } = part.get_ref().clone();
        let trigger = match (time, after) {
            (None, None) => None,
            (time, after) => Some(one_of(time, None, after).map_err(|why| at(part.span(), why))?),
        };
        plan.expects.push(Expected {
            line: line(part.span()),
            trigger,
            always,
            that,
        });
    }
    check::check(text, file, &plan)?;
    Ok(plan)
}

fn one_of(at: Option<Span>, when: Option<When>, after: Option<Span>) -> Result<Trigger, String> {
    match (at, when, after) {
        (Some(at), None, None) => Ok(Trigger::At(at)),
        (None, Some(when), None) => Ok(Trigger::When(when)),
        (None, None, Some(after)) => Ok(Trigger::After(after)),
        (None, None, None) => Err("it never happens: give it one of at, when, after".to_owned()),
        _ => Err("two moments for one thing: give it one of at, when, after".to_owned()),
    }
}

fn find(source: &str, what: &str) -> Range<usize> {
    let start = source.find(what).unwrap_or(0);
    start..start
}

impl Plan {
    /// The mesh as the file describes it.
    pub(crate) fn builder(&self, builder: MeshBuilder) -> MeshBuilder {
        let part = &self.mesh;
        let mut builder = builder
            .nodes(part.nodes)
            .engines(&part.engines)
            .absent(&part.absent);
        if let Some(step) = part.step {
            builder = builder.step(step.0);
        }
        if part.shuffled {
            builder = builder.shuffled();
        }
        if part.one_ticket {
            builder = builder.one_ticket();
        }
        if let Some(degree) = part.degree {
            builder = builder.degree(degree);
        }
        let usual = builder.net.path.latency;
        let base = part.latency.map_or(usual.base, |span| span.0);
        let jitter = part.jitter.map_or(usual.jitter, |span| span.0);
        builder = builder.path(PathModel {
            latency: Latency {
                tail: part.tail.map_or(usual.tail, TailPart::tail),
                ..Latency::new(base, jitter)
            },
            loss_permille: part.loss,
            duplicate_permille: part.duplicates,
            reorder_permille: part.reordered,
            bytes_per_sec: part.bytes_per_sec,
        });
        for part in &part.nat {
            if let Ok(Some(nat)) = part.nat() {
                builder = builder.nat_of(&part.before, nat);
            }
        }
        for clock in &part.clock {
            let us = |span: Span| i64::try_from(span.0.0).unwrap_or(i64::MAX);
            builder = builder.clock(
                clock.node,
                Clock {
                    offset_us: us(clock.ahead) - us(clock.behind),
                    drift_ppm: clock.drift_ppm,
                },
            );
        }
        if part.costs {
            let mut draw = Entropy::from_number(builder.seed);
            builder = builder.costs(Costs::drawn(&mut draw));
        }
        if part.reflection {
            builder = builder.reflection();
        }
        if let Some(away) = part.relay {
            builder = builder.relay(PathModel::new(Latency::new(away.0, Micros(0))));
        }
        builder
    }
}

impl TailPart {
    const fn tail(self) -> Tail {
        Tail {
            permille: self.permille,
            extra: self.extra.0,
        }
    }
}

impl NatPart {
    /// The box; nothing where the nodes stand in the open.
    ///
    /// # Errors
    /// What does not go together, and what does.
    pub(crate) fn nat(&self) -> Result<Option<Nat>, String> {
        let nat = match (self.is, self.mapping, self.filtering) {
            (Some(kind), None, None) => kind.nat(),
            (None, Some(mapping), Some(filtering)) => Some(Nat {
                mapping: mapping.dependence(),
                filtering: filtering.dependence(),
                ..Nat::SYMMETRIC
            }),
            (Some(_), _, _) => {
                let why = "`is` says how the box maps and filters: leave out mapping and filtering";
                return Err(why.to_owned());
            }
            (None, _, _) => {
                let why =
                    "a box has a name, as `is = \"symmetric\"`, or both mapping and filtering";
                return Err(why.to_owned());
            }
        };
        Ok(nat.map(|nat| Nat {
            expiry: self.expiry.map_or(nat.expiry, |span| span.0),
            hairpin: self.hairpin,
            ..nat
        }))
    }
}

impl NatKind {
    const fn nat(self) -> Option<Nat> {
        Some(match self {
            Self::Open => return None,
            Self::FullCone => Nat::FULL_CONE,
            Self::Restricted => Nat::RESTRICTED,
            Self::PortRestricted => Nat::PORT_RESTRICTED,
            Self::Symmetric => Nat::SYMMETRIC,
            Self::UdpBlocked => Nat::UDP_BLOCKED,
        })
    }
}

impl DependsOn {
    const fn dependence(self) -> Dependence {
        match self {
            Self::Endpoint => Dependence::Endpoint,
            Self::Address => Dependence::Address,
            Self::AddressAndPort => Dependence::AddressAndPort,
        }
    }
}
