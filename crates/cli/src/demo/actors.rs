//! The traders: who they are and what they do next. Nothing here sends.

use std::sync::Arc;

use anchor_lang::prelude::Pubkey;
use ballast::state::Subaccount;
use ballast_client::{Markets, address, quotes};
use ballast_engine::constants::PRICE_SCALE;
use ballast_engine::liquidation::is_flagged;
use ballast_engine::margin::Purpose;
use ballast_engine::{Now, Rounding};
use rand::Rng;
use rand::rngs::StdRng;
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::keys;

/// How many there are.
pub(crate) const TRADERS: usize = 36;
/// Their leverages, in turn.
const LEVERAGES: [u64; 12] = [2, 18, 5, 10, 3, 16, 8, 12, 4, 17, 6, 14];
/// Tier B allows for 10x; with fees and the size term a little less.
const MOST_ON_B: u64 = 8;
/// The index of the market that is tier B.
const SECOND: u16 = 1;

/// How a trader goes about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Opens once and sits there, come what may.
    Holder,
    /// Opens, closes, turns around.
    Swinger,
    /// Reduces or adds collateral before it gets tight.
    Careful,
}

/// A trader with one subaccount.
pub(crate) struct Trader {
    /// What the report calls them.
    pub(crate) name: String,
    /// The owner's key.
    pub(crate) key: Arc<Keypair>,
    /// The subaccount.
    pub(crate) subaccount: Pubkey,
    /// Whether it is isolated.
    pub(crate) isolated: bool,
    /// Leverage aimed at.
    pub(crate) leverage: u64,
    /// How they go about it.
    pub(crate) style: Style,
    /// Whether they begin long.
    pub(crate) long: bool,
    /// Markets they trade in.
    pub(crate) markets: Vec<u16>,
    /// The first deposit, smallest unit.
    pub(crate) stake: u64,
    /// Put in so far.
    pub(crate) deposited: u64,
    /// Taken out so far.
    pub(crate) withdrawn: u64,
    /// Whether a liquidation has touched them.
    pub(crate) liquidated: bool,
    /// The order that waits, if one does.
    pub(crate) order: Option<PlacedOrder>,
}

/// An order on the chain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlacedOrder {
    /// Its market.
    pub(crate) market: u16,
    /// Its address.
    pub(crate) address: Pubkey,
    /// When it was placed, at the latest.
    pub(crate) placed_at: i64,
    /// Whether it was refused for good: its owner cancels it.
    pub(crate) unwanted: bool,
}

/// What a trader does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Places an order.
    Order {
        /// The market.
        market: u16,
        /// Signed size.
        size: i64,
        /// Whether it may only reduce.
        reduce_only: bool,
    },
    /// Reduces at once.
    Reduce {
        /// The market.
        market: u16,
        /// Size.
        size: u64,
    },
    /// Adds collateral.
    Deposit(u64),
    /// Takes collateral out.
    Withdraw(u64),
}

/// The traders, the same for the same seed.
pub(crate) fn traders(exchange: &Pubkey, unit: u64, random: &mut StdRng) -> Vec<Trader> {
    (0..TRADERS)
        .map(|number| {
            let key = keys::local(&format!("trader {number}"));
            // A third on BTC, a third on ETH, a third on both; half of those with one market are isolated.
            let markets: Vec<u16> = match number % 3 {
                0 => vec![0],
                1 => vec![SECOND],
                _ => vec![0, SECOND],
            };
            let isolated = markets.len() == 1 && (number / 6) % 2 == 0;
            let leverage = LEVERAGES[(number / 3) % LEVERAGES.len()];
            let leverage = if markets.contains(&SECOND) { leverage.min(MOST_ON_B) } else { leverage };
            let stake = random.random_range(20..=100) * 100 * unit;
            let style = match number % 4 {
                _ if leverage >= 12 => Style::Holder,
                0 => Style::Swinger,
                1 => Style::Careful,
                _ => Style::Holder,
            };
            Trader {
                name: format!("T{number:02}"),
                subaccount: address::subaccount(exchange, &key.pubkey(), 0),
                key: Arc::new(key),
                isolated,
                leverage,
                style,
                long: (number / 3 + number) % 2 == 0,
                markets,
                stake,
                deposited: 0,
                withdrawn: 0,
                liquidated: false,
                order: None,
            }
        })
        .collect()
}

