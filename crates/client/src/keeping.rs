//! What a keeper looks for beyond liquidations: losses to settle, worst first, so that pools have the cash that they owe.

use anchor_lang::prelude::Pubkey;
use ballast::state::Subaccount;
use ballast_engine::market::MarketState;
use ballast_engine::units::Quote;
use ballast_engine::{Now, Result, settle};

use crate::markets::Markets;

/// A position of a subaccount in a market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duty {
    /// The subaccount.
    pub subaccount: Pubkey,
    /// The market's index.
    pub market: u16,
    /// Cash that settling it brings the pool.
    pub brings: Quote,
}

/// The positions whose loss settling would turn into cash now, the largest amount first; of equals the lower address. Each
/// is tried on copies by the engine's own rule, so what is listed goes through if nothing changes meanwhile; but for an account
/// that cannot surely pay all its losses, whose settling the program refuses. `markets` are accrued until now; only those with
/// unpaid claims are looked at where `owing` says so.
///
/// A keeper settles from the front until the claims are gone.
///
/// # Errors
/// [`ballast_engine::Error::MathOverflow`].
pub fn losses<'a>(
    markets: &Markets,
    accounts: impl IntoIterator<Item = (&'a Pubkey, &'a Subaccount)>,
    owing: bool,
    now: &Now,
) -> Result<Vec<Duty>> {
    let mut duties = Vec::new();
    for (address, account) in accounts {
        for (slot, position) in account.state.slots().filter(|(_, p)| p.is_open()) {
            let Some(market) = markets.get(position.market).map(|m| &m.state) else { continue };
            if owing && market.pool.claims.is_zero() {
                continue;
            }
            let (mut market, mut account): (Box<MarketState>, _) = (Box::new(*market), Box::new(account.state));
            let Ok(settled) = settle::settle(&mut market, &mut account, slot, now) else { continue };
            let brings = settled.realised.paid;
            if !brings.is_zero() {
                duties.push(Duty { subaccount: *address, market: position.market, brings });
            }
        }
    }
    duties.sort_by_key(|duty| (core::cmp::Reverse(duty.brings), duty.subaccount, duty.market));
    Ok(duties)
}
