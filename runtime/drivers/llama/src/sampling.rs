//! Position-keyed sampling: which token stands at a position is a function of the logits, the
//! seed and the position, and of nothing that was drawn before.
//!
//! The token is the argmax over the survivors of `logit / T + Gumbel(seed, choice, position,
//! token)`, which draws from the softmax of `logit / T` exactly. There is no running generator, so
//! another machine that is given the same logits at position `k` draws the same token, whatever it
//! computed before. All arithmetic is IEEE addition, multiplication and division in a fixed order:
//! the logarithm and the exponential are ours, because those of the platforms differ.

mod curve;

#[cfg(test)]
mod tests;

use curve::{exp, ln};
use messages::Sampling;

/// What is drawn: the sampling of one job at one position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// Which of several answers of the same request.
    pub choice: u32,
    /// The position in the answer, counted from 0.
    pub position: u32,
}

/// The token at a position; absent where no logit is a number.
#[must_use]
pub fn sample(logits: &[f32], draw: Draw) -> Option<u32> {
    let temperature = draw.sampling.temperature_e6.min(TEMPERATURE_E6_MAX);
    if temperature == 0 {
        return likeliest(logits);
    }
    let scale = 1e6 / f64::from(temperature);
    let mass = draw.sampling.top_p_e6;
    if mass >= WHOLE {
        return best(entries(logits), scale, draw);
    }
    let nucleus = nucleus(logits, scale, mass);
    best(nucleus.into_iter(), scale, draw)
}

/// The tokens that top-p keeps: the likeliest ones up to and including that which reaches the
/// mass, ties by token id; never none.
fn nucleus(logits: &[f32], scale: f64, mass_e6: u32) -> Vec<(u32, f64)> {
    let Some(top) = likeliest(logits).and_then(|id| entry(logits, id)) else {
        return Vec::new();
    };
    let weight = |logit: f64| exp((logit - top.1) * scale);
    let total: f64 = entries(logits).map(|(_, logit)| weight(logit)).sum();
    let target = total * f64::from(mass_e6) / f64::from(WHOLE);
    // Lighter ones weigh less than `total - target` together, so the mass is reached before any of
    // them: they need no sorting. Half of it, so that rounding cannot take one too many.
    let floor = (total - target) / (2.0 * logits.len() as f64);
    let mut kept: Vec<(u32, f64, f64)> = entries(logits)
        .map(|(id, logit)| (id, logit, weight(logit)))
        .filter(|(_, _, weight)| *weight >= floor)
        .collect();
    kept.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
    let mut reached = 0.0;
    let enough = kept.iter().position(|(_, _, weight)| {
        reached += weight;
        reached >= target
    });
    kept.truncate(enough.map_or(kept.len(), |last| last + 1));
    kept.into_iter().map(|(id, logit, _)| (id, logit)).collect()
}

/// The entry of the highest noisy score; ties go to the smaller id.
fn best(entries: impl Iterator<Item = (u32, f64)>, scale: f64, draw: Draw) -> Option<u32> {
    let noise = Noise::new(draw);
    let mut found: Option<(u32, f64)> = None;
    for (id, logit) in entries {
        let scaled = logit * scale;
        let uniform = noise.uniform(id);
        if let Some((leader, score)) = found {
            if scaled + bound(uniform) < score {
                continue;
            }
            let mine = scaled + gumbel(uniform);
            if mine > score || (mine.total_cmp(&score).is_eq() && id < leader) {
                found = Some((id, mine));
            }
        } else {
            found = Some((id, scaled + gumbel(uniform)));
        }
    }
    found.map(|(id, _)| id)
}

/// The highest logit; ties go to the smaller id.
fn likeliest(logits: &[f32]) -> Option<u32> {
    let mut found: Option<(u32, f64)> = None;
    for (id, logit) in entries(logits) {
        if found.is_none_or(|(_, highest)| logit > highest) {
            found = Some((id, logit));
        }
    }
    found.map(|(id, _)| id)
}

/// The logits that are numbers, by token id.
fn entries(logits: &[f32]) -> impl Iterator<Item = (u32, f64)> + '_ {
    (0_u32..)
        .zip(logits)
        .filter(|(_, logit)| logit.is_finite())
        .map(|(id, logit)| (id, f64::from(*logit)))
}

fn entry(logits: &[f32], id: u32) -> Option<(u32, f64)> {
    let logit = logits.get(usize::try_from(id).ok()?)?;
    Some((id, f64::from(*logit)))
}

/// The noise of one draw, by token id.
#[derive(Clone, Copy, Debug)]
struct Noise(u64);

impl Noise {
    fn new(draw: Draw) -> Self {
        let place = (u64::from(draw.choice) << 32) | u64::from(draw.position);
        Self(mix(mix(draw.sampling.seed ^ DOMAIN) ^ place))
    }

    /// 52 random bits: the numerator of a number strictly between 0 and 1.
    const fn uniform(self, id: u32) -> u64 {
        mix(self.0 ^ (id as u64).wrapping_mul(SPREAD)) >> 12
    }
}

/// `-ln(-ln(u))` of `u = (bits + ½) / 2^52`.
fn gumbel(bits: u64) -> f64 {
    let uniform = (bits as f64 + 0.5) / UNIT;
    -ln(-ln(uniform))
}

/// Not below [`gumbel`], without a logarithm: `-ln(u) >= 1 - u`, so the noise is at most
/// `-ln(1 - u)`, and `1 - u` is at least 2 to minus its leading zeros minus one.
fn bound(bits: u64) -> f64 {
    let above = (1_u64 << 52) - bits;
    let zeros = (above << 11).leading_zeros() + 1;
    f64::from(zeros) * 0.693_147_180_559_946
}

/// The finaliser of SplitMix64: every bit of the input changes half of the output's.
const fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// All of the mass, in millionths.
const WHOLE: u32 = 1_000_000;
/// The most that [`Sampling`] allows; a frame may say more.
const TEMPERATURE_E6_MAX: u32 = 2_000_000;
/// 2^52: the resolution of a uniform number.
const UNIT: f64 = 4_503_599_627_370_496.0;
/// Keeps these draws apart from others of the same seed.
const DOMAIN: u64 = 0x6D65_7368_6472_6177;
/// An odd number of random bits: neighbouring ids differ in many bits before they are mixed.
const SPREAD: u64 = 0xD6E8_FEB8_6659_FD93;
