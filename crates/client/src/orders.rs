//! Orders for people: what each waits for, and how far it has come.

use ballast::state::{Order, Subaccount};
use ballast_engine::order::{Kind, Stage, cancels};
use ballast_engine::{Error, Fault, Now};
use serde::Serialize;

use crate::markets::Markets;
use crate::quotes::{self, Filled};

/// An order as it stands. Prices as stored, 0 for none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OrderView {
    /// Its number in its subaccount.
    pub id: u64,
    /// The market's index.
    pub market: u16,
    /// `market`, `limit`, `stop entry` or `exit`.
    pub kind: &'static str,
    /// Whether filling it leaves exits.
    pub bracket: bool,
    /// Signed size.
    pub size: i64,
    /// Whether it may only reduce.
    pub reduce_only: bool,
    /// The worst average price; of a limit order also what it waits for.
    pub limit: u64,
    /// A stop entry's price.
    pub trigger: u64,
    /// The stop, as far as stored prices have moved it.
    pub stop: u64,
    /// The target.
    pub target: u64,
    /// Distance at which the stop follows.
    pub trail: u64,
    /// Publish time of the price that met its condition; 0 if none has.
    pub triggered_at: i64,
    /// When it counts as placed, Unix seconds.
    pub placed_at: i64,
    /// May not fill after this; 0 for never.
    pub expires_at: i64,
    /// Fees put aside.
    pub fee: u64,
    /// What anyone can do with it now, or what it waits for.
    pub state: State,
    /// Why it is dead, or could not be filled now.
    pub reason: Option<&'static str>,
}

/// What can be done with an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It waits for the price of its condition.
    Waiting,
    /// Its condition is met; it waits for the next price.
    Met,
    /// Anyone can fill it.
    Fillable,
    /// Its price is there, but it cannot be filled (now).
    Held,
    /// Anyone can cancel it for its fee.
    Dead,
}

impl OrderView {
    /// Of an order and its subaccount. `allowed` is what else a fill is held to, its owner's covenant
    /// ([`crate::covenants::check_fill`]).
    ///
    /// # Errors
    /// [`Error::WrongMarket`] for a missing market; those of [`ballast_engine::order::OrderTerms::follow`].
    pub fn of(
        order: &Order,
        account: &Subaccount,
        index: u16,
        markets: &Markets,
        allowed: impl Fn(&Filled) -> Result<(), Fault>,
        now: &Now,
    ) -> Result<Self, Fault> {
        let market = &markets.get(index).ok_or(Error::WrongMarket)?.state;
        let terms = &order.terms;
        let (progress, stage) = terms.follow(market, now)?;
        let (state, reason) = match (terms.dead(market, &account.state, now), stage) {
            (Some(error), _) => (State::Dead, Some(error)),
            (None, Stage::Untriggered) => (State::Waiting, None),
            (None, Stage::Triggered) => (State::Met, None),
            (None, Stage::Ready(_) | Stage::Late) => {
                match quotes::order(account, markets, index, terms, now).and_then(|filled| allowed(&filled)) {
                    Ok(()) => (State::Fillable, None),
                    Err(fault) if cancels(fault.error) && !terms.reduces() => (State::Dead, Some(fault.error)),
                    Err(fault) => (State::Held, Some(fault.error)),
                }
            }
        };
        Ok(Self {
            id: order.id,
            market: index,
            kind: match Kind::from_byte(terms.kind)? {
                Kind::Market => "market",
                Kind::Limit => "limit",
                Kind::Stop => "stop entry",
                Kind::Exit => "exit",
            },
            bracket: terms.is_bracket(),
            size: terms.size.0,
            reduce_only: terms.reduces(),
            limit: terms.limit.0,
            trigger: terms.trigger.0,
            stop: progress.stop.0,
            target: terms.target.0,
            trail: terms.trail.0,
            triggered_at: progress.triggered_at,
            placed_at: terms.placed_at,
            expires_at: terms.expires_at,
            fee: terms.fee.0,
            state,
            reason: reason.map(Error::name),
        })
    }
}
