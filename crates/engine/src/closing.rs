//! How a position is closed without anybody's order, and what is then surely there of an account: the count by which a
//! market takes a loss from an account that has other positions.

use crate::Now;
use crate::account::Position;
use crate::constants::{GOOD_SLOTS, SILENT_SECONDS};
use crate::error::{Result, ensure};
use crate::margin::{Purpose, funding_owed, leg, set_aside, unrealised};
use crate::market::MarketState;
use crate::price::Status;
use crate::trade::Charge;
use crate::units::{Price, SignedQuote};

/// The price at which a resolution closes a position in a market, and whether as an ordinary fill or as one in a silent
/// market.
///
/// # Errors
/// The price's refusal where it is waited for.
pub(crate) fn closing(market: &MarketState, now: &Now) -> Result<(Price, Charge)> {
    let status = market.status(now)?;
    // As fresh and as confirmed as a good one; only wider. An older one would be the caller's to choose.
    let wide = status == Status::Ageing && market.age_slots(now) <= GOOD_SLOTS;
    if status == Status::Good || wide {
        return Ok((market.price.last.price, Charge::Plain));
    }
    let valid = &market.price.valid;
    let gone = status == Status::Silent || now.unix.saturating_sub(valid.publish_time) > SILENT_SECONDS;
    ensure(gone, status.refusal())?;
    // An old price pays nobody: the profit is forfeited, as in an exit from a silent market.
    Ok((valid.price, Charge::Silent))
}

/// What a slot surely brings if everything of its account is closed now: its claim at face, what a silent exit left behind,
/// a loss in full; a profit at a good price alone, for no other can be settled to pay a loss elsewhere. Neither who posts a
/// price nor who leaves one old moves it: a price that is not good, and not `closing` either, is waited for, an hour at
/// most.
///
/// With `credit` a good price counts as in the maintenance test, as [`crate::margin::Leg::full_equity`] has it; without, as
/// it is, which is what settling brings.
///
/// # Errors
/// The price's refusal where it is waited for; [`crate::Error::MathOverflow`].
pub fn sure_value(market: &MarketState, position: &Position, credit: bool, now: &Now) -> Result<SignedQuote> {
    let position = &market.effective(position)?;
    let good = !position.is_open() || market.status(now)? == Status::Good;
    if good && (credit || !position.is_open()) {
        return Ok(leg(market, position, Purpose::Maintenance, now)?.full_equity);
    }
    let (price, charge) = closing(market, now)?;
    let mut result = unrealised(position, price)?.less(position.frozen)?.less(funding_owed(market, position)?)?;
    if charge == Charge::Silent {
        result = SignedQuote(result.0.min(0));
    }
    result = result.plus(position.frozen)?;
    if !good {
        result = SignedQuote(result.0.min(0));
    }
    set_aside(market, position)?.plus(result)
}
