//! Minute prices to replay: recorded ones from a file, or made-up ones.

mod built_in;
mod file;

pub(crate) use built_in::built_in;
pub(crate) use file::read;

/// Seconds of a bar.
pub(crate) const MINUTE: i64 = 60;

/// A minute's prices.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Minute {
    /// Its start, Unix seconds.
    pub(crate) unix: i64,
    /// First price.
    pub(crate) open: f64,
    /// Highest.
    pub(crate) high: f64,
    /// Lowest.
    pub(crate) low: f64,
    /// Last.
    pub(crate) close: f64,
    /// A single wrong print within it, which is gone with the next price.
    pub(crate) hiccup: Option<f64>,
}

impl Minute {
    fn corners(&self) -> [f64; 4] {
        let low_first = self.open - self.low < self.high - self.open;
        let (first, second) = if low_first { (self.low, self.high) } else { (self.high, self.low) };
        [self.open, first, second, self.close]
    }

    /// The way through the minute at an even speed, in so many steps, the last one at its end: from the open to the
    /// nearer extreme, to the other one, to the close.
    pub(crate) fn path(&self, steps: usize) -> Vec<f64> {
        let corners = self.corners();
        let lengths: Vec<f64> = corners.windows(2).map(|leg| (leg[1] - leg[0]).abs()).collect();
        let whole: f64 = lengths.iter().sum();
        (1..=steps)
            .map(|step| {
                let mut left = whole * step as f64 / steps as f64;
                for (leg, length) in corners.windows(2).zip(&lengths) {
                    if left < *length {
                        return leg[0] + (leg[1] - leg[0]) * left / length;
                    }
                    left -= length;
                }
                self.close
            })
            .collect()
    }

    /// How long the way through the minute is, as a share of the open.
    pub(crate) fn way(&self) -> f64 {
        let corners = self.corners();
        corners.windows(2).map(|leg| (leg[1] - leg[0]).abs()).sum::<f64>() / self.open
    }

    /// Highest less lowest, as a share of the open.
    pub(crate) fn range(&self) -> f64 {
        (self.high - self.low) / self.open
    }
}

/// Prices with where they come from.
#[derive(Clone, Debug)]
pub(crate) struct Prices {
    /// Where they come from, for the report.
    pub(crate) source: String,
    /// The minutes, in order.
    pub(crate) minutes: Vec<Minute>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_through_a_minute_touches_its_ends() {
        let minute = Minute { unix: 0, open: 100.0, high: 104.0, low: 99.0, close: 103.0, hiccup: None };
        assert_eq!(minute.path(7), [99.0, 100.0, 101.0, 102.0, 103.0, 104.0, 103.0]);
        assert_eq!(minute.path(1), [103.0]);
        let still = Minute { high: 100.0, low: 100.0, close: 100.0, ..minute };
        assert_eq!(still.path(2), [100.0, 100.0]);
    }
}
