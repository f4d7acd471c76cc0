//! A whole exchange on the engine alone: markets, accounts, providers, a clock and a vault, driven by operations that do
//! what the program's instructions do, in their order. Random sequences, the fuzz targets and the comparison with the
//! reference model are all made of it; it knows nothing of the other test modules, so that those can include it.
#![allow(dead_code, reason = "each user drives its own part")]

pub(crate) mod check;
pub(crate) mod leave;
mod op;
pub(crate) mod orders;
mod shell;

pub(crate) use op::{Bytes, Op};

use ballast_engine::account::AccountState;
use ballast_engine::insurance::SharedInsurance;
use ballast_engine::market::MarketState;
use ballast_engine::order::OrderTerms;
use ballast_engine::params::MarketParams;
use ballast_engine::price::RawUpdate;
use ballast_engine::tier::Tier;
use ballast_engine::{Base, Now, Price, Quote, Result, presets};

/// The account that keepers' fees go to; the traders come before it.
pub(crate) const KEEPER: usize = 5;
/// Traders, the keeper with them. Number 4 is isolated.
pub(crate) const ACCOUNTS: usize = 6;
/// Liquidity providers.
pub(crate) const PROVIDERS: usize = 2;
/// Markets: tiers A, B and, isolated only, C.
pub(crate) const MARKETS: usize = 3;
/// One whole unit of collateral or asset.
pub(crate) const UNIT: u64 = 1_000_000;

/// An order that waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    pub(crate) account: usize,
    pub(crate) market: usize,
    pub(crate) terms: OrderTerms,
}

/// A liquidity deposit that waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filed {
    pub(crate) market: usize,
    pub(crate) provider: usize,
    pub(crate) amount: Quote,
    pub(crate) filed_at: i64,
}

/// A liquidity exit that waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leaving {
    pub(crate) market: usize,
    pub(crate) provider: usize,
    pub(crate) shares: u64,
    pub(crate) ripe_at: i64,
    pub(crate) window_start: i64,
}

/// An exchange.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) now: Now,
    pub(crate) markets: Vec<MarketState>,
    pub(crate) accounts: Vec<AccountState>,
    pub(crate) orders: Vec<Waiting>,
    pub(crate) filed: Vec<Filed>,
    pub(crate) leaving: Vec<Leaving>,
    /// Shares by market and provider.
    pub(crate) shares: [[u64; PROVIDERS]; MARKETS],
    /// The shared insurance fund and its batches.
    pub(crate) fund: Quote,
    pub(crate) shared: SharedInsurance,
    /// What the vault holds.
    pub(crate) vault: u128,
    /// Deficits by account and market, as they were booked.
    pub(crate) unpaid: [[u64; MARKETS]; ACCOUNTS],
    /// What each trader has put in less what it has taken out.
    pub(crate) put_in: [i128; ACCOUNTS],
    /// The same of each provider.
    pub(crate) provided: [i128; PROVIDERS],
}

/// The parameters of a market here: a tier's preset with a cap of $10M and a K of 50M units.
pub(crate) fn params(tier: Tier) -> MarketParams {
    presets::tuned(tier, 50_000_000 * UNIT, Quote(10_000_000 * UNIT))
}

impl World {
    /// Three markets at $100, $50 and $20 with warm averages and a good price, $500,000 of liquidity and $5,000 of
    /// insurance each; four cross accounts, an isolated one and a keeper with $1,000 to $200,000.
    pub(crate) fn new() -> Self {
        Self::with(params, [500_000; MARKETS], 5_000)
    }

    /// The same with other parameters, liquidity and insurance, in whole units.
    pub(crate) fn with(params: impl Fn(Tier) -> MarketParams, liquidity: [u64; MARKETS], insurance: u64) -> Self {
        let now = Now { unix: 1_700_000_000, slot: 1_000_000, restart_slot: 0 };
        let tiers = [Tier::A, Tier::B, Tier::C];
        let market = |index: u16| {
            MarketState::new(index, index as u8, 6, 6, params(tiers[usize::from(index)]), now.unix).unwrap()
        };
        let mut world = Self {
            now,
            markets: (0..MARKETS as u16).map(market).collect(),
            accounts: vec![AccountState::default(); ACCOUNTS],
            orders: Vec::new(),
            filed: Vec::new(),
            leaving: Vec::new(),
            shares: [[0; PROVIDERS]; MARKETS],
            fund: Quote::ZERO,
            shared: SharedInsurance::default(),
            vault: 0,
            unpaid: [[0; MARKETS]; ACCOUNTS],
            put_in: [0; ACCOUNTS],
            provided: [0; PROVIDERS],
        };
        world.accounts[4].isolated = 1;
        for (account, dollars) in [200_000, 50_000, 20_000, 100_000, 10_000, 1_000].into_iter().enumerate() {
            world.must(&Op::Deposit { account, amount: dollars * UNIT });
        }
        for (market, dollars) in [100, 50, 20].into_iter().enumerate() {
            world.must(&Op::Publish { market, price: dollars * 100_000_000, conf: dollars * 10_000, lag: 0 });
        }
        world.must(&Op::Tick { seconds: 301 });
        world.must(&Op::Tick { seconds: 1 });
        for (market, dollars) in liquidity.into_iter().enumerate() {
            world.must(&Op::File { market, provider: 0, amount: dollars * UNIT });
            world.must(&Op::TopUp { market, amount: insurance * UNIT });
        }
        world.must(&Op::TopUpShared { amount: insurance * 2 * UNIT });
        world.must(&Op::Tick { seconds: 3 });
        for _ in 0..MARKETS {
            world.must(&Op::Provide { ticket: 0 });
        }
        world
    }

