//! Section 6: funding, its governor, and the holding fee.

use crate::number::{Q, frac, half_to, least, ln_2, most, q, zero};
use crate::price::Status;
use crate::state::{Exchange, Market};

/// How the skew pulls at the rate.
struct Pull {
    /// The skew's share of K′ with its sign, its size in millionths rounded up.
    share: Q,
    /// Inside the dead zone.
    rests: bool,
    /// Above the governor's threshold.
    heavy: bool,
}

impl Exchange {
    /// Charges funding since the last accrual at the stored price, if that is valid.
    pub fn accrue(&mut self, market: usize) {
        self.touch(market);
        if !self.is_settled(market) {
            self.accrue_or_skip(market, false);
        }
    }

    /// The same; where the price is not valid, the time may be skipped.
    pub(crate) fn accrue_or_skip(&mut self, market: usize, skip: bool) {
        let elapsed = self.unix - self.markets[market].accrued_at;
        if elapsed <= 0 {
            return;
        }
        let pull = self.pull(market);
        if self.status(market) < Status::Ageing {
            if skip {
                self.idle(market, &pull, elapsed);
                self.markets[market].accrued_at = self.unix;
            }
            return;
        }
        // A halt is not charged for.
        let seconds = elapsed.min(3_600);
        let area = self.run(market, &pull, seconds);
        self.idle(market, &pull, elapsed - seconds);
        let (long, short) = (self.open_interest(market, true), self.open_interest(market, false));
        let Market { rules, prices, .. } = &self.markets[market];
        let price = &prices.last.price;
        let holding = |size: &Q| {
            if size.is_zero() || rules.holding_fee.is_zero() {
                return zero();
            }
            let value = size * price;
            let share = if value >= rules.open_interest_cap { q(1) } else { value / &rules.open_interest_cap };
            &rules.holding_fee * &share * &share * q(seconds)
        };
        let charge = |area: Q, size: &Q| if size.is_zero() { zero() } else { area * price / q(3_600) };
        let longs = charge(&area + holding(&long), &long);
        let shorts = charge(holding(&short) - &area, &short);
        let state = &mut self.markets[market];
        state.accrued_at = self.unix;
        state.long.index += longs;
        state.short.index += shorts;
    }

    fn pull(&self, market: usize) -> Pull {
        let skew = self.skew(market);
        let rules = &self.markets[market].rules;
        let exact = least(&(skew.abs() / &rules.funding_skew_scale), &q(1));
        let millionths = -(-(exact * q(1_000_000))).floor();
        let size = frac(millionths, 1_000_000);
        let (rests, heavy) = (size <= rules.funding_dead_zone, size > rules.funding_threshold);
        Pull { share: if skew.is_negative() { -size } else { size }, rests, heavy }
    }

    /// The lower of soft and hard cap.
    fn bound(&self, market: usize) -> Q {
        let Market { rules, governor, .. } = &self.markets[market];
        least(&most(&governor.soft_cap, &rules.funding_floor), &rules.funding_cap)
    }

    /// So many charged seconds; returns the rate's integral over them, rate times seconds.
    fn run(&mut self, market: usize, pull: &Pull, seconds: i64) -> Q {
        let (mut rest, mut area) = (seconds, zero());
        while rest > 0 {
            let step = rest.min(3_600 - self.markets[market].governor.seconds);
            let cap = self.bound(market);
            let before = least(&most(&self.markets[market].rate, &-cap.clone()), &cap);
            let rules = &self.markets[market].rules;
            let (after, part, size) = if pull.rests {
                decay(&before, step, &rules.funding_half_life)
            } else {
                climb(&before, &(&pull.share * &rules.funding_velocity / q(3_600)), &cap, step)
            };
            area += part;
            let state = &mut self.markets[market];
            state.rate = after;
            state.governor.area += size;
            state.governor.seconds += step;
            state.governor.heavy += if pull.heavy { step } else { 0 };
            rest -= step;
            if state.governor.seconds == 3_600 {
                self.end_hour(market);
            }
        }
        area
    }

    /// At an hour's end average and soft cap move.
    fn end_hour(&mut self, market: usize) {
        let old = self.bound(market);
        let Market { rules, governor, .. } = &mut self.markets[market];
        let mean = &governor.area / q(3_600);
        governor.average = (&governor.average * q(719) + mean) / q(720);
        let usual = &governor.average * &rules.funding_multiple;
        let net = 2 * governor.heavy - 3_600;
        let moved = if net >= 0 {
            // 2^x as twice 2^-(1-x).
            &old * q(2) * half_to(&frac(3_600 - net, 3_600))
        } else {
            most(&(&old * half_to(&frac(-net, 3_600))), &(&old - &rules.funding_change_limit))
        };
        let least_cap = most(&usual, &rules.funding_floor);
        governor.soft_cap = least(&most(&moved, &least_cap), &rules.funding_cap).grid();
        governor.average = governor.average.grid();
        (governor.area, governor.seconds, governor.heavy) = (zero(), 0, 0);
    }

    /// Time that is not charged: in the dead zone the rate decays over it.
    fn idle(&mut self, market: usize, pull: &Pull, seconds: i64) {
        if pull.rests && seconds > 0 {
            let state = &mut self.markets[market];
            state.rate = decay(&state.rate, seconds, &state.rules.funding_half_life).0;
        }
    }
}

/// A rate after a decay, its integral, and that of its size.
fn decay(rate: &Q, seconds: i64, half_life: &Q) -> (Q, Q, Q) {
    let after = rate * half_to(&(q(seconds) / half_life));
    let area = (rate - &after) * half_life / ln_2();
    let size = area.abs();
    (after.grid(), area.grid(), size.grid())
}

/// A rate that moves by so much a second until it meets the cap.
fn climb(rate: &Q, slope: &Q, cap: &Q, seconds: i64) -> (Q, Q, Q) {
    // Seen from the side that it is pulled to, it rises.
    let up = !slope.is_negative();
    let (rate, slope) = if up { (rate.clone(), slope.clone()) } else { (-rate, -slope) };
    let all = q(seconds);
    let rises = if slope.is_zero() { all.clone() } else { least(&((cap - &rate) / &slope), &all) };
    let after = &rate + &slope * &rises;
    let flat = (&all - &rises) * &after;
    let area = (&rate + &after) / q(2) * &rises + &flat;
    let size = if rate.is_negative() && after.is_positive() {
        // Two triangles.
        let below = &rate * &rate / (q(2) * &slope);
        &area + below * q(2)
    } else {
        area.abs()
    };
    let signed = |x: Q| if up { x } else { -x };
    (signed(after).grid(), signed(area).grid(), size.grid())
}
