//! The choice among holders, and the reason for it.

use crate::table::{Holder, Table};
use kernel::Entropy;
use messages::router::{Choice, NoRoute, Query, Via};
use messages::{Label, ModelAdvert, ModelId, Mono};
use std::cmp::Ordering;

/// Who, or why nobody.
pub(crate) type Verdict = Result<Choice, NoRoute>;

/// Chooses a holder, and counts the choice as a job that is on its way there.
pub(crate) fn choose(
    table: &mut Table,
    entropy: &mut Entropy,
    now: Mono,
    query: &Query,
) -> Verdict {
    let (best, second) = best_of(table, now, query)?;
    let index = usize::try_from(entropy_among(entropy, best.len())).unwrap_or(0);
    kernel::sometimes!(best.len() > 1, "router: equal holders are drawn from");
    let Some(chosen) = best.get(index) else {
        return Err(NoRoute::NoneLeft);
    };
    let why = reason(chosen, best.len(), second.as_ref());
    let choice = Choice {
        via: chosen.via,
        advert: chosen.advert.clone(),
        why,
    };
    let via = chosen.via;
    table.remember_choice(via, now);
    Ok(choice)
}

/// A holder with all that its rank depends on, the most important first. Smaller is better.
struct Candidate<'a> {
    via: Via,
    advert: &'a ModelAdvert,
    other_compute: bool,
    failed_lately: bool,
    remote: bool,
    jobs: u64,
    slots: u64,
    rtt: u64,
}

/// What sets one candidate apart from another.
#[derive(Clone, Copy)]
enum Trait {
    Compute,
    Failure,
    Place,
    Load,
    Rtt,
}

impl Candidate<'_> {
    /// The order, and the first trait that makes it.
    fn compare(&self, other: &Self) -> (Ordering, Trait) {
        let own_load = u128::from(self.jobs) * u128::from(other.slots);
        let other_load = u128::from(other.jobs) * u128::from(self.slots);
        let traits = [
            (self.other_compute.cmp(&other.other_compute), Trait::Compute),
            (self.failed_lately.cmp(&other.failed_lately), Trait::Failure),
            (self.remote.cmp(&other.remote), Trait::Place),
            (own_load.cmp(&other_load), Trait::Load),
            (self.rtt.cmp(&other.rtt), Trait::Rtt),
        ];
        let unequal = traits.into_iter().find(|(order, _)| order.is_ne());
        unequal.unwrap_or((Ordering::Equal, Trait::Rtt))
    }
}

/// The equally best candidates, and one of the next best.
type Ranked<'a> = (Vec<Candidate<'a>>, Option<Candidate<'a>>);

fn best_of<'a>(table: &'a Table, now: Mono, query: &Query) -> Result<Ranked<'a>, NoRoute> {
    let named: Option<ModelId> = query.model.parse().ok();
    let mut no_route = NoRoute::UnknownModel;
    let mut best: Vec<Candidate<'a>> = Vec::new();
    let mut second: Option<Candidate<'a>> = None;
    for (via, holder) in table.iter() {
        for advert in holder.models() {
            if !is_meant(advert, named, query) {
                continue;
            }
            let barred = !holder.is_fresh()
                || holder.is_quiet()
                || query.exclude.contains(&via)
                || (query.splice && !advert.compute.splice);
            if barred {
                kernel::sometimes!(query.exclude.contains(&via), "router: a holder is excluded");
                kernel::sometimes!(!holder.is_fresh(), "router: a holder is silent");
                kernel::sometimes!(
                    holder.is_fresh() && holder.is_quiet(),
                    "router: a holder does not answer its pings"
                );
                kernel::sometimes!(
                    query.splice && !advert.compute.splice,
                    "router: a holder cannot go on from tokens"
                );
                no_route = beyond_unknown(no_route);
                continue;
            }
            if holder.is_full(now) {
                kernel::sometimes!(true, "router: a holder is full");
                no_route = NoRoute::Busy {
                    retry_after_ms: RETRY_AFTER_MS,
                };
                continue;
            }
            let candidate = candidate(via, holder, advert, now, query);
            let order = best
                .first()
                .map_or(Ordering::Less, |first| candidate.compare(first).0);
            match order {
                Ordering::Less => {
                    second = best.pop().or(second);
                    best.clear();
                    best.push(candidate);
                }
                Ordering::Equal => best.push(candidate),
                Ordering::Greater => {
                    let better = second
                        .as_ref()
                        .is_none_or(|second| candidate.compare(second).0.is_lt());
                    if better {
                        second = Some(candidate);
                    }
                }
            }
        }
    }
    if best.is_empty() {
        let left = table.lately(now).any(|it| is_meant(it, named, query));
        kernel::sometimes!(
            left && no_route == NoRoute::UnknownModel,
            "router: the last holder of a model left a moment ago"
        );
        Err(match left {
            true => beyond_unknown(no_route),
            false => no_route,
        })
    } else {
        Ok((best, second))
    }
}

