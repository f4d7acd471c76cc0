//! Liquidates what pacing allows of a flagged account. The pool takes the position; the keeper chooses nothing.

use anchor_lang::Key as _;
use anchor_lang::prelude::*;
use ballast_engine::layout::Key;
use ballast_engine::liquidation::Receipt;
use ballast_engine::margin::{self, Purpose};
use ballast_engine::market::MarketState;
use ballast_engine::{Error as EngineError, liquidation};

use crate::checks::{check_version, is};
use crate::emit::emit;
use crate::error::{OnChain, ensure};
use crate::events::{DeficitBooked, Liquidated, Unflagged};
use crate::fill::{self, Trader, check_keeper, credit, pay_liquidated_loss};
use crate::legs::{self, Others};
use crate::state::{Market, Subaccount};

/// Id of the maintenance margin, whose version is in the receipt; a test compares it with the registry.
const MAINTENANCE: usize = 1;

/// Accounts of `liquidate`. Remaining accounts: the markets of the account's other slots in use, in slot order; writable
/// where their profits must pay the loss.
#[event_cpi]
#[derive(Accounts)]
pub struct Liquidate<'info> {
    /// The market of the position with the largest requirement and a good price.
    #[account(mut)]
    pub market: AccountLoader<'info, Market>,
    /// The flagged account.
    #[account(mut)]
    pub subaccount: AccountLoader<'info, Subaccount>,
    /// Gets the keeper's fee.
    #[account(mut)]
    pub keeper: AccountLoader<'info, Subaccount>,
    /// The flagger's subaccount, for its share: not needed where the keeper is the flagger. Without it, or if it is
    /// another one, the share goes to the market's insurance.
    #[account(mut)]
    pub flagger: Option<AccountLoader<'info, Subaccount>>,
}

impl Liquidate<'_> {
    fn validate(&self) -> Result<()> {
        let Self { market, subaccount, keeper, flagger, event_authority: _, program: _ } = self;
        let key = subaccount.key();
        let market = market.load()?;
        check_version(market.version)?;
        subaccount.load()?.check(&market.exchange)?;
        check_keeper(keeper, &market.exchange, &key)?;
        flagger.as_ref().map_or(Ok(()), |flagger| check_keeper(flagger, &market.exchange, &key))
    }
}

/// See the module.
pub fn handle<'info>(ctx: Context<'info, Liquidate<'info>>) -> Result<()> {
    let accounts = &*ctx.accounts;
    accounts.validate()?;
    let now = legs::now()?;
    let market_key = accounts.market.key();
    let market = &mut accounts.market.load_mut()?.state;
    let subaccount = &mut *accounts.subaccount.load_mut()?;
    let account = &mut subaccount.state;

    if let Some(accrued) = fill::accrue(market_key, market, &now)? {
        emit(&accounts.event_authority, &accrued)?;
    }
    if let Some(picked) = fill::pick_up(market_key, market, accounts.subaccount.key(), account)? {
        emit(&accounts.event_authority, &picked)?;
    }
    let slot = account.find(market.index).ok_or(EngineError::PositionNotFound.into()).on_chain()?;
    let position = account.position(slot).on_chain()?;
    ensure(position.is_open(), EngineError::PositionNotFound)?;
    let ratio = margin::maintenance_ratio(market, position, &now).0;
    let flagger = account.flag.flagger;
    let others = Others::of(account, Some(market.index), ctx.remaining_accounts);
    let totals = legs::totals(account, &subaccount.exchange, Some(market), others, Purpose::Maintenance, &now)?;
    let Some(receipt) = liquidation::liquidate(market, account, slot, &totals, &now).on_chain()? else {
        let event = Unflagged {
            subaccount: accounts.subaccount.key(),
            equity: totals.equity.0,
            maintenance: totals.requirement.0,
            account_sequence: account.next_sequence().on_chain()?,
        };
        return emit(&accounts.event_authority, &event);
    };
    let mut trader = Trader::with(account, &subaccount.exchange, others);
    let deficit = pay_liquidated_loss(market, &mut trader, slot, receipt.fill.realised.unpaid, &now)?;
    if !deficit.is_zero() {
        let event = DeficitBooked {
            market: market_key,
            subaccount: accounts.subaccount.key(),
            deficit: deficit.0,
            insurance_left: market.pool.insurance.0,
            market_sequence: market.next_sequence().on_chain()?,
        };
        emit(&accounts.event_authority, &event)?;
    }
    pay_fees(accounts, market, &receipt, &flagger)?;
    market.invariant().on_chain()?;
    let account = &mut subaccount.state;
    account.invariant().on_chain()?;

    let fill = &receipt.fill;
    let event = Liquidated {
        market: market_key,
        subaccount: accounts.subaccount.key(),
        keeper: accounts.keeper.key(),
        size: fill.size.signed(fill.buy).on_chain()?.0,
        price: receipt.price.0,
        conf: receipt.conf.0,
        publish_time: receipt.publish_time,
        fill_price: fill.price.0,
        premium: fill.premium.0,
        pnl: fill.pnl.0,
        funding: fill.funding.0,
        notional: receipt.notional.0,
        need: receipt.need.0,
        closed: receipt.closed.0,
        urgent: receipt.urgent,
        equity_before: receipt.equity_before.0,
        maintenance_before: receipt.maintenance_before.0,
        keeper_fee: receipt.keeper_fee.0,
        flagger_fee: receipt.flagger_fee.0,
        from_insurance: receipt.from_insurance.0,
        insurance_fee: receipt.insurance_fee.0,
        maintenance_ratio: ratio,
        parameter_version: market.param_version.get(MAINTENANCE).copied().unwrap_or_default(),
        position: fill::position_of(account, market.index),
        market_sequence: market.next_sequence().on_chain()?,
        account_sequence: account.next_sequence().on_chain()?,
    };
    emit(&accounts.event_authority, &event)
}

/// Credits the keeper, and the flagger's share to the flagger where it is here, else to the market's insurance.
fn pay_fees(accounts: &Liquidate<'_>, market: &mut MarketState, receipt: &Receipt, flagger: &Key) -> Result<()> {
    let (share, mut fee) = (receipt.flagger_fee, receipt.keeper_fee.less(receipt.flagger_fee).on_chain()?);
    let named = accounts.flagger.as_ref().filter(|account| is(flagger, &account.key()));
    if is(flagger, &accounts.keeper.key()) {
        fee = fee.plus(share).on_chain()?;
    } else if let Some(flagger) = named {
        credit(flagger, share)?;
    } else {
        market.insure(share).on_chain()?;
    }
    credit(&accounts.keeper, fee)
}

#[cfg(test)]
mod tests {
    use super::MAINTENANCE;
    use ballast_engine::params::MarketParams;

    #[test]
    fn the_receipt_names_the_version_of_the_maintenance_margin() {
        assert_eq!(MarketParams::id("maintenance_margin").map(usize::from), Some(MAINTENANCE));
    }
}
