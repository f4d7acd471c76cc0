//! The crowd: pairs of traders who are dealt the same hand, one of each pair under a covenant. They trade by orders; the
//! keeper fills them.

use ballast::instructions::trader::PlaceOrderArgs;
use ballast::instructions::trader::SetCovenantArgs;
use ballast::state::Subaccount;
use ballast_client::instructions;
use ballast_engine::constants::{DAY, HOUR};
use ballast_engine::order::Kind;
use ballast_engine::{Error, Now};
use rand::Rng;
use rand::rngs::StdRng;
use solana_signer::Signer;

use super::super::super::scene::{Person, UNIT};
use crate::desk::{Expect, Job};

/// An entry that has not filled after so long dies, seconds.
const PATIENCE: i64 = 15 * 60;
/// A pause, a flag, or money that is gone.
const PLACING: &[Error] =
    &[Error::MarketReduceOnly, Error::FlaggedAccount, Error::PositionNotFound, Error::InsufficientCollateral];
/// The price has gone stale, or the keeper has been faster.
pub(super) const LEAVING: &[Error] = &[
    Error::OrderLocked,
    Error::PriceStale,
    Error::PositionNotFound,
    Error::SizeNotReducing,
    Error::WorsensShortfall,
    Error::LossNotCovered,
];

/// How a pair trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// At the market, without a way out.
    Bare,
    /// At the market, with a stop.
    Stop,
    /// By a limit order, with stop and target.
    Limit,
    /// At the market, with a stop that follows.
    Trail,
    /// By a stop entry, with a stop that follows and a target.
    Breakout,
    /// At the market, with stop and target.
    Both,
}

impl Plan {
    const ALL: [Self; 6] = [Self::Bare, Self::Stop, Self::Limit, Self::Trail, Self::Breakout, Self::Both];

    /// In words.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Bare => "no stop",
            Self::Stop => "stop",
            Self::Limit => "limit, stop, target",
            Self::Trail => "trailing stop",
            Self::Breakout => "breakout, trailing",
            Self::Both => "stop, target",
        }
    }
}

/// Two traders with the same plan, money and hand.
pub(super) struct Pair {
    pub(super) plan: Plan,
    /// Each one's money, whole units.
    pub(super) stake: u64,
    /// Leverage aimed at.
    pub(super) leverage: u64,
    /// Distance of the stop, a share of the price.
    distance: f64,
    /// Of the one under a covenant, whole units; the drawdown 0 for none.
    pub(super) daily_loss: u64,
    pub(super) drawdown: u64,
    /// Under a covenant, then free.
    pub(super) names: [String; 2],
}

/// What both are dealt at a minute.
#[derive(Clone, Copy)]
pub(super) struct Hand {
    enters: bool,
    long: bool,
    leaves: bool,
}

impl Hand {
    pub(super) fn deal(random: &mut StdRng) -> Self {
        Self { enters: random.random_bool(0.3), long: random.random_bool(0.5), leaves: random.random_bool(0.02) }
    }
}

/// Pairs, the same for the same seed.
pub(super) fn pairs(count: usize, random: &mut StdRng) -> Vec<Pair> {
    (0..count)
        .map(|number| {
            let stake = random.random_range(20..=50) * 100;
            let daily_loss = stake * random.random_range(3..=6) / 100;
            let drawdown = stake * random.random_range(3..=6) / 100;
            Pair {
                plan: Plan::ALL[number % Plan::ALL.len()],
                stake,
                leverage: random.random_range(6..=12),
                distance: f64::from(random.random_range(30..=80)) / 10_000.0,
                daily_loss,
                drawdown: if number % 2 == 0 { drawdown } else { 0 },
                names: [format!("{:02} bound", number + 1), format!("{:02} free", number + 1)],
            }
        })
        .collect()
}

impl Pair {
    /// The covenant of the bound one.
    pub(super) const fn covenant(&self) -> SetCovenantArgs {
        SetCovenantArgs {
            // Beyond what anybody aims at: losses alone are to make the difference.
            max_leverage: 20_000_000,
            max_notional: 0,
            daily_loss: self.daily_loss * UNIT,
            drawdown: self.drawdown * UNIT,
            cool_down: 24 * HOUR,
            loosening_delay: DAY,
            auto_close: true,
        }
    }

    /// The order that opens, and closes again, at a price; `stored` makes the chain's price of one.
    fn entry(&self, long: bool, price: f64, stored: impl Fn(f64) -> u64, now: &Now) -> PlaceOrderArgs {
        let side = if long { 1.0 } else { -1.0 };
        let at = match self.plan {
            Plan::Limit => price * (1.0 - side * 0.001),
            Plan::Breakout => price * (1.0 + side * 0.001),
            _ => price,
        };
        let (stop, target) = (at * (1.0 - side * self.distance), at * (1.0 + side * self.distance * 1.5));
        let size = ((self.stake * self.leverage) as f64 / price * 1e8) as i64;
        let none = PlaceOrderArgs { size: if long { size } else { -size }, ..PlaceOrderArgs::default() };
        let resting = PlaceOrderArgs { expires_at: now.unix + PATIENCE, ..none };
        let trail = stored(at * self.distance);
        match self.plan {
            Plan::Bare => none,
            Plan::Stop => PlaceOrderArgs { stop: stored(stop), ..none },
            Plan::Trail => PlaceOrderArgs { trail, ..none },
            Plan::Both => PlaceOrderArgs { stop: stored(stop), target: stored(target), ..none },
            Plan::Limit => PlaceOrderArgs {
                kind: Kind::Limit as u8,
                limit: stored(at),
                stop: stored(stop),
                target: stored(target),
                ..resting
            },
            Plan::Breakout => {
                PlaceOrderArgs { kind: Kind::Stop as u8, trigger: stored(at), trail, target: stored(target), ..resting }
            }
        }
    }
}

/// Where a trader acts.
pub(super) struct Floor<'a, F> {
    pub(super) market: &'a anchor_lang::prelude::Pubkey,
    pub(super) price: f64,
    pub(super) stored: F,
    pub(super) now: Now,
}

/// What a trader does with its hand, if anything.
pub(super) fn act<F: Fn(f64) -> u64>(
    pair: &Pair,
    hand: Hand,
    person: &Person,
    account: &Subaccount,
    floor: &Floor<'_, F>,
) -> Option<Job> {
    let owner = person.key.pubkey();
    let job = |what, instruction, reasons| Job {
        what,
        instructions: vec![instruction],
        payer: person.key.clone(),
        expect: Expect::Either(reasons),
    };
    let state = &account.state;
    if let Some((_, position)) = state.slots().find(|(_, position)| position.is_open()) {
        // Only who has no other way out.
        let size = position.base().0;
        let reduce = instructions::reduce(&owner, floor.market, &person.subaccount, size, 0, &[]);
        return (pair.plan == Plan::Bare && hand.leaves).then(|| job("reduce", reduce, LEAVING));
    }
    // Who has lost two thirds has had enough.
    if !hand.enters || state.orders > 0 || state.collateral.0 < pair.stake * UNIT / 3 {
        return None;
    }
    let args = pair.entry(hand.long, floor.price, &floor.stored, &floor.now);
    let id = state.next_order;
    Some(job("place order", instructions::place_order(&owner, floor.market, &person.subaccount, id, args), PLACING))
}
