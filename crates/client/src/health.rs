//! Many accounts' health by the engine, on every price: what a keeper or a risk desk looks at.
//!
//! [`Marks`] are the exchange's markets as the chain would judge by them now: funding accrued, and the oracles' newest
//! prices already taken, since a keeper stores those in the same transaction. The state of each price is found once, not
//! once per position. `examples/judge.rs` measures it.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use anchor_lang::prelude::Pubkey;
use ballast::state::Subaccount;
use ballast_engine::account::AccountState;
use ballast_engine::margin::{self, Purpose, Totals};
use ballast_engine::market::MarketState;
use ballast_engine::price::{RawUpdate, Status};
use ballast_engine::{Error, Now, Result};

/// Each market's oracle accounts with their prices. The newest is taken, of two of one time the one that stands first.
pub type Oracles = BTreeMap<u16, Vec<(Pubkey, RawUpdate)>>;

/// A market to judge by.
#[derive(Clone, Debug)]
pub struct Mark {
    /// Its state.
    pub state: Box<MarketState>,
    /// The state of its price.
    pub status: Status,
    /// The oracle's account with a newer price than the chain's copy of the market has, which `state` has taken.
    pub fresh: Option<Pubkey>,
}

/// The markets of an exchange to judge by, by index.
#[derive(Clone, Debug, Default)]
pub struct Marks(Vec<Option<Mark>>);

impl Marks {
    /// Markets as they will be once the oracles' newer prices are stored and funding is accrued. A price that the market
    /// would refuse is left out.
    ///
    /// # Errors
    /// [`Error::MathOverflow`], [`Error::TierInvalid`].
    pub fn new<'a>(markets: impl IntoIterator<Item = &'a MarketState>, oracles: &Oracles, now: &Now) -> Result<Self> {
        let mut marks = Vec::new();
        for market in markets {
            let mut state = Box::new(*market);
            let mut fresh = None;
            // A settled market's price stands.
            let open = !state.is_settled();
            let newer = |raw: &RawUpdate| open && raw.publish_time > state.price.last.publish_time;
            let mut prices: Vec<_> =
                oracles.get(&state.index).into_iter().flatten().filter(|(_, raw)| newer(raw)).collect();
            // A stable sort: the order of what is as new stays.
            prices.sort_by_key(|(_, raw)| core::cmp::Reverse(raw.publish_time));
            for (key, raw) in prices {
                let mut taken = state.clone();
                if take(&mut taken, raw, now).is_ok() {
                    state = taken;
                    fresh = Some(*key);
                    break;
                }
            }
            let _ = state.accrue(false, now)?;
            let status = state.status(now)?;
            let place = usize::from(state.index);
            if marks.len() <= place {
                marks.resize_with(place + 1, || None);
            }
            marks[place] = Some(Mark { state, status, fresh });
        }
        Ok(Self(marks))
    }

    /// The market of an index.
    pub fn get(&self, index: u16) -> Option<&Mark> {
        self.0.get(usize::from(index)).and_then(Option::as_ref)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Mark> {
        self.0.iter().flatten()
    }

    /// The maintenance totals of an account, as the chain would find them.
    ///
    /// # Errors
    /// [`Error::WrongMarket`] for a missing market, [`Error::PriceMissing`], [`Error::MathOverflow`].
    pub fn totals(&self, account: &AccountState, now: &Now) -> Result<Totals> {
        let mut totals = Totals::new(account.collateral)?;
        for (slot, position) in account.slots() {
            let mark = self.get(position.market).ok_or(Error::WrongMarket)?;
            let status = if position.is_open() { mark.status } else { Status::Good };
            totals.add(slot, &margin::leg_in(&mark.state, position, Purpose::Maintenance, status, now)?)?;
        }
        Ok(totals)
    }
}

/// What `update_market` does on chain.
fn take(state: &mut MarketState, raw: &RawUpdate, now: &Now) -> Result<()> {
    let update = raw.scaled(state.base_decimals, state.quote_decimals, now)?;
    if let Some(status) = state.take_update(update, raw.posted_slot, now)? {
        let _ = state.accrue_in(status, !status.is_valid(), now)?;
    }
    Ok(())
}

/// An account that asks for something: it is below maintenance, or flagged.
#[derive(Clone, Copy, Debug)]
pub struct Sick {
    /// Its place in what was scanned.
    pub place: usize,
    /// Its totals.
    pub totals: Totals,
    /// Whether equity is below maintenance.
    pub below: bool,
}

