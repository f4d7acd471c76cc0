//! Liquidation (section 8): flag, pacing, size, fees. Everything is derived; a keeper chooses nothing.

use crate::Now;
use crate::account::{AccountState, Flag, Position};
use crate::constants::{
    DUST_UNITS, FLAG_VOID_SLOTS, FLAG_WAIT_SLOTS, FLAGGER_SHARE, HOUR, INSURANCE_FEE_SHARE, KEEPER_RAMP_SLOTS,
    PRICE_SCALE, RAMP_SLOTS, RAMP_START, RATIO_SCALE, URGENT_PRICE_AGE,
};
use crate::deleverage::pick_up;
use crate::error::{Error, Fault, Result, ensure};
use crate::layout::Key;
use crate::margin::{Totals, maintenance_ratio};
use crate::market::MarketState;
use crate::math::{mul_div, period, some};
use crate::price::Status;
use crate::trade::{Charge, Fill, reduce};
use crate::units::{Base, Price, Quote, Ratio, Rounding, SignedQuote};

/// A liquidation's receipt: enough to run the decision again (section 8.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Receipt {
    /// The fill.
    pub fill: Fill,
    /// Keeper's fee in all, the flagger's share included.
    pub keeper_fee: Quote,
    /// The flagger's share of it.
    pub flagger_fee: Quote,
    /// What the market's insurance added to it.
    pub from_insurance: Quote,
    /// Insurance fee.
    pub insurance_fee: Quote,
    /// Equity before, at the maintenance price.
    pub equity_before: SignedQuote,
    /// Maintenance before.
    pub maintenance_before: Quote,
    /// Notional closed.
    pub notional: Quote,
    /// Need in force.
    pub need: Quote,
    /// Closed since the flag, this included.
    pub closed: Quote,
    /// Price, before confidence and premium.
    pub price: Price,
    /// Confidence.
    pub conf: Price,
    /// Publish time.
    pub publish_time: i64,
    /// Whether pacing fell away.
    pub urgent: bool,
}

/// What rounding can take from an account in one liquidation, quote atoms: the result of the closed part, of the rest
/// and the credit of each are rounded down.
const ROUNDING_SLACK: SignedQuote = SignedQuote(4);

/// Notional to close: `shortage / (mmf + buffer − keeper fee − insurance fee − impact − credit)`, rounded up, at most
/// the account's notional. Source: Drift v2's margin-shortage formula, with impact and credit added.
///
/// # Errors
/// [`Error::MathOverflow`], also where the denominator is not positive, which the envelope rules out.
pub fn need(
    shortage: Quote,
    notional: Quote,
    maintenance: Ratio,
    buffer: Ratio,
    fees: Ratio,
    impact: Ratio,
    credit: Ratio,
) -> Result<Quote> {
    let freed = maintenance.plus(buffer)?.less(fees)?.less(impact)?.less(credit)?;
    ensure(!freed.is_zero(), Error::MathOverflow)?;
    // Compared before dividing: a hopeless account's quotient may leave the range.
    let scaled = some(u128::from(shortage.0).checked_mul(u128::from(RATIO_SCALE)))?;
    if scaled >= some(u128::from(notional.0).checked_mul(u128::from(freed.0)))? {
        return Ok(notional);
    }
    Ok(Quote(mul_div(shortage.0, RATIO_SCALE, freed.0, Rounding::Up)?))
}

/// The need of an account now, by the ratios of one of its positions.
fn need_now(market: &MarketState, position: &Position, totals: &Totals, now: &Now) -> Result<Quote> {
    let params = &market.params;
    need(
        totals.shortage()?,
        totals.notional,
        maintenance_ratio(market, position, now),
        params.liquidation_buffer,
        params.liquidation_fees()?,
        params.liquidation_impact,
        market.rules()?.conf_credit,
    )
}

/// Flags an account (maintenance totals over all its positions; `market` is the one of the largest good position).
///
/// # Errors
/// [`Error::AccountHealthy`], [`Error::AlreadyFlagged`], the worst price's refusal where none is good,
/// [`Error::NotLargestPosition`] for another market.
pub fn flag(account: &mut AccountState, market: &MarketState, totals: &Totals, flagger: Key, now: &Now) -> Result<()> {
    ensure(!is_flagged(account, now), Error::AlreadyFlagged)?;
    let healthy = Fault::new(Error::AccountHealthy, totals.requirement.0, totals.equity.0);
    ensure(!totals.surplus()?.loss().is_zero(), healthy)?;
    let Some((slot, _)) = totals.largest else { return Err(totals.worst.refusal().into()) };
    let position = account.position(slot)?;
    ensure(position.market == market.index, Fault::new(Error::NotLargestPosition, position.market, market.index))?;
    let need = need_now(market, position, totals, now)?;
    account.flag =
        Flag { slot: now.slot, unix: now.unix, publish_time: totals.publish_time, need, flagger, ..Flag::default() };
    Ok(())
}

