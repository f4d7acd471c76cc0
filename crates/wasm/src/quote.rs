//! The answers: the engine's own, with funding accrued until now as the chain accrues it before it judges anything.
//!
//! Every function writes words to `out` and returns a code: 0, an engine error's number plus one, or an
//! [`Unreadable`](crate::request::Unreadable)'s. Amounts are as in the accounts; signed ones in two's complement.

use ballast_engine::account::{AccountState, Position};
use ballast_engine::constants::POSITIONS;
use ballast_engine::margin::{self, Purpose, Totals};
use ballast_engine::market::MarketState;
use ballast_engine::{Base, Error, Quote, Result, Rounding, liquidation, quotes};

use crate::request::{self, Request, Unreadable};

/// Words of the largest answer: a covenant.
pub const ANSWER: usize = request::COVENANT / size_of::<u64>();

/// An answer.
pub type Answer = [u64; ANSWER];

/// The code of an engine's result.
pub(crate) fn code(result: Result<()>) -> i32 {
    match result {
        Ok(()) => 0,
        Err(fault) => (fault.error as i32).saturating_add(1),
    }
}

fn answer(words: &[u64], work: impl FnOnce(&Request) -> Result<()>) -> i32 {
    accrued(Request::read(words), work)
}

/// Does this with funding accrued in the markets of a request.
pub(crate) fn accrued(
    request: core::result::Result<Request, Unreadable>,
    work: impl FnOnce(&Request) -> Result<()>,
) -> i32 {
    let mut request = match request {
        Ok(request) => request,
        Err(unreadable) => return unreadable as i32,
    };
    let now = request.now;
    for market in request.markets_mut() {
        if let Err(fault) = market.accrue(false, &now) {
            return code(Err(fault));
        }
    }
    code(work(&request))
}

/// The account as the maintenance test and as a withdrawal count it: for each of the two a code, equity, equity with
/// profits and claims in full, notional, requirement, liquidation buffer, the worst price's state; then whether a flag is
/// in force.
pub fn health(words: &[u64], out: &mut Answer) -> i32 {
    answer(words, |request| {
        let with = |purpose| with_legs(request, |legs| totals(request, legs, purpose));
        let parts = [with(Purpose::Maintenance), with(Purpose::Withdrawal)];
        let (records, rest) = out.split_first_chunk_mut::<14>().ok_or(Error::MathOverflow)?;
        for (record, totals) in records.as_chunks_mut::<7>().0.iter_mut().zip(parts) {
            *record = match totals {
                Ok(t) => [
                    0,
                    word(t.equity.0),
                    word(t.full_equity.0),
                    t.notional.0,
                    t.requirement.0,
                    t.buffer.0,
                    t.worst as u64,
                ],
                // A missing market or price: the other record may still say something.
                Err(fault) => [(fault.error as u64).saturating_add(1), 0, 0, 0, 0, 0, 0],
            };
        }
        if let Some(flagged) = rest.first_mut() {
            *flagged = u64::from(liquidation::is_flagged(&request.account, &request.now));
        }
        Ok(())
    })
}

/// The position in a market: signed size, entry, entry per unit, last price, that price's state, notional, result at that
/// price, funding owed, maintenance margin in millionths, claim, what can be collected on it, holdback, and the end of the grace
/// and the margin from then on, zeroes without one.
pub fn position(words: &[u64], out: &mut Answer) -> i32 {
    answer(words, |request| {
        let (_, position) = own(request)?;
        let market = market(request.markets(), request.market)?;
        // As it stands, a deleveraging that it has yet to pick up included.
        let position = &market.effective(position)?;
        let price = market.price.last.price;
        let (claim, collectable) = market.claim_value(&position.claim)?;
        let base = position.base();
        let open = position.is_open();
        let entry_price = match open {
            true => position.entry.share(ballast_engine::constants::PRICE_SCALE, base.0, Rounding::Down)?.0,
            false => 0,
        };
        let kept = margin::maintenance_ratio(market, position, &request.now);
        let then = market.params.maintenance_margin;
        let grace = if open && kept < then { [word(market.grace_until), then.0] } else { [0, 0] };
        let record = [
            word(position.size.0),
            position.entry.0,
            entry_price,
            price.0,
            market.status(&request.now)? as u64,
            base.value(price, Rounding::Up)?.0,
            if open { word(margin::unrealised(position, price)?.0) } else { 0 },
            if open { word(margin::funding_owed(market, position)?.0) } else { 0 },
            kept.0,
            claim.0,
            collectable.0,
            position.held.0,
            grace[0],
            grace[1],
        ];
        fill(out, &record);
        Ok(())
    })
}

