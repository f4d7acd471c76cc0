//! Fills (section 5): the premium curve, increase, reduce, fees, and the limits on an increase. The side's sums and the
//! position change together (P3), funding is settled first, every rounding is against the trader.
//!
//! After an error the states are to be thrown away, as a failed transaction does.

mod limits;

pub use limits::{check_increase, check_mode, check_rest, worsens};

use crate::account::{AccountState, Position};
use crate::constants::{PRICE_SCALE, RATIO_SCALE};
use crate::deleverage::pick_up;
use crate::error::{Error, Fault, Result, ensure};
use crate::margin::margin_version;
use crate::market::{MarketState, Side};
use crate::math::{div_u128, div_wide, fit, mul_div, mul_signed, some};
use crate::pool::{Payable, Realised};
use crate::settle::release_holdback;
use crate::units::{Base, FundingIndex, I128, Price, Quote, Ratio, Rounding, SignedBase, SignedQuote};

/// What a fill did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Fill {
    /// Size filled.
    pub size: Base,
    /// Whether it bought.
    pub buy: bool,
    /// The mark it was filled at, before the premium.
    pub mark: Price,
    /// The average price, premium included, rounded against the trader.
    pub price: Price,
    /// Quote paid for it (buy) or brought by it (sell), premium included.
    pub cost: Quote,
    /// Premium paid (positive) or received.
    pub premium: SignedQuote,
    /// Trading fee taken.
    pub fee: Quote,
    /// Funding settled: positive was received, negative paid.
    pub funding: SignedQuote,
    /// Result of the closed part, before funding and fee.
    pub pnl: SignedQuote,
    /// Where result and funding went.
    pub realised: Realised,
}

impl Fill {
    /// With a second fill in the same direction, at the average price of both, rounded against the trader: a flip closes a
    /// position and opens the opposite one.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn and(&self, next: &Self) -> Result<Self> {
        let (size, cost) = (self.size.plus(next.size)?, self.cost.plus(next.cost)?);
        let (one, two) = (&self.realised, &next.realised);
        Ok(Self {
            size,
            cost,
            price: average(cost, size, self.buy)?,
            premium: self.premium.plus(next.premium)?,
            fee: self.fee.plus(next.fee)?,
            funding: self.funding.plus(next.funding)?,
            pnl: self.pnl.plus(next.pnl)?,
            realised: Realised {
                cash: one.cash.plus(two.cash)?,
                paid: one.paid.plus(two.paid)?,
                claimed: one.claimed.plus(two.claimed)?,
                unpaid: one.unpaid.plus(two.unpaid)?,
            },
            ..*self
        })
    }
}

/// How a reduction is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charge {
    /// With premium and trading fee.
    Trade,
    /// With premium, without trading fee (liquidations have their own).
    Liquidation,
    /// At the mark, without premium or fee (resolution, settlement).
    Plain,
    /// At the mark, without premium or fee, and a profit is forfeited to the pool (exit from a silent market).
    Silent,
}

/// `size × price`, exact: whole quote atoms and the rest in 1e-9 of one.
#[derive(Clone, Copy)]
pub(crate) struct Notional {
    whole: u64,
    rest: u64,
}

impl Notional {
    pub(crate) fn new(size: Base, price: Price) -> Result<Self> {
        let product = some(u128::from(size.0).checked_mul(u128::from(price.0)))?;
        let whole = div_u128(product, PRICE_SCALE, Rounding::Down)?;
        let taken = some(u128::from(whole).checked_mul(u128::from(PRICE_SCALE)))?;
        Ok(Self { whole, rest: fit(some(product.checked_sub(taken))?)? })
    }

    /// In whole atoms.
    pub(crate) fn value(self, rounding: Rounding) -> Result<Quote> {
        let more = u64::from(rounding == Rounding::Up && self.rest != 0);
        Ok(Quote(some(self.whole.checked_add(more))?))
    }

    /// `notional × turn / 2K` with a single rounding: in whole and rest apart the product never leaves 128 bits, and
    /// two divisions that round the same way are one by the product.
    pub(crate) fn premium(self, turn: u64, scale: Base, rounding: Rounding) -> Result<Quote> {
        let rest = some(u128::from(self.rest).checked_mul(u128::from(turn)))?;
        let rest = div_wide(rest, PRICE_SCALE, rounding)?;
        let whole = some(u128::from(self.whole).checked_mul(u128::from(turn)))?;
        Ok(Quote(div_u128(some(whole.checked_add(rest))?, some(scale.0.checked_mul(2))?, rounding)?))
    }
}

