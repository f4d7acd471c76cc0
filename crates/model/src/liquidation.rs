//! Section 8: flags, pacing, size, fees.

use crate::margin::{Purpose, Totals};
use crate::number::{Q, frac, gain, least, most, q, zero};
use crate::state::{Exchange, Flag, Position};
use crate::trade::Charge;
use crate::{No, R, must};

/// What a liquidation did.
#[derive(Clone, Debug)]
pub struct Liquidated {
    /// Size closed.
    pub size: Q,
    /// The keeper's fee.
    pub keeper: Q,
    /// The insurance fee.
    pub insurance: Q,
}

impl Exchange {
    /// When an account was flagged, by the newest publish time then.
    pub(crate) fn flag_time(&self, account: usize) -> i64 {
        self.accounts[account].flag.as_ref().map_or(0, |flag| flag.time)
    }

    /// What must be closed: the shortage over what a unit of notional frees, at most all of it.
    fn need(&self, p: &Position, sums: &Totals) -> Q {
        let rules = &self.markets[p.market].rules;
        let freed = self.maintenance_ratio(p) + &rules.liquidation_buffer
            - &rules.keeper_fee_max
            - &rules.insurance_fee_max
            - &rules.liquidation_impact
            - &rules.conf_credit;
        least(&(sums.shortage() / freed), &sums.notional)
    }

    /// Flags an account below maintenance.
    ///
    /// # Errors
    /// The first reason against it.
    pub fn flag(&mut self, account: usize) -> R<()> {
        let sums = self.totals(account, Purpose::Maintenance)?;
        let Some((slot, _)) = sums.largest.clone() else { return Err(No(sums.worst.refusal())) };
        must(!self.is_flagged(account), "AlreadyFlagged")?;
        must(!self.reaches(&sums.surplus(), &zero(), 24), "AccountHealthy")?;
        let need = self.need(&self.accounts[account].slots[slot].clone(), &sums);
        self.accounts[account].flag = Some(Flag {
            slot: self.slot,
            time: sums.newest,
            need,
            closed: zero(),
            last_slot: 0,
            full: false,
            floor_paid: false,
            flagger: true,
        });
        Ok(())
    }

    /// Takes a flag off an account at or above maintenance plus buffer, or a void one.
    ///
    /// # Errors
    /// The first reason against it.
    pub fn unflag(&mut self, account: usize) -> R<()> {
        let sums = self.totals(account, Purpose::Maintenance)?;
        must(self.accounts[account].flag.is_some(), "NotFlagged")?;
        if self.is_flagged(account) {
            let short = &sums.requirement + &sums.buffer - &sums.equity;
            must(self.reaches(&zero(), &short, 24), "StillUnhealthy")?;
        }
        self.accounts[account].flag = None;
        Ok(())
    }