/// Whether a flag is in force: set after the last restart, and not void for want of a liquidation.
pub fn is_flagged(account: &AccountState, now: &Now) -> bool {
    let flag = &account.flag;
    flag.slot != 0
        && flag.slot > now.restart_slot
        && now.slot.saturating_sub(flag.slot.max(flag.last_slot)) <= FLAG_VOID_SLOTS
}

/// Clears the flag of an account at or above maintenance plus buffer, or one that is void.
///
/// # Errors
/// [`Error::NotFlagged`], [`Error::StillUnhealthy`].
pub fn unflag(account: &mut AccountState, totals: &Totals, now: &Now) -> Result<()> {
    ensure(account.flag.slot != 0, Error::NotFlagged)?;
    if is_flagged(account, now) {
        let target = totals.requirement.plus(totals.buffer)?;
        ensure(totals.shortage()?.is_zero(), Fault::new(Error::StillUnhealthy, target.0, totals.equity.0))?;
    }
    account.flag = Flag::default();
    Ok(())
}

/// For any other instruction that has just computed maintenance totals: clears a flag that [`unflag`] would clear.
///
/// # Errors
/// [`Error::MathOverflow`].
pub fn sync_flag(account: &mut AccountState, totals: &Totals, now: &Now) -> Result<()> {
    if account.flag.slot != 0 && (!is_flagged(account, now) || totals.shortage()?.is_zero()) {
        account.flag = Flag::default();
    }
    Ok(())
}

/// Liquidates as much as pacing allows of the position in `slot`, which must be the largest good one, in a market that
/// accrued just now. `totals` are maintenance totals just before. Seen at or above maintenance, the flag's clock is
/// cleared and nothing else is done: `Ok(None)`. Fees leave the collateral; the caller credits the keeper and flagger
/// (the flagger's share goes to the market's insurance if its account was not passed in). An unpaid loss is in
/// `fill.realised.unpaid` for [`crate::resolve::cover`].
///
/// Below two thirds of maintenance, or with a dust account, pacing falls away, provided that the price is at most two
/// seconds old; with an older one such an account is paced like any other.
///
/// # Errors
/// [`Error::NotFlagged`], [`Error::FlagTooFresh`], [`Error::PacingExhausted`], [`Error::CapacityExhausted`],
/// [`Error::NotLargestPosition`], [`Error::AccountBankrupt`], the price's refusal.
pub fn liquidate(
    market: &mut MarketState,
    account: &mut AccountState,
    slot: usize,
    totals: &Totals,
    now: &Now,
) -> Result<Option<Receipt>> {
    ensure(is_flagged(account, now), Error::NotFlagged)?;
    let healthy = totals.surplus()?.loss().is_zero();
    match totals.largest {
        Some((largest, _)) if largest == slot => {}
        Some((largest, _)) => {
            return Err(Fault::new(Error::NotLargestPosition, account.position(largest)?.market, market.index));
        }
        None if healthy => {}
        None => return Err(totals.worst.refusal().into()),
    }
    if healthy {
        account.flag = Flag::default();
        return Ok(None);
    }
    ensure(account.position(slot)?.market == market.index, Error::WrongMarket)?;
    let _ = pick_up(market, account, slot)?;
    ensure(totals.full_equity.loss().is_zero(), Error::AccountBankrupt)?;

    let urgent = is_urgent(market, totals, now)?;
    let elapsed = now.slot.saturating_sub(account.flag.slot);
    check_wait(totals, &account.flag, urgent, now)?;
    let position = account.position(slot)?;
    let (long, ratio) = (position.size.is_long(), maintenance_ratio(market, position, now));
    let anew = if urgent || account.flag.closed >= account.flag.need {
        Some(need_now(market, position, totals, now)?)
    } else {
        None
    };
    if let Some(need) = anew {
        account.flag = Flag { need, closed: Quote::ZERO, full: 1, ..account.flag };
    }
    let room = room(market, &account.flag, urgent, elapsed, now)?;
    let mut size = size_to_close(market, account.position(slot)?, room)?;
    if totals.worst != Status::Good {
        // A loss that only a position without a good price could pay stays in the entry of what is left here.
        let whole = account.position(slot)?.base();
        size = size.min(Base(mul_div(whole.0, 19, 20, Rounding::Up)?));
    }

    let observed = market.price.last;
    let mark = market.maintenance_price(long)?;
    let credit = Price(mark.0.abs_diff(observed.price.0));
    let notional = size.value(observed.price, Rounding::Up)?;
    let fill = reduce(market, account, slot, size, observed.price, Charge::Liquidation)?;

    // What the fill took from equity at most, and the requirement that it freed at least (ceil(a + b) ≥ ceil(a) +
    // floor(b)). Fees stay below the difference, so that the account is never left less healthy (P6).
    let taken = size.value(credit, Rounding::Up)?.signed()?.plus(fill.premium)?.plus(ROUNDING_SLACK)?;
    let freed = Quote(notional.0.saturating_sub(1)).portion(ratio, Rounding::Down)?;
    let left = totals.full_equity.less(taken)?.gain();
    let gained = freed.signed()?.less(taken)?;
    let most = account.collateral.min(left).min(gained.gain());
    let fees = charge(market, &mut account.flag, totals, notional, elapsed, most, now)?;
    let paid = fees.keeper.less(fees.from_insurance)?.plus(fees.insurance)?;
    let before = account.collateral;
    account.collateral = before.less(paid)?;
    account.principal.follow(before, account.collateral)?;

    let flag = &mut account.flag;
    flag.closed = flag.closed.plus(notional)?;
    flag.last_slot = now.slot;
    if !urgent {
        market.throttle.used = market.throttle.used.plus(notional)?;
    }
    let receipt = Receipt {
        fill,
        keeper_fee: fees.keeper.less(fees.unclaimed)?,
        flagger_fee: fees.flagger,
        from_insurance: fees.from_insurance,
        insurance_fee: fees.insurance,
        equity_before: totals.equity,
        maintenance_before: totals.requirement,
        notional,
        need: flag.need,
        closed: flag.closed,
        price: observed.price,
        conf: observed.conf,
        publish_time: observed.publish_time,
        urgent,
    };
    // By the same bounds: if even so it is at or above maintenance, that has been seen, and the clock starts anew.
    if !totals.surplus()?.plus(gained)?.less(paid.signed()?)?.loss().is_zero() {
        return Ok(Some(receipt));
    }
    account.flag = Flag::default();
    Ok(Some(receipt))
}

