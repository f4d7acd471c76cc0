//! The state of a run: who there is, what they have open, prices, and how a step is taken.

use std::collections::BTreeMap;
use std::sync::Arc;

use anchor_lang::prelude::Pubkey;
use ballast::state::{Exchange, Market, Order, Proposal, Subaccount};
use ballast_client::{address, instructions as ix};
use ballast_engine::constants::RATIO_SCALE;
use ballast_engine::market::MarketState;
use ballast_engine::{Error, Now};
use ballast_tests::prices::EXPONENT;
use ballast_tests::setup::feed_id;
use ballast_tests::world::fixed_key;
use ballast_tests::{Expect as _, MarketTerms, Refused, Setup, Terms, units};
use price_feed::state::{PriceFeedMessage, VerificationLevel};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use solana_keypair::Keypair;
use solana_signer::Signer as _;

use super::act::{Act, next_order};
use super::covenants::BOUND;
use super::judge::{self, Reason};
use super::upgrades;

/// Traders and providers; after them in the list of keys come the officers.
pub(crate) const PEOPLE: usize = 10;
/// Governance, committee, guardian and those who may replace them.
pub(crate) const OFFICERS: usize = 9;
/// Markets.
pub(crate) const MARKETS: usize = 3;

/// An open subaccount.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sub {
    pub(crate) owner: usize,
    pub(crate) id: u16,
    pub(crate) address: Pubkey,
}

/// An open order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    pub(crate) address: Pubkey,
    pub(crate) sub: usize,
    pub(crate) market: usize,
    /// Who placed it.
    pub(crate) by: usize,
}

/// What a market's oracle said last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quoted {
    pub(crate) price: i64,
    pub(crate) conf_bps: u64,
    pub(crate) published: i64,
}

/// Decoded accounts before a step.
#[derive(Clone)]
pub(crate) struct View {
    pub(crate) now: Now,
    pub(crate) exchange: Box<Exchange>,
    pub(crate) markets: Vec<Box<Market>>,
}

impl View {
    pub(crate) fn state(&self, market: usize) -> &MarketState {
        &self.markets[market].state
    }
}

/// A run.
pub(crate) struct Sim {
    pub(crate) setup: Setup,
    pub(crate) rng: StdRng,
    keys: Vec<Arc<Keypair>>,
    pub(crate) subs: Vec<Sub>,
    pub(crate) orders: Vec<Placed>,
    /// Buffers of upgrades, used up ones too.
    pub(crate) buffers: Vec<Pubkey>,
    pub(crate) quotes: Vec<Quoted>,
    /// Instructions sent.
    pub(crate) sent: u64,
    /// By instruction: how many went through, and how many were refused for which reason.
    pub(crate) done: BTreeMap<&'static str, u64>,
    pub(crate) refused: BTreeMap<(&'static str, &'static str), u64>,
    seed: u64,
}

impl Sim {
    pub(crate) fn new(seed: u64) -> Self {
        // Pools thin enough that a move can empty them.
        let market =
            |terms: MarketTerms, liquidity| MarketTerms { liquidity: units(liquidity), insurance: units(500), ..terms };
        let terms = Terms {
            markets: vec![
                market(MarketTerms::DEEP, 60_000),
                market(MarketTerms::LARGE, 80_000),
                market(MarketTerms::LONG_TAIL, 50_000),
            ],
            funding: true,
        };
        let mut setup = Setup::with(&terms);
        let mut keys = Vec::new();
        for person in 0..PEOPLE {
            keys.push(setup.fund(&format!("person {person}"), units(10_000_000)).0);
        }
        keys.extend([&setup.governance, &setup.committee, &setup.guardian].map(Arc::clone));
        for officer in 3..OFFICERS {
            let key = fixed_key(&format!("officer {officer}"));
            setup.world.svm.airdrop(&key.pubkey(), 1_000_000_000_000).expect("airdrop");
            keys.push(Arc::new(key));
        }
        for market in 0..MARKETS {
            let mint = address::lp_mint(&setup.market_key(market));
            for key in &keys[..PEOPLE] {
                setup.set_tokens(address::tokens(&key.pubkey(), &mint), &key.pubkey(), &mint, 0);
            }
            // The feed that a proposal may change to.
            let publisher = setup.publisher.clone();
            let create = ix::oracle::create_feed(&publisher.pubkey(), other_feed(market));
            setup.world.send(&[create], &[&publisher]).must();
        }
        let quote = |posted: &ballast_tests::prices::Posted| Quoted { price: posted.price, conf_bps: 1, published: 0 };
        let quotes = setup.posted.iter().map(quote).collect();
        // Sent once, by the setup.
        let made = ["initialize_exchange", "create_market"];
        let mut done: BTreeMap<_, _> = made.iter().map(|name| (*name, setup.made[*name].len() as u64)).collect();
        setup.take_upgrade_authority().must();
        done.insert("take_upgrade_authority", 1);
        Self {
            setup,
            rng: StdRng::seed_from_u64(seed),
            keys,
            subs: vec![],
            orders: vec![],
            buffers: vec![],
            quotes,
            sent: 0,
            done,
            refused: BTreeMap::new(),
            seed,
        }
    }

