//! Made-up minutes, the same for the same seed: calm, a hiccup (one print 10 % off), a crash, a partial recovery, a
//! squeeze.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{MINUTE, Minute, Prices};

/// Where the price starts.
const START: f64 = 23_500.0;
/// Start of the first minute: midnight UTC, 1 November 2026.
const START_UNIX: i64 = 1_793_491_200;
/// Prices within a minute.
const STEPS: usize = 15;
/// How far off the hiccup's single print is.
const HICCUP: f64 = -0.10;

/// A stretch of the path.
struct Stretch {
    /// Its share of all minutes where `minutes` is zero.
    share: f64,
    /// Its length, where that does not depend on the number of minutes.
    minutes: usize,
    /// What it moves the price by, as a logarithm.
    drift: f64,
    /// Random movement of a minute.
    noise: f64,
}

const STRETCHES: [Stretch; 6] = [
    Stretch { share: 0.30, minutes: 0, drift: 0.012, noise: 0.0006 },
    // The crash: 8 % in four minutes, at half the speed that the envelope allows for.
    Stretch { share: 0.0, minutes: 4, drift: -0.083, noise: 0.0010 },
    Stretch { share: 0.15, minutes: 0, drift: -0.015, noise: 0.0015 },
    Stretch { share: 0.25, minutes: 0, drift: 0.020, noise: 0.0010 },
    // The squeeze: shorts' turn.
    Stretch { share: 0.0, minutes: 6, drift: 0.055, noise: 0.0010 },
    Stretch { share: 0.30, minutes: 0, drift: -0.008, noise: 0.0007 },
];

/// So many minutes from a seed.
pub(crate) fn built_in(count: usize, seed: u64) -> Prices {
    let mut random = StdRng::seed_from_u64(seed);
    let fixed: usize = STRETCHES.iter().map(|s| s.minutes).sum();
    let rest = count.saturating_sub(fixed) as f64;
    let hiccup_at = (rest * 0.15) as usize;
    let mut minutes = Vec::with_capacity(count);
    let mut price = START;
    for stretch in &STRETCHES {
        let length = if stretch.minutes > 0 { stretch.minutes } else { (rest * stretch.share).ceil() as usize };
        let step_drift = stretch.drift / (length.max(1) * STEPS) as f64;
        let step_noise = stretch.noise / (STEPS as f64).sqrt();
        for _ in 0..length {
            if minutes.len() == count {
                break;
            }
            let open = price;
            let (mut high, mut low) = (price, price);
            for _ in 0..STEPS {
                // Uniform with the standard deviation asked for: tails would only make runs differ more.
                let noise = random.random_range(-1.0..1.0) * 3.0_f64.sqrt() * step_noise;
                price *= (step_drift + noise).exp();
                high = high.max(price);
                low = low.min(price);
            }
            let hiccup = (minutes.len() == hiccup_at).then_some(open * (1.0 + HICCUP));
            let unix = START_UNIX + MINUTE * minutes.len() as i64;
            minutes.push(Minute { unix, open, high, low, close: price, hiccup });
        }
    }
    Prices { source: format!("built-in, seed {seed}"), minutes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_path_with_a_crash_and_one_hiccup() {
        for count in [60, 180, 1_000] {
            let prices = built_in(count, 7);
            assert_eq!(prices.minutes, built_in(count, 7).minutes);
            assert_ne!(prices.minutes, built_in(count, 8).minutes);
            assert_eq!(prices.minutes.len(), count);
            assert_eq!(prices.minutes.iter().filter(|m| m.hiccup.is_some()).count(), 1);
            let crash = prices.minutes.windows(5).map(|w| w[4].close / w[0].close - 1.0).fold(0.0, f64::min);
            assert!(crash < -0.05, "{count}: {crash}");
            // What the envelope allows a tier-A price in a minute, 150 slots at 3 basis points.
            assert!(prices.minutes.iter().all(|m| m.range() < 0.045));
        }
    }
}
