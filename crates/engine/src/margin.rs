//! Margin (section 7): what a position adds to an account's equity and requirement, by purpose.

use crate::Now;
use crate::account::Position;
use crate::error::{Error, Fault, Result, ensure};
use crate::market::MarketState;
use crate::pool::Payable;
use crate::price::Status;
use crate::units::{Price, Quote, Ratio, Rounding, SignedQuote};

/// What a margin test is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Flag, liquidate, resolve: is it liquidatable? A price that is not good counts in the account's favour.
    Maintenance,
    /// After an increase; every price must be good.
    Increase,
    /// After a withdrawal or a transfer out; every price must be good.
    Withdrawal,
}

/// What one position counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Leg {
    /// The market's index.
    pub market: u16,
    /// State of its price; `Good` for a slot without a size, which needs none.
    pub status: Status,
    /// Publish time of the last price; 0 for a slot without a size.
    pub publish_time: i64,
    /// What it adds to equity: PnL at the purpose's price less funding owed; profit and funding to receive at their
    /// credit, both rounded down.
    pub equity: SignedQuote,
    /// The same with profit and funding in full, and with claims at face and what a silent exit left behind, as the
    /// resolution counts it.
    pub full_equity: SignedQuote,
    /// Notional at the purpose's price, rounded up.
    pub notional: Quote,
    /// Requirement, rounded up.
    pub requirement: Quote,
    /// Liquidation buffer, rounded up; only the maintenance test has one.
    pub buffer: Quote,
}

/// An account's sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Totals {
    /// Equity.
    pub equity: SignedQuote,
    /// Equity with profits and claims in full.
    pub full_equity: SignedQuote,
    /// Notional.
    pub notional: Quote,
    /// Requirement.
    pub requirement: Quote,
    /// Liquidation buffer.
    pub buffer: Quote,
    /// The worst state among the prices; `Good` for an account without positions.
    pub worst: Status,
    /// The newest publish time.
    pub publish_time: i64,
    /// The oldest publish time among the good prices of open positions; the largest number where there is none.
    pub oldest: i64,
    /// Slot and requirement of the position with the largest requirement and a good price; of equals the lowest slot.
    pub largest: Option<(usize, Quote)>,
}

impl Totals {
    /// An account without positions.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn new(collateral: Quote) -> Result<Self> {
        let equity = collateral.signed()?;
        Ok(Self {
            equity,
            full_equity: equity,
            notional: Quote::ZERO,
            requirement: Quote::ZERO,
            buffer: Quote::ZERO,
            worst: Status::Good,
            publish_time: 0,
            oldest: i64::MAX,
            largest: None,
        })
    }
    /// Adds the position of a slot.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn add(&mut self, slot: usize, leg: &Leg) -> Result<()> {
        self.equity = self.equity.plus(leg.equity)?;
        self.full_equity = self.full_equity.plus(leg.full_equity)?;
        self.notional = self.notional.plus(leg.notional)?;
        self.requirement = self.requirement.plus(leg.requirement)?;
        self.buffer = self.buffer.plus(leg.buffer)?;
        self.worst = self.worst.min(leg.status);
        self.publish_time = self.publish_time.max(leg.publish_time);
        if leg.status == Status::Good && !leg.notional.is_zero() {
            self.oldest = self.oldest.min(leg.publish_time);
        }
        let most = self.largest.map_or(Quote::ZERO, |(_, requirement)| requirement);
        if leg.status == Status::Good && leg.requirement > most {
            self.largest = Some((slot, leg.requirement));
        }
        Ok(())
    }
    /// Equity must reach the requirement; every price must be good.
    ///
    /// # Errors
    /// [`Error::InitialMargin`], the worst price's refusal.
    pub fn check_initial(&self) -> Result<()> {
        ensure(self.worst == Status::Good, self.worst.refusal())?;
        ensure(self.surplus()?.loss().is_zero(), Fault::new(Error::InitialMargin, self.requirement.0, self.equity.0))
    }
    /// Whether every good price that the sums rest on was published after that time: what one price of one market showed
    /// then must not strike again beside a newer one of another market (P5). The others count in the account's favour.
    pub fn seen_since(&self, publish_time: i64) -> bool {
        self.publish_time > publish_time && self.oldest > publish_time
    }
    /// Whether an account below zero is for the resolution: it can be flagged, or all that it has open is in settled markets,
    /// where it needs no flag.
    pub const fn is_resolvable(&self) -> bool {
        self.largest.is_some() || self.publish_time == 0
    }
    /// Equity less requirement.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn surplus(&self) -> Result<SignedQuote> {
        self.equity.less(self.requirement.signed()?)
    }
    /// What equity lacks of requirement and buffer: what a liquidation has to mend. Zero where nothing is lacking.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn shortage(&self) -> Result<Quote> {
        Ok(self.requirement.plus(self.buffer)?.signed()?.less(self.equity)?.gain())
    }
}

