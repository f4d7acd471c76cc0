//! An exchange that is ready to trade: created, tuned by real proposals, with liquidity and warmed-up prices. It is made
//! once per process for each set of terms; every test gets its own copy.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::program_pack::Pack;
use anchor_spl::token::spl_token::state::{Account as TokenAccount, AccountState as TokenState, Mint};
use ballast::instructions::governance::{CreateMarketArgs, InitializeExchangeArgs};
use ballast::state::{Exchange, Market, Subaccount};
use ballast_client::{Audit, Markets, address, instructions as ix};
use ballast_engine::params::MARKET_ROWS;
use ballast_engine::presets;
use ballast_engine::tier::Tier;
use ballast_engine::units::Quote;
use solana_account::Account;
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::actors::{Provider, Trader};
use crate::prices::{Posted, usd};
use crate::units;
use crate::world::{Expect, World, fixed_key};

/// What a market is to be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MarketTerms {
    /// Tier: 0 A, 1 B, 2 C.
    pub tier: u8,
    /// The first price, exponent -8.
    pub price: i64,
    /// Decimals of a base atom.
    pub base_decimals: u8,
    /// Open-interest cap, quote atoms.
    pub cap: u64,
    /// Liquidity, quote atoms.
    pub liquidity: u64,
    /// Insurance, quote atoms.
    pub insurance: u64,
}

/// What an exchange is to be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Terms {
    /// Its markets.
    pub markets: Vec<MarketTerms>,
    /// Whether funding and holding fees run; without them amounts are easier to follow.
    pub funding: bool,
}

impl MarketTerms {
    /// Like bitcoin: tier A.
    pub const DEEP: Self = Self {
        tier: 0,
        price: usd(60_000),
        base_decimals: 8,
        cap: units(10_000_000),
        liquidity: units(3_000_000),
        insurance: units(10_000),
    };
    /// Tier B.
    pub const LARGE: Self =
        Self { tier: 1, price: usd(3_000), cap: units(4_000_000), liquidity: units(2_000_000), ..Self::DEEP };
    /// The long tail, isolated only: tier C.
    pub const LONG_TAIL: Self = Self {
        tier: 2,
        price: usd(3) / 2,
        base_decimals: 6,
        cap: units(1_000_000),
        liquidity: units(1_000_000),
        ..Self::DEEP
    };
}

impl Terms {
    /// Three markets, one of each tier: 0 deep, 1 large, 2 long tail; funding runs.
    pub fn standard() -> Self {
        Self { markets: vec![MarketTerms::DEEP, MarketTerms::LARGE, MarketTerms::LONG_TAIL], funding: true }
    }
    /// The same without funding and holding fees.
    pub fn still() -> Self {
        Self { funding: false, ..Self::standard() }
    }
    /// So many markets that cross accounts may hold, all of tier A, with caps that one proposal each sets. No funding.
    pub fn cross(count: usize) -> Self {
        let market = |i: i64| MarketTerms { price: usd(100 * (i + 1)), cap: units(1_000_000), ..MarketTerms::DEEP };
        Self { markets: (0..).take(count).map(market).collect(), funding: false }
    }
}

/// An exchange with everything that tests need to act on it.
#[derive(Clone)]
pub struct Setup {
    /// The chain.
    pub world: World,
    /// The collateral's mint.
    pub mint: Pubkey,
    /// The exchange.
    pub exchange: Pubkey,
    /// Its vault.
    pub vault: Pubkey,
    /// Where protocol fees go.
    pub fee_destination: Pubkey,
    /// Governance.
    pub governance: Arc<Keypair>,
    /// The committee.
    pub committee: Arc<Keypair>,
    /// The guardian.
    pub guardian: Arc<Keypair>,
    /// Publishes prices.
    pub publisher: Arc<Keypair>,
    /// Executes, flags, liquidates.
    pub keeper: Trader,
    /// Who provided each market's first liquidity.
    pub providers: Vec<Provider>,
    /// The last price published for each market.
    pub posted: Vec<Posted>,
    /// What was asked for.
    pub terms: Terms,
    /// Compute units by instruction of what it took to make it.
    pub made: BTreeMap<String, Vec<u64>>,
}

static MADE: Mutex<BTreeMap<Terms, Setup>> = Mutex::new(BTreeMap::new());

impl Setup {
    /// The standard exchange: see [`Terms::standard`].
    pub fn new() -> Self {
        Self::with(&Terms::standard())
    }

