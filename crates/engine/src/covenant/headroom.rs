//! What a covenant leaves its owner, for clients.

use super::CovenantState;
use crate::Now;
use crate::error::Result;
use crate::units::{Quote, SignedQuote};

/// How far an owner is from its limits, on the entries as they are. `None` where there is no such limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headroom {
    /// Equity of the enrolled accounts.
    pub equity: SignedQuote,
    /// Notional of their positions.
    pub notional: Quote,
    /// Their open positions.
    pub positions: u64,
    /// Loss since the day began.
    pub day_loss: Quote,
    /// Loss since the highest result.
    pub fallen: Quote,
    /// What may still be lost today before it trips.
    pub day_left: Option<Quote>,
    /// What may still be lost from here before it trips.
    pub drawdown_left: Option<Quote>,
    /// Notional that may still be added, both limits taken together.
    pub notional_left: Option<Quote>,
    /// Reduce-only until then, Unix seconds; 0 if not.
    pub tripped_until: i64,
    /// Age in slots of the oldest entry with positions; 0 where there is none.
    pub age: u64,
}

impl CovenantState {
    /// How far the owner is from its limits, on the entries as they are.
    ///
    /// # Errors
    /// [`MathOverflow`](crate::Error::MathOverflow).
    pub fn headroom(&self, now: &Now) -> Result<Headroom> {
        let mut today = *self;
        today.roll(now)?;
        let (limits, notional) = (&self.limits, self.notional()?);
        let (day_loss, fallen) = today.losses()?;
        let left = |limit: Quote, used: Quote| (!limit.is_zero()).then(|| limit.saturating_sub(used));
        let by_leverage = match limits.max_leverage.is_zero() {
            true => None,
            false => Some(self.most_by_leverage()?.saturating_sub(notional)),
        };
        let by_notional = left(limits.max_notional, notional);
        Ok(Headroom {
            equity: self.equity()?,
            notional,
            positions: self.positions()?,
            day_loss,
            fallen,
            day_left: left(limits.daily_loss, day_loss),
            drawdown_left: left(limits.drawdown, fallen),
            notional_left: match (by_leverage, by_notional) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            },
            tripped_until: if self.is_tripped(now) { self.tripped_until } else { 0 },
            age: self.age(now),
        })
    }
}
