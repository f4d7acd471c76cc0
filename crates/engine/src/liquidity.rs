//! Liquidity in and out (section 5): tickets, the price of shares, what may leave. All of it is on the market's books:
//! tokens sent to the vault change nothing.

use crate::Now;
use crate::constants::{DAY, EXIT_OWNER_ALONE, HOUR, LP_VIRTUAL, TICKET_LAPSE};
use crate::error::{Error, Fault, Result, ensure};
use crate::insurance::check_none_pending;
use crate::market::MarketState;
use crate::math::{mul_div, period, some};
use crate::order::Lookup;
use crate::pool::Values;
use crate::price::Status;
use crate::units::{Price, Quote, Rounding};

/// Shares that a market's first deposit leaves to nobody for good, so that shares never return to zero.
pub const LOCKED_SHARES: u64 = 1_000_000;

/// What a pool is owed may be one part in so many of its equity when liquidity comes in.
const OWED_SHARE: u64 = 100;

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

/// The two ends between which a ticket's price may lie: its first later observation (if that is still in the ring), the
/// current price with its confidence, EMA5. Pool equity is linear and firm equity concave in the price: their least and
/// greatest value of interest lie at the ends.
fn ends(market: &MarketState, filed_at: i64) -> (Price, Price) {
    let state = &market.price;
    let (price, conf) = (state.last.price, state.last.conf);
    let low = price.saturating_sub(conf).min(state.ema5);
    let high = Price(price.0.saturating_add(conf.0)).max(state.ema5);
    match state.first_after(filed_at) {
        Lookup::Found(first) => (low.min(first.price), high.max(first.price)),
        Lookup::NotYet | Lookup::Lapsed => (low, high),
    }
}

/// A good price that was published after a moment.
fn check_price(market: &MarketState, after: i64, now: &Now) -> Result<()> {
    let status = market.status(now)?;
    ensure(status == Status::Good, status.refusal())?;
    let published = market.price.last.publish_time;
    ensure(published > after, Fault::new(Error::TicketNotRipe, after.saturating_add(1), published))
}

impl MarketState {
    /// What may still come in for losses that the providers of now bore, apart from shared insurance: claims on other pools, at
    /// face, paid or not, and the deficits of today, which money for the bucket pays first ([`MarketState::insure`]).
    fn owed_to_pool(&self, now: &Now) -> Result<Quote> {
        let today = self.insurance.day == period(now.unix, DAY)?;
        let mut owed = if today { self.insurance.beyond } else { Quote::ZERO };
        for claim in &self.held {
            owed = owed.plus(claim.amount)?;
        }
        Ok(owed)
    }
}

/// That an exit of a settled market is its owner's to execute: what a silent exit left behind may still come in, and after 20
/// days what another pool owes, so a rival would choose the moment. Nobody else waits for it: what each is paid is its part.
///
/// # Errors
/// [`Error::ExitOwnerAlone`].
pub fn check_settled_exit(by_owner: bool, now: &Now) -> Result<()> {
    ensure(by_owner, Fault::new(Error::ExitOwnerAlone, 0_i64, now.unix))
}

fn check_not_lapsed(window_start: i64, now: &Now) -> Result<()> {
    let end = window_start.saturating_add(TICKET_LAPSE);
    ensure(now.unix <= end, Fault::new(Error::TicketLapsed, end, now.unix))
}

/// Executes a deposit that was filed at `filed_at`: at the equity's high end over its first later observation (if it is
/// still in the ring), the current price, confidence and EMA5. Needs a good price published after the filing.
/// `amount` moves from `pool.pending_deposits` to the pool, where it pays claims first; returns the depositor's shares
/// (rounded down). What the pool is owed for losses that its providers bore counts at face, up to a hundredth of its equity;
/// beyond that nobody comes in, for the price of a share would rest on whether it is paid. The first deposit leaves [`LOCKED_SHARES`] of its own to nobody.
///
/// Shares are `amount × (shares + virtual) / (equity + virtual)`: with the virtual shares and the locked ones, whoever
/// inflates a share's price before somebody else's deposit gives most of it away. Source: OpenZeppelin's note on
/// ERC-4626 inflation.
///
/// # Errors
/// [`Error::TicketNotRipe`], [`Error::TicketLapsed`], [`Error::LiquidityBelowMinimum`], [`Error::PoolInsolvent`],
/// [`Error::InsurancePending`], [`Error::PoolIsOwed`],
/// [`Error::SharesZero`], [`Error::MathOverflow`], the price's refusal.
pub fn execute_deposit(market: &mut MarketState, amount: Quote, filed_at: i64, now: &Now) -> Result<u64> {
    ensure(!amount.is_zero(), Error::AmountZero)?;
    market.check_not_settled()?;
    check_not_lapsed(filed_at, now)?;
    market.touch(now);
    check_price(market, filed_at, now)?;
    // Whoever came in now would share in a payment for a loss that others bore.
    check_none_pending(market)?;
    let owed = market.owed_to_pool(now)?;
    let (low, high) = ends(market, filed_at);
    let equity = market.equity(low)?.max(market.equity(high)?);
    let old = market.pool.shares;
    ensure(equity.0 > 0 || (old == 0 && equity.0 == 0), Error::PoolInsolvent)?;
    let most = Quote(equity.gain().0 / OWED_SHARE);
    ensure(owed <= most, Fault::new(Error::PoolIsOwed, most.0, owed.0))?;
    let least = market.params.lp_minimum;
    ensure(old > 0 || amount >= least, Fault::new(Error::LiquidityBelowMinimum, least.0, amount.0))?;

    let shares_up = some(old.checked_add(LP_VIRTUAL))?;
    let equity_up = some(equity.gain().plus(owed)?.0.checked_add(LP_VIRTUAL))?;
    let minted = mul_div(amount.0, shares_up, equity_up, Rounding::Down)?;
    let locked = if old == 0 { LOCKED_SHARES } else { 0 };
    let given = minted.saturating_sub(locked);
    ensure(given > 0, Error::SharesZero)?;

    market.pool.pending_deposits = market.pool.pending_deposits.less(amount)?;
    market.pool.shares = some(old.checked_add(minted))?;
    market.receive(amount)?;
    Ok(given)
}