/// What a scan found.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    /// Accounts with positions that were judged.
    pub judged: usize,
    /// Of them, those whose surplus is within a tenth of their requirement.
    pub near: usize,
    /// Those that could not be judged: a market or a price is missing.
    pub unknown: usize,
    /// Those that ask for something, worst first: lowest equity per requirement.
    pub sick: Vec<Sick>,
}

/// Lower equity per requirement first. A requirement of zero counts as one: an account with nothing left would otherwise
/// be like any other one, which is no order.
fn worse(a: &Sick, b: &Sick) -> Ordering {
    let of = |sick: &Sick| (i128::from(sick.totals.equity.0), i128::from(sick.totals.requirement.0.max(1)));
    let ((a_equity, a_requirement), (b_equity, b_requirement)) = (of(a), of(b));
    // Cross-multiplied: no division, no float.
    (a_equity * b_requirement).cmp(&(b_equity * a_requirement)).then(a.place.cmp(&b.place))
}

/// Judges all accounts. Spread over so many threads where there are enough accounts to be worth it.
pub fn scan<T: AsRef<Subaccount> + Sync>(accounts: &[T], marks: &Marks, now: &Now, threads: usize) -> Scan {
    /// Fewer accounts than this are done before a thread would have started.
    const WORTH: usize = 4_000;
    let parts = threads.clamp(1, (accounts.len() / WORTH).max(1));
    let mut scan = if parts == 1 {
        part(accounts, 0, marks, now)
    } else {
        let size = accounts.len().div_ceil(parts);
        let mut whole = Scan::default();
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..)
                .step_by(size)
                .zip(accounts.chunks(size))
                .map(|(from, chunk)| scope.spawn(move || part(chunk, from, marks, now)))
                .collect();
            for thread in threads {
                // A panic there is one here.
                let found = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                whole.judged += found.judged;
                whole.near += found.near;
                whole.unknown += found.unknown;
                whole.sick.extend(found.sick);
            }
        });
        whole
    };
    scan.sick.sort_by(worse);
    scan
}

fn part<T: AsRef<Subaccount>>(accounts: &[T], from: usize, marks: &Marks, now: &Now) -> Scan {
    let mut scan = Scan::default();
    for (place, account) in (from..).zip(accounts) {
        let state = &account.as_ref().state;
        if state.is_flat() && state.flag.slot == 0 {
            continue;
        }
        let Ok(totals) = marks.totals(state, now) else {
            scan.unknown += 1;
            continue;
        };
        scan.judged += 1;
        let surplus = i128::from(totals.equity.0) - i128::from(totals.requirement.0);
        let below = surplus < 0;
        if !below && surplus * 10 < i128::from(totals.requirement.0) {
            scan.near += 1;
        }
        if below || state.flag.slot != 0 {
            scan.sick.push(Sick { place, totals, below });
        }
    }
    scan
}

#[cfg(test)]
mod tests {
    use super::*;
    use ballast_engine::{Quote, SignedQuote};

    /// A sort panics where the order is none: an account with neither equity nor requirement must not be like all others.
    #[test]
    fn the_order_of_the_sick_is_one() {
        let mut sick = Vec::new();
        for equity in [-7, -1, 0, 1, 5, 900] {
            for requirement in [0, 1, 3, 1_000] {
                let mut totals = Totals::new(Quote::ZERO).unwrap();
                (totals.equity, totals.requirement) = (SignedQuote(equity), Quote(requirement));
                sick.push(Sick { place: sick.len(), totals, below: true });
            }
        }
        for a in &sick {
            for b in &sick {
                assert_eq!(worse(a, b), worse(b, a).reverse());
                for c in &sick {
                    if worse(a, b) == Ordering::Less && worse(b, c) == Ordering::Less {
                        assert_eq!(worse(a, c), Ordering::Less, "{a:?} {b:?} {c:?}");
                    }
                }
            }
        }
        sick.sort_by(worse);
        let ratio = |s: &Sick| s.totals.equity.0 * 1_000 / (s.totals.requirement.0.max(1) as i64);
        assert!(sick.windows(2).all(|pair| ratio(&pair[0]) <= ratio(&pair[1])), "the worst first");
    }
}
