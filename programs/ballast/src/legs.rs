//! An account's markets, passed as remaining accounts: one per slot in use (size, claim or holdback), in slot order,
//! without the instruction's own market where it names one.

use anchor_lang::prelude::*;
use ballast_engine::account::AccountState;
use ballast_engine::layout::Key;
use ballast_engine::margin::{self, Purpose, Totals};
use ballast_engine::market::MarketState;
use ballast_engine::{Error as EngineError, Fault, Now};

use crate::error::{OnChain, ensure, refuse};
use crate::state::{ACCOUNT_VERSION, Market};

/// The chain's clock.
pub fn now() -> Result<Now> {
    let clock = Clock::get()?;
    let restart = anchor_lang::solana_program::sysvar::last_restart_slot::LastRestartSlot::get()?;
    Ok(Now { unix: clock.unix_timestamp, slot: clock.slot, restart_slot: restart.last_restart_slot })
}

/// An account's market among the remaining accounts: the program's, of this exchange, with this index.
pub fn load<'info>(info: &'info AccountInfo<'info>, exchange: &Key, index: u16) -> Result<AccountLoader<'info, Market>> {
    let loader = AccountLoader::<Market>::try_from(info)?;
    {
        let market = loader.load()?;
        ensure(market.version == ACCOUNT_VERSION, EngineError::AccountVersion)?;
        ensure(market.exchange == *exchange, EngineError::WrongExchange)?;
        ensure(market.state.index == index, EngineError::WrongMarket)?;
    }
    Ok(loader)
}

/// The totals of a margin test over all slots in use. `own` is the instruction's own market, which `others` leave out.
pub fn totals<'info>(
    account: &AccountState,
    exchange: &Key,
    own: Option<&MarketState>,
    others: &'info [AccountInfo<'info>],
    purpose: Purpose,
    now: &Now,
) -> Result<Totals> {
    let mut sums = Totals::new(account.collateral).on_chain()?;
    let mut rest = others.iter();
    for (slot, position) in account.slots() {
        let leg = match own {
            Some(market) if market.index == position.market => margin::leg(market, position, purpose, now),
            _ => {
                let info = rest.next().ok_or_else(|| count_fault(account, own, others.len()))?;
                let loader = load(info, exchange, position.market)?;
                let market = loader.load()?;
                margin::leg(&market.state, position, purpose, now)
            }
        }
        .on_chain()?;
        sums.add(slot, &leg).on_chain()?;
    }
    ensure_used_up(rest, account, own, others.len())?;
    Ok(sums)
}

fn ensure_used_up<'a>(
    mut rest: impl Iterator<Item = &'a AccountInfo<'a>>,
    account: &AccountState,
    own: Option<&MarketState>,
    given: usize,
) -> Result<()> {
    if rest.next().is_some() { Err(count_fault(account, own, given)) } else { Ok(()) }
}

fn count_fault(account: &AccountState, own: Option<&MarketState>, given: usize) -> Error {
    let wanted = account.slots().filter(|(_, p)| own.is_none_or(|m| m.index != p.market)).count();
    refuse(Fault::new(EngineError::WrongMarketCount, wanted, given))
}
