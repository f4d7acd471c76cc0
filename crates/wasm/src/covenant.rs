//! An owner's covenant as it would be if all its accounts were touched now, one after the other: [`touch`] once for each, each
//! time with the covenant that the call before answered with, then [`headroom`].
//!
//! The request of [`touch`] is a header, the covenant, a subaccount's address, that subaccount and its markets; that of
//! [`headroom`] a header and the covenant.

use ballast_engine::covenant::{CovenantState, Measure};
use ballast_engine::layout::Key;
use ballast_engine::units::Quote;

use crate::quote::{ANSWER, Answer, accrued, code, fill, market, word};
use crate::request::{self, Header, Request, Unreadable};

const STATE_AT: usize = request::COVENANT_HEAD / size_of::<u64>();

/// The header, the covenant's words, and the words behind it.
fn split(words: &[u64]) -> Result<(&Header, &Answer, &[u64]), Unreadable> {
    let (header, rest) = words.split_first_chunk().ok_or(Unreadable::Header)?;
    let (covenant, rest) = rest.split_first_chunk::<ANSWER>().ok_or(Unreadable::Covenant)?;
    Ok((header, covenant, rest))
}

fn state(covenant: &Answer) -> Result<CovenantState, Unreadable> {
    let bytes = bytemuck::cast_slice(covenant);
    let read = request::take(bytes, request::COVENANT_KIND, request::COVENANT_HEAD);
    read.map(|(state, _)| state).ok_or(Unreadable::Covenant)
}

/// The covenant with this account seen now, as it is on chain once somebody has touched it: the answer is all of its bytes.
/// An account that holds nothing in any market and is not enrolled changes nothing.
pub fn touch(words: &[u64], out: &mut Answer) -> i32 {
    touched(words, out).unwrap_or_else(|unreadable| unreadable as i32)
}

fn touched(words: &[u64], out: &mut Answer) -> Result<i32, Unreadable> {
    let (header, covenant, rest) = split(words)?;
    let (address, rest) = rest.split_first_chunk::<{ request::ADDRESS / 8 }>().ok_or(Unreadable::Subaccount)?;
    let (mut state, request) = (state(covenant)?, Request::behind(header, rest)?);
    Ok(accrued(Ok(request), |request| {
        let (account, address) = (&request.account, bytemuck::cast::<_, Key>(*address));
        *out = *covenant;
        if account.is_flat() && state.find(&address).is_none() {
            return Ok(());
        }
        let mut measure = Measure::new(account.collateral)?;
        for (_, position) in account.slots() {
            measure.add(market(request.markets(), position.market)?, position, &request.now)?;
        }
        state.touch(&address, &measure, account.flow, &request.now)?;
        let after: &[u64] = bytemuck::cast_slice(core::slice::from_ref(&state));
        for (place, value) in out.iter_mut().skip(STATE_AT).zip(after) {
            *place = *value;
        }
        Ok(())
    }))
}

/// What a covenant leaves, on its entries as they are: equity, notional, open positions, the day's loss, the loss since the
/// highest result; then for the day's loss, the drawdown and the notional each whether there is such a limit and what is left
/// of it; the end of a cool-down, 0 without one; whether anyone may trip it now.
pub fn headroom(words: &[u64], out: &mut Answer) -> i32 {
    left(words, out).unwrap_or_else(|unreadable| unreadable as i32)
}

fn left(words: &[u64], out: &mut Answer) -> Result<i32, Unreadable> {
    let (header, covenant, _) = split(words)?;
    let (now, mut state) = (request::now(header), state(covenant)?);
    Ok(code(state.headroom(&now).map(|room| {
        let left = |left: Option<Quote>| left.map_or([0, 0], |left| [1, left.0]);
        let ([has_day, day], [has_drawdown, drawdown]) = (left(room.day_left), left(room.drawdown_left));
        let [has_notional, notional] = left(room.notional_left);
        let record = [
            word(room.equity.0),
            room.notional.0,
            room.positions,
            room.day_loss.0,
            room.fallen.0,
            has_day,
            day,
            has_drawdown,
            drawdown,
            has_notional,
            notional,
            word(room.tripped_until),
            u64::from(state.trip(&now).is_ok()),
        ];
        fill(out, &record);
    })))
}
