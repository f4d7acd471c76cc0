//! Section 4: how updates are stored, what state a price is in, which price serves which purpose.

use crate::number::{Q, frac, gain, least, most, q, zero};
use crate::state::{Exchange, Market, Observation};
use crate::{No, R, must};

/// The state of a price, from worst to best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "section 4's table")]
pub enum Status {
    Silent,
    Stale,
    Uncertain,
    Jumped,
    Ageing,
    Good,
}

impl Status {
    /// Why something needs a better one.
    pub const fn refusal(self) -> &'static str {
        match self {
            Self::Silent => "PriceSilent",
            Self::Uncertain => "PriceUncertain",
            Self::Jumped => "PriceUnconfirmed",
            _ => "PriceStale",
        }
    }
}

fn beyond(price: &Q, average: &Q, share: &Q) -> bool {
    (price - average).abs() > average * share
}

/// An average moved towards a sample of so many seconds.
fn blend(average: &Q, sample: &Q, weight: i64, window: i64, clamp: &Q) -> Q {
    let reach = average * clamp;
    let distance = least(&most(&(sample - average), &-reach.clone()), &reach);
    average + distance * frac(weight, window + weight)
}

impl Exchange {
    /// Age in slots: the worse of slots since posting and seconds at 400 ms.
    pub fn age(&self, seen: &Observation) -> u64 {
        let seconds = u64::try_from(self.unix - seen.time).unwrap_or(0);
        self.slot.saturating_sub(seen.slot).max((seconds * 5).div_ceil(2))
    }

    /// The state of a market's price.
    pub fn status(&self, market: usize) -> Status {
        if self.is_settled(market) {
            return Status::Good;
        }
        let Market { prices, rules, .. } = &self.markets[market];
        let last = &prices.last;
        if last.time == 0 || self.unix - last.time > 3_600 {
            return Status::Silent;
        }
        let age = self.age(last);
        if age > 25 || last.slot <= self.restart {
            return Status::Stale;
        }
        let limit = &last.price * &rules.conf_limit;
        if last.conf > limit {
            return Status::Uncertain;
        }
        let warming = prices.start == 0 || self.unix - prices.start < 300;
        if warming || beyond(&last.price, &prices.ema5, &(&rules.maintenance_margin / q(2))) {
            return Status::Jumped;
        }
        if age > 10 || &last.conf * q(2) > limit {
            return Status::Ageing;
        }
        Status::Good
    }

    /// Refuses unless the price is good.
    ///
    /// # Errors
    /// Its refusal.
    pub fn need_good(&self, market: usize) -> R<()> {
        let status = self.status(market);
        must(status == Status::Good, status.refusal())
    }

    /// Stores an update, and charges funding up to now at it.
    pub fn publish(&mut self, market: usize, update: Observation) {
        if update.time <= self.markets[market].prices.last.time {
            return;
        }
        let age = self.age(&update);
        let (slot, restart) = (self.slot, self.restart);
        let Market { prices, rules, .. } = &mut self.markets[market];
        if update.conf <= &update.price * &rules.conf_limit {
            if prices.start == 0 {
                if age <= 10 {
                    (prices.ema5, prices.ema60) = (update.price.clone(), update.price.clone());
                    prices.sample = update.price.clone();
                    (prices.start, prices.sampled) = (update.time, update.time);
                }
            } else {
                // The price before takes the time but for the sample's own, at most five seconds.
                let elapsed = update.time - prices.sampled;
                let own = elapsed.min(5);
                let held = elapsed - own;
                prices.ema5 = blend(&prices.ema5, &prices.sample, held, 300, &rules.ema_clamp);
                prices.ema60 = blend(&prices.ema60, &prices.sample, held, 3_600, &rules.ema_clamp);
                prices.sampled = update.time;
                let band = &rules.maintenance_margin / q(2);
                if !beyond(&update.price, &prices.ema5, &band) {
                    prices.waiting.clear();
                    prices.ema5 = blend(&prices.ema5, &update.price, own, 300, &rules.ema_clamp);
                    prices.sample = update.price.clone();
                    prices.ema60 = blend(&prices.ema60, &prices.sample, own, 3_600, &rules.ema_clamp);
                } else if age <= 25 {
                    // A jump is against the average before the sample and does not move it until it is confirmed: three
                    // publish times over five slots on one side, the nearest of which EMA5 is then set to.
                    let above = update.price > prices.ema5;
                    if above != prices.above {
                        prices.above = above;
                        prices.waiting.clear();
                    }
                    let full = prices.waiting.len() == 3;
                    let fresh = |seen: u64| slot.saturating_sub(seen) <= 150 && seen > restart;
                    if full && fresh(prices.waiting[0].1) {
                        prices.waiting.remove(1);
                    }
                    prices.waiting.retain(|(_, seen)| fresh(*seen));
                    prices.waiting.push((update.price.clone(), slot));
                    if prices.waiting.len() == 3 && slot.saturating_sub(prices.waiting[0].1) >= 5 {
                        let all = prices.waiting.iter().map(|(price, _)| price.clone());
                        let nearest = if above { all.min() } else { all.max() };
                        prices.ema5 = nearest.unwrap_or_default();
                        prices.waiting.retain(|(price, _)| beyond(price, &prices.ema5, &band));
                        prices.sample = prices.ema5.clone();
                        prices.ema60 = blend(&prices.ema60, &prices.sample, own, 3_600, &rules.ema_clamp);
                    }
                }
            }
        }
        prices.ring.push(update.clone());
        if prices.ring.len() > 32 {
            prices.evicted = prices.ring.remove(0).time;
        }
        prices.last = update.clone();
        let status = self.status(market);
        if status >= Status::Ageing {
            self.markets[market].prices.valid = update;
        }
        if status == Status::Good {
            self.judge_exits(market);
        }
        let skip = matches!(status, Status::Uncertain | Status::Jumped);
        self.accrue_or_skip(market, skip);
    }