/// The premium of a fill whose notional is known, from a skew.
fn premium_of(
    market: &MarketState,
    notional: Notional,
    size: Base,
    buy: bool,
    skew: SignedBase,
) -> Result<SignedQuote> {
    let turn = some(skew.0.checked_add(skew.plus(size.signed(buy)?)?.0))?;
    if turn == 0 {
        return Ok(SignedQuote::ZERO);
    }
    // price × (s₁² − s₀²) / 2K = price × (s₁ − s₀)(s₁ + s₀) / 2K.
    let scale = market.params.skew_scale;
    if (turn > 0) == buy {
        notional.premium(turn.unsigned_abs(), scale, Rounding::Up)?.signed()
    } else {
        notional.premium(turn.unsigned_abs(), scale, Rounding::Down)?.signed()?.negated()
    }
}

/// The premium of moving the skew by `size`: positive is paid by the trader. Path independent:
/// `price × (s₁² − s₀²) / 2K`, rounded up.
///
/// # Errors
/// [`Error::MathOverflow`].
pub fn premium(market: &MarketState, size: Base, buy: bool, mark: Price) -> Result<SignedQuote> {
    premium_of(market, Notional::new(size, mark)?, size, buy, market.skew()?)
}

/// The trading fee of a fill from a skew: one rate on the part that mends the skew, another on the rest; rounded up.
fn fee_of(
    market: &MarketState,
    notional: Notional,
    size: Base,
    buy: bool,
    mark: Price,
    skew: SignedBase,
) -> Result<Quote> {
    let (taker, mending) = (market.params.taker_fee, market.params.mending_fee);
    let mends = if (skew.0 < 0) == buy { skew.size().min(size) } else { Base::ZERO };
    if mends.is_zero() {
        return notional.value(Rounding::Up)?.portion(taker, Rounding::Up);
    }
    if mends == size {
        return notional.value(Rounding::Up)?.portion(mending, Rounding::Up);
    }
    // Both rates with one rounding, or a split at the turn could save an atom.
    let charged = |part: Base, rate: Ratio| u128::from(part.0).checked_mul(u128::from(rate.0));
    let parts = some(charged(mends, mending))?.checked_add(some(charged(size.less(mends)?, taker))?);
    let product = some(some(parts)?.checked_mul(u128::from(mark.0)))?;
    Ok(Quote(div_u128(div_wide(product, PRICE_SCALE, Rounding::Up)?, RATIO_SCALE, Rounding::Up)?))
}

/// The average price of a fill, rounded against the trader.
fn average(cost: Quote, size: Base, buy: bool) -> Result<Price> {
    Ok(Price(mul_div(cost.0, PRICE_SCALE, size.0, if buy { Rounding::Up } else { Rounding::Down })?))
}

/// `size × index`, as the side sums it.
fn weighted(size: Base, index: FundingIndex) -> Result<i128> {
    if size.is_zero() {
        return Ok(0);
    }
    mul_signed(index.get(), size.0)
}

/// Replaces a position's part in its side's sums: the old size and entry by new ones that stand at the side's index.
pub(crate) fn rebook(side: &mut Side, position: &mut Position, size: Base, long: bool, entry: Quote) -> Result<()> {
    let index = side.index;
    let (old_size, old_entry) = (position.base(), position.entry);
    side.open_interest = side.open_interest.less(old_size)?.plus(size)?;
    side.entry = side.entry.less(old_entry)?.plus(entry)?;
    let sum = some(side.funding_entry.get().checked_sub(weighted(old_size, position.funding_entry)?))?;
    side.funding_entry = I128::new(some(sum.checked_add(weighted(size, index)?))?);
    if old_size.is_zero() && !size.is_zero() {
        side.positions = some(side.positions.checked_add(1))?;
    } else if size.is_zero() && !old_size.is_zero() {
        side.positions = some(side.positions.checked_sub(1))?;
    }
    position.size = size.signed(long)?;
    position.entry = entry;
    position.funding_entry = if size.is_zero() { FundingIndex::default() } else { index };
    Ok(())
}

