//! Whoever runs worlds is told what the checkers found there.

use super::hands;
use crate::Mesh;
use crate::swarm::Plan;
use kernel::Effect;
use messages::observer::{FactKey, Input as Observed};
use messages::{Address, DeviceId, Letter};

/// The router speaks of a device, which is the worker's to speak of. Nothing else goes wrong.
pub(crate) fn plant(mesh: &mut Mesh) {
    hands(mesh, |_, who, effect| match effect {
        Effect::Tell(Letter::Observer(Observed::Fact(_, fact))) if who == Address::Router => {
            let key = FactKey::Device(DeviceId(0));
            vec![Effect::Tell(Letter::Observer(Observed::Fact(key, fact)))]
        }
        effect @ (Effect::Tell(_)
        | Effect::Start(_)
        | Effect::Stop(..)
        | Effect::Watch(_)
        | Effect::Unwatch(_)) => {
            vec![effect]
        }
    });
}

/// What is said of it.
pub(crate) const SAID: &str = "single writer: router told observer what is not its to say";

#[test]
fn a_violation_fails_a_seed_of_the_swarm_unless_nobody_looks() {
    let mut plan = Plan::draw(5);
    let said = plan.run_watched(plant).failures;
    assert!(said.iter().any(|it| it.contains(SAID)), "{said:?}");
    plan.checked = false;
    assert_eq!(plan.run_watched(plant).failures, Vec::<String>::new());
    plan.checked = true;
    let (checked, report) = (plan.run(), plan.run().report);
    plan.checked = false;
    assert_eq!(checked.failures, Vec::<String>::new());
    assert_eq!(plan.run().report, report, "who looks on changes nothing");
}
