//! A day with 200 traders under covenants, most with stops besides: what each lost is within what its covenant says, and
//! the measured gap. The day is made up, or with `BALLAST_PRICES` the worst one of a file of minute bars
//! (`unix,open,high,low,close,volume`).
//!
//! A price every five seconds, taken as the chain takes it, a jump's confirmation included; between a bar's four prices it
//! moves evenly. A keeper looks at every price. A stop is an immediate reduction at the first price beyond its level.

use ballast_engine::constants::{DAY, HOUR};
use ballast_engine::covenant::{CovenantState, Limits};
use ballast_engine::order::reduce_mark;
use ballast_engine::price::{RawUpdate, Status};
use ballast_engine::trade::{Charge, check_increase, increase, reduce};
use ballast_engine::units::{Base, Price, Quote, Ratio, Rounding};
use ballast_engine::{Now, account::AccountState, market::MarketState};

use super::{bound, cash, key, measure};
use crate::support::{dollars, market_at, set_price_at};
use crate::world::{Dice, seed};

const TRADERS: usize = 200;
/// Seconds between prices.
const STEP: i64 = 5;

/// Dollars, times 1e8.
struct Bar {
    unix: i64,
    prices: [i64; 4],
}

/// The bars of the day whose prices lie furthest apart.
fn recorded(file: &str) -> Vec<Bar> {
    let text = std::fs::read_to_string(file).expect("BALLAST_PRICES is a file");
    let mut days: std::collections::BTreeMap<i64, Vec<Bar>> = Default::default();
    for line in text.lines().skip(1) {
        let cells: Vec<f64> = line.split(',').take(5).map(|cell| cell.parse().expect("a number")).collect();
        let unix = cells[0] as i64;
        let [open, high, low, close] = [1, 2, 3, 4].map(|i| (cells[i] * 1e8) as i64);
        let rising = close >= open;
        let prices = if rising { [open, low, high, close] } else { [open, high, low, close] };
        days.entry(unix / DAY).or_default().push(Bar { unix, prices });
    }
    let range = |bars: &Vec<Bar>| {
        let all = || bars.iter().flat_map(|bar| bar.prices);
        (all().max().unwrap() - all().min().unwrap()) * 10_000 / all().min().unwrap()
    };
    days.into_values().max_by_key(range).expect("a day")
}