/// Whether pacing falls away: equity below two thirds of maintenance or a dust account, at a price that is fresh.
fn is_urgent(market: &MarketState, totals: &Totals, now: &Now) -> Result<bool> {
    let fresh = now.unix.saturating_sub(market.price.last.publish_time) <= URGENT_PRICE_AGE;
    let equity = i128::from(totals.equity.0).saturating_mul(3);
    let deep = equity < i128::from(totals.requirement.0).saturating_mul(2);
    let dust = DUST_UNITS.saturating_mul(10_u64.saturating_pow(u32::from(market.quote_decimals)));
    Ok(fresh && (deep || totals.notional.0 < dust))
}

/// Newer publish times than the flag's, always; two slots, unless urgent.
fn check_wait(totals: &Totals, flag: &Flag, urgent: bool, now: &Now) -> Result<()> {
    let published = totals.oldest;
    ensure(totals.seen_since(flag.publish_time), Fault::new(Error::FlagTooFresh, flag.publish_time, published))?;
    let ready = flag.slot.saturating_add(FLAG_WAIT_SLOTS);
    ensure(urgent || now.slot >= ready, Fault::new(Error::FlagTooFresh, ready, now.slot))
}

/// Notional that may be closed by now: `need × (20 % + 80 % × elapsed / 25 slots)` less what was, and the market's
/// capacity of this slot. Rounded down.
fn room(market: &mut MarketState, flag: &Flag, urgent: bool, elapsed: u64, now: &Now) -> Result<Quote> {
    let share = if flag.full != 0 {
        Ratio::ONE
    } else {
        let rest = Ratio::ONE.less(Ratio(RAMP_START))?;
        let ramp = mul_div(rest.0, elapsed.min(RAMP_SLOTS), RAMP_SLOTS, Rounding::Down)?;
        Ratio(RAMP_START).plus(Ratio(ramp))?
    };
    let allowed = flag.need.portion(share, Rounding::Down)?;
    let room = allowed.saturating_sub(flag.closed);
    ensure(!room.is_zero(), Fault::new(Error::PacingExhausted, allowed.0, flag.closed.0))?;
    if urgent {
        return Ok(room);
    }
    let throttle = &mut market.throttle;
    if throttle.slot != now.slot {
        throttle.slot = now.slot;
        throttle.used = Quote::ZERO;
    }
    let capacity = market.params.liquidation_capacity;
    let spare = capacity.saturating_sub(throttle.used);
    ensure(!spare.is_zero(), Fault::new(Error::CapacityExhausted, capacity.0, throttle.used.0))?;
    Ok(room.min(spare))
}

