//! Margin (section 7): what a position adds to an account's equity and requirement, by purpose.

use crate::Now;
use crate::account::Position;
use crate::error::{Error, Result};
use crate::market::MarketState;
use crate::price::Status;
use crate::units::{Quote, Ratio, SignedQuote};

/// What a margin test is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Flag, liquidate, resolve: is it liquidatable? A price that is not good counts in the account's favour.
    Maintenance,
    /// After an increase; every price must be good.
    Increase,
    /// After a withdrawal or a transfer out; every price must be good or ageing… see section 4: good.
    Withdrawal,
}

/// What one position counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Leg {
    /// The market's index.
    pub market: u16,
    /// State of its price.
    pub status: Status,
    /// Publish time of its price.
    pub publish_time: i64,
    /// What it adds to equity: PnL at the purpose's price (profit at its credit), less funding owed.
    pub equity: SignedQuote,
    /// The same with profit and claims in full, as the resolution counts it.
    pub full_equity: SignedQuote,
    /// Notional at the purpose's price.
    pub notional: Quote,
    /// Requirement, rounded up.
    pub requirement: Quote,
    /// Liquidation buffer, rounded up.
    pub buffer: Quote,
}

/// An account's sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Totals {
    /// Equity.
    pub equity: SignedQuote,
    /// Equity with profits and claims in full.
    pub full_equity: SignedQuote,
    /// Notional.
    pub notional: Quote,
    /// Requirement.
    pub requirement: Quote,
    /// Liquidation buffer.
    pub buffer: Quote,
    /// The worst state among the prices; `Good` for an account without positions.
    pub worst: Status,
    /// The newest publish time.
    pub publish_time: i64,
    /// Slot and requirement of the position with the largest requirement and a good price.
    pub largest: Option<(usize, Quote)>,
}

impl Totals {
    /// An account without positions.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn new(collateral: Quote) -> Result<Self> {
        let equity = collateral.signed()?;
        Ok(Self {
            equity,
            full_equity: equity,
            notional: Quote::ZERO,
            requirement: Quote::ZERO,
            buffer: Quote::ZERO,
            worst: Status::Good,
            publish_time: 0,
            largest: None,
        })
    }
    /// Adds the position of a slot.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn add(&mut self, slot: usize, leg: &Leg) -> Result<()> {
        let _ = (slot, leg);
        Err(Error::MathOverflow.into())
    }
    /// Equity must reach the requirement; every price must be good.
    ///
    /// # Errors
    /// [`Error::InitialMargin`], the worst price's refusal.
    pub fn check_initial(&self) -> Result<()> {
        Err(Error::MathOverflow.into())
    }
    /// Equity less requirement.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn surplus(&self) -> Result<SignedQuote> {
        Err(Error::MathOverflow.into())
    }
}

/// The maintenance margin a position is held to: during a grace the lower of the one it opened under and the current
/// one, then the current one (P10).
pub fn maintenance_ratio(market: &MarketState, position: &Position, now: &Now) -> Ratio {
    let _ = (market, position, now);
    Ratio::ZERO
}

/// The initial margin ratio at a notional: base, plus the size term, plus for increases the open-interest term.
///
/// # Errors
/// [`Error::MathOverflow`].
pub fn initial_ratio(market: &MarketState, notional: Quote, increase: bool) -> Result<Ratio> {
    let _ = (market, notional, increase);
    Err(Error::MathOverflow.into())
}

/// What a position counts for.
///
/// # Errors
/// [`Error::MathOverflow`]; [`Error::PriceMissing`].
pub fn leg(market: &MarketState, position: &Position, purpose: Purpose, now: &Now) -> Result<Leg> {
    let _ = (market, position, purpose, now);
    Err(Error::MathOverflow.into())
}
