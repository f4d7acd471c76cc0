//! Section 6: funding and the holding fee.

use crate::number::{Q, frac, half_to, least, most, q};
use crate::price::Status;
use crate::state::{Exchange, Market};

impl Exchange {
    /// Charges funding since the last accrual at the stored price, if that is valid.
    pub fn accrue(&mut self, market: usize) {
        self.accrue_or_skip(market, false);
    }

    /// The same; where the price is not valid, the time may be skipped.
    pub(crate) fn accrue_or_skip(&mut self, market: usize, skip: bool) {
        let elapsed = self.unix - self.markets[market].accrued_at;
        if elapsed <= 0 {
            return;
        }
        if self.status(market) < Status::Ageing {
            if skip {
                self.markets[market].accrued_at = self.unix;
            }
            return;
        }
        // A halt is not charged for.
        let hours = frac(elapsed.min(3_600), 3_600);
        let (long, short) = (self.open_interest(market, true), self.open_interest(market, false));
        let skew = &long - &short;
        let unix = self.unix;
        let soft_cap = self.soft_cap(market);
        let Market { rules, rate, .. } = &self.markets[market];
        let clamp = |rate: &Q| least(&most(rate, &-&soft_cap), &soft_cap);
        let before = clamp(rate);
        let imbalance = &skew / &rules.funding_skew_scale;
        let dead = &rules.funding_dead_zone;
        let moved = if &imbalance <= dead && imbalance >= -dead.clone() {
            &before * half_to(&(&hours * q(3_600) / &rules.funding_half_life))
        } else {
            &before + least(&most(&imbalance, &q(-1)), &q(1)) * &rules.funding_velocity * &hours
        };
        let after = clamp(&moved);
        // The mean of both rates is charged.
        let mean = (&before + &after) / q(2);
        let price = self.markets[market].prices.last.price.clone();
        let holding = |size: &Q| {
            if size.is_zero() || rules.holding_fee.is_zero() {
                return q(0);
            }
            let value = size * &price;
            let share = if value >= rules.open_interest_cap { q(1) } else { value / &rules.open_interest_cap };
            &rules.holding_fee * &share * &share
        };
        let charge = |rate: Q, size: &Q| if size.is_zero() { q(0) } else { rate * &price * &hours };
        let longs = charge(&mean + holding(&long), &long);
        let shorts = charge(holding(&short) - &mean, &short);
        let state = &mut self.markets[market];
        state.rate = after;
        state.accrued_at = unix;
        state.long.index += longs;
        state.short.index += shorts;
    }

    /// What bounds the rate: the hard cap. (The governor's soft cap goes here.)
    fn soft_cap(&self, market: usize) -> Q {
        self.markets[market].rules.funding_cap.clone()
    }
}