/// Which model a question means, as far as that is known.
pub(crate) fn meant(table: &Table, now: Mono, query: &Query) -> Option<ModelId> {
    let named: Option<ModelId> = query.model.parse().ok();
    query.pinned.or(named).or_else(|| {
        let adverts = table.iter().flat_map(|(_, holder)| holder.models().iter());
        let mut adverts = adverts.chain(table.lately(now));
        let known = adverts.find(|advert| is_meant(advert, named, query));
        known.map(|advert| advert.model)
    })
}

/// By name or by printed digest; once a request has begun with a model, only that one.
fn is_meant(advert: &ModelAdvert, named: Option<ModelId>, query: &Query) -> bool {
    query.pinned.map_or_else(
        || advert.name == query.model || named == Some(advert.model),
        |pinned| advert.model == pinned,
    )
}

/// Somebody serves the model, though not now.
const fn beyond_unknown(known: NoRoute) -> NoRoute {
    match known {
        NoRoute::UnknownModel | NoRoute::NoneLeft => NoRoute::NoneLeft,
        NoRoute::Busy { .. } => known,
    }
}

fn candidate<'a>(
    via: Via,
    holder: &Holder,
    advert: &'a ModelAdvert,
    now: Mono,
    query: &Query,
) -> Candidate<'a> {
    kernel::sometimes!(
        holder.failed_lately(now),
        "router: a holder that failed lately is weighed"
    );
    let preferred = query
        .prefer
        .filter(|_| query.splice)
        .map(|compute| compute.digest);
    Candidate {
        via,
        advert,
        other_compute: preferred.is_some_and(|digest| digest != advert.compute.digest),
        failed_lately: holder.failed_lately(now),
        remote: matches!(via, Via::Peer(..)),
        jobs: holder.jobs(now),
        slots: holder.slots(),
        rtt: holder.rtt().0,
    }
}

/// An index below `len`; a single candidate costs no draw.
fn entropy_among(entropy: &mut Entropy, len: usize) -> u64 {
    let len = u64::try_from(len).unwrap_or(u64::MAX);
    if len > 1 { entropy.below(len) } else { 0 }
}

fn reason<const MAX: usize>(
    chosen: &Candidate<'_>,
    equals: usize,
    second: Option<&Candidate<'_>>,
) -> Label<MAX> {
    let place = if chosen.remote { "a peer" } else { "this node" };
    let because = match second {
        _ if equals > 1 => format!("drawn from {equals} equal holders"),
        None => "the only holder that fits".to_owned(),
        Some(second) => match chosen.compare(second).1 {
            Trait::Compute => "computes what the first holder did".to_owned(),
            Trait::Failure => "no failure lately".to_owned(),
            Trait::Place => "local first".to_owned(),
            Trait::Load => format!(
                "least load, {} jobs for {} slots",
                chosen.jobs, chosen.slots
            ),
            Trait::Rtt => format!("nearest, {} ms away", chosen.rtt / 1_000),
        },
    };
    Label::truncated(&format!("{place}: {because}"))
}

/// What a client is told to wait when every holder is full: about one short answer.
const RETRY_AFTER_MS: u32 = 1_000;