    /// What a price may have moved since it was seen, as a share of it.
    fn drift_share(&self, market: usize, seen: &Observation) -> Q {
        let rules = &self.markets[market].rules;
        least(&(&rules.move_per_slot * q(self.age(seen))), &rules.initial_margin)
    }

    /// The maintenance test's price: the trader's end of the confidence, as far as the credit goes.
    pub fn maintenance_price(&self, market: usize, long: bool) -> Q {
        let Market { prices, rules, .. } = &self.markets[market];
        let credit = least(&prices.last.conf, &(&prices.last.price * &rules.conf_credit));
        if long { &prices.last.price + credit } else { &prices.last.price - credit }
    }

    /// The price for initial margin and withdrawals.
    pub fn initial_price(&self, market: usize, long: bool) -> Q {
        let prices = &self.markets[market].prices;
        if long {
            least(&(&prices.last.price - &prices.last.conf), &prices.ema60)
        } else {
            most(&(&prices.last.price + &prices.last.conf), &prices.ema60)
        }
    }

    /// What a position counts at whose price is not good: the last valid one, moved in the account's favour.
    ///
    /// # Errors
    /// Where there never was one.
    pub fn favourable_price(&self, market: usize, long: bool) -> R<Q> {
        let valid = &self.markets[market].prices.valid;
        must(valid.time != 0, "PriceMissing")?;
        let by = &valid.price * self.drift_share(market, valid);
        Ok(if long { &valid.price + by } else { &valid.price - by })
    }

    /// The penalised price of a silent market.
    ///
    /// # Errors
    /// Where there never was a price.
    pub fn silent_price(&self, market: usize, long: bool) -> R<Q> {
        let Market { prices, rules, .. } = &self.markets[market];
        must(!prices.ema5.is_zero(), "PriceMissing")?;
        let all = [&prices.last.price, &prices.ema5, &prices.ema60];
        let worst = if long { all.into_iter().min() } else { all.into_iter().max() };
        let worst = worst.cloned().unwrap_or_else(zero);
        let by = &worst * &rules.initial_margin;
        Ok(if long { worst - by } else { worst + by })
    }

    /// The current price for a fill: while a jump is unconfirmed, the worse of it and EMA5.
    fn current(&self, market: usize, buy: bool) -> Q {
        let prices = &self.markets[market].prices;
        match (self.status(market), buy) {
            (Status::Jumped, true) => most(&prices.last.price, &prices.ema5),
            (Status::Jumped, false) => least(&prices.last.price, &prices.ema5),
            _ => prices.last.price.clone(),
        }
    }

    fn worsened(price: Q, buy: bool, by: Q) -> Q {
        if buy { price + by } else { gain(&(price - by)) }
    }

    /// The mark of an order placed then.
    ///
    /// # Errors
    /// Too early, lapsed, or no present price.
    pub fn order_mark(&self, market: usize, placed_at: i64, placed_slot: u64, buy: bool) -> R<Q> {
        let prices = &self.markets[market].prices;
        must(!self.is_settled(market), "OrderLapsed")?;
        must(placed_slot > self.restart && prices.evicted <= placed_at, "OrderLapsed")?;
        let Some(first) = prices.ring.iter().find(|seen| seen.time > placed_at) else {
            return Err(No("OrderTooEarly"));
        };
        must(self.unix <= first.time + 30, "OrderLapsed")?;
        must(self.slot > placed_slot, "OrderTooEarly")?;
        let status = self.status(market);
        must(status > Status::Stale, status.refusal())?;
        let current = self.current(market, buy);
        let worse = if buy { most(&first.price, &current) } else { least(&first.price, &current) };
        let drift = &prices.last.price * self.drift_share(market, &prices.last);
        Ok(Self::worsened(worse, buy, most(&most(&first.conf, &prices.last.conf), &drift)))
    }

    /// The mark of an immediate reduction.
    ///
    /// # Errors
    /// A stale or silent price.
    pub fn reduce_mark(&self, market: usize, buy: bool) -> R<Q> {
        must(!self.is_settled(market), "MarketSettled")?;
        let status = self.status(market);
        must(status > Status::Stale, status.refusal())?;
        let last = &self.markets[market].prices.last;
        let share = most(&self.drift_share(market, last), &frac(10, 10_000));
        let current = self.current(market, buy);
        let by = most(&(&current * share), &last.conf);
        Ok(Self::worsened(current, buy, by))
    }
}