    pub(crate) fn key(&self, by: usize) -> &Arc<Keypair> {
        &self.keys[by]
    }

    pub(crate) fn address(&self, by: usize) -> Pubkey {
        self.keys[by].pubkey()
    }

    pub(crate) fn officer(&self, address: &[u8; 32]) -> Option<usize> {
        (PEOPLE..PEOPLE + OFFICERS).find(|by| self.address(*by).to_bytes() == *address)
    }

    pub(crate) fn payer(&self) -> Pubkey {
        self.setup.world.payer.pubkey()
    }

    pub(crate) fn wallet(&self, by: usize) -> Pubkey {
        address::tokens(&self.address(by), &self.setup.mint)
    }

    pub(crate) fn share_account(&self, by: usize, market: usize) -> Pubkey {
        address::tokens(&self.address(by), &address::lp_mint(&self.setup.market_key(market)))
    }

    pub(crate) fn account(&self, sub: usize) -> Box<Subaccount> {
        self.setup.world.read(&self.subs[sub].address)
    }

    pub(crate) fn proposal(&self, id: u64) -> Box<Proposal> {
        self.setup.proposal(id)
    }

    /// The market that a proposal is about; none for the exchange.
    pub(crate) fn proposal_market(&self, id: u64) -> Option<usize> {
        let market = Pubkey::new_from_array(self.proposal(id).market.0);
        (0..MARKETS).find(|m| self.setup.market_key(*m) == market)
    }

    pub(crate) fn view(&self) -> View {
        View {
            now: self.setup.world.now(),
            exchange: self.setup.exchange(),
            markets: (0..MARKETS).map(|market| self.setup.market(market)).collect(),
        }
    }

    /// The feed that a market wants now.
    pub(crate) fn feed(&self, market: usize) -> Pubkey {
        address::price_feed(&self.setup.publisher.pubkey(), &self.setup.market(market).feed_id.0)
    }

    /// Publishes a market's quoted price, stamped now or as `tamper` says.
    pub(crate) fn publish(&mut self, market: usize, tamper: impl FnOnce(&mut ix::oracle::RawUpdate)) {
        let now = self.setup.world.now().unix;
        let (feed, id) = (self.feed(market), self.setup.market(market).feed_id.0);
        let quote = &mut self.quotes[market];
        let conf = u64::try_from(quote.price).expect("positive") / 10_000 * quote.conf_bps;
        let message = PriceFeedMessage {
            feed_id: id,
            price: quote.price,
            conf,
            exponent: EXPONENT,
            publish_time: now,
            prev_publish_time: quote.published,
            ema_price: quote.price,
            ema_conf: conf,
        };
        quote.published = now;
        let mut update =
            ix::oracle::RawUpdate { message, verification_level: VerificationLevel::Full, posted_slot: None };
        tamper(&mut update);
        let publisher = self.setup.publisher.clone();
        let post = ix::oracle::post_raw(&publisher.pubkey(), &feed, update);
        self.setup.world.send(&[post], &[&publisher]).must();
    }

    /// Publishes every market's quoted price and lets the markets take them.
    pub(crate) fn refresh(&mut self) {
        for market in 0..MARKETS {
            self.publish(market, |_| {});
            let feed = self.feed(market);
            self.step(Act::Update { market, feed });
        }
    }

    /// Moves the clock, and refreshes.
    pub(crate) fn tick(&mut self, seconds: i64) {
        self.setup.world.advance(seconds);
        self.refresh();
    }