/// What can be paid on a result: needed for a profit only.
pub(crate) fn payable_for(market: &MarketState, result: SignedQuote) -> Result<Payable> {
    if result.0 > 0 { market.payable() } else { Ok(Payable::NOTHING) }
}

/// Opens or increases the position in a slot (free, or of this market and direction), in a market that accrued just now.
/// Takes the fee from collateral. The caller checks limits ([`check_increase`]) and initial margin after it. A holdback
/// in the slot is resolved first: an increase has a good price.
///
/// # Errors
/// [`Error::InsufficientCollateral`] if the fee or the funding owed cannot be paid, [`Error::AmountZero`],
/// [`Error::SizeBelowMinimum`] for dust that is worth less than its premium, [`Error::WrongMarket`],
/// [`Error::SizeNotReducing`] for a position of the other direction, [`Error::MathOverflow`].
pub fn increase(
    market: &mut MarketState,
    account: &mut AccountState,
    slot: usize,
    size: Base,
    long: bool,
    mark: Price,
) -> Result<Fill> {
    ensure(!size.is_zero(), Error::AmountZero)?;
    release_holdback(market, account, slot)?;
    let _ = pick_up(market, account, slot)?;
    let AccountState { collateral, positions, opened, principal, .. } = account;
    let before = *collateral;
    let position = positions.get_mut(slot).ok_or(Error::PositionNotFound)?;
    ensure(position.is_free() || position.market == market.index, Error::WrongMarket)?;
    let old_size = position.base();
    ensure(old_size.is_zero() || position.size.is_long() == long, Error::SizeNotReducing)?;

    let skew = market.skew()?;
    let notional = Notional::new(size, mark)?;
    let premium = premium_of(market, notional, size, long, skew)?;
    let fee = fee_of(market, notional, size, long, mark, skew)?;
    let cost = if long {
        notional.value(Rounding::Up)?.signed()?.plus(premium)?
    } else {
        notional.value(Rounding::Down)?.signed()?.less(premium)?
    };
    // Dust: what it brings does not pay its premium, an atom at least.
    ensure(cost.0 >= 0, Fault::new(Error::SizeBelowMinimum, market.params.min_notional.0, notional.whole))?;
    let cost = cost.gain();

    let owed = market.side(long).index.owed(position.funding_entry, old_size)?;
    let funding = owed.negated()?;
    let payable = payable_for(market, funding)?;
    let entry = position.entry.plus(cost)?;
    let margin_version = margin_version(market);
    let round = market.deleveraging.round;
    let (index, side) = (market.index, market.side_mut(long));
    rebook(side, position, old_size.plus(size)?, long, entry)?;
    position.margin_version = margin_version;
    position.market = index;
    position.round = round;
    if old_size.is_zero() {
        // What an episode counted was another position, of another market perhaps.
        position.episode = 0;
        *opened = some(opened.checked_add(1))?;
        position.generation = *opened;
    }

    let realised = market.realise(collateral, &mut position.claim, &payable, funding)?;
    ensure(realised.unpaid.is_zero(), Fault::new(Error::InsufficientCollateral, realised.cash.loss().0, owed.0))?;
    ensure(fee <= *collateral, Fault::new(Error::InsufficientCollateral, collateral.0, fee.0))?;
    *collateral = collateral.less(fee)?;
    principal.follow(before, *collateral)?;
    market.split_fee(fee)?;
    Ok(Fill {
        size,
        buy: long,
        mark,
        price: average(cost, size, long)?,
        cost,
        premium,
        fee,
        funding,
        pnl: SignedQuote::ZERO,
        realised,
    })
}

/// A part of a position that has left it and its side's sums. Its result is yet to be realised.
pub(crate) struct TakenOff {
    /// Whether it was bought back.
    buy: bool,
    cost: Quote,
    premium: SignedQuote,
    fee: Quote,
    owed: SignedQuote,
    pnl: SignedQuote,
    /// PnL, what a deleveraging has frozen included, less the funding owed.
    pub(crate) result: SignedQuote,
    /// What can be paid on it, as it was before the part left.
    pub(crate) payable: Payable,
}

