//! Covenants off chain: what an owner's accounts are worth to one, by the engine, and what anyone may do about it now.

use anchor_lang::prelude::Pubkey;
use ballast::state::{Covenant, Subaccount};
use ballast_engine::covenant::{Breach, CovenantState, Headroom, Limits, Measure};
use ballast_engine::layout::Key;
use ballast_engine::market::MarketState;
use ballast_engine::{Error, Now, Result};
use serde::Serialize;

use crate::markets::Markets;
use crate::quotes::Filled;

/// What a subaccount is worth to its owner's covenant, with markets as `find` knows them.
///
/// # Errors
/// [`Error::WrongMarket`] for a missing market, [`Error::PriceMissing`], [`Error::MathOverflow`].
pub fn measure<'a>(
    subaccount: &Subaccount,
    find: impl Fn(u16) -> Option<&'a MarketState>,
    now: &Now,
) -> Result<Measure> {
    let mut measure = Measure::new(subaccount.state.collateral)?;
    for (_, position) in subaccount.state.slots() {
        measure.add(find(position.market).ok_or(Error::WrongMarket)?, position, now)?;
    }
    Ok(measure)
}

/// A covenant as it would be if all its owner's accounts with positions were touched now, in one slot.
///
/// # Errors
/// As [`measure`]; [`Error::CovenantFull`].
pub fn touched<'a>(
    covenant: &Covenant,
    accounts: impl IntoIterator<Item = (&'a Pubkey, &'a Subaccount)>,
    find: impl Fn(u16) -> Option<&'a MarketState> + Copy,
    now: &Now,
) -> Result<Box<CovenantState>> {
    let mut state = Box::new(covenant.state);
    for (address, account) in accounts {
        let key = Key(address.to_bytes());
        if state.find(&key).is_some() || !account.state.is_flat() {
            state.touch(&key, &measure(account, find, now)?, account.state.flow, now)?;
        }
    }
    Ok(state)
}

/// Whether an owner's covenant lets a fill pass that the margin test does, with all of `accounts`, the owner's, shown to it in
/// front: what its limits are held to is the account and the market as the fill leaves them.
///
/// # Errors
/// Those of [`CovenantState::check_increase`]; as [`touched`].
pub fn check_fill<'a>(
    covenant: &Covenant,
    accounts: impl IntoIterator<Item = (&'a Pubkey, &'a Subaccount)>,
    subaccount: &Pubkey,
    filled: &Filled,
    markets: &Markets,
    now: &Now,
) -> Result<()> {
    if !filled.increases {
        return Ok(());
    }
    let after = |index| match index == filled.market.index {
        true => Some(&*filled.market),
        false => markets.get(index).map(|market| &market.state),
    };
    let mut state = Box::new(covenant.state);
    for (key, account) in accounts {
        let (enrolled, mut account) = (Key(key.to_bytes()), Box::new(*account));
        if key == subaccount {
            account.state = *filled.account;
        }
        if state.find(&enrolled).is_some() || !account.state.is_flat() {
            state.touch(&enrolled, &measure(&account, after, now)?, account.state.flow, now)?;
        }
    }
    state.check_increase(now)
}

/// Whether a covenant would trip if all were touched now.
pub fn would_trip(touched: &CovenantState, now: &Now) -> Option<Breach> {
    touched.clone().trip(now).ok()
}

/// Whether touching all now would find a loss at its limit for the first time: a later touch, at newer prices, may trip it.
pub fn finds(covenant: &Covenant, touched: &CovenantState) -> bool {
    touched.found.iter().zip(&covenant.state.found).any(|(new, old)| new.slot != 0 && new != old)
}

/// A covenant's limits; zero is none in the first four.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LimitsView {
    /// Notional over equity, millionths.
    pub max_leverage: u64,
    /// Notional.
    pub max_notional: u64,
    /// Loss of a day (UTC).
    pub daily_loss: u64,
    /// Loss since the highest result.
    pub drawdown: u64,
    /// Seconds.
    pub cool_down: i64,
    /// Seconds.
    pub loosening_delay: i64,
    /// Whether anyone may close what is open once it is tripped.
    pub auto_close: bool,
}

impl From<&Limits> for LimitsView {
    fn from(limits: &Limits) -> Self {
        Self {
            max_leverage: limits.max_leverage.0,
            max_notional: limits.max_notional.0,
            daily_loss: limits.daily_loss.0,
            drawdown: limits.drawdown.0,
            cool_down: limits.cool_down,
            loosening_delay: limits.loosening_delay,
            auto_close: limits.auto_close != 0,
        }
    }
}

/// A covenant with what is left of its limits, all its owner's accounts seen now. What needs a price is `None` where one is
/// missing.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CovenantView {
    /// In force.
    pub limits: LimitsView,
    /// Asked for, and when it may be put in force, Unix seconds.
    pub asked: Option<(LimitsView, i64)>,
    /// Reduce-only until then, Unix seconds; 0 if not.
    pub tripped_until: i64,
    /// How often it was tripped.
    pub trips: u64,
    /// Equity of the enrolled accounts.
    pub equity: Option<i64>,
    /// Notional of their positions.
    pub notional: Option<u64>,
    /// Their open positions, of sixteen.
    pub positions: Option<u64>,
    /// Loss since the day began (UTC).
    pub day_loss: Option<u64>,
    /// Loss since the highest result.
    pub drawdown: Option<u64>,
    /// What may still be lost today; none without that limit.
    pub day_left: Option<u64>,
    /// What may still be lost from here; none without that limit.
    pub drawdown_left: Option<u64>,
    /// Notional that may still be added; none without such a limit.
    pub notional_left: Option<u64>,
    /// Whether anyone may trip it now.
    pub would_trip: bool,
}

impl CovenantView {
    /// A covenant and all its owner's subaccounts.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn of<'a>(
        covenant: &Covenant,
        accounts: impl IntoIterator<Item = (&'a Pubkey, &'a Subaccount)>,
        markets: &'a Markets,
        now: &Now,
    ) -> Result<Self> {
        let find = |index| markets.get(index).map(|market| &market.state);
        let state = &covenant.state;
        let seen = touched(covenant, accounts, find, now).ok();
        let room: Option<Headroom> = seen.as_ref().map(|seen| seen.headroom(now)).transpose()?;
        Ok(Self {
            limits: (&state.limits).into(),
            asked: (state.asked_at != 0).then(|| ((&state.asked).into(), state.asked_at)),
            tripped_until: if state.is_tripped(now) { state.tripped_until } else { 0 },
            trips: state.trips,
            equity: room.map(|room| room.equity.0),
            notional: room.map(|room| room.notional.0),
            positions: room.map(|room| room.positions),
            day_loss: room.map(|room| room.day_loss.0),
            drawdown: room.map(|room| room.fallen.0),
            day_left: room.and_then(|room| room.day_left).map(|quote| quote.0),
            drawdown_left: room.and_then(|room| room.drawdown_left).map(|quote| quote.0),
            notional_left: room.and_then(|room| room.notional_left).map(|quote| quote.0),
            would_trip: seen.is_some_and(|seen| would_trip(&seen, now).is_some()),
        })
    }
}