/// A notional as a size, rounded up; the whole position where less than a twentieth of it or less than the minimum
/// notional would be left.
fn size_to_close(market: &MarketState, position: &Position, room: Quote) -> Result<Base> {
    let whole = position.base();
    let price = market.price.last.price;
    let notional = whole.value(price, Rounding::Up)?;
    let rest = notional.saturating_sub(room);
    let sliver = u128::from(rest.0).saturating_mul(20) < u128::from(notional.0);
    if sliver || rest < market.params.min_notional {
        return Ok(whole);
    }
    Ok(Base(mul_div(room.0, PRICE_SCALE, price.0, Rounding::Up)?).min(whole))
}

/// A liquidation's fees.
struct Fees {
    /// The keeper's in all, the flagger's share and what insurance added included.
    keeper: Quote,
    /// The flagger's share.
    flagger: Quote,
    /// The flagger's share where there is no flagger: insurance keeps it.
    unclaimed: Quote,
    /// What the market's insurance added to the keeper's.
    from_insurance: Quote,
    /// The insurance fee.
    insurance: Quote,
}

/// The fees of closing `notional`, of which the account pays `most` at most. All are rounded down. Moves insurance.
fn charge(
    market: &mut MarketState,
    flag: &mut Flag,
    totals: &Totals,
    notional: Quote,
    elapsed: u64,
    most: Quote,
    now: &Now,
) -> Result<Fees> {
    let params = &market.params;
    let rise = params.keeper_fee_max.saturating_sub(params.keeper_fee_min);
    let risen = mul_div(rise.0, elapsed.min(KEEPER_RAMP_SLOTS), KEEPER_RAMP_SLOTS, Rounding::Down)?;
    let rate = params.keeper_fee_min.plus(Ratio(risen))?;
    let floor = if flag.floor_paid == 0 { params.keeper_fee_floor } else { Quote::ZERO };
    flag.floor_paid = 1;
    let paid = notional.portion(rate, Rounding::Down)?.max(floor).min(most);

    let wealth = Ratio::of(totals.equity.gain().0, totals.notional.0, Rounding::Down)?;
    let spare = wealth
        .saturating_sub(rate)
        .saturating_sub(params.liquidation_impact)
        .saturating_sub(market.rules()?.conf_credit);
    let insurance_rate = spare.times(Ratio(INSURANCE_FEE_SHARE), Rounding::Down)?.min(params.insurance_fee_max);
    let insurance = notional.portion(insurance_rate, Rounding::Down)?.min(most.less(paid)?);

    let from_insurance = top_up(market, floor.saturating_sub(paid), now)?;
    let keeper = paid.plus(from_insurance)?;
    let share = keeper.portion(Ratio(FLAGGER_SHARE), Rounding::Down)?;
    let (flagger, unclaimed) = if flag.flagger == Key::default() { (Quote::ZERO, share) } else { (share, Quote::ZERO) };
    market.insure(insurance.plus(unclaimed)?)?;
    Ok(Fees { keeper, flagger, unclaimed, from_insurance, insurance })
}

/// What the market's insurance adds to a keeper's fee that the account could not pay: as far as it goes, and as the
/// hour's cap allows. Leaves the bucket here.
fn top_up(market: &mut MarketState, missing: Quote, now: &Now) -> Result<Quote> {
    if missing.is_zero() {
        return Ok(Quote::ZERO);
    }
    let hour = period(now.unix, HOUR)?;
    let throttle = &mut market.throttle;
    if throttle.floor_hour != hour {
        throttle.floor_hour = hour;
        throttle.floor_paid = Quote::ZERO;
    }
    let spare = market.params.keeper_floor_hourly.saturating_sub(throttle.floor_paid);
    let added = missing.min(spare).min(market.pool.insurance);
    throttle.floor_paid = throttle.floor_paid.plus(added)?;
    market.pool.insurance = market.pool.insurance.less(added)?;
    Ok(added)
}