    /// Liquidates what pacing allows of the largest position with a good price; nothing for an account that has recovered.
    ///
    /// # Errors
    /// The first reason against it.
    pub fn liquidate(&mut self, account: usize, market: usize, keeper: usize) -> R<Option<Liquidated>> {
        self.accrue(market);
        let slot = self.find(account, market).ok_or(No("PositionNotFound"))?;
        let p = self.accounts[account].slots[slot].clone();
        must(p.is_open(), "PositionNotFound")?;
        self.take_up(account, slot);
        let sums = self.totals(account, Purpose::Maintenance)?;
        must(self.is_flagged(account), "NotFlagged")?;
        let healthy = self.reaches(&sums.surplus(), &zero(), 24);
        match &sums.largest {
            Some((largest, _)) => must(*largest == slot, "NotLargestPosition")?,
            None => must(healthy, sums.worst.refusal())?,
        }
        if healthy {
            self.accounts[account].flag = None;
            return Ok(None);
        }
        must(self.reaches(&sums.full_equity, &zero(), 24), "AccountBankrupt")?;

        let rules = self.markets[market].rules.clone();
        let last = self.markets[market].prices.last.clone();
        let Some(mut flag) = self.accounts[account].flag.clone() else { return Err(No("NotFlagged")) };
        // Below two thirds of maintenance, or with dust, pacing falls away, at a price that is fresh.
        let deep = !self.reaches(&(&sums.equity * q(3)), &(&sums.requirement * q(2)), 72);
        let dust = !self.reaches(&sums.notional, &(q(50) * &rules.unit), 9);
        let urgent = self.unix - last.time <= 2 && (deep || dust);
        must(Self::seen_since(&sums, flag.time), "FlagTooFresh")?;
        must(urgent || self.slot >= flag.slot + 2, "FlagTooFresh")?;
        let elapsed = q(self.slot.saturating_sub(flag.slot).min(25)) / q(25);
        if urgent || self.reaches(&flag.closed, &flag.need, 2) {
            flag.need = self.need(&p, &sums);
            flag.closed = zero();
            flag.full = true;
        }
        let share = if flag.full { q(1) } else { frac(1, 5) + frac(4, 5) * &elapsed };
        let mut room = gain(&(&flag.need * share - &flag.closed));
        must(!room.is_zero() && self.reaches(&room, &q(1), 60), "PacingExhausted")?;
        if !urgent {
            let state = &mut self.markets[market];
            if state.throttle_slot != self.slot {
                state.throttle_slot = self.slot;
                state.throttle_used = zero();
            }
            let spare = gain(&(&rules.liquidation_capacity - &state.throttle_used));
            must(!spare.is_zero(), "CapacityExhausted")?;
            room = least(&room, &spare);
        }
        let whole = p.size.abs();
        let notional = &whole * &last.price;
        let rest = gain(&(&notional - &room));
        let sliver = !self.reaches(&(&rest * q(20)), &notional, 1_300);
        let small = !self.reaches(&rest, &rules.min_notional, 60);
        let mut size = if sliver || small { whole.clone() } else { least(&(&room / &last.price), &whole) };
        if sums.worst != crate::price::Status::Good {
            size = least(&size, &(whole * frac(19, 20)));
        }

        let notional = &size * &last.price;
        let credit = (self.maintenance_price(market, p.is_long()) - &last.price).abs();
        let closed = self.reduce(account, slot, &size, &last.price, Charge::Liquidation);
        // What the fill took from equity at most, and what it freed: fees stay below the difference.
        let taken = &size * credit + &closed.premium;
        let gained = &notional * self.maintenance_ratio(&p) - &taken;
        let left = gain(&(&sums.full_equity - &taken));
        let most_fee = least(&least(&self.accounts[account].collateral, &left), &gain(&gained));

        let rate = &rules.keeper_fee_min + (&rules.keeper_fee_max - &rules.keeper_fee_min) * &elapsed;
        let floor = if flag.floor_paid { zero() } else { rules.keeper_fee_floor.clone() };
        flag.floor_paid = true;
        let paid = least(&most(&(&notional * &rate), &floor), &most_fee);
        let wealth = gain(&sums.equity) / &sums.notional;
        let spare = gain(&(wealth - &rate - &rules.liquidation_impact - &rules.conf_credit));
        let insurance_rate = least(&(spare * frac(95, 100)), &rules.insurance_fee_max);
        let insurance = least(&(&notional * insurance_rate), &(&most_fee - &paid));
        let added = self.top_up(market, &gain(&(&floor - &paid)));
        let fee = &paid + &added;
        let unclaimed = if flag.flagger { zero() } else { &fee / q(10) };
        self.insure(market, &(&insurance + &unclaimed));
        let charged = &paid + &insurance;
        self.accounts[account].collateral -= &charged;

        flag.closed += &notional;
        flag.last_slot = self.slot;
        if !urgent {
            self.markets[market].throttle_used += &notional;
        }
        // The engine's size is whole atoms of the base, and its two fee rates are whole millionths.
        let off = q(24) + &last.price + &notional * frac(2, 1_000_000);
        let recovered = self.at_least(&(sums.surplus() + gained - charged), &zero(), &off);
        self.accounts[account].flag = if recovered { None } else { Some(flag) };
        if closed.unpaid.is_positive() {
            self.cover_liquidation(account, slot, &closed.unpaid)?;
        } else {
            let _ = self.reaches(&self.accounts[account].collateral.clone(), &zero(), 6);
        }
        let keeps = &fee - &unclaimed;
        self.accounts[keeper].collateral += &keeps;
        Ok(Some(Liquidated { size, keeper: keeps, insurance }))
    }

    /// What the market's insurance adds to a keeper's fee, within the hour's cap.
    fn top_up(&mut self, market: usize, missing: &Q) -> Q {
        if missing.is_zero() {
            return zero();
        }
        let hour = self.unix.div_euclid(3_600);
        let state = &mut self.markets[market];
        if state.floor_hour != hour {
            state.floor_hour = hour;
            state.floor_paid = zero();
        }
        let spare = gain(&(&state.rules.keeper_floor_hourly - &state.floor_paid));
        let added = least(&least(missing, &spare), &state.insurance);
        state.floor_paid += &added;
        state.insurance -= &added;
        added
    }
}
