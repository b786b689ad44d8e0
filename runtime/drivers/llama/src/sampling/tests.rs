use super::curve::{exp, ln};
use super::{Draw, WHOLE, bound, entries, gumbel, nucleus, sample};
use crate::gguf::forge::Random;
use messages::Sampling;

fn draw(temperature_e6: u32, top_p_e6: u32, seed: u64, position: u32) -> Draw {
    Draw {
        sampling: Sampling {
            temperature_e6,
            top_p_e6,
            seed,
        },
        choice: 0,
        position,
    }
}

fn logits(random: &mut Random, count: usize) -> Vec<f32> {
    (0..count)
        .map(|_| (random.number() >> 40) as f32 / 1_000_000.0)
        .collect()
}

#[test]
fn logarithm_and_exponential_agree_with_the_platform() {
    let mut random = Random(3);
    for _ in 0..20_000 {
        let x = (random.number() >> 11) as f64 / (1_u64 << 53) as f64 + 1e-12;
        assert!(
            (ln(x) - x.ln()).abs() <= 4e-16 * (1.0 + x.ln().abs()),
            "ln({x})"
        );
        let y = -40.0 * x;
        assert!((exp(y) / y.exp() - 1.0).abs() < 1e-14, "exp({y})");
    }
    assert_eq!(exp(0.0), 1.0);
    assert_eq!(exp(-1e9), 0.0);
    assert!(ln(1.0).abs() < 1e-300);
}

#[test]
fn the_noise_is_finite_and_under_its_bound() {
    let mut random = Random(5);
    for edge in [0, 1, (1 << 52) - 1, (1 << 52) - 2, 1 << 51] {
        assert!(gumbel(edge).is_finite());
        assert!(gumbel(edge) <= bound(edge), "{edge}");
    }
    for _ in 0..20_000 {
        let bits = random.number() >> 12;
        assert!(gumbel(bits) <= bound(bits), "{bits}");
    }
}

#[test]
fn temperature_zero_takes_the_likeliest_and_the_smaller_id_of_equals() {
    assert_eq!(sample(&[1.0, 3.0, 3.0, 2.0], draw(0, WHOLE, 9, 4)), Some(1));
    assert_eq!(
        sample(&[f32::NAN, f32::NEG_INFINITY, -1.0], draw(0, WHOLE, 9, 4)),
        Some(2)
    );
    assert_eq!(sample(&[f32::NAN; 4], draw(0, WHOLE, 9, 4)), None);
    assert_eq!(sample(&[f32::NAN; 4], draw(WHOLE, WHOLE, 9, 4)), None);
    assert_eq!(sample(&[f32::NAN; 4], draw(WHOLE, 500_000, 9, 4)), None);
    assert_eq!(sample(&[], draw(WHOLE, WHOLE, 9, 4)), None);
}

#[test]
fn a_position_draws_the_same_whatever_came_before() {
    let mut random = Random(11);
    let steps: Vec<Vec<f32>> = (0..64).map(|_| logits(&mut random, 300)).collect();
    let unbroken: Vec<_> = (0..64)
        .map(|at| sample(&steps[at], draw(WHOLE, 950_000, 77, at as u32)))
        .collect();
    for at in (0..64).rev() {
        assert_eq!(
            sample(&steps[at], draw(WHOLE, 950_000, 77, at as u32)),
            unbroken[at]
        );
    }
    let again = |seed: u64, shift: u32| -> Vec<_> {
        (0..64)
            .map(|at| sample(&steps[at], draw(WHOLE, 950_000, seed, at as u32 + shift)))
            .collect()
    };
    assert_ne!(again(78, 0), unbroken, "another seed draws another answer");
    assert_ne!(
        again(77, 1),
        unbroken,
        "another position draws another token"
    );
}

#[test]
fn draws_follow_the_softmax() {
    const DRAWS: u32 = 20_000;
    let logits = [2.0_f32, 1.0, 0.5, 0.0, -0.5, -1.0, -2.0, 1.5, 0.2, -0.1];
    for (temperature_e6, seeds) in [
        (WHOLE, false),
        (500_000, false),
        (2_000_000, false),
        (WHOLE, true),
    ] {
        let mut counts = [0_u32; 10];
        for n in 0..DRAWS {
            let (seed, position) = if seeds { (u64::from(n), 3) } else { (42, n) };
            let token = sample(&logits, draw(temperature_e6, WHOLE, seed, position)).unwrap();
            counts[token as usize] += 1;
        }
        let weights =
            logits.map(|logit| (f64::from(logit) * 1e6 / f64::from(temperature_e6)).exp());
        let total: f64 = weights.iter().sum();
        let chi_square: f64 = weights
            .iter()
            .zip(counts)
            .map(|(weight, count)| {
                let expected = weight / total * f64::from(DRAWS);
                (f64::from(count) - expected).powi(2) / expected
            })
            .sum();
        // Nine degrees of freedom: one run in a thousand exceeds 27.9.
        assert!(
            chi_square < 27.9,
            "{chi_square} at {temperature_e6}, {counts:?}"
        );
    }
}

#[test]
fn top_p_keeps_the_likeliest_up_to_the_mass() {
    // Halves, quarters, eighths …: the mass of the first n is known exactly.
    let logits: Vec<f32> = (0..10)
        .map(|n| -(n as f32) * std::f32::consts::LN_2)
        .collect();
    let kept = |mass: u32| -> Vec<u32> {
        nucleus(&logits, 1.0, mass)
            .into_iter()
            .map(|(id, _)| id)
            .collect()
    };
    assert_eq!(kept(0), [0]);
    assert_eq!(kept(400_000), [0]);
    assert_eq!(kept(600_000), [0, 1]);
    assert_eq!(kept(800_000), [0, 1, 2]);
    assert_eq!(kept(999_999).len(), 10);
    for position in 0..2_000 {
        let token = sample(&logits, draw(2_000_000, 600_000, 5, position)).unwrap();
        assert!(
            token < 4,
            "{token} is outside of the nucleus at temperature 2"
        );
    }
}

#[test]
fn top_p_agrees_with_sorting_everything() {
    let mut random = Random(23);
    for round in 0..200_u32 {
        let logits = logits(&mut random, 50 + round as usize);
        let mass = u32::try_from(random.below(1_000_000)).unwrap();
        let mut all: Vec<(u32, f64)> = entries(&logits).collect();
        all.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
        let total: f64 = all.iter().map(|(_, logit)| (logit - all[0].1).exp()).sum();
        let mut reached = 0.0;
        let mut expected = Vec::new();
        for (id, logit) in &all {
            expected.push(*id);
            reached += (logit - all[0].1).exp();
            if reached >= total * f64::from(mass) / 1e6 {
                break;
            }
        }
        let kept: Vec<u32> = nucleus(&logits, 1.0, mass)
            .into_iter()
            .map(|(id, _)| id)
            .collect();
        assert_eq!(kept, expected, "round {round}, mass {mass}");
    }
}
