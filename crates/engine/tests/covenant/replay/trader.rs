//! A trader of the day, and the keeper that looks after its covenant and its order at every price.

use ballast_engine::account::AccountState;
use ballast_engine::constants::HOUR;
use ballast_engine::covenant::{Breach, CovenantState, Limits};
use ballast_engine::margin::{Purpose, Totals, leg};
use ballast_engine::market::MarketState;
use ballast_engine::order::{After, Kind, OrderTerms, Progress, Stage, cancels, check_limit, reduce_mark};
use ballast_engine::price::Status;
use ballast_engine::trade::{Charge, Fill, check_increase, increase, reduce};
use ballast_engine::units::{Base, Price, Quote, Ratio, Rounding, SignedBase};
use ballast_engine::{Error, Now, Result};

use super::super::{cash, key, measure};
use super::Log;
use crate::support::dollars;
use crate::world::Dice;

/// An entry that has not filled after so long dies, seconds.
const PATIENCE: i64 = 20 * 60;
/// What a stop met by a price sets as `fired`.
const STOP: u8 = 2;
/// An order is recorded once in so many prices: half of what the ring holds.
const RECORDED: usize = 16;

/// What an owner had lost at a price.
#[derive(Clone, Copy, Default)]
pub(super) struct Look {
    pub(super) day_loss: u64,
    pub(super) fallen: u64,
    /// What the position was valued at.
    price: Price,
    unix: i64,
    /// Order fees put aside by then.
    fees: u64,
}

/// What was closed last, and what closing cost beside the price.
#[derive(Clone, Copy, Default)]
struct Closed {
    buy: bool,
    size: Base,
    price: Price,
    cost: u64,
    unix: i64,
}

/// A trip, and what was lost in the end.
#[derive(Clone, Copy)]
pub(super) struct Trip {
    breach: Breach,
    /// At the price before the one that first found a limit reached, the day's and the drawdown's.
    before: [Look; 2],
    /// The sum of results when it tripped.
    result: i64,
    /// Order fees put aside by then.
    fees: u64,
    /// Once everything was closed: the result, and how.
    end: Option<(i64, Closed)>,
}

/// How a trip ended.
pub(super) struct Verdict {
    /// The limit that was reached.
    pub(super) limit: u64,
    /// Lost of it at the price before it was first found.
    pub(super) before: u64,
    /// Lost when all was closed.
    pub(super) lost: u64,
    /// What the prices between those two took.
    pub(super) gap: u64,
    /// What closing cost beside the price, and the most that funding took meanwhile.
    pub(super) cost: u64,
    /// What was closed, at that price.
    pub(super) notional: u64,
}

/// What a trader does when flat.
pub(super) struct Plan {
    /// 0 at the market, 1 by a limit order, 2 by a stop entry.
    entry: u64,
    /// Distance of the stop, millionths of the price; 0 for no exits at all.
    stop: u64,
    /// Whether the stop trails.
    trails: bool,
    /// Whether there is a target too, half as far again as the stop.
    target: bool,
}

pub(super) struct Trader {
    number: usize,
    account: AccountState,
    covenant: CovenantState,
    pub(super) limits: Limits,
    plan: Plan,
    order: Option<OrderTerms>,
    last: Look,
    /// At the price before a limit was found to be reached, while it is.
    within: [Option<Look>; 2],
    closed: Closed,
    pub(super) trip: Option<Trip>,
    /// It tries once more after a trip.
    tried: bool,
    /// Order fees put aside so far, which the account has no more.
    fees: u64,
}

/// A share of a price in millionths, away from it.
fn off(price: Price, up: bool, millionths: u64) -> Price {
    price.moved(up, price.portion(Ratio(millionths), Rounding::Up).unwrap()).unwrap()
}