    /// An exchange in which everybody has opened what they may: with little liquidity, where profits are soon more than
    /// there is cash, or with much.
    pub(crate) fn crowded(byte: impl FnMut() -> u8) -> Self {
        Self::crowded_with(params, byte)
    }

    /// The same with other parameters.
    pub(crate) fn crowded_with(params: impl Fn(Tier) -> MarketParams, mut byte: impl FnMut() -> u8) -> Self {
        let liquidity = 10_000 << (byte() % 7);
        let mut world = Self::with(params, [liquidity; MARKETS], 1 << (byte() % 14));
        for account in 0..KEEPER {
            let markets = if world.accounts[account].isolated == 0 { 0..2 } else { 2..3 };
            for market in markets {
                let most = world.accounts[account].collateral.0.min(liquidity * UNIT * 2);
                let notional = most / 256 * u64::from(byte()) * 5 + 60 * UNIT;
                let size = world.size_for(market, notional).0 as i64;
                let size = if byte().is_multiple_of(2) { size } else { -size };
                let order = world.orders.len();
                let place = Op::Place { account, market, size, reduce_only: false };
                for op in [place, Op::Tick { seconds: 3 }, Op::Execute { order }] {
                    if op.is_possible(&world) {
                        let _ = world.apply(&op);
                    }
                }
            }
            let all = world.accounts[account].collateral.0;
            for part in 1..8 {
                let _ = world.apply(&Op::Withdraw { account, amount: all >> part });
            }
        }
        world
    }

    /// Does it, or puts everything back as a failed transaction does.
    pub(crate) fn apply(&mut self, op: &Op) -> Result<()> {
        let before = self.clone();
        let done = self.run(op);
        if done.is_err() {
            *self = before;
        }
        done
    }

    /// Does it, or panics.
    pub(crate) fn must(&mut self, op: &Op) {
        if let Err(fault) = self.apply(op) {
            panic!("{op:?}: {fault:?}");
        }
    }

    /// The stored price of a market in the oracle's scale.
    pub(crate) fn oracle_price(&self, market: usize) -> i64 {
        (self.markets[market].price.last.price.0 / 10) as i64
    }

    /// The update that an oracle would post now.
    pub(crate) fn raw(&self, market: usize, price: i64, conf: i64, lag: i64) -> RawUpdate {
        let publish_time = self.now.unix - lag;
        RawUpdate {
            price,
            conf: conf.unsigned_abs(),
            exponent: -8,
            publish_time,
            prev_publish_time: self.markets[market].price.last.publish_time.min(publish_time),
            posted_slot: self.now.slot,
        }
    }

    /// What an account would have if every price stood still, in full: collateral, results, claims, holdbacks.
    pub(crate) fn wealth(&self, account: usize) -> i128 {
        let state = &self.accounts[account];
        let mut sum = i128::from(state.collateral.0);
        for position in state.positions.iter().filter(|p| !p.is_free()) {
            let market = &self.markets[usize::from(position.market)];
            let (outstanding, collectable) = market.claim_value(&position.claim).unwrap();
            sum += i128::from(outstanding.0) + i128::from(collectable.0) + i128::from(position.held.0);
            if position.is_open() {
                let position = &market.effective(position).unwrap();
                sum += i128::from(ballast_engine::margin::unrealised(position, market.price.last.price).unwrap().0);
                sum -= i128::from(ballast_engine::margin::funding_owed(market, position).unwrap().0);
            }
        }
        for order in self.orders.iter().filter(|order| order.account == account) {
            sum += i128::from(order.terms.fee.0);
        }
        sum
    }

    /// A size of so many quote atoms at the stored price.
    pub(crate) fn size_for(&self, market: usize, notional: u64) -> Base {
        let Price(price) = self.markets[market].price.last.price;
        Base((u128::from(notional) * 1_000_000_000 / u128::from(price.max(1))) as u64)
    }
}

/// Numbers from a seed (SplitMix64, Steele and others 2014).
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub(crate) fn below(&mut self, many: u64) -> u64 {
        self.next() % many.max(1)
    }
    /// Enough for one operation.
    pub(crate) fn bytes(&mut self) -> [u8; 16] {
        let (high, low) = (self.next().to_le_bytes(), self.next().to_le_bytes());
        core::array::from_fn(|i| if i < 8 { high[i] } else { low[i - 8] })
    }
    /// A few operations.
    pub(crate) fn script(&mut self, world: &World) -> Vec<Op> {
        Op::script(&mut Bytes::new(&self.bytes()), world)
    }
}

/// The seed of a run, from `BALLAST_SEED` or the clock, printed so that a failure can be had again.
pub(crate) fn seed() -> u64 {
    let given = std::env::var("BALLAST_SEED").ok().map(|seed| seed.parse().expect("BALLAST_SEED is a number"));
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seed = given.unwrap_or_else(|| clock.map_or(0, |time| time.as_nanos() as u64));
    println!("BALLAST_SEED={seed}");
    seed
}

/// How many runs, from an environment variable or as given.
pub(crate) fn runs(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |count| count.parse().expect("a number of runs"))
}
