//! Measures what owners under covenants lose: at every price, at the trip, and when all is closed.

use anchor_lang::prelude::Pubkey;
use ballast::events::Traded;
use ballast::state::{Covenant, Subaccount};
use ballast_client::covenants;
use ballast_client::events::Event;
use ballast_engine::market::MarketState;
use ballast_engine::price::Status;
use ballast_engine::units::{Base, Price, Rounding};
use ballast_engine::{Now, Result};
use serde::Serialize;

/// What an owner had lost at a price.
#[derive(Clone, Copy, Debug, Default)]
struct Look {
    day_loss: u64,
    fallen: u64,
    /// What its position was valued at.
    price: u64,
    unix: i64,
    /// What trading had cost until then.
    paid: u64,
}

/// What a trip came to. Amounts in the smallest unit.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Trip {
    /// `daily loss` or `drawdown`.
    pub(crate) by: &'static str,
    /// The limit that was reached.
    pub(crate) limit: u64,
    /// Lost at the last price within the limit: from the next one on it was found past it.
    pub(crate) before: u64,
    /// Lost when it tripped.
    pub(crate) at_trip: u64,
    /// Lost once all was closed.
    pub(crate) lost: u64,
    /// What was closed by the keeper, or by the owner's own exits just before, at that price.
    pub(crate) notional: u64,
    /// What prices took of that from the one before the trip to the close.
    pub(crate) gap: u64,
    /// What closing cost beside the price, and opening where that came after that price: spread, premium, fees; and the most that
    /// funding took meanwhile.
    pub(crate) cost: u64,
}

impl Trip {
    /// Lost beyond the limit.
    pub(crate) const fn beyond(&self) -> u64 {
        self.lost.saturating_sub(self.limit)
    }
    /// That in basis points of what was closed.
    pub(crate) fn beyond_bps(&self) -> f64 {
        share(self.beyond(), self.notional)
    }
    /// The gap in basis points of what was closed.
    pub(crate) fn gap_bps(&self) -> f64 {
        share(self.gap, self.notional)
    }
    /// Why it is not as a covenant promises, if there is a reason: it tripped for a loss at its limit, and from the price before
    /// on no more was lost than prices and closing took.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        if self.before >= self.limit || self.at_trip < self.limit {
            return Some("tripped within its limit");
        }
        (self.lost > self.limit + self.gap + self.cost).then_some("lost more than its limit and the measured gap")
    }
}

/// A part of a whole in basis points, to a hundredth.
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { (part as f64 / whole as f64 * 1_000_000.0).round() / 100.0 }
}

/// What was closed last.
#[derive(Clone, Copy, Debug, Default)]
struct Closed {
    buy: bool,
    size: u64,
    price: u64,
    unix: i64,
}

/// An owner with one subaccount under a covenant that closes.
pub(super) struct Bound {
    owner: Pubkey,
    /// The covenant's address.
    pub(super) covenant: Pubkey,
    /// The subaccount.
    pub(super) subaccount: Pubkey,
    /// Day's loss and drawdown, 0 for none.
    limits: (u64, u64),
    /// At the last price within the day's limit, and within the drawdown's.
    within: [Look; 2],
    tripped: Option<(Trip, Look)>,
    closed: Closed,
    /// What trading has cost so far beside the price.
    paid: u64,
    end: Option<Trip>,
    /// The largest share of a limit that was ever lost, basis points.
    worst_share: f64,
}

impl Bound {
    /// Who is watched from now on.
    pub(super) fn new(owner: Pubkey, covenant: Pubkey, subaccount: Pubkey, limits: (u64, u64)) -> Self {
        Self {
            owner,
            covenant,
            subaccount,
            limits,
            within: [Look::default(); 2],
            tripped: None,
            closed: Closed::default(),
            paid: 0,
            end: None,
            worst_share: 0.0,
        }
    }

    /// Whether it has tripped.
    pub(super) const fn is_tripped(&self) -> bool {
        self.tripped.is_some()
    }

    /// Whether the chain knows of its first trip and nobody has told of it here.
    pub(super) const fn awaits_trip(&self, covenant: &Covenant) -> bool {
        covenant.state.trips > 0 && self.tripped.is_none()
    }

    /// Its first trip, once all was closed.
    pub(super) const fn trip(&self) -> Option<Trip> {
        self.end
    }

    /// The largest share of a limit that was lost at any price, percent.
    pub(super) const fn worst_share(&self) -> f64 {
        self.worst_share / 100.0
    }