impl Trader {
    /// What they do, seeing the markets as they are now.
    pub(crate) fn decide(
        &self,
        account: &Subaccount,
        markets: &Markets,
        now: &Now,
        random: &mut StdRng,
    ) -> Option<Action> {
        if self.order.is_some() || is_flagged(&account.state, now) {
            return None;
        }
        if account.state.is_flat() {
            return self.when_flat(account, markets, now, random);
        }
        let missing = self.markets.iter().find(|index| account.state.find(**index).is_none());
        match (missing, self.liquidated) {
            (Some(market), false) if random.random_bool(0.2) => self.open(*market, account, markets, now),
            _ => self.when_open(account, markets, now, random),
        }
    }

    fn when_flat(&self, account: &Subaccount, markets: &Markets, now: &Now, random: &mut StdRng) -> Option<Action> {
        let collateral = account.state.collateral.0;
        if self.liquidated || collateral < self.stake / 4 {
            // They have had enough.
            return None;
        }
        if collateral > self.stake + self.stake / 10 && random.random_bool(0.3) {
            return Some(Action::Withdraw((collateral - self.stake) / 2));
        }
        let eager = if self.style == Style::Holder { 0.5 } else { 0.15 };
        random.random_bool(eager).then(|| self.open(*self.markets.first()?, account, markets, now)).flatten()
    }

    fn when_open(&self, account: &Subaccount, markets: &Markets, now: &Now, random: &mut StdRng) -> Option<Action> {
        let (_, position) = account.state.slots().find(|(_, p)| p.is_open())?;
        let (market, size) = (position.market, position.size.0);
        match self.style {
            Style::Holder => None,
            Style::Careful => {
                let totals = quotes::totals(account, markets, Purpose::Maintenance, now).ok()?;
                let tight = totals.equity.0 < i64::try_from(totals.requirement.0 / 2 * 3).ok()?;
                match (tight, random.random_bool(0.5)) {
                    (false, _) => None,
                    (true, true) => Some(Action::Deposit(self.stake / 4)),
                    (true, false) => Some(Action::Reduce { market, size: size.unsigned_abs().div_ceil(2) }),
                }
            }
            Style::Swinger => match random.random_range(0..100) {
                0..6 => Some(Action::Order { market, size: -size, reduce_only: true }),
                6..8 => Some(Action::Order { market, size: -2 * size, reduce_only: false }),
                8..10 => Some(Action::Reduce { market, size: size.unsigned_abs() }),
                _ => None,
            },
        }
    }

    /// An order for the leverage aimed at, as far as the chain's own rules would let it.
    pub(crate) fn open(&self, market: u16, account: &Subaccount, markets: &Markets, now: &Now) -> Option<Action> {
        let state = &markets.get(market)?.state;
        let target = account.state.collateral.0 * self.leverage / self.markets.len() as u64;
        let price = state.price.last.price.0;
        let wanted = u128::from(target) * u128::from(PRICE_SCALE) / u128::from(price.max(1));
        // A little less than the most that is allowed now: the price moves on before the fill.
        let most = quotes::max_increase(account, markets, market, self.long, now).ok()?.0 / 100 * 96;
        let size = u64::try_from(wanted).ok()?.min(most);
        let value = ballast_engine::Base(size).value(state.price.last.price, Rounding::Down).ok()?;
        if value.0 < state.params.min_notional.0 * 2 {
            return None;
        }
        let size = i64::try_from(size).ok()?;
        Some(Action::Order { market, size: if self.long { size } else { -size }, reduce_only: false })
    }
}