/// What shares are worth at an equity, rounded down: by the virtual offset's ratio, but never more than their part of
/// what is there (below one atom a share the offset alone would pay out more than there is).
fn worth(shares: u64, all: u64, equity: Quote) -> Result<Quote> {
    let (part, whole) = ratio(all, equity)?;
    Ok(Quote(mul_div(shares, part, whole, Rounding::Down)?))
}

/// The worth of a share as a fraction.
fn ratio(all: u64, equity: Quote) -> Result<(u64, u64)> {
    if equity.0 < all {
        return Ok((equity.0, all));
    }
    Ok((some(equity.0.checked_add(LP_VIRTUAL))?, some(all.checked_add(LP_VIRTUAL))?))
}

/// Whether an exit may be tried now: it is ripe and has not lapsed, and others than its owner wait for half of its hour. It
/// is paid on equity that counts losses only once they are cash: a rival who could try it at once would choose a moment at
/// which much is unsettled. `window_start` is the later of `ripe_at` and the last time it was held back.
///
/// # Errors
/// [`Error::TicketNotRipe`], [`Error::TicketLapsed`], [`Error::ExitOwnerAlone`].
pub fn check_exit(ripe_at: i64, window_start: i64, by_owner: bool, now: &Now) -> Result<()> {
    ensure(now.unix >= ripe_at, Fault::new(Error::TicketNotRipe, ripe_at, now.unix))?;
    check_not_lapsed(window_start, now)?;
    let alone = window_start.saturating_add(EXIT_OWNER_ALONE);
    ensure(by_owner || now.unix >= alone, Fault::new(Error::ExitOwnerAlone, alone, now.unix))
}

/// Executes an exit that matured at `ripe_at`, at the equity's low end, as far as the limits of section 5 allow.
/// The caller has asked [`check_exit`], but for a settled market: there an exit gets its part of what traders leave, at once.
/// Needs a good price published after it matured. What an exit is paid never lowers the worth of a share that stays.
///
/// # Errors
/// [`Error::TicketNotRipe`], [`Error::SharesZero`], [`Error::InvariantBroken`] for more shares than there are, the price's
/// refusal unless it is good, [`Error::MathOverflow`].
pub fn execute_exit(market: &mut MarketState, shares: u64, ripe_at: i64, now: &Now) -> Result<Exit> {
    ensure(shares > 0, Error::SharesZero)?;
    let all = market.pool.shares;
    ensure(shares <= all, Error::InvariantBroken)?;
    market.touch(now);
    if market.is_settled() {
        return market.exit_settled(shares);
    }
    check_price(market, ripe_at, now)?;
    if market.settlement.begun_at != 0 {
        return hold_back(market, Error::MarketSettled, now);
    }
    if market.claims_block() {
        return hold_back(market, Error::PoolClaims, now);
    }
    let (low, high) = ends(market, ripe_at);
    let high_values = Values::of(market, high)?;
    let equity = market.firm_equity(low)?.min(market.firm_equity_at(high, &high_values)?);
    if equity.0 <= 0 {
        return hold_back(market, Error::PoolReserve, now);
    }
    let equity = equity.gain();

    let wanted = worth(shares, all, equity)?;
    // Each side alone, as if the other had left, at the price at which it is dearest.
    let reserve = high_values.larger()?.portion(market.params.stress_move, Rounding::Up)?;
    let leaving = equity.saturating_sub(reserve).min(market.pool.free_cash()?);
    if wanted <= leaving {
        return pay(market, shares, wanted);
    }
    let (part, whole) = ratio(all, equity)?;
    let burned = mul_div(leaving.0, whole, part, Rounding::Down)?.min(shares);
    let amount = worth(burned, all, equity)?;
    // What is left of the ticket goes on waiting, and increases with it.
    let held_back = hold_back(market, Error::PoolReserve, now)?;
    if amount.is_zero() { Ok(held_back) } else { pay(market, burned, amount) }
}

fn pay(market: &mut MarketState, shares: u64, amount: Quote) -> Result<Exit> {
    market.pool.cash = market.pool.cash.less(amount)?;
    market.pool.shares = some(market.pool.shares.checked_sub(shares))?;
    market.sync_episode()?;
    Ok(Exit::Paid { shares, amount })
}

/// Holds an exit back for a reason: increases wait for it for an hour, and the clocks of the market's proposals stop
/// (section 11). For a pause too, by whoever knows of it; that stops those clocks by itself.
///
/// # Errors
/// [`Error::MathOverflow`].
pub fn hold_back(market: &mut MarketState, why: Error, now: &Now) -> Result<Exit> {
    market.pool.exits_waiting_until = some(now.unix.checked_add(HOUR))?;
    if why != Error::Paused {
        market.governed.exit_holds.hold(now)?;
    }
    Ok(Exit::HeldBack(why))
}

/// Whether a ticket whose window began then has lapsed and may be closed by anyone.
///
/// # Errors
/// [`Error::TicketNotLapsed`].
pub fn check_lapsed(window_start: i64, now: &Now) -> Result<()> {
    let end = window_start.saturating_add(TICKET_LAPSE);
    ensure(now.unix > end, Fault::new(Error::TicketNotLapsed, end, now.unix))
}