    /// An exchange by its terms.
    pub fn with(terms: &Terms) -> Self {
        // A test that failed while it was made left nothing half done in the map.
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        made.entry(terms.clone()).or_insert_with(|| Self::make(terms)).clone()
    }

    /// The exchange alone, without a market.
    pub fn bare() -> Self {
        Self::with(&Terms { markets: vec![], funding: false })
    }

    fn make(terms: &Terms) -> Self {
        let mut world = World::new();
        let mint = fixed_key("mint").pubkey();
        let state = Mint { decimals: 6, is_initialized: true, supply: u64::MAX / 2, ..Mint::default() };
        world.set_account(mint, token_program_account(&state));
        let exchange = address::exchange(&mint);
        let keys = ["governance", "committee", "guardian", "publisher"].map(|name| Arc::new(fixed_key(name)));
        for key in &keys {
            world.give(key.pubkey(), 1_000_000_000_000);
        }
        let [governance, committee, guardian, publisher] = keys;
        let mut setup = Self {
            world,
            mint,
            exchange,
            vault: address::vault(&exchange),
            fee_destination: fixed_key("fee destination").pubkey(),
            governance,
            committee,
            guardian,
            publisher,
            keeper: Trader::nobody(),
            providers: vec![],
            posted: vec![],
            terms: terms.clone(),
            made: BTreeMap::new(),
        };
        setup.initialize();
        for market in terms.markets.clone() {
            setup.create_market(&market);
        }
        setup.tune();
        setup.keeper = setup.trader("keeper", 0);
        setup.begin_prices_and_liquidity();
        setup.made = std::mem::take(&mut setup.world.units);
        setup
    }

    fn initialize(&mut self) {
        self.set_tokens(self.fee_destination, &fixed_key("treasury").pubkey(), &self.mint.clone(), 0);
        let args = InitializeExchangeArgs {
            governance: self.governance.pubkey(),
            committee: self.committee.pubkey(),
            guardian: self.guardian.pubkey(),
            oracle_programs: [price_feed::ID, Pubkey::default()],
        };
        let authority = self.world.upgrade_authority.insecure_clone();
        let payer = self.world.payer.pubkey();
        let create = ix::initialize_exchange(&payer, &authority.pubkey(), &self.mint, &self.fee_destination, args);
        self.world.measure("initialize_exchange", create, &[&authority]).must();
    }

    /// What [`presets::new_market`] gives for a market's terms.
    pub fn new_market_args(&self, index: u16, terms: &MarketTerms) -> CreateMarketArgs {
        let tier = Tier::from_byte(terms.tier).expect("a tier");
        let params = presets::new_market(tier, skew_scale(terms));
        let values = (0..).take(MARKET_ROWS.len()).map(|id| params.get(id).expect("a row")).collect();
        CreateMarketArgs {
            index,
            tier: terms.tier,
            base_decimals: terms.base_decimals,
            feed_id: feed_id(index),
            oracle_program: price_feed::ID,
            params: values,
        }
    }

    /// Creates the next market and its price feed, closed and without a price.
    pub fn create_market(&mut self, terms: &MarketTerms) {
        let index = u16::try_from(self.posted.len()).expect("few markets");
        let (payer, governance) = (self.world.payer.pubkey(), self.governance.clone());
        let args = self.new_market_args(index, terms);
        let create = ix::create_market(&payer, &governance.pubkey(), &self.exchange, args);
        self.world.measure("create_market", create, &[&governance]).must();
        let publisher = self.publisher.clone();
        self.world.send(&[ix::oracle::create_feed(&publisher.pubkey(), feed_id(index))], &[&publisher]).must();
        self.posted.push(Posted::tight(terms.price));
    }

    /// Raises what a new market has at zero to what its terms ask, by proposals.
    fn tune(&mut self) {
        let mut targets = Vec::new();
        for (index, terms) in (0_u16..).zip(&self.terms.markets) {
            let tier = Tier::from_byte(terms.tier).expect("a tier");
            let scale = skew_scale(terms);
            let (new, tuned) = (presets::new_market(tier, scale), presets::tuned(tier, scale, Quote(terms.cap)));
            for (id, row) in (0_u16..).zip(MARKET_ROWS) {
                let target = tuned.get(id).expect("a row");
                let fees = matches!(row.name, "funding_velocity" | "holding_fee");
                if new.get(id).expect("a row") != target && (self.terms.funding || !fees) {
                    targets.push((index, id, target));
                }
            }
        }
        self.raise(&targets);
    }

