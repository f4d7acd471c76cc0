//! Covenants: P12 by attack, and losses counted as they were made, whatever moved.
//! `BALLAST_SEED` repeats a run of the random ones, `BALLAST_SEQUENCES` sets how many.

mod attacks;
mod between;
mod losses;
mod prints;
mod replay;

use ballast_engine::account::{AccountState, Position};
use ballast_engine::constants::{DAY, HOUR};
use ballast_engine::covenant::{Breach, CovenantState, Limits, Measure};
use ballast_engine::layout::Key;
use ballast_engine::market::MarketState;
use ballast_engine::{Base, Now, Price, Quote, Ratio, Result, Rounding, SignedBase};

use crate::support::{NOW, dollars, market_at, set_price_at};

/// Noon of a day, so that hours do not cross midnight unless a test wants it.
pub(crate) const NOON: Now = Now { unix: NOW.unix - NOW.unix % DAY + 12 * HOUR, ..NOW };

pub(crate) const fn limits() -> Limits {
    Limits {
        max_leverage: Ratio(3_000_000),
        max_notional: dollars(30_000),
        daily_loss: dollars(500),
        drawdown: dollars(800),
        cool_down: 6 * HOUR,
        loosening_delay: 2 * DAY,
        auto_close: 1,
        reserved: 0,
    }
}

pub(crate) const fn later(now: &Now, seconds: i64) -> Now {
    Now { unix: now.unix + seconds, slot: now.slot + (seconds as u64 * 5).div_ceil(2), ..*now }
}

pub(crate) fn key(number: u8) -> Key {
    Key([number; 32])
}

pub(crate) fn bound(limits: &Limits) -> CovenantState {
    let mut covenant = CovenantState::default();
    covenant.begin(limits, &NOON).unwrap();
    covenant
}

/// A market with a good price at a moment, without confidence.
pub(crate) fn sharp(index: u16, dollars: u64, now: &Now) -> MarketState {
    let mut market = market_at(index, crate::support::price(dollars));
    reprice(&mut market, crate::support::price(dollars), now);
    market
}

pub(crate) fn reprice(market: &mut MarketState, price: Price, now: &Now) {
    set_price_at(market, price, now);
    market.price.last.conf = Price(0);
    market.price.valid.conf = Price(0);
}

/// An account with collateral, without positions.
pub(crate) fn cash(amount: u64) -> AccountState {
    let mut account = AccountState::default();
    account.put_in(dollars(amount)).unwrap();
    account
}

/// Puts a position on, at the market's price and at no cost.
pub(crate) fn hold(account: &mut AccountState, slot: usize, market: &MarketState, size: i64) {
    let entry = Base(size.unsigned_abs()).value(market.price.last.price, Rounding::Up).unwrap();
    let position = Position { size: SignedBase(size), entry, market: market.index, ..Position::default() };
    account.positions[slot] = position;
}

/// Takes a slot's result into the collateral, as closing at the price does; what it cannot pay is forgiven.
pub(crate) fn close(account: &mut AccountState, slot: usize, market: &MarketState) {
    let position = core::mem::take(&mut account.positions[slot]);
    let pnl = ballast_engine::margin::unrealised(&position, market.price.last.price).unwrap();
    account.collateral = Quote(account.collateral.0.saturating_add_signed(pnl.0));
}

pub(crate) fn measure(account: &AccountState, markets: &[MarketState], now: &Now) -> Measure {
    let mut measure = Measure::new(account.collateral).unwrap();
    for (_, position) in account.slots() {
        measure.add(&markets[usize::from(position.market)], position, now).unwrap();
    }
    measure
}

pub(crate) fn touch(
    covenant: &mut CovenantState,
    number: u8,
    account: &AccountState,
    markets: &[MarketState],
    now: &Now,
) {
    covenant.touch(&key(number), &measure(account, markets, now), account.flow, now).unwrap();
    covenant.invariant().unwrap();
}

/// Shows an account at its markets' prices, and again a second later at the same ones published then; then trips. What the
/// account is worth is the same both times.
pub(crate) fn trip(
    covenant: &mut CovenantState,
    number: u8,
    account: &AccountState,
    markets: &mut [MarketState],
    now: &Now,
) -> Result<Breach> {
    let again = later(now, 1);
    for now in [now, &again] {
        for market in &mut *markets {
            let last = market.price.last.price;
            reprice(market, last, now);
        }
        touch(covenant, number, account, markets, now);
    }
    covenant.trip(&again)
}
