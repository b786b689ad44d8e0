//! When a human is told that peers do not learn of all models.

use super::*;
use messages::ModelId;

fn adverts(count: u8, name: &str) -> Vec<ModelAdvert> {
    let advert = |n| ModelAdvert {
        model: ModelId([n; 32]),
        name: Label::truncated(&format!("{name}{n}")),
        compute: Compute::default(),
        context: 8_192,
    };
    (0..count).map(advert).collect()
}

#[test]
fn models_that_no_peer_learns_of_are_said_and_others_are_not() {
    for (count, name, told) in [
        (0, "m", None),
        (1, "m", None),
        (10, "model-", None),
        (64, "model-", Some("the first 12 or so of the 64 models")),
        // More than a list holds.
        (70, "model-", Some("the first 12 or so of the 70 models")),
        (
            8,
            &*"n".repeat(120),
            Some("the first 5 or so of the 8 models"),
        ),
    ] {
        let said = sentence(&adverts(count, name), "0.1.0");
        match told {
            None => assert_eq!(said, None, "{count} {name}"),
            Some(part) => assert!(
                said.as_ref().is_some_and(|said| said.contains(part)),
                "{said:?}"
            ),
        }
    }
}
