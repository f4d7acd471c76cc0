//! The exchange: made in LiteSVM by real instructions, then loaded into a local validator, account by account.

use std::sync::Arc;

use anchor_lang::prelude::Pubkey;
use ballast_client::rpc::ExchangeAccount;
use ballast_client::{Audit, Rpc, address, instructions as ix};
use ballast_localnet::{Config, Kind, Localnet, ProgramFile, Sender};
use ballast_tests::{MarketTerms, Setup, Terms, Trader, units, usd};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use solana_account::Account;
use solana_keypair::Keypair;
use solana_signer::Signer;

/// Lamports of a test's wallet.
pub(crate) const WALLET: u64 = 1_000_000_000_000;
const TOKEN_PROGRAM: Pubkey = Pubkey::from_str_const("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA");

/// An exchange on a validator.
pub(crate) struct Stage {
    pub(crate) net: Localnet,
    pub(crate) rpc: Rpc,
    pub(crate) sender: Sender,
    pub(crate) exchange: ExchangeAccount,
    pub(crate) feeds: Vec<Pubkey>,
    pub(crate) publisher: Arc<Keypair>,
    pub(crate) traders: Vec<Trader>,
    /// Prices to start from, exponent -8.
    pub(crate) start: Vec<i64>,
}

/// What is loaded into a validator.
pub(crate) struct Dump {
    pub(crate) accounts: Vec<(Pubkey, Account)>,
    pub(crate) unix: i64,
}

/// Two markets and many traders with leverage between 4 and 15, more long than short.
pub(crate) fn crowd(count: usize, seed: u64) -> (Setup, Vec<Trader>) {
    let terms = Terms {
        markets: vec![MarketTerms::DEEP, MarketTerms { price: usd(3_000), ..MarketTerms::DEEP }],
        funding: true,
    };
    let mut setup = Setup::with(&terms);
    let mut random = StdRng::seed_from_u64(seed);
    let mut traders = Vec::new();
    let mut orders = Vec::new();
    for number in 0..count {
        let notional = random.random_range(1_000..12_000_u64);
        let leverage = random.random_range(40..150_u64);
        let trader = setup.trader(&format!("crowd {number}"), units(notional) * 10 / leverage + units(5));
        let long = random.random_bool(0.6);
        // Most are in one market, some in both.
        let markets: &[usize] = match number % 10 {
            0..=6 => &[0],
            7 => &[1],
            _ => &[0, 1],
        };
        for market in markets {
            let part = i64::try_from(units(notional) / markets.len() as u64).unwrap();
            let size = setup.size_for(*market, if long { part } else { -part });
            let order = setup.place(&trader, *market, size).unwrap();
            orders.push((trader.clone(), *market, order));
        }
        traders.push(trader);
    }
    // An order counts as placed two seconds after its placement.
    setup.tick(3);
    for (trader, market, order) in orders {
        // A few are refused for want of margin: not everybody gets what it wants.
        let _ = setup.execute(&trader, market, &order);
    }
    setup.tick(1);
    setup.audit();
    (setup, traders)
}

/// Everything that a validator needs to go on from there.
pub(crate) fn dump(setup: &Setup) -> Dump {
    let mut accounts = Vec::new();
    for program in [ballast::ID, price_feed::ID, TOKEN_PROGRAM] {
        accounts.extend(setup.world.svm.get_program_accounts(&program));
    }
    Dump { accounts, unix: setup.world.now().unix }
}

fn programs(authority: Pubkey) -> Vec<ProgramFile> {
    let dir = ballast_tests::world::program_dir();
    let program = |id, name: &str| ProgramFile { id, path: dir.join(name), upgrade_authority: Some(authority) };
    vec![program(ballast::ID, "ballast.so"), program(price_feed::ID, "price_feed.so")]
}

/// Starts a validator; with blocks every 400 ms at most it keeps real time.
pub(crate) async fn validator(dump: &Dump, wallets: &[Pubkey], busy_ms: u64) -> Localnet {
    let authority = ballast_tests::world::fixed_key("upgrade authority").pubkey();
    Localnet::start(Config {
        kind: Kind::Surfpool,
        programs: programs(authority),
        accounts: dump.accounts.clone(),
        fund: wallets.iter().map(|key| (*key, WALLET)).collect(),
        start_unix: Some(dump.unix),
        busy_ms,
        ..Config::default()
    })
    .await
    .unwrap()
}

impl Stage {
    /// The exchange of a set-up with these traders; `wallets` get lamports too.
    pub(crate) async fn start(setup: &Setup, traders: Vec<Trader>, wallets: &[Pubkey]) -> Self {
        let mut funded = wallets.to_vec();
        funded.push(setup.publisher.pubkey());
        funded.extend(traders.iter().map(Trader::address));
        let net = validator(&dump(setup), &funded, 400).await;
        let rpc = Rpc::new(net.rpc_url());
        let exchange = rpc.exchange(Some(setup.mint)).await.unwrap();
        Self {
            sender: Sender::new(&net.rpc_url()),
            net,
            rpc,
            exchange,
            feeds: (0..setup.posted.len()).map(|market| setup.feed(market)).collect(),
            publisher: setup.publisher.clone(),
            traders,
            start: setup.posted.iter().map(|posted| posted.price).collect(),
        }
    }

    /// Publishes prices in the oracle's accounts, at a share of the prices to start from. The markets do not take them:
    /// that is the keeper's work. The publish time.
    pub(crate) async fn publish(&self, share: f64) -> i64 {
        let unix = self.net.clock().await.unwrap().unix;
        let publisher = self.publisher.pubkey();
        let mut batch = Vec::new();
        for (feed, start) in self.feeds.iter().zip(&self.start) {
            let price = (*start as f64 * share) as i64;
            batch.push(ix::oracle::post(&publisher, feed, price, price.unsigned_abs() / 10_000, -8, unix));
        }
        // Two of one second are one price: the second is refused, and nothing is lost.
        let _ = self.sender.send(&batch, &self.publisher, &[]).await;
        unix
    }

    /// Proves the books from the chain.
    pub(crate) async fn audit(&self) -> Audit {
        let audit = self.rpc.audit(&self.exchange).await.unwrap();
        assert!(audit.is_clean(), "the books do not add up: {audit:#?}");
        audit
    }

    /// The subaccount of an owner.
    pub(crate) fn subaccount(&self, owner: &Pubkey) -> Pubkey {
        address::subaccount(&self.exchange.address, owner, 0)
    }
}
