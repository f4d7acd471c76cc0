//! Liquidity in and out (section 5): tickets, the price of shares, what may leave.

use crate::Now;
use crate::error::{Error, Result};
use crate::market::MarketState;
use crate::units::Quote;

/// What trying a ripe exit did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Exit {
    /// Shares burned and what was paid for them (all of the ticket, or what may leave).
    Paid {
        /// Shares burned.
        shares: u64,
        /// Quote paid.
        amount: Quote,
    },
    /// Claims, limits or a pause hold it back: increases wait for an hour, the ticket lives on.
    HeldBack(Error),
}

/// Executes a deposit that was filed at `filed_at`: at the equity's high end over its first later observation (if it is
/// still in the ring), the current price, confidence and EMA5. Needs a good price published after the filing.
/// `amount` moves from `pool.pending_deposits` to the pool; returns the shares (rounded down).
///
/// # Errors
/// [`Error::TicketNotRipe`], [`Error::TicketLapsed`], [`Error::LiquidityBelowMinimum`], [`Error::PoolInsolvent`], the price's refusal.
pub fn execute_deposit(market: &mut MarketState, amount: Quote, filed_at: i64, now: &Now) -> Result<u64> {
    let _ = (market, amount, filed_at, now);
    Err(Error::MathOverflow.into())
}

/// Executes an exit that matured at `ripe_at`, at the equity's low end, as far as the limits of section 5 allow.
/// `window_start` is the later of `ripe_at` and the last time it was held back: an hour after it, it lapses.
///
/// # Errors
/// [`Error::TicketNotRipe`], [`Error::TicketLapsed`], the price's refusal unless it is good.
pub fn execute_exit(market: &mut MarketState, shares: u64, ripe_at: i64, window_start: i64, now: &Now) -> Result<Exit> {
    let _ = (market, shares, ripe_at, window_start, now);
    Err(Error::MathOverflow.into())
}

/// Whether a ticket whose window began then has lapsed and may be closed by anyone.
///
/// # Errors
/// [`Error::TicketNotLapsed`].
pub fn check_lapsed(window_start: i64, now: &Now) -> Result<()> {
    let _ = (window_start, now);
    Err(Error::MathOverflow.into())
}
