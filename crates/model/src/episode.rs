//! Section 9, step 4: episodes of claims over their threshold, and deleveraging when one lasts.
//!
//! A deleveraging closes the same share of every position of the winning side at one price, at once: here each position
//! itself changes, and picking it up later changes nothing but that nobody waits for it any more.

use crate::number::{Q, frac, q, zero};
use crate::state::{Episode, Exchange};
use crate::{R, must};

const HOUR: i64 = 3_600;

impl Exchange {
    /// Opens an episode when claims pass their threshold, ends it when they no longer do.
    pub(crate) fn sync_episode(&mut self, market: usize) {
        let claims = self.claims(market);
        if claims.is_zero() && self.markets[market].episode.since == 0 {
            return;
        }
        if claims > self.markets[market].peak {
            self.markets[market].peak = claims;
        }
        if !self.claims_block(market) {
            self.markets[market].episode.since = 0;
        } else if self.markets[market].episode.since == 0 {
            self.begin_episode(market);
        }
    }

    fn begin_episode(&mut self, market: usize) {
        let positions = self.side(market, true).count() + self.side(market, false).count();
        let state = &mut self.markets[market];
        let number = state.episode.number + 1;
        state.episode = Episode { number, since: state.clock, positions, settled: 0, complete_at: 0 };
    }

    /// Counts a position that was settled or closed, once an episode; whether it was now.
    pub(crate) fn count_settled(&mut self, account: usize, slot: usize) -> bool {
        let position = &mut self.accounts[account].slots[slot];
        let state = &mut self.markets[position.market];
        let episode = &mut state.episode;
        if episode.since == 0 || position.counted == episode.number {
            return false;
        }
        position.counted = episode.number;
        episode.settled += 1;
        if episode.complete_at == 0 && episode.settled >= episode.positions {
            episode.complete_at = state.clock;
        }
        true
    }

    /// From when on the winning side may be deleveraged: 48 h after the episode opened, or 24 h after as many positions have
    /// been settled or closed in it as were open.
    fn deleverage_at(&self, market: usize) -> Option<i64> {
        let episode = &self.markets[market].episode;
        let latest = episode.since + 48 * HOUR;
        match (episode.since, episode.complete_at) {
            (0, _) => None,
            (_, 0) => Some(latest),
            (_, complete) => Some(latest.min(complete + 24 * HOUR)),
        }
    }

    /// How many positions of a market have yet to pick the last deleveraging up.
    pub fn waiting(&self, market: usize) -> usize {
        [true, false].into_iter().map(|long| self.side(market, long).filter(|p| p.waits).count()).sum()
    }

    /// By how much the size that a pool carries may be off, in base atoms: equity's roundings over what an atom needs.
    pub fn carried_slack(&self, market: usize) -> Q {
        let state = &self.markets[market];
        q(2) + q(16) / (&state.prices.last.price * &state.rules.stress_move)
    }

    /// The largest open interest `T` of a side with `T × price × stress move ≤ equity`, an atom of it left out, the premium of
    /// the skew that is then left counted; to a quarter of a base atom.
    fn carried(&self, market: usize, long: bool) -> Q {
        let state = &self.markets[market];
        let (price, stress) = (&state.prices.last.price, &state.rules.stress_move);
        let other = self.open_interest(market, !long);
        let without = self.equity(market, price) + self.skew_premium(market, price) - q(1);
        let carries = |size: &Q| {
            let skew = size - &other;
            let premium = &skew * &skew * price / (q(2) * &state.rules.skew_scale);
            &without - premium >= size * price * stress
        };
        let (mut fits, mut over) = (zero(), self.open_interest(market, long));
        if carries(&over) {
            return over;
        }
        while &over - &fits > frac(1, 4) {
            let middle = (&fits + &over) / q(2);
            if carries(&middle) {
                fits = middle;
            } else {
                over = middle;
            }
        }
        fits
    }

    /// Deleverages the winning side to what the pool carries; what it kept.
    ///
    /// # Errors
    /// The first reason against it.
    pub fn deleverage(&mut self, market: usize) -> R<Q> {
        self.accrue(market);
        must(!self.is_settled(market), "MarketSettled")?;
        self.need_good(market)?;
        self.receive(market, &zero());
        let at = self.deleverage_at(market);
        must(at.is_some_and(|at| self.unix >= at), "DeleverageTooEarly")?;
        must(self.waiting(market) == 0, "DeleverageUnfinished")?;
        let price = self.markets[market].prices.last.price.clone();
        let (longs, shorts) = (self.side_result(market, true, &price), self.side_result(market, false, &price));
        let better = self.reaches(&longs, &shorts, 8);
        let sizes = (self.open_interest(market, true), self.open_interest(market, false));
        let long = if longs == shorts { sizes.0 >= sizes.1 } else { better };
        let before = if long { sizes.0 } else { sizes.1 };
        let (kept, slack) = (self.carried(market, long), self.carried_slack(market));
        must(!self.at_least(&kept, &before, &slack), "DeleverageNotNeeded")?;
        must(self.at_least(&kept, &q(1), &slack), "PoolInsolvent")?;

        let state = &self.markets[market];
        let index = if long { state.long.index.clone() } else { state.short.index.clone() };
        let share = &kept / &before;
        for account in 0..self.accounts.len() {
            for slot in 0..self.accounts[account].slots.len() {
                let p = &self.accounts[account].slots[slot];
                if p.market != market || !p.is_open() || p.is_long() != long {
                    continue;
                }
                // As if it had been settled at this price and what is beyond its share closed there.
                let frozen = p.pnl(&price) - self.owed(p);
                let p = &mut self.accounts[account].slots[slot];
                p.size = &p.size * &share;
                p.entry = p.size.abs() * &price;
                p.index_at = index.clone();
                p.frozen = frozen;
                p.waits = true;
            }
        }
        // If claims stay over their threshold, the clock starts anew.
        self.begin_episode(market);
        Ok(kept)
    }

    /// Whatever touches a position picks its deleveraging up; whether there was one.
    pub(crate) fn take_up(&mut self, account: usize, slot: usize) -> bool {
        core::mem::take(&mut self.accounts[account].slots[slot].waits)
    }

    /// Anyone's call for a position to pick it up.
    ///
    /// # Errors
    /// Nothing to pick up.
    pub fn pick_up(&mut self, account: usize, market: usize) -> R<()> {
        self.touch(market);
        let slot = self.find(account, market);
        let picked = slot.is_some_and(|slot| self.take_up(account, slot));
        must(picked, "CoverTooEarly")
    }
}