/// Takes a part off the position in a slot, or all of it, in a market that accrued just now; no money moves. A deleveraging
/// that the position has not picked up comes first; what one has frozen is in the result.
///
/// The part of the entry that leaves is rounded against the trader; the rest stays in the position, so that the parts
/// add up to the whole.
///
/// # Errors
/// [`Error::PositionNotFound`], [`Error::WrongMarket`], [`Error::SizeNotReducing`], [`Error::MathOverflow`].
pub(crate) fn take_off(
    market: &mut MarketState,
    account: &mut AccountState,
    slot: usize,
    size: Base,
    mark: Price,
    charge: Charge,
) -> Result<TakenOff> {
    let _ = pick_up(market, account, slot)?;
    let position = account.position_mut(slot)?;
    ensure(position.is_open(), Error::PositionNotFound)?;
    ensure(position.market == market.index, Error::WrongMarket)?;
    let (old_size, long) = (position.base(), position.size.is_long());
    ensure(!size.is_zero() && size <= old_size, Fault::new(Error::SizeNotReducing, old_size.0, size.0))?;

    let skew = market.skew()?;
    let buy = !long;
    let notional = Notional::new(size, mark)?;
    let premium = match charge {
        Charge::Trade | Charge::Liquidation => premium_of(market, notional, size, buy, skew)?,
        Charge::Plain | Charge::Silent => SignedQuote::ZERO,
    };
    let fee = match charge {
        Charge::Trade => fee_of(market, notional, size, buy, mark, skew)?,
        Charge::Liquidation | Charge::Plain | Charge::Silent => Quote::ZERO,
    };
    let leaving = if size == old_size {
        position.entry
    } else {
        position.entry.share(size.0, old_size.0, if long { Rounding::Up } else { Rounding::Down })?
    };
    // Of dust the premium may be an atom more than the value: a signed amount, or the reduction would fail.
    let (cost, pnl) = if long {
        let brought = notional.value(Rounding::Down)?.signed()?.less(premium)?;
        (brought, brought.less(leaving.signed()?)?)
    } else {
        let paid = notional.value(Rounding::Up)?.signed()?.plus(premium)?;
        (paid, leaving.signed()?.less(paid)?)
    };

    let owed = market.side(long).index.owed(position.funding_entry, old_size)?;
    let mut result = pnl.less(owed)?;
    if charge == Charge::Silent && result.0 > 0 {
        result = SignedQuote::ZERO;
    }
    // What a deleveraging has frozen was seen at a good price.
    let pnl = pnl.plus(position.frozen)?;
    result = result.plus(position.frozen)?;
    // Before the part leaves the sums, and what is frozen with it.
    let payable = payable_for(market, result)?;
    market.freeze(position, long, SignedQuote::ZERO)?;
    let entry = position.entry.less(leaving)?;
    rebook(market.side_mut(long), position, old_size.less(size)?, long, entry)?;
    if !position.is_open() {
        position.margin_version = 0;
        let _ = market.note_settled(position)?;
    }
    Ok(TakenOff { buy, cost: cost.gain(), premium, fee, owed, pnl, result, payable })
}

/// Reduces or closes the position in a slot, in a market that accrued just now, and realises its result. A fee that the
/// collateral cannot pay is taken as far as it goes; an unpaid loss is returned in `realised.unpaid` for
/// [`crate::resolve::cover`].
///
/// # Errors
/// [`Error::PositionNotFound`], [`Error::WrongMarket`], [`Error::SizeNotReducing`], [`Error::MathOverflow`].
pub fn reduce(
    market: &mut MarketState,
    account: &mut AccountState,
    slot: usize,
    size: Base,
    mark: Price,
    charge: Charge,
) -> Result<Fill> {
    let taken = take_off(market, account, slot, size, mark, charge)?;
    let TakenOff { buy, cost, premium, owed, pnl, .. } = taken;
    let AccountState { collateral, positions, principal, .. } = account;
    let before = *collateral;
    let position = positions.get_mut(slot).ok_or(Error::PositionNotFound)?;
    let realised = market.realise(collateral, &mut position.claim, &taken.payable, taken.result)?;
    let fee = taken.fee.min(*collateral);
    *collateral = collateral.less(fee)?;
    principal.follow(before, *collateral)?;
    market.split_fee(fee)?;
    let price = average(cost, size, buy)?;
    Ok(Fill { size, buy, mark, price, cost, premium, fee, funding: owed.negated()?, pnl, realised })
}
