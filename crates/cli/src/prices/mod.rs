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
    /// The way through the minute in so many equal steps, the last one at its end: from the open to the nearer
    /// extreme, to the other one, to the close.
    pub(crate) fn path(&self, steps: usize) -> Vec<f64> {
        let low_first = self.open - self.low < self.high - self.open;
        let (first, second) = if low_first { (self.low, self.high) } else { (self.high, self.low) };
        let corners = [self.open, first, second, self.close];
        (1..=steps)
            .map(|step| {
                let at = 3.0 * step as f64 / steps as f64;
                let leg = (at.ceil() as usize).clamp(1, 3);
                let part = at - (leg - 1) as f64;
                corners[leg - 1] + (corners[leg] - corners[leg - 1]) * part
            })
            .collect()
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
        let path = minute.path(15);
        assert_eq!(path.len(), 15);
        assert_eq!(path[4], 99.0);
        assert_eq!(path[9], 104.0);
        assert_eq!(path[14], 103.0);
        assert_eq!(minute.path(1), [103.0]);
    }
}