    /// First prices, five minutes of waiting, liquidity and insurance.
    fn begin_prices_and_liquidity(&mut self) {
        self.post_all();
        self.world.advance(301);
        for (market, terms) in self.terms.markets.clone().into_iter().enumerate() {
            let provider = self.provider_account(&format!("provider {market}"), market, terms.liquidity);
            self.file_deposit(&provider, terms.liquidity).must();
            self.providers.push(provider);
        }
        self.later();
        for provider in self.providers.clone() {
            self.execute_deposit(&provider).must();
        }
        let (rich, tokens) = self.fund("insurer", units(1_000_000_000));
        for (market, terms) in self.terms.markets.clone().into_iter().enumerate().filter(|(_, t)| t.insurance > 0) {
            let (market, amount) = (self.market_key(market), terms.insurance);
            let top_up = ix::top_up_market_insurance(&self.exchange, &market, &rich.pubkey(), &tokens, amount);
            self.world.measure("top_up_market_insurance", top_up, &[&rich]).must();
        }
        self.audit();
    }

    /// A market's address.
    pub fn market_key(&self, market: usize) -> Pubkey {
        address::market(&self.exchange, u16::try_from(market).expect("few markets"))
    }

    /// A market as it is.
    pub fn market(&self, market: usize) -> Box<Market> {
        self.world.read(&self.market_key(market))
    }

    /// The exchange as it is.
    pub fn exchange(&self) -> Box<Exchange> {
        self.world.read(&self.exchange)
    }

    /// A trader's subaccount as it is.
    pub fn account(&self, trader: &Trader) -> Box<Subaccount> {
        self.world.read(&trader.subaccount)
    }

    /// All markets, for the client's quotes and views.
    pub fn markets(&self) -> Markets {
        (0..self.posted.len()).map(|market| self.market(market)).collect()
    }

    /// Puts a token account there.
    pub fn set_tokens(&mut self, address: Pubkey, owner: &Pubkey, mint: &Pubkey, amount: u64) {
        let state = TokenAccount {
            mint: *mint,
            owner: *owner,
            amount,
            state: TokenState::Initialized,
            ..TokenAccount::default()
        };
        self.world.set_account(address, token_program_account(&state));
    }

    /// Proves the books (P1, P3), liquidity shares included. Tests call it after every step.
    ///
    /// # Panics
    /// If anything does not add up.
    #[track_caller]
    pub fn audit(&self) -> Audit {
        let audit = self.books();
        assert!(audit.is_clean(), "the books do not add up: {audit:#?}");
        audit
    }

    /// The audit, whatever it says.
    pub fn books(&self) -> Audit {
        let mut accounts: Vec<(Pubkey, Vec<u8>)> = self
            .world
            .svm
            .get_program_accounts(&ballast::ID)
            .into_iter()
            .map(|(key, account)| (key, account.data))
            .collect();
        for market in 0..self.posted.len() {
            let mint = address::lp_mint(&self.market_key(market));
            if let Some(account) = self.world.svm.get_account(&mint) {
                accounts.push((mint, account.data));
            }
        }
        ballast_client::audit::audit_exchange(&self.exchange, accounts, self.world.tokens(&self.vault))
    }
}

impl Default for Setup {
    fn default() -> Self {
        Self::new()
    }
}

/// The feed of a market index.
pub fn feed_id(index: u16) -> [u8; 32] {
    let mut id = *b"ballast test feed, market       ";
    let [low, high] = index.to_le_bytes();
    (id[30], id[31]) = (low, high);
    id
}

/// Base atoms that a notional buys at a price of exponent -8, rounded down.
pub fn base_for(notional: u64, price: i64, base_decimals: u8) -> u64 {
    let price = u128::try_from(price).expect("a positive price");
    // Quote has six decimals, the price eight.
    let base = u128::from(notional) * 10_u128.pow(u32::from(base_decimals) + 2) / price;
    u64::try_from(base).expect("fits")
}

/// A skew scale under which the impact limit binds at twice the cap.
fn skew_scale(terms: &MarketTerms) -> u64 {
    let tier = Tier::from_byte(terms.tier).expect("a tier");
    let impact = presets::new_market(tier, 1_000_000).liquidation_impact.0;
    base_for(terms.cap * 2, terms.price, terms.base_decimals) / impact * 1_000_000
}

fn token_program_account<T: Pack>(state: &T) -> Account {
    let mut data = vec![0; T::LEN];
    T::pack_into_slice(state, &mut data);
    Account { lamports: 10_000_000, data, owner: anchor_spl::token::ID, executable: false, rent_epoch: u64::MAX }
}