impl Trader {
    pub(super) fn new(number: usize, dice: &mut Dice, now: &Now) -> Self {
        let money = 1_000 * (1 + dice.below(10));
        let limits = Limits {
            max_leverage: Ratio(1_000_000 * (1 + dice.below(10))),
            max_notional: Quote(0),
            daily_loss: dollars(money * (2 + dice.below(5)) / 100),
            drawdown: if number.is_multiple_of(3) { dollars(money * (2 + dice.below(5)) / 100) } else { Quote(0) },
            cool_down: 24 * HOUR,
            ..super::super::limits()
        };
        let plan = Plan {
            entry: dice.below(5).saturating_sub(2),
            stop: if dice.below(10) < 7 { 2_000 + dice.below(10_000) } else { 0 },
            trails: dice.below(2) == 0,
            target: dice.below(2) == 0,
        };
        // Bound on the morning of this day.
        let mut covenant = CovenantState::default();
        covenant.begin(&limits, now).unwrap();
        Self {
            number,
            account: cash(money),
            covenant,
            limits,
            plan,
            order: None,
            last: Look::default(),
            within: [None; 2],
            closed: Closed::default(),
            trip: None,
            tried: false,
            fees: 0,
        }
    }

    fn is_open(&self) -> bool {
        self.account.positions[0].is_open()
    }

    /// Whether the stop has been in place all the time: none of those without is stopped out.
    pub(super) fn has_exits(&self) -> bool {
        self.plan.stop != 0
    }

    fn result(&self) -> i64 {
        self.covenant.result().unwrap().0
    }

    fn see(&mut self, market: &MarketState, now: &Now) {
        let seen = measure(&self.account, std::slice::from_ref(market), now);
        self.covenant.touch(&key(1), &seen, self.account.flow, now).unwrap();
        self.covenant.invariant().unwrap();
        for (found, within) in self.covenant.found.iter().zip(&mut self.within) {
            *within = (found.slot != 0).then(|| within.unwrap_or(self.last));
        }
    }

    fn look(&self, market: &MarketState, now: &Now) -> Look {
        let room = self.covenant.headroom(now).unwrap();
        let long = self.account.positions[0].size.is_long();
        let good = market.status(now).unwrap() == Status::Good;
        let price = if good { market.price.last.price } else { market.favourable_price(long, now).unwrap() };
        Look { day_loss: room.day_loss.0, fallen: room.fallen.0, price, unix: now.unix, fees: self.fees }
    }

    /// Places an order where it has neither a position nor one: its entry, and its way out with it.
    pub(super) fn place(&mut self, market: &MarketState, dice: &mut Dice, now: &Now, log: &mut Log) {
        let (long, share) = (dice.below(2) == 0, 10 + dice.below(90));
        if self.is_open() || self.order.is_some() || self.tried || dice.below(8) != 0 {
            return;
        }
        // Under a tripped covenant what is placed is cleared away once its price is there.
        self.tried = self.trip.is_some();
        let last = market.price.last.price;
        let notional = self.account.collateral.0 / 1_000_000 * self.limits.max_leverage.0.min(8_000_000) / 100 * share;
        let size = Base(notional.saturating_mul(1_000_000_000) / last.0);
        let entry = match self.plan.entry {
            1 => off(last, !long, 1_000),
            2 => off(last, long, 1_000),
            _ => last,
        };
        let (stop, trail) = match (self.plan.stop, self.plan.trails) {
            (0, _) => (Price(0), Price(0)),
            (by, true) => (Price(0), last.portion(Ratio(by), Rounding::Up).unwrap()),
            (by, false) => (off(entry, !long, by), Price(0)),
        };
        let target =
            if self.plan.target && self.plan.stop != 0 { off(entry, long, self.plan.stop * 3 / 2) } else { Price(0) };
        let kind = [Kind::Market, Kind::Limit, Kind::Stop][self.plan.entry as usize];
        let mut terms = OrderTerms {
            size: size.signed(long).unwrap_or(SignedBase(0)),
            kind: kind as u8,
            limit: if kind == Kind::Limit { entry } else { Price(0) },
            trigger: if kind == Kind::Stop { entry } else { Price(0) },
            expires_at: now.unix + PATIENCE,
            stop,
            trail,
            target,
            ..OrderTerms::default()
        };
        if terms.place(market, &mut self.account, now).is_ok() {
            log.placed += 1;
            self.fees += terms.fee.0;
            self.order = Some(terms);
        }
    }

