//! Where the skew goes, minute by minute. Integers and a generator of its own: the same on every machine, for ever.

use super::MINUTES;
use crate::prices::{MINUTE, Prices};

/// The whole of K', in the path's unit.
pub(super) const WHOLE: i64 = 10_000;
/// The price where the path has none of its own, dollars.
const PRICE: f64 = 25_000.0;
/// Minutes of a day.
const DAY: usize = 24 * 60;

/// A minute of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Minute {
    /// Longs less shorts, as a share of K', ten-thousandths.
    pub(super) skew: i64,
    /// Whether anybody holds anything.
    pub(super) open: bool,
    /// Whether a price is posted.
    pub(super) posted: bool,
    /// The price, dollars.
    pub(super) price: f64,
}

/// What happens from some minute on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Phase {
    /// Its first minute.
    pub(super) start: usize,
    /// What it is called.
    pub(super) name: &'static str,
}

/// A path and its parts.
pub(super) struct SkewPath {
    /// The minutes.
    pub(super) minutes: Vec<Minute>,
    /// The parts.
    pub(super) phases: Vec<Phase>,
}

/// What the crowd does in a stretch.
#[derive(Clone, Copy)]
enum Crowd {
    /// Stands about that share of K'.
    About(i64),
    /// That share, but below the threshold for two minutes of every hour.
    Dips(i64),
    /// That share, on the other side after every three hours.
    Flips(i64),
    /// Nobody is there.
    Gone,
    /// No price is posted; who is there stays.
    Halt,
}

/// A stretch of so many hours.
struct Stretch(usize, Crowd, &'static str);

const STRETCHES: [Stretch; 13] = [
    Stretch(144, Crowd::About(1_500), "a new market, a few more longs than shorts"),
    Stretch(60, Crowd::About(0), "balanced"),
    Stretch(48, Crowd::About(8_800), "everybody is long"),
    Stretch(336, Crowd::About(1_900), "a lasting small surplus of longs, below the threshold"),
    Stretch(36, Crowd::Dips(5_000), "longs who slip below the threshold for two minutes an hour"),
    Stretch(96, Crowd::About(0), "balanced"),
    Stretch(36, Crowd::About(-8_500), "a crash: everybody is short"),
    Stretch(240, Crowd::About(-1_900), "a lasting small surplus of shorts"),
    Stretch(48, Crowd::Gone, "nobody left"),
    Stretch(36, Crowd::About(-4_000), "more shorts than the threshold"),
    Stretch(24, Crowd::Halt, "no price for a day"),
    Stretch(96, Crowd::Flips(4_500), "the crowd changes sides every three hours"),
    Stretch(240, Crowd::About(0), "balanced again"),
];

/// Numbers that look random: splitmix64.
struct Random(u64);

impl Random {
    /// One from −`most` to `most`.
    fn next(&mut self, most: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 33) as i64 % (2 * most + 1) - most
    }
}

/// The built-in path: what may happen to a market in its first sixty days.
pub(super) fn built_in(seed: u64) -> SkewPath {
    let mut random = Random(seed);
    let (mut minutes, mut phases): (Vec<Minute>, Vec<Phase>) = (Vec::with_capacity(MINUTES), Vec::new());
    let mut skew = 0;
    for Stretch(hours, crowd, name) in STRETCHES {
        phases.push(Phase { start: minutes.len(), name });
        for minute in 0..hours * 60 {
            let aim = match crowd {
                Crowd::About(aim) | Crowd::Dips(aim) => aim,
                Crowd::Flips(aim) => aim * if (minute / 180) % 2 == 0 { 1 } else { -1 },
                Crowd::Gone => 0,
                Crowd::Halt => skew,
            };
            // Half of the way in two thirds of an hour, with noise that wanders by a twentieth of K' or so.
            let noise = if matches!(crowd, Crowd::Halt) { 0 } else { random.next(80) };
            skew = (skew + (aim - skew) / 60 + noise).clamp(-WHOLE, WHOLE);
            let open = !matches!(crowd, Crowd::Gone);
            let dips = matches!(crowd, Crowd::Dips(_)) && minute % 60 < 2;
            minutes.push(Minute {
                skew: if !open {
                    0
                } else if dips {
                    2_000
                } else {
                    skew
                },
                open,
                posted: !matches!(crowd, Crowd::Halt),
                price: PRICE,
            });
        }
    }
    SkewPath { minutes, phases }
}

/// On recorded prices the crowd follows them: for each per cent that the price stands above its average of a day, the
/// longs are ahead by a tenth of K'; below it the shorts. Minutes that are missing have no price.
pub(super) fn recorded(prices: &Prices) -> SkewPath {
    let mut minutes = Vec::new();
    let first = prices.minutes.first().map_or(0, |bar| bar.unix);
    let mut average = prices.minutes.first().map_or(PRICE, |bar| bar.open);
    for bar in &prices.minutes {
        let at = usize::try_from((bar.unix - first) / MINUTE).unwrap_or(0);
        if at >= MINUTES {
            break;
        }
        let last = minutes.last().copied().unwrap_or(Minute { skew: 0, open: true, posted: false, price: bar.open });
        minutes.resize(at, Minute { posted: false, ..last });
        average += (bar.close - average) / DAY as f64;
        let skew = ((bar.close / average - 1.0) * 10.0 * WHOLE as f64) as i64;
        minutes.push(Minute { skew: skew.clamp(-WHOLE, WHOLE), open: true, posted: true, price: bar.close });
    }
    let phases = (0..minutes.len()).step_by(7 * DAY).map(|start| Phase { start, name: "a week" }).collect();
    SkewPath { minutes, phases }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prices;

    #[test]
    fn the_stretches_make_sixty_days() {
        let path = built_in(1);
        assert_eq!(path.minutes.len(), MINUTES);
        assert_eq!(path.phases.len(), STRETCHES.len());
        assert!(path.minutes.iter().any(|minute| minute.skew.abs() > 8_000));
    }

    #[test]
    fn recorded_minutes_make_a_path_with_their_gaps() {
        let mut bars = prices::built_in(600, 3);
        bars.minutes.remove(100);
        let path = recorded(&bars);
        assert_eq!(path.minutes.len(), 600);
        assert!(!path.minutes[100].posted && path.minutes[101].posted);
    }
}