/// The maintenance margin a position is held to (P10): one that was opened or increased under the current margin is held to
/// that; any other one, while a grace runs, to the margin in force before the raise, which is what the envelope counts
/// as the lowest in force; then to the current one.
pub fn maintenance_ratio(market: &MarketState, position: &Position, now: &Now) -> Ratio {
    let current = market.params.maintenance_margin;
    if now.unix < market.grace_until && position.maintenance != current.0 {
        return current.min(Ratio(market.old_maintenance));
    }
    current
}

/// The initial margin ratio at a notional: base, plus the size term, plus for increases the open-interest term
/// `(1 − base) × clamp((OI − lo) / (hi − lo))` of the side that is more filled. Each term is rounded up, the sum is at
/// most all of the notional.
///
/// # Errors
/// [`Error::MathOverflow`].
pub fn initial_ratio(market: &MarketState, notional: Quote, increase: bool) -> Result<Ratio> {
    let params = &market.params;
    let mut ratio = params.initial_margin;
    if !params.size_margin.is_zero() && !notional.is_zero() {
        let most = params.max_position.0.max(1);
        let term = Quote(params.size_margin.0).share(notional.0.min(most), most, Rounding::Up)?;
        ratio = ratio.plus(Ratio(term.0))?;
    }
    if increase {
        let share = crowding(market)?;
        if !share.is_zero() {
            ratio = ratio.plus(Ratio::ONE.saturating_sub(params.initial_margin).times(share, Rounding::Up)?)?;
        }
    }
    Ok(ratio.min(Ratio::ONE))
}

/// How far open interest stands between `oi_margin_start` and `oi_margin_full` of the cap, rounded up, at most one.
fn crowding(market: &MarketState) -> Result<Ratio> {
    let params = &market.params;
    let base = market.long.open_interest.max(market.short.open_interest);
    let notional = base.value(market.price.last.price, Rounding::Up)?;
    // The usual case, far below the start, costs no further division.
    let scaled = u128::from(notional.0).saturating_mul(u128::from(Ratio::ONE.0));
    if scaled <= u128::from(params.open_interest_cap.0).saturating_mul(u128::from(params.oi_margin_start.0)) {
        return Ok(Ratio::ZERO);
    }
    let start = params.open_interest_cap.portion(params.oi_margin_start, Rounding::Down)?;
    let full = params.open_interest_cap.portion(params.oi_margin_full, Rounding::Down)?;
    if notional >= full {
        return Ok(Ratio::ONE);
    }
    Ratio::of(notional.saturating_sub(start).0, full.less(start)?.0, Rounding::Up)
}

/// The unrealised result of a whole position at a price, before funding: value less entry for a long, entry less value
/// for a short, rounded down; with what a deleveraging has frozen. Of a position that has picked the last one up
/// ([`MarketState::effective`]).
///
/// # Errors
/// [`Error::MathOverflow`].
#[inline]
pub fn unrealised(position: &Position, price: Price) -> Result<SignedQuote> {
    let long = position.size.is_long();
    let value = position.base().value(price, if long { Rounding::Down } else { Rounding::Up })?.signed()?;
    let entry = position.entry.signed()?;
    let pnl = if long { value.less(entry)? } else { entry.less(value)? };
    pnl.plus(position.frozen)
}

/// Funding that a position owes at the market's stored index; negative when it is to receive. Rounded up.
///
/// # Errors
/// [`Error::MathOverflow`].
#[inline]
pub fn funding_owed(market: &MarketState, position: &Position) -> Result<SignedQuote> {
    market.side(position.size.is_long()).index.owed(position.funding_entry, position.base())
}

/// What a position counts for.
///
/// Funding is owed at the market's stored index: a caller accrues the markets that it may write. In those that it only
/// reads, what has accrued since the last update is left out; with a good price that is ten slots' worth at most.
///
/// # Errors
/// [`Error::MathOverflow`]; [`Error::PriceMissing`].
pub fn leg(market: &MarketState, position: &Position, purpose: Purpose, now: &Now) -> Result<Leg> {
    // A slot without a size needs no price, so a bad oracle there holds nobody up (P13).
    let status = if position.is_open() { market.status(now)? } else { Status::Good };
    leg_in(market, position, purpose, status, now)
}