    /// What a keeper does at a price: shows the account, trips and closes; fills, records or clears away the order.
    pub(super) fn step(&mut self, market: &mut MarketState, round: usize, now: &Now, log: &mut Log) {
        self.see(market, now);
        if let (Ok(breach), None) = (self.covenant.trip(now), self.trip) {
            let before = self.within.map(|within| within.unwrap_or(self.last));
            self.trip = Some(Trip { breach, before, result: self.result(), fees: self.fees, end: None });
        }
        let good = market.status(now).unwrap() == Status::Good;
        if self.is_open() && good && self.covenant.check_close_at(market.price.last.publish_time, now).is_ok() {
            self.close_tripped(market, now);
        }
        self.last = self.look(market, now);
        self.follow_order(market, round, now, log);
        let (flat, result, closed) = (!self.is_open(), self.result(), self.closed);
        if let Some(trip) = self.trip.as_mut().filter(|trip| flat && trip.end.is_none()) {
            trip.end = Some((result, closed));
        }
    }

    /// As `close_tripped` does it: at the price of an immediate reduction, for an order's fee.
    fn close_tripped(&mut self, market: &mut MarketState, now: &Now) {
        let position = self.account.positions[0];
        let mark = reduce_mark(market, !position.size.is_long(), now).unwrap();
        let fill = reduce(market, &mut self.account, 0, position.base(), mark, Charge::Trade).unwrap();
        let fee = market.params.order_fee.min(self.account.collateral);
        self.account.collateral = self.account.collateral.less(fee).unwrap();
        self.note_close(&fill, market, fee.0, now);
        self.see(market, now);
    }

    fn note_close(&mut self, fill: &Fill, market: &MarketState, fee: u64, now: &Now) {
        let price = market.price.last.price;
        let fair = fill.size.value(price, if fill.buy { Rounding::Down } else { Rounding::Up }).unwrap().0;
        let short = if fill.buy { fill.cost.0.saturating_sub(fair) } else { fair.saturating_sub(fill.cost.0) };
        // Two atoms: the position's value is rounded once at each of the two prices.
        let cost = short + fill.fee.0 + fee + 2;
        self.closed = Closed { buy: fill.buy, size: fill.size, price, cost, unix: now.unix };
    }

    fn follow_order(&mut self, market: &mut MarketState, round: usize, now: &Now, log: &mut Log) {
        let Some(mut terms) = self.order else { return };
        if let Some(reason) = terms.dead(market, &self.account, now) {
            log.expired += u32::from(reason == Error::OrderExpired);
            return self.cancel(&terms);
        }
        let (progress, stage) = terms.follow(market, now).unwrap();
        let Ok(mark) = terms.mark(market, &self.account, now) else {
            if (round + self.number).is_multiple_of(RECORDED) && terms.record(market, now).is_ok() {
                log.recorded += 1;
                self.order = Some(terms);
            }
            return;
        };
        match self.fill(market, &terms, mark, now) {
            Ok((fill, after)) => {
                log.count(&terms, &progress);
                if terms.kind == Kind::Exit as u8 && progress.fired == STOP {
                    log.stopped(&terms, &progress, stage, &fill);
                }
                self.account.orders -= u64::from(after.is_none());
                self.order = after;
            }
            Err(fault) if cancels(fault.error) && !terms.reduces() => {
                *log.cancelled.entry(fault.error.name()).or_default() += 1;
                self.cancel(&terms);
            }
            Err(fault) => *log.refused.entry(fault.error.name()).or_default() += 1,
        }
    }

    /// Anybody's cancelling of a dead order: the keeper gets its fee.
    fn cancel(&mut self, terms: &OrderTerms) {
        self.account.collateral = self.account.collateral.plus(terms.exit_fee).unwrap();
        self.account.orders -= 1;
        self.order = None;
    }

    /// As the program fills it; what becomes of the order.
    fn fill(
        &mut self,
        market: &mut MarketState,
        terms: &OrderTerms,
        mark: Price,
        now: &Now,
    ) -> Result<(Fill, Option<OrderTerms>)> {
        let (mut to, mut account, mut covenant) = (Box::new(*market), self.account, self.covenant);
        let (buys, mut next) = (terms.buys(), *terms);
        let fill = match account.opposite(0, buys).map(|(slot, position)| (slot, position.base())) {
            Some((slot, held)) => {
                let size = terms.size_of(&to, held)?.min(held);
                reduce(&mut to, &mut account, slot, size, mark, Charge::Trade)?
            }
            None => {
                let fill = increase(&mut to, &mut account, 0, terms.size.size(), buys, mark)?;
                check_increase(&to, &account, 0, now)?;
                let mut sums = Totals::new(account.collateral)?;
                sums.add(0, &leg(&to, &account.positions[0], Purpose::Increase, now)?)?;
                sums.check_initial()?;
                let seen = measure(&account, std::slice::from_ref(&*to), now);
                covenant.touch(&key(1), &seen, account.flow, now)?;
                covenant.check_increase(now)?;
                fill
            }
        };
        check_limit(fill.price, buys, terms.limit)?;
        let after = next.after_fill(&to, &account, fill.size, now)?;
        assert!(!matches!(after, After::Returned(_)), "nothing but an entry opens");
        (*market, self.account, self.covenant) = (*to, account, covenant);
        if terms.reduces() {
            self.note_close(&fill, market, 0, now);
            self.see(market, now);
        } else {
            assert!(self.trip.is_none(), "an increase under a tripped covenant");
            self.last = self.look(market, now);
        }
        Ok((fill, (after == After::Exits).then_some(next)))
    }

