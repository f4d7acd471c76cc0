//! The day's prices: made up, or the worst day of a file of minute bars.

use std::collections::BTreeMap;

use ballast_engine::Now;
use ballast_engine::constants::DAY;
use ballast_engine::market::MarketState;
use ballast_engine::price::RawUpdate;

use crate::world::Dice;

/// A minute, in dollars times 1e8.
pub(super) struct Bar {
    pub(super) unix: i64,
    pub(super) prices: [i64; 4],
}

/// The bars of the day whose prices lie furthest apart.
pub(super) fn recorded(file: &str) -> Vec<Bar> {
    let text = std::fs::read_to_string(file).expect("BALLAST_PRICES is a file");
    let mut days: BTreeMap<i64, Vec<Bar>> = BTreeMap::default();
    for line in text.lines().skip(1) {
        let cells: Vec<f64> = line.split(',').take(5).map(|cell| cell.parse().expect("a number")).collect();
        let unix = cells[0] as i64;
        let [open, high, low, close] = [1, 2, 3, 4].map(|i| (cells[i] * 1e8) as i64);
        let prices = if close >= open { [open, low, high, close] } else { [open, high, low, close] };
        days.entry(unix / DAY).or_default().push(Bar { unix, prices });
    }
    let range = |bars: &Vec<Bar>| {
        let all = || bars.iter().flat_map(|bar| bar.prices);
        (all().max().unwrap() - all().min().unwrap()) * 10_000 / all().min().unwrap()
    };
    days.into_values().max_by_key(range).expect("a day")
}

/// A day that wanders, falls by 4 % within ten minutes and comes back.
pub(super) fn made_up(dice: &mut Dice) -> Vec<Bar> {
    let mut last = 20_000_i64 * 100_000_000;
    let begin = 19_700 * DAY;
    (0..1_440)
        .map(|minute| {
            let drift = if (600..610).contains(&minute) {
                -40
            } else if (700..760).contains(&minute) {
                6
            } else {
                0
            };
            let mut next = |bps: i64| last + last / 10_000 * (bps + dice.below(17) as i64 - 8);
            let prices = [next(0), next(drift / 2), next(drift), next(drift)];
            last = prices[3];
            Bar { unix: begin + minute * 60, prices }
        })
        .collect()
}

/// Stores a price as the chain does: its band, a jump's confirmation, funding.
pub(super) fn take(market: &mut MarketState, price: i64, now: &Now, previous: i64) {
    let raw = RawUpdate {
        price,
        conf: price.unsigned_abs() / 20_000,
        exponent: -8,
        publish_time: now.unix,
        prev_publish_time: previous,
        posted_slot: now.slot,
    };
    let update = raw.scaled(6, 6, now).unwrap();
    let (band, rules) = (market.band().unwrap(), market.rules().unwrap());
    if let Some(status) = market.price.take(update, raw.posted_slot, band, rules, now).unwrap() {
        let _ = market.accrue_in(status, !status.is_valid(), now).unwrap();
    }
}