/// As [`leg`], with the price in a state that the caller has established (or supposes, for a quote).
///
/// # Errors
/// [`Error::MathOverflow`]; [`Error::PriceMissing`].
pub fn leg_in(market: &MarketState, position: &Position, purpose: Purpose, status: Status, now: &Now) -> Result<Leg> {
    let picked_up;
    let position = if market.is_deleveraged(position) {
        picked_up = market.effective(position)?;
        &picked_up
    } else {
        position
    };
    let mut leg = Leg {
        market: market.index,
        status,
        publish_time: 0,
        equity: SignedQuote::ZERO,
        full_equity: set_aside(market, position)?,
        notional: Quote::ZERO,
        requirement: Quote::ZERO,
        buffer: Quote::ZERO,
    };
    if !position.is_open() {
        return Ok(leg);
    }
    let long = position.size.is_long();
    let price = &market.price;
    let (mark, priced) = match purpose {
        Purpose::Maintenance if status == Status::Good => (price.last.price, market.maintenance_price(long)?),
        // Neither a block nor a shield nor a keeper's lever (section 4): not the last price, but the last valid one.
        Purpose::Maintenance => (price.valid.price, market.favourable_price(long, now)?),
        Purpose::Increase | Purpose::Withdrawal => (price.last.price.max(price.ema60), market.initial_price(long)?),
    };
    // In a settled market nothing can be lost any more: no requirement, and no say in which prices are new.
    if !market.is_settled() {
        leg.publish_time = price.last.publish_time;
        leg.notional = position.base().value(mark, Rounding::Up)?;
        let ratio = match purpose {
            Purpose::Maintenance => {
                leg.buffer = leg.notional.portion(market.params.liquidation_buffer, Rounding::Up)?;
                maintenance_ratio(market, position, now)
            }
            Purpose::Increase => initial_ratio(market, leg.notional, true)?,
            Purpose::Withdrawal => initial_ratio(market, leg.notional, false)?,
        };
        leg.requirement = leg.notional.portion(ratio, Rounding::Up)?;
    }

    let pnl = unrealised(position, priced)?;
    let owed = funding_owed(market, position)?;
    // What the pool has yet to pay is an asset at its credit, what the account has yet to pay a debt in full. Were the
    // two netted first, a reduction that realises the debt but not the asset would make the account less healthy.
    let asset = pnl.gain().plus(owed.loss())?;
    let debt = pnl.loss().plus(owed.gain())?.signed()?;
    leg.full_equity = leg.full_equity.plus(asset.signed()?)?.less(debt)?;
    leg.equity = credited(market, asset, purpose, status)?.signed()?.less(debt)?;
    Ok(leg)
}

/// What unrealised profit counts for, rounded down. Divisions only where there is any.
fn credited(market: &MarketState, profit: Quote, purpose: Purpose, status: Status) -> Result<Quote> {
    if profit.is_zero() {
        return Ok(Quote::ZERO);
    }
    let share = match purpose {
        Purpose::Maintenance => Ratio::ONE.saturating_sub(market.params.initial_margin),
        Purpose::Increase => market.params.profit_credit,
        Purpose::Withdrawal => return Ok(Quote::ZERO),
    };
    if share.is_zero() {
        return Ok(Quote::ZERO);
    }
    let payable = match purpose {
        // An unconfirmed or uncertain price must not lower h either, or it could get an account liquidated (P5).
        Purpose::Maintenance if status != Status::Good => {
            let gross = payable_gain(market, true)?.plus(payable_gain(market, false)?)?;
            Payable { cash: market.pool.free_cash()?, gross }
        }
        _ => market.payable()?,
    };
    payable.of(profit)?.portion(share, Rounding::Down)
}

/// What a side could realise as profit at the last valid price, rounded up.
fn payable_gain(market: &MarketState, long: bool) -> Result<Quote> {
    let pnl = market.side_pnl(long, market.price.valid.price)?;
    Ok(pnl.less(market.side(long).funding_owed(Rounding::Down)?)?.gain())
}

/// A slot's claim, what is left of it and what can be collected, and its holdback.
pub(crate) fn set_aside(market: &MarketState, position: &Position) -> Result<SignedQuote> {
    if position.claim.amount.is_zero() {
        return position.held.signed();
    }
    let (outstanding, collectable) = market.claim_value(&position.claim)?;
    outstanding.plus(collectable)?.plus(position.held)?.signed()
}
