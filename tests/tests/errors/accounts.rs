//! Accounts that are not what they should be. `tests/accounts` goes through all of them.

use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::program_pack::Pack;
use anchor_spl::token::spl_token::state::Mint;
use ballast::instructions::governance::{CreateMarketArgs, InitializeExchangeArgs};
use ballast_client::instructions as ix;
use ballast_engine::Error;
use ballast_engine::constants::CROSS_MARKETS;
use ballast_engine::layout::Key;
use ballast_tests::world::fixed_key;
use ballast_tests::{MarketTerms, Outcome, Setup, Trader, units};
use solana_account::Account;
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::How::Refused;
use super::{Row, long, patch, still};

/// A trader with a position in markets 0 and 1.
fn two() -> (Setup, Trader) {
    let (mut setup, trader) = long(10_000, 10_000);
    setup.open(&trader, 1, 1_000_000_000);
    (setup, trader)
}

/// A withdrawal with these markets.
fn withdraw(setup: &mut Setup, trader: &Trader, markets: &[usize]) -> Outcome {
    let leg = |market: &usize| anchor_lang::prelude::AccountMeta::new_readonly(setup.market_key(*market), false);
    let legs: Vec<_> = markets.iter().map(leg).collect();
    let (owner, tokens) = (trader.address(), trader.tokens);
    let withdraw = ix::withdraw(&setup.exchange, &owner, &trader.subaccount, &tokens, 1, &legs);
    setup.world.send(&[withdraw], &[&trader.key])
}

/// A new market with changed arguments.
fn create_market(setup: &mut Setup, change: impl FnOnce(&mut CreateMarketArgs)) -> Outcome {
    let mut args = setup.new_market_args(setup.exchange().markets, &MarketTerms::DEEP);
    change(&mut args);
    let (payer, governance) = (setup.world.payer.pubkey(), setup.governance.clone());
    let create = ix::create_market(&payer, &governance.pubkey(), &setup.exchange, args);
    setup.world.send(&[create], &[&governance])
}

/// A second exchange, of a mint with so many decimals, asked for by a key.
fn create_exchange(decimals: u8, authority: Option<Keypair>) -> Outcome {
    let mut setup = still();
    let (mint, treasury) = (fixed_key("second mint").pubkey(), fixed_key("second treasury").pubkey());
    let mut data = vec![0; Mint::LEN];
    Mint { decimals, is_initialized: true, ..Mint::default() }.pack_into_slice(&mut data);
    let account = Account { lamports: 10_000_000, data, owner: anchor_spl::token::ID, ..Account::default() };
    setup.world.set_account(mint, account);
    setup.set_tokens(treasury, &fixed_key("treasury").pubkey(), &mint, 0);
    let args = InitializeExchangeArgs {
        governance: setup.governance.pubkey(),
        committee: Pubkey::default(),
        guardian: setup.guardian.pubkey(),
        oracle_programs: [price_feed::ID, Pubkey::default()],
    };
    let authority = authority.unwrap_or_else(|| setup.world.upgrade_authority.insecure_clone());
    let payer = setup.world.payer.pubkey();
    let create = ix::initialize_exchange(&payer, &authority.pubkey(), &mint, &treasury, args);
    setup.world.send(&[create], &[&authority])
}

pub(super) fn rows() -> Vec<Row> {
    [of_traders(), of_governance()].into_iter().flatten().collect()
}

fn of_traders() -> Vec<Row> {
    vec![
        (
            Error::WrongExchange,
            Refused(|| {
                let (mut setup, trader) = two();
                let mut account = setup.account(&trader);
                account.exchange = Key([9; 32]);
                setup.world.write(&trader.subaccount, &*account);
                setup.deposit(&trader, 1)
            }),
        ),
        (
            Error::WrongMarket,
            Refused(|| {
                let (mut setup, trader) = two();
                withdraw(&mut setup, &trader, &[1, 0])
            }),
        ),
        (
            Error::WrongMarketCount,
            Refused(|| {
                let (mut setup, trader) = two();
                withdraw(&mut setup, &trader, &[0])
            }),
        ),
        (Error::DuplicateMarket, Refused(|| still().collect_pool_claim(0, 0))),
        (
            Error::WrongOwner,
            Refused(|| {
                let mut setup = still();
                let (one, other) = (setup.trader("one", 0), setup.trader("other", 0));
                let theirs = Trader { subaccount: other.subaccount, ..one };
                setup.deposit(&theirs, 1)
            }),
        ),
        (
            Error::WrongMint,
            Refused(|| {
                let mut setup = still();
                let trader = setup.trader("trader", 0);
                let tokens = fixed_key("worthless").pubkey();
                setup.set_tokens(tokens, &trader.address(), &fixed_key("worthless mint").pubkey(), units(1));
                setup.deposit(&Trader { tokens, ..trader }, 1)
            }),
        ),
        (
            Error::WrongVault,
            Refused(|| {
                let mut setup = still();
                let trader = setup.trader("trader", 0);
                let (owner, tokens) = (trader.address(), trader.tokens);
                let mut deposit = ix::deposit(&setup.exchange, &owner, &trader.subaccount, &tokens, 1);
                deposit.accounts[4].pubkey = setup.fee_destination;
                setup.world.send(&[deposit], &[&trader.key])
            }),
        ),
        (
            Error::AccountVersion,
            Refused(|| {
                let (mut setup, trader) = two();
                patch(&mut setup, 0, |m| m.version += 1);
                setup.reduce(&trader, 0, 1, false)
            }),
        ),
    ]
}

fn of_governance() -> Vec<Row> {
    vec![
        (Error::MintUnsupported, Refused(|| create_exchange(5, None))),
        (Error::NotUpgradeAuthority, Refused(|| create_exchange(6, Some(fixed_key("governance"))))),
        (
            Error::OracleProgramInvalid,
            Refused(|| create_market(&mut still(), |args| args.oracle_program = anchor_spl::token::ID)),
        ),
        (Error::TierInvalid, Refused(|| create_market(&mut still(), |args| args.tier = 3))),
        // As many as cross accounts may hold.
        (
            Error::MarketLimit,
            Refused(|| {
                let mut setup = still();
                let mut exchange = setup.exchange();
                exchange.markets = u16::try_from(CROSS_MARKETS).expect("few");
                setup.world.write(&setup.exchange.clone(), &*exchange);
                create_market(&mut setup, |_| {})
            }),
        ),
    ]
}
