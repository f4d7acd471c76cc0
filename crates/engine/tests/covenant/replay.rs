//! A day with 200 traders under covenants, most with exits besides: what each lost is within what its covenant says, and the
//! measured gap. The day is made up, or with `BALLAST_PRICES` the worst one of a file of minute bars
//! (`unix,open,high,low,close,volume`).
//!
//! A price every five seconds, taken as the chain takes it, a jump's confirmation included; between a bar's four prices it
//! moves evenly. Everybody trades by orders: placed, met by a later price, filled by the one after that. A keeper looks at
//! every price, and records stops and trails once in half a ring.

mod prices;
mod trader;

use std::collections::BTreeMap;

use ballast_engine::Now;
use ballast_engine::units::Price;

use crate::support::{market_at, set_price_at};
use crate::world::{Dice, seed};
use prices::{made_up, recorded, take};
use trader::Trader;

const TRADERS: usize = 200;
/// Seconds between prices.
const STEP: i64 = 5;

/// What happened to orders.
#[derive(Default)]
struct Log {
    placed: u32,
    /// Market, limit, stop entry; stop, trailing stop, target.
    filled: [u32; 6],
    recorded: u32,
    expired: u32,
    cancelled: BTreeMap<&'static str, u32>,
    /// Fills that were refused, by reason; once for every price that a keeper tried again at.
    refused: BTreeMap<&'static str, u32>,
    /// Publish times.
    prints: Vec<i64>,
    /// How far beyond its stop each stop filled, millionths of it, premium included.
    slips: Vec<i64>,
}

impl Log {
    /// The median, the 95th percentile and the worst of the slips, in hundredths of a basis point.
    fn slippage(&mut self) -> [i64; 3] {
        self.slips.sort_unstable();
        let at = |percent: usize| self.slips.get((self.slips.len() * percent / 100).min(self.slips.len() - 1));
        [50, 95, 100].map(|percent| at(percent).copied().unwrap_or_default())
    }
}

#[test]
fn a_day_of_200_traders_loses_no_more_than_their_covenants_say_and_the_gap() {
    let mut dice = Dice::new(seed());
    let file = std::env::var("BALLAST_PRICES").ok();
    let bars = file.as_deref().map_or_else(|| made_up(&mut dice), recorded);
    let mut now = Now { unix: bars[0].unix - STEP, slot: 10_000_000, restart_slot: 0 };
    let mut market = market_at(0, crate::support::price(100));
    set_price_at(&mut market, Price(u64::try_from(bars[0].prices[0]).unwrap() * 10), &now);
    let mut traders: Vec<Trader> = (0..TRADERS).map(|number| Trader::new(number, &mut dice, &now)).collect();
    let mut log = Log::default();
    let mut widest = 0_u64;
    for bar in &bars {
        for (from, to) in bar.prices.iter().zip(bar.prices.iter().skip(1)) {
            for part in 1..=4 {
                let last = now.unix;
                (now.unix, now.slot) = (now.unix + STEP, now.slot + 12);
                let old = market.price.last.price.0;
                take(&mut market, from + (to - from) / 4 * part, &now, last);
                log.prints.push(now.unix);
                widest = widest.max(market.price.last.price.0.abs_diff(old) * 1_000_000 / old);
                for trader in &mut traders {
                    trader.step(&mut market, log.prints.len(), &now, &mut log);
                }
            }
        }
        for trader in &mut traders {
            trader.place(&market, &mut dice, &now, &mut log);
        }
    }
    // What the last fills did is seen too.
    for trader in &mut traders {
        trader.step(&mut market, 0, &now, &mut log);
    }
    let (mut tripped, mut of_limit, mut of_notional, mut gap, mut stopless) = (0, 0, 0, 0, 0);
    for (number, trader) in traders.iter().enumerate() {
        let Some(end) = trader.verdict(&market) else {
            trader.assert_within(&now);
            continue;
        };
        tripped += 1;
        stopless += u32::from(!trader.has_exits());
        // At the price before it was within its limit; then the prices until it was closed took something, and closing did.
        assert!(end.before < end.limit, "{number}: {} was past {} a price earlier", end.before, end.limit);
        let most = end.limit + end.gap + end.cost;
        assert!(end.lost <= most, "{number}: {} lost of {}, gap {}, cost {}", end.lost, end.limit, end.gap, end.cost);
        let over = end.lost.saturating_sub(end.limit);
        of_limit = of_limit.max(over * 10_000 / end.limit);
        // None where order fees took the last of the limit, with nothing open.
        of_notional = of_notional.max((over * 10_000).checked_div(end.notional).unwrap_or(0));
        gap = gap.max((end.gap * 10_000).checked_div(end.notional).unwrap_or(0));
    }
    let [median, most, worst] = log.slippage();
    let [entries, limits, breakouts, stops, trailing, targets] = log.filled;
    println!(
        "{TRADERS} traders, {} orders: {entries} filled at the market, {limits} limits, {breakouts} stop entries; {stops} stops, \
         {trailing} trailing stops, {targets} targets; {} recorded, {} expired, cancelled {:?}; refused {:?}",
        log.placed, log.recorded, log.expired, log.cancelled, log.refused
    );
    println!(
        "stops filled beyond their price, hundredths of a basis point: {median} at the median, {most} at the 95th percentile, \
         {worst} at worst; {tripped} covenants tripped, {stopless} of them without a stop; at worst {of_limit} bps of the limit beyond \
         it, {of_notional} bps of the position; prices took {gap} bps of it at worst from the look before to the close; widest step {} bps",
        widest / 100
    );
    assert!(tripped > 10, "the day trips enough of them to mean something");
    assert!(log.filled.iter().all(|count| *count > 10), "every kind fills: {:?}", log.filled);
    assert!(log.recorded > 100, "stops and trails are recorded");
    assert!(log.cancelled.get("CovenantTripped").is_some_and(|count| *count > 10), "who tries again is refused");
}
