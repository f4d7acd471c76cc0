//! The markets of an account's slots, and what an account hands over to them.

use core::ops::DerefMut;

use crate::account::AccountState;
use crate::error::{Error, Fault, Result, ensure};
use crate::market::{Claim, MarketState};
use crate::math::some;
use crate::units::Quote;

/// Collateral pays a loss.
pub(super) fn pay(account: &mut AccountState, cash: Quote) -> Result<()> {
    let before = account.collateral;
    account.collateral = before.less(cash)?;
    account.principal.follow(before, account.collateral)
}

/// One market per slot in use (and per slot that has just become free), in slot order.
pub(super) fn check_markets<M: DerefMut<Target = MarketState>>(
    account: &AccountState,
    markets: &[(usize, M)],
    freed: Option<usize>,
) -> Result<()> {
    let mut given = markets.iter();
    for (slot, position) in account.positions.iter().enumerate() {
        if position.is_free() && freed != Some(slot) {
            continue;
        }
        let count = Fault::new(Error::WrongMarketCount, account.slots().count(), markets.len());
        let (given_slot, market) = given.next().ok_or(count)?;
        ensure(*given_slot == slot, count)?;
        ensure(market.index == position.market, Fault::new(Error::WrongMarket, position.market, market.index))?;
    }
    ensure(given.next().is_none(), Fault::new(Error::WrongMarketCount, account.slots().count(), markets.len()))
}

/// A market with its slot.
pub(super) fn entry_at<M: DerefMut<Target = MarketState>>(
    markets: &mut [(usize, M)],
    index: usize,
) -> Result<(usize, &mut MarketState)> {
    let (slot, market) = some(markets.get_mut(index))?;
    Ok((*slot, market))
}

/// Moves a part of a slot's claim on its market, the debtor, to another market's pool, at face. The slot's claim was
/// just collected; what the other pool's own claim has been paid is collected first. Nothing is swept: a settled market's
/// bucket pays its claims when somebody collects, and no deficit that is yet to be booked finds it emptier.
pub(super) fn assign<M: DerefMut<Target = MarketState>>(
    account: &mut AccountState,
    markets: &mut [(usize, M)],
    debtor: usize,
    holder: usize,
    amount: Quote,
) -> Result<()> {
    if amount.is_zero() {
        return Ok(());
    }
    let (slot, _) = entry_at(markets, debtor)?;
    let (debtor, holder) = pair(markets, debtor, holder)?;
    let held = holder.held.get_mut(usize::from(debtor.index)).ok_or(Error::WrongMarket)?;
    let collected = debtor.collect(held)?;
    holder.receive(collected)?;
    let claim = &mut account.position_mut(slot)?.claim;
    let (factor, epoch) = (debtor.pool.claim_factor, debtor.pool.claim_epoch);
    ensure(claim.factor == factor && claim.epoch == epoch, Error::InvariantBroken)?;
    claim.amount = claim.amount.less(amount)?;
    let held = holder.held.get_mut(usize::from(debtor.index)).ok_or(Error::WrongMarket)?;
    *held = Claim { amount: held.amount.plus(amount)?, factor, epoch };
    Ok(())
}

/// Two different markets.
fn pair<M: DerefMut<Target = MarketState>>(
    markets: &mut [(usize, M)],
    one: usize,
    other: usize,
) -> Result<(&mut MarketState, &mut MarketState)> {
    let [(_, one), (_, other)] =
        markets.get_disjoint_mut([one, other]).map_err(|_| Fault::from(Error::MathOverflow))?;
    Ok((one, other))
}