/// A day that wanders, falls by 4 % within ten minutes and comes back.
fn made_up(dice: &mut Dice) -> Vec<Bar> {
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

struct Trader {
    account: AccountState,
    covenant: CovenantState,
    limits: Limits,
    /// Millionths of the price against the position; 0 for none.
    stop: u64,
    entered: Price,
    /// Loss at the last look before the one that tripped it, or stopped it.
    before: u64,
    /// What was closed last.
    notional: u64,
    /// What closing cost beside the price.
    cost: u64,
    /// The largest loss seen.
    worst: u64,
    /// Loss at the look that tripped it.
    tripped_at: Option<u64>,
    stopped: u32,
}

fn take(market: &mut MarketState, price: i64, now: &Now, previous: i64) {
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

impl Trader {
    fn new(number: usize, dice: &mut Dice) -> Self {
        let money = 1_000 * (1 + dice.below(10));
        let limits = Limits {
            max_leverage: Ratio(1_000_000 * (1 + dice.below(10))),
            max_notional: Quote(0),
            daily_loss: dollars(money * (2 + dice.below(5)) / 100),
            drawdown: if number.is_multiple_of(3) { dollars(money * (2 + dice.below(5)) / 100) } else { Quote(0) },
            cool_down: 24 * HOUR,
            ..super::limits()
        };
        Self {
            account: cash(money),
            covenant: bound(&limits),
            limits,
            stop: if dice.below(10) < 7 { 2_000 + dice.below(10_000) } else { 0 },
            entered: Price(0),
            before: 0,
            notional: 0,
            cost: 0,
            worst: 0,
            tripped_at: None,
            stopped: 0,
        }
    }

    fn see(&mut self, market: &MarketState, now: &Now) {
        let seen = measure(&self.account, std::slice::from_ref(market), now);
        self.covenant.touch(&key(1), &seen, self.account.flow, now).unwrap();
    }

    fn loss(&self) -> u64 {
        (-self.covenant.result().unwrap().0).max(0).unsigned_abs()
    }

    fn enter(&mut self, market: &mut MarketState, long: bool, share: u64, now: &Now) {
        self.see(market, now);
        let (mut to, mut account, mut covenant) = (Box::new(*market), self.account, self.covenant);
        let equity = account.collateral.0;
        let notional = equity / 1_000_000 * self.limits.max_leverage.0.min(8_000_000) / 100 * share;
        let size = Base(notional.saturating_mul(1_000_000_000) / market.price.last.price.0);
        let mark = market.price.last.price.moved(long, market.price.last.conf.max(market.drift(now).unwrap())).unwrap();
        let slot = 0;
        if increase(&mut to, &mut account, slot, size, long, mark).is_err()
            || check_increase(&to, &account, slot, now).is_err()
        {
            return;
        }
        let seen = measure(&account, std::slice::from_ref(&*to), now);
        covenant.touch(&key(1), &seen, account.flow, now).unwrap();
        if covenant.check_increase(now).is_ok() {
            assert!(self.tripped_at.is_none(), "an increase under a tripped covenant");
            (*market, self.account, self.covenant, self.entered) = (*to, account, covenant, mark);
        }
    }

    fn leave(&mut self, market: &mut MarketState, now: &Now) {
        let position = self.account.positions[0];
        let (size, long) = (position.base(), position.size.is_long());
        let fair = size.value(market.price.last.price, Rounding::Down).unwrap().0;
        let mark = reduce_mark(market, !long, now).unwrap();
        let fill = reduce(market, &mut self.account, 0, size, mark, Charge::Trade).unwrap();
        let short = if long { fair.saturating_sub(fill.cost.0) } else { fill.cost.0.saturating_sub(fair) };
        (self.notional, self.cost) = (fair, short + fill.fee.0 + 2);
        self.see(market, now);
    }

    /// What happens at a price.
    fn step(&mut self, market: &mut MarketState, now: &Now) {
        if !self.account.positions[0].is_open() {
            return;
        }
        let before = self.loss();
        self.see(market, now);
        self.worst = self.worst.max(self.loss());
        let position = self.account.positions[0];
        let (price, long) = (market.price.last.price, position.size.is_long());
        let against =
            if long { self.entered.0.saturating_sub(price.0) } else { price.0.saturating_sub(self.entered.0) };
        let good = market.status(now).unwrap() == Status::Good;
        if self.covenant.trip(now).is_ok() && self.tripped_at.is_none() {
            (self.before, self.tripped_at) = (before, Some(self.loss()));
        }
        let stopped = self.stop != 0 && against > self.entered.0 / 1_000_000 * self.stop;
        if self.tripped_at.is_some() && good {
            self.leave(market, now);
        } else if stopped && market.status(now).unwrap() > Status::Stale {
            self.stopped += 1;
            self.before = before;
            self.leave(market, now);
        }
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
    let mut traders: Vec<Trader> = (0..TRADERS).map(|number| Trader::new(number, &mut dice)).collect();
    for trader in &mut traders {
        // Bound on the morning of this day.
        trader.covenant = CovenantState::default();
        trader.covenant.begin(&trader.limits, &now).unwrap();
    }
    // Day and night the same: the whole file is one UTC day.
    let mut last = now.unix;
    let mut widest = 0_u64;
    for bar in &bars {
        for (from, to) in bar.prices.iter().zip(bar.prices.iter().skip(1)) {
            for part in 1..=4 {
                (now.unix, now.slot) = (now.unix + STEP, now.slot + 12);
                let old = market.price.last.price.0;
                take(&mut market, from + (to - from) / 4 * part, &now, last);
                last = now.unix;
                widest = widest.max(market.price.last.price.0.abs_diff(old) * 1_000_000 / old);
                for trader in &mut traders {
                    trader.step(&mut market, &now);
                }
            }
        }
        for trader in &mut traders {
            if !trader.account.positions[0].is_open() && dice.below(8) == 0 && trader.tripped_at.is_none() {
                trader.enter(&mut market, dice.below(2) == 0, 10 + dice.below(90), &now);
            }
        }
    }
    let (mut tripped, mut worst_over, mut of_notional, mut stops) = (0, 0, 0, 0);
    for (number, trader) in traders.iter().enumerate() {
        stops += trader.stopped;
        let Some(at) = trader.tripped_at else {
            // A stop's closing may take it past its limit, from within; nobody increases from there.
            let limit = trader.limits.daily_loss.0;
            let within = trader.loss() < limit || trader.before < limit;
            assert!(within, "{number}: {} past {limit}, not tripped", trader.loss());
            assert!(trader.loss() < limit || trader.covenant.check_increase(&now).is_err(), "{number}: may increase");
            continue;
        };
        tripped += 1;
        let limits = [trader.limits.daily_loss.0, trader.limits.drawdown.0];
        let limit = limits.into_iter().filter(|limit| *limit != 0).max().unwrap();
        // It was within its limit at the price before; since then it lost what one step of the price took, or of those
        // that were not confirmed yet; then closing cost something.
        assert!(trader.before < limit, "{number}: {} was past {limit} a price earlier", trader.before);
        let gap = trader.worst.saturating_sub(trader.before);
        let end = trader.loss();
        assert!(
            end <= limit + gap + trader.cost,
            "{number}: lost {end} of {limit}, gap {gap}, closing {}",
            trader.cost
        );
        assert!(at >= trader.before);
        worst_over = worst_over.max(end.saturating_sub(limit) * 10_000 / limit);
        of_notional = of_notional.max(end.saturating_sub(limit) * 10_000 / trader.notional.max(1));
    }
    println!(
        "{TRADERS} traders, {tripped} tripped, {stops} stops; at worst {worst_over} bps of the limit beyond it, {of_notional} bps of \
         the notional; widest step {} bps",
        widest / 100
    );
    assert!(tripped > 10, "the day trips enough of them to mean something");
}