    /// Sends an instruction; true if it went through. Whether it may, and for which reasons it may not, is judged before
    /// from the accounts by the engine's rules.
    pub(crate) fn step(&mut self, act: Act) -> bool {
        self.sent += 1;
        let (name, view) = (act.name(self), self.view());
        let reasons = judge::judge(self, &view, &act);
        let order = if let Act::Place { sub, .. } = act { Some(next_order(self, sub)) } else { None };
        let before = judge::health(self, &view, &act);
        let bound: Vec<_> = (0..BOUND).map(|of| self.covenant(of)).collect();
        let instruction = act.build(self);
        let signer = act.signer().map(|by| Arc::clone(self.key(by)));
        let signers: Vec<&Keypair> = signer.iter().map(|key| &**key).collect();
        let instructions: Vec<_> = upgrades::before(&act).into_iter().chain([instruction]).collect();
        let outcome = self.setup.world.send(&instructions, &signers);
        match &outcome {
            Ok(_) => {
                assert!(reasons.is_empty(), "{}: {act:?} went through against {reasons:?}", self.place());
                *self.done.entry(name).or_default() += 1;
                self.follow(act, order);
                judge::check_health(self, &act, before);
            }
            Err(refused) => {
                let reason = reason_of(refused, self.is_beyond(&act));
                let known = reason.is_some_and(|reason| reasons.contains(&reason));
                assert!(known, "{}: {act:?} was refused, {reasons:?} expected: {refused}", self.place());
                let word = reason.expect("known").name();
                *self.refused.entry((name, word)).or_default() += 1;
            }
        }
        let place = self.place();
        let audit = self.setup.books();
        assert!(audit.is_clean(), "{place}: after {act:?} the books do not add up: {audit:#?}");
        for (of, old) in bound.into_iter().enumerate() {
            let (Some(old), Some(new)) = (old, self.covenant(of)) else { continue };
            assert!(new.state.invariant().is_ok(), "{place}: after {act:?} a covenant is broken");
            // P12: nothing but an executed request loosens, and the judge knows when that may be.
            let tighter = new.state.limits.check_no_looser(&old.state.limits).is_ok();
            assert!(tighter || matches!(act, Act::Loosened { .. }), "{place}: {act:?} loosened a covenant");
        }
        let exchange = self.setup.exchange();
        assert!(exchange.invariant().is_ok(), "{place}: after {act:?} the exchange is broken");
        outcome.is_ok()
    }

    /// Whether it is about an order of more than a whole side may have: with parameters at the edges its premium may leave the
    /// numbers' range before any limit is asked.
    fn is_beyond(&self, act: &Act) -> bool {
        let (Act::Fill { order, .. } | Act::Cancel { order, .. }) = *act else { return false };
        let Some(placed) = self.orders.get(order) else { return false };
        let size = self.setup.world.read::<Order>(&placed.address).terms.size.size();
        let params = self.setup.market(placed.market).state.params;
        let most = u128::from(params.skew_scale.0) * u128::from(params.liquidation_impact.0);
        u128::from(size.0) * u128::from(RATIO_SCALE) > most
    }

    /// Where a failure is.
    pub(crate) fn place(&self) -> String {
        format!("BALLAST_SEED={}, instruction {}", self.seed, self.sent)
    }

    /// Keeps the lists of what is open.
    fn follow(&mut self, act: Act, order: Option<Pubkey>) {
        match act {
            Act::Open { by, id, .. } => {
                let address = address::subaccount(&self.setup.exchange, &self.address(by), id);
                self.subs.push(Sub { owner: by, id, address });
            }
            // Places stay: nothing refers to a closed one by accident.
            Act::Close { sub, .. } => {
                self.subs.swap_remove(sub);
                let last = self.subs.len();
                for order in self.orders.iter_mut().filter(|order| order.sub == last) {
                    order.sub = sub;
                }
            }
            Act::Place { sub, market, by, .. } => {
                self.orders.push(Placed { address: order.expect("looked up"), sub, market, by });
            }
            // A bracket whose entry was filled is still there: it is its exits.
            Act::Cancel { order, .. } | Act::Fill { order, .. }
                if !self.setup.world.exists(&self.orders[order].address) =>
            {
                self.orders.swap_remove(order);
            }
            // The new program runs from the next slot on.
            Act::ExecuteUpgrade { .. } => self.setup.world.advance_slots(1),
            _ => {}
        }
    }

    /// One of a list.
    pub(crate) fn any<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.rng.random_range(0..list.len())]
    }

    /// True so many times in a hundred.
    pub(crate) fn percent(&mut self, share: u32) -> bool {
        self.rng.random_ratio(share, 100)
    }
}

/// The feed that a market's oracle may be changed to.
pub(crate) fn other_feed(market: usize) -> [u8; 32] {
    let mut id = feed_id(super::act::index(market));
    id[0] = b'B';
    id
}

/// No number leaves its range, but in what is `beyond` all that a market can hold.
fn reason_of(refused: &Refused, beyond: bool) -> Option<Reason> {
    const INSUFFICIENT_FUNDS: u32 = 1;
    let token = refused.logs.iter().any(|l| l.contains("Tokenkeg") && l.contains(" failed: "));
    match refused.error {
        Some(Error::MathOverflow) if !beyond => None,
        Some(error) => Some(Reason::Ballast(error)),
        None => (token && refused.code == Some(INSUFFICIENT_FUNDS)).then_some(Reason::Tokens),
    }
}