    /// Takes note of what happened at a price, the accounts as they are now.
    pub(super) fn note(
        &mut self,
        events: &[Event],
        account: &Subaccount,
        covenant: &Covenant,
        market: &MarketState,
        now: &Now,
    ) -> Result<()> {
        for event in events {
            match event {
                Event::CovenantTripped(trip) if trip.owner == self.owner && self.tripped.is_none() => {
                    let daily =
                        trip.daily && (!trip.drawdown || trip.day_loss - self.limits.0 >= trip.fallen - self.limits.1);
                    let [day, all] = self.within;
                    let (look, before) = if daily { (day, day.day_loss) } else { (all, all.fallen) };
                    let (by, limit, at_trip) = match daily {
                        true => ("daily loss", self.limits.0, trip.day_loss),
                        false => ("drawdown", self.limits.1, trip.fallen),
                    };
                    let none = Trip { by, limit, before, at_trip, lost: 0, notional: 0, gap: 0, cost: 0 };
                    self.tripped = Some((none, look));
                }
                Event::Traded(traded) if traded.subaccount == self.subaccount => self.traded(traded, market, now)?,
                Event::CovenantEnforced(enforced) if enforced.subaccount == self.subaccount => {
                    self.paid += enforced.fee;
                }
                _ => {}
            }
        }
        let own = [(&self.subaccount, account)];
        let find = |index: u16| (index == market.index).then_some(market);
        let room = covenants::touched(covenant, own, find, now)?.headroom(now)?;
        let (day_loss, fallen) = (room.day_loss.0, room.fallen.0);
        if let (Some((trip, before)), None, true) = (self.tripped, self.end, account.state.is_flat()) {
            // A trip by the drawdown makes it count anew from there.
            let lost = if trip.by == "drawdown" { trip.at_trip + fallen } else { day_loss };
            self.end = Some(self.verdict(Trip { lost, ..trip }, &before, market)?);
        }
        // Once it has tripped a drawdown counts anew.
        let whole = self.tripped.is_none() && covenant.state.trips == 0;
        if whole {
            for (limit, loss) in [(self.limits.0, day_loss), (self.limits.1, fallen)] {
                self.worst_share = self.worst_share.max(share(loss, limit));
            }
        }
        let long = account.state.slots().find(|(_, p)| p.is_open()).is_none_or(|(_, p)| p.size.is_long());
        let good = market.status(now)? == Status::Good;
        let price = if good { market.price.last.price } else { market.favourable_price(long, now)? };
        let look = Look { day_loss, fallen, price: price.0, unix: now.unix, paid: self.paid };
        let limits = [(self.limits.0, day_loss), (self.limits.1, fallen)];
        for (within, (limit, loss)) in self.within.iter_mut().zip(limits) {
            if whole && (limit == 0 || loss < limit) {
                *within = look;
            }
        }
        Ok(())
    }

    fn traded(&mut self, traded: &Traded, market: &MarketState, now: &Now) -> Result<()> {
        let (size, price, buy) = (traded.size.unsigned_abs(), market.price.last.price, traded.size > 0);
        let worse = if buy { traded.price.saturating_sub(price.0) } else { price.0.saturating_sub(traded.price) };
        let spread = Base(size).value(Price(worse), Rounding::Up)?.0;
        // Rounded once at each of two prices, the average price once.
        self.paid += spread + traded.fee + 3;
        if traded.position == 0 {
            self.closed = Closed { buy, size, price: price.0, unix: now.unix };
        } else if traded.position == traded.size {
            // Nothing was open: prices take nothing from before.
            for within in &mut self.within {
                within.price = price.0;
            }
        }
        Ok(())
    }

    fn verdict(&mut self, trip: Trip, before: &Look, market: &MarketState) -> Result<Trip> {
        let order_fees = 2 * market.params.order_fee.0;
        // Order fees alone can take the last of it, with nothing open any more.
        let fees = Closed { size: 0, price: before.price, unix: before.unix, ..self.closed };
        let closed = if self.closed.unix < before.unix { fees } else { self.closed };
        let against = if closed.buy {
            closed.price.saturating_sub(before.price)
        } else {
            before.price.saturating_sub(closed.price)
        };
        let gap = Base(closed.size).value(Price(against), Rounding::Up)?.0;
        let notional = Base(closed.size).value(Price(closed.price), Rounding::Up)?.0;
        // Funding and the holding fee at their caps.
        let caps = u128::from(market.params.funding_cap.0 + market.params.holding_fee.0);
        let seconds = u128::from((closed.unix - before.unix).max(0).unsigned_abs());
        let funding = u128::from(notional) * caps * seconds / 3_600 / 1_000_000;
        let paid = self.paid.saturating_sub(before.paid);
        let paid = if closed.size == 0 { paid.max(order_fees) } else { paid };
        let trip = Trip { notional, gap, cost: paid + funding as u64 + 1, ..trip };
        self.worst_share = self.worst_share.max(share(trip.lost, trip.limit));
        Ok(trip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trip_is_judged_by_the_price_before_and_by_the_gap() {
        let good = Trip {
            by: "drawdown",
            limit: 100,
            before: 99,
            at_trip: 120,
            lost: 135,
            notional: 10_000,
            gap: 25,
            cost: 10,
        };
        assert_eq!((good.fault(), good.beyond(), good.beyond_bps(), good.gap_bps()), (None, 35, 35.0, 25.0));
        assert!(Trip { before: 100, ..good }.fault().is_some());
        assert!(Trip { at_trip: 99, ..good }.fault().is_some());
        assert!(Trip { lost: 136, ..good }.fault().is_some());
    }
}
