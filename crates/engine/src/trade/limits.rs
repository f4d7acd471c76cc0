//! What a fill must keep (sections 5 and 7): the limits on an increase, and those on a reduction that is no closing.

use super::Fill;
use crate::Now;
use crate::account::AccountState;
use crate::constants::{CROSS_MARKETS, RATIO_SCALE};
use crate::error::{Error, Fault, Result, ensure};
use crate::market::MarketState;
use crate::math::mul_div;
use crate::pool::Values;
use crate::price::Status;
use crate::units::{Base, Ratio, Rounding};

/// That an account may hold this market: the long tail is for isolated accounts only, and so is what lies beyond the
/// table of claims that cross markets keep on one another.
///
/// # Errors
/// [`Error::CrossNotAllowed`].
pub fn check_mode(market: &MarketState, account: &AccountState) -> Result<()> {
    let cross = account.isolated != 0 || (market.rules()?.cross && usize::from(market.index) < CROSS_MARKETS);
    ensure(cross, Error::CrossNotAllowed)
}

/// The limits on an increase (section 5), tested on the market after it: good price, no pause, no claims, no waiting
/// exit, stress and impact and cap of the side, position size and minimum notional.
///
/// # Errors
/// The limit's own error, with limit and value in quote atoms.
pub fn check_increase(market: &MarketState, account: &AccountState, slot: usize, now: &Now) -> Result<()> {
    let (params, pool) = (&market.params, &market.pool);
    market.check_open(now)?;
    let status = market.status(now)?;
    ensure(status == Status::Good, status.refusal())?;
    ensure(pool.shares > 0, Error::PoolEmpty)?;
    ensure(!market.claims_block(), Fault::new(Error::PoolClaims, pool.cash.0, pool.claims.0))?;
    ensure(pool.exits_waiting_until <= now.unix, Fault::new(Error::ExitsWaiting, pool.exits_waiting_until, now.unix))?;

    let position = account.position(slot)?;
    let price = market.price.last.price;
    let value = position.base().value(price, Rounding::Down)?;
    ensure(value >= params.min_notional, Fault::new(Error::SizeBelowMinimum, params.min_notional.0, value.0))?;
    ensure(value <= params.max_position, Fault::new(Error::PositionTooLarge, params.max_position.0, value.0))?;

    let long = position.size.is_long();
    let values = Values::of(market, price)?;
    let side = values.side_up(long)?;
    let cap = market.overlay.effective_cap(params.open_interest_cap, now);
    ensure(side <= cap, Fault::new(Error::OpenInterestCap, cap.0, side.0))?;

    // Ratios by cross products: a division less, and exact.
    let open_interest = times(market.side(long).open_interest.0, RATIO_SCALE);
    if open_interest > times(params.skew_scale.0, params.liquidation_impact.0) {
        let limit = Base(mul_div(params.skew_scale.0, params.liquidation_impact.0, RATIO_SCALE, Rounding::Down)?);
        return Err(Fault::new(Error::OpenInterestImpact, limit.value(price, Rounding::Down)?.0, side.0));
    }

    // Each side alone, as if the other had left: the larger one decides.
    let larger = values.larger()?;
    let carried = market.firm_equity_at(price, &values)?.gain();
    if times(larger.0, params.stress_move.0) > times(carried.0, RATIO_SCALE) {
        let limit = mul_div(carried.0, RATIO_SCALE, params.stress_move.0, Rounding::Down)?;
        return Err(Fault::new(Error::OpenInterestStress, limit, larger.0));
    }
    Ok(())
}

/// A product of two 64-bit numbers, which 128 bits always hold.
#[inline]
const fn times(a: u64, b: u64) -> u128 {
    (a as u128).saturating_mul(b as u128)
}

/// The limit on a position of `held` that was reduced but not closed: what is left is at least the minimum notional at the
/// stored price, unless even what was held lay below it (it could only be closed whole then).
///
/// # Errors
/// [`Error::SizeBelowMinimum`], [`Error::PositionNotFound`], [`Error::MathOverflow`].
pub fn check_rest(market: &MarketState, account: &AccountState, slot: usize, held: Base) -> Result<()> {
    let (position, least) = (account.position(slot)?, market.params.min_notional);
    let value = position.base().value(market.price.last.price, Rounding::Down)?;
    if !position.is_open() || value >= least || held.value(market.price.last.price, Rounding::Down)? < least {
        return Ok(());
    }
    Err(Fault::new(Error::SizeBelowMinimum, least.0, value.0))
}

/// Whether a reduction costs more than the margin that it sets free, so that it leaves the account less healthy: it loses
/// what the fill falls short of the maintenance price, and the fee, both rounded up; and gains `ratio` (the position's
/// maintenance margin) of the notional, rounded down. One price before and after: so it holds in every state of the price,
/// and without the account's other markets.
///
/// # Errors
/// [`Error::MathOverflow`].
pub fn worsens(market: &MarketState, fill: &Fill, ratio: Ratio) -> Result<bool> {
    let price = market.maintenance_price(!fill.buy)?;
    let value = fill.size.value(price, if fill.buy { Rounding::Down } else { Rounding::Up })?;
    let short = if fill.buy { fill.cost.saturating_sub(value) } else { value.saturating_sub(fill.cost) };
    let notional = fill.size.value(market.price.last.price, Rounding::Down)?;
    Ok(short.plus(fill.fee)? > notional.portion(ratio, Rounding::Down)?)
}