    /// Once the day is over: what a trip came to.
    pub(super) fn verdict(&self, market: &MarketState) -> Option<Verdict> {
        let trip = self.trip?;
        let (end, closed) = trip.end.unwrap_or_else(|| panic!("{}: tripped, and never closed", self.number));
        let [day, all] = trip.before;
        let mut reached = vec![];
        if trip.breach.daily {
            reached.push((trip.breach.day_loss.0, self.limits.daily_loss.0, day.day_loss, day));
        }
        if trip.breach.drawdown {
            reached.push((trip.breach.fallen.0, self.limits.drawdown.0, all.fallen, all));
        }
        // Of two the one that is further exceeded.
        let (loss, limit, before, look) = reached.into_iter().max_by_key(|(loss, limit, ..)| loss - limit)?;
        // Fees of orders alone can take the last of it too, when nothing is open any more.
        let fees = Closed { size: Base(0), price: look.price, cost: 2 * market.params.order_fee.0, ..closed };
        let closed = if closed.unix < look.unix { fees } else { closed };
        let (from, to) = (look.price.0, closed.price.0);
        let against = if closed.buy { to.saturating_sub(from) } else { from.saturating_sub(to) };
        let gap = closed.size.value(Price(against), Rounding::Up).unwrap().0;
        let notional = closed.size.value(closed.price, Rounding::Up).unwrap();
        // Funding and the holding fee at their caps.
        let caps = market.params.funding_cap.0 + market.params.holding_fee.0;
        let hours = (closed.unix - look.unix).max(0).unsigned_abs();
        let funding = u128::from(notional.0) * u128::from(caps) * u128::from(hours) / 3_600 / 1_000_000;
        Some(Verdict {
            limit,
            before,
            lost: loss.saturating_add_signed(trip.result - end),
            gap,
            cost: closed.cost + funding as u64 + 1 + (trip.fees - look.fees),
            notional: notional.0,
        })
    }

    /// That who did not trip is within both limits.
    pub(super) fn assert_within(&self, now: &Now) {
        let room = self.covenant.headroom(now).unwrap();
        let limits = [(self.limits.daily_loss, room.day_loss), (self.limits.drawdown, room.fallen)];
        for (limit, loss) in limits {
            assert!(limit.is_zero() || loss < limit, "{}: {} past {}, not tripped", self.number, loss.0, limit.0);
        }
    }
}

impl Log {
    fn count(&mut self, terms: &OrderTerms, progress: &Progress) {
        let place = match terms.kind {
            3 if progress.fired == STOP => {
                if terms.trail.is_zero() {
                    3
                } else {
                    4
                }
            }
            3 => 5,
            entry => usize::from(entry),
        };
        self.filled[place] += 1;
    }

    /// A stop has filled: by the first price after the one that met it.
    fn stopped(&mut self, terms: &OrderTerms, progress: &Progress, stage: Stage, fill: &Fill) {
        let next = self.prints.iter().find(|unix| **unix > progress.triggered_at);
        match stage {
            Stage::Ready(seen) => assert_eq!(Some(&seen.publish_time), next, "not the price after the one that met it"),
            other => panic!("a stop that is looked after at every price fills by its own: {other:?}"),
        }
        let (level, price) = (progress.stop.0 as i64, fill.price.0 as i64);
        let against = if terms.buys() { price - level } else { level - price };
        self.slips.push(against * 1_000_000 / level);
    }
}