/// The price of a market at which the account reaches maintenance, all others standing still: 1 and the price, or 0
/// where no price does.
pub fn liquidation_price(words: &[u64], out: &mut Answer) -> i32 {
    answer(words, |request| {
        let (slot, _) = own(request)?;
        let price = with_legs(request, |legs| quotes::liquidation_price(&request.account, legs, slot, &request.now))?;
        fill(out, &price.map_or([0, 0], |price| [1, price.0]));
        Ok(())
    })
}

/// The largest size by which the account can open or increase in a market now.
pub fn max_increase(words: &[u64], out: &mut Answer) -> i32 {
    answer(words, |request| {
        let market = market(request.markets(), request.market)?;
        let size = with_legs(request, |legs| {
            quotes::max_increase(&request.account, legs, market, request.long, &request.now)
        })?;
        fill(out, &[size.0]);
        Ok(())
    })
}

/// What a position costs that is opened now with the size asked about, and whose stop fills at the price asked about.
pub fn loss_at_stop(words: &[u64], out: &mut Answer) -> i32 {
    answer(words, |request| {
        let market = market(request.markets(), request.market)?;
        let loss = quotes::loss_at_stop(market, Base(request.amount), request.long, request.price, &request.now)?;
        fill(out, &[loss.0]);
        Ok(())
    })
}

/// The largest size that can be opened or increased now and costs no more than the amount asked about if its stop fills at the
/// price asked about.
pub fn size_for_risk(words: &[u64], out: &mut Answer) -> i32 {
    answer(words, |request| {
        let market = market(request.markets(), request.market)?;
        let (stop, risk) = (request.price, Quote(request.amount));
        let size = with_legs(request, |legs| {
            quotes::size_for_risk(&request.account, legs, market, request.long, stop, risk, &request.now)
        })?;
        fill(out, &[size.0]);
        Ok(())
    })
}

pub(crate) const fn word(signed: i64) -> u64 {
    signed.cast_unsigned()
}

pub(crate) fn fill(out: &mut Answer, record: &[u64]) {
    for (place, value) in out.iter_mut().zip(record) {
        *place = *value;
    }
}

/// The slot of the market that is asked about.
fn own(request: &Request) -> Result<(usize, &Position)> {
    let slot = request.account.find(request.market).ok_or(Error::PositionNotFound)?;
    Ok((slot, request.account.position(slot)?))
}

pub(crate) fn market(markets: &[MarketState], index: u16) -> Result<&MarketState> {
    markets.iter().find(|market| market.index == index).ok_or(Error::WrongMarket.into())
}

/// The markets of the slots in use, in slot order.
fn with_legs<T>(request: &Request, work: impl FnOnce(&[(usize, &MarketState)]) -> Result<T>) -> Result<T> {
    let Some(first) = request.markets().first() else {
        return if request.account.is_flat() { work(&[]) } else { Err(Error::WrongMarket.into()) };
    };
    let mut legs = [(0, first); POSITIONS];
    let mut count = 0_usize;
    for (leg, (slot, position)) in legs.iter_mut().zip(request.account.slots()) {
        *leg = (slot, market(request.markets(), position.market)?);
        count = count.saturating_add(1);
    }
    work(legs.get(..count).unwrap_or_default())
}

fn totals(request: &Request, legs: &[(usize, &MarketState)], purpose: Purpose) -> Result<Totals> {
    let account: &AccountState = &request.account;
    let mut totals = Totals::new(account.collateral)?;
    for (slot, market) in legs {
        totals.add(*slot, &margin::leg(market, account.position(*slot)?, purpose, &request.now)?)?;
    }
    Ok(totals)
}
