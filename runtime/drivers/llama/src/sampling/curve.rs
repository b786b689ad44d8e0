//! The natural logarithm and exponential from IEEE basics alone, equal on every machine.

/// The natural logarithm of a positive, finite, normal number; within 2 units in the last place.
pub(super) fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let mut exponent = ((bits >> 52) & 0x7FF) as i64 - 1_023;
    let mut mantissa = f64::from_bits((bits & ((1 << 52) - 1)) | (1_023 << 52));
    if mantissa > SQRT_2 {
        mantissa *= 0.5;
        exponent += 1;
    }
    // ln(m) = 2 atanh(s), s = (m - 1) / (m + 1), |s| <= 0.172: eleven terms reach 2^-60.
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let mut series = 0.0;
    for odd in (0..11_i32).rev() {
        series = series * square + 1.0 / f64::from(2 * odd + 1);
    }
    exponent as f64 * LN_2 + 2.0 * s * series
}

/// e to the `x`, for `x` of at most 0; 0 where it is below the normal numbers.
pub(super) fn exp(x: f64) -> f64 {
    if x < -708.0 {
        return 0.0;
    }
    // x = k ln 2 + r, |r| <= 0.35: fourteen terms reach 2^-55.
    let k = (x / LN_2).round();
    let rest = x - k * LN_2;
    let mut series = 1.0;
    for term in (1..15_i32).rev() {
        series = 1.0 + series * rest / f64::from(term);
    }
    let power = u64::try_from(k as i64 + 1_023).unwrap_or(0);
    series * f64::from_bits(power << 52)
}

const LN_2: f64 = std::f64::consts::LN_2;
const SQRT_2: f64 = std::f64::consts::SQRT_2;
