//! Runs the local steps on a chain that has nothing but the programs.

use anchor_lang::prelude::Pubkey;
use anyhow::{Context, Result, ensure};
use ballast::instructions::governance::{CreateMarketArgs, InitializeExchangeArgs, QueueParameterArgs};
use ballast::state::{Exchange, Market, Proposal};
use ballast_client::{address, instructions};
use ballast_engine::constants::{HOUR, PLACEMENT_LAG};
use ballast_engine::params::MarketParams;
use ballast_engine::presets;
use solana_keypair::Keypair;
use solana_signer::Signer;
use solana_system_interface::instruction::create_account;

use super::{ExchangeStep, FundingStep, MarketStep, ParameterStep, Step, Work, parameter_set, tier};
use crate::amount::Scale;
use crate::desk::Expect;
use crate::venue::{Listing, Venue, done, feed_id};
use crate::{keys, tokens};

/// A proposal must be queued within so many slots of being signed.
const QUEUE_WITHIN: u64 = 1_000;
/// A market's averages count as unconfirmed for five minutes.
const WARM_UP: i64 = 301;

/// What a run of the steps brought.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setup {
    /// The pools' first deposits by market index, in the smallest unit.
    pub(crate) liquidity: Vec<u64>,
    /// Proposals that were queued and executed.
    pub(crate) proposals: u64,
}

/// Mints test collateral by the local mint's key.
pub(crate) struct Money;

impl Money {
    /// Instructions that give `owner` so much, into its associated account. Signed by the faucet's key, which pays.
    pub(crate) fn give(mint: &Pubkey, owner: &Pubkey, amount: u64) -> [solana_instruction::Instruction; 2] {
        let faucet = keys::local(keys::FAUCET).pubkey();
        let account = tokens::associated(owner, mint);
        [tokens::create_associated(&faucet, owner, mint), tokens::mint_to(mint, &account, &faucet, amount)]
    }
}

/// Seconds of chain time that the steps take at most.
pub(crate) fn duration(steps: &[Step]) -> i64 {
    let waits = steps.iter().filter(|step| matches!(step.work, Work::Parameters(_))).count() as i64;
    let longest = i64::try_from(presets::new_exchange().delay_risk).unwrap_or(i64::MAX / 8);
    waits * (longest + HOUR) + HOUR
}

/// Wallets that the steps need, beside the roles.
pub(crate) fn wallets(steps: &[Step]) -> Vec<Pubkey> {
    let mut wallets = Vec::new();
    for step in steps {
        if let Work::Funding(funding) = &step.work {
            for market in &funding.market {
                wallets.extend((0..market.liquidity.len()).map(|n| provider(market.index, n).pubkey()));
            }
        }
    }
    wallets
}

/// The provider of a market's n-th first deposit.
pub(crate) fn provider(market: u16, number: usize) -> Keypair {
    keys::local(&format!("{} {market}.{number}", keys::PROVIDER))
}

/// Runs the steps; `prices` by market index are posted where a step needs them. `report` hears of each step.
pub(crate) async fn run(venue: &mut Venue, steps: &[Step], prices: &[f64], report: impl Fn(&Step)) -> Result<Setup> {
    let mut setup = Setup::default();
    for step in steps {
        report(step);
        let result = match &step.work {
            Work::Exchange(work) => create_exchange(venue, work).await,
            Work::Market(work) => create_market(venue, work).await,
            Work::Funding(work) => fund(venue, work, prices, &mut setup).await,
            Work::Parameters(work) => change(venue, work, &mut setup).await,
        };
        result.with_context(|| format!("migrations/local/{}", step.name))?;
    }
    Ok(setup)
}

async fn create_exchange(venue: &mut Venue, step: &ExchangeStep) -> Result<()> {
    let oracles: Vec<Pubkey> = step
        .oracle_programs
        .iter()
        .map(|name| match name.as_str() {
            "price-feed" => Ok(price_feed::ID),
            _ => name.parse().with_context(|| format!("{name:?} is neither price-feed nor a program's address")),
        })
        .collect::<Result<_>>()?;
    ensure!((1..=2).contains(&oracles.len()), "an exchange names one or two oracle programs");
    let (mint, faucet, upgrade) = (keys::local(keys::MINT), keys::local(keys::FAUCET), keys::local(keys::UPGRADE));
    let governance = keys::local(&step.governance).pubkey();
    let rent = venue.desk.chain.rpc().get_minimum_balance_for_rent_exemption(tokens::MINT_LENGTH).await?;
    let create = [
        create_account(&faucet.pubkey(), &mint.pubkey(), rent, tokens::MINT_LENGTH as u64, &tokens::PROGRAM),
        tokens::initialize_mint(&mint.pubkey(), step.decimals, &faucet.pubkey()),
        tokens::create_associated(&faucet.pubkey(), &governance, &mint.pubkey()),
    ];
    done(venue.desk.send("create collateral", &create, &faucet, &[&mint], Expect::Done).await, venue)?;

    let args = InitializeExchangeArgs {
        governance,
        committee: keys::local(&step.committee).pubkey(),
        guardian: keys::local(&step.guardian).pubkey(),
        oracle_programs: [oracles[0], oracles.get(1).copied().unwrap_or_default()],
    };
    let fees = tokens::associated(&governance, &mint.pubkey());
    let initialize =
        instructions::initialize_exchange(&upgrade.pubkey(), &upgrade.pubkey(), &mint.pubkey(), &fees, args);
    venue.decimals = step.decimals;
    done(venue.desk.send("initialize exchange", &[initialize], &upgrade, &[], Expect::Done).await, venue)
}

/// The listing that a market step makes.
pub(crate) fn listing(venue: &Venue, step: &MarketStep) -> Listing {
    let id = feed_id(&step.symbol);
    Listing {
        symbol: step.symbol.clone(),
        index: step.index,
        market: address::market(&venue.exchange, step.index),
        feed_id: id,
        feed: venue.feed(&id),
        scale: Scale { base: step.base_decimals, quote: venue.decimals },
    }
}

async fn create_market(venue: &mut Venue, step: &MarketStep) -> Result<()> {
    ensure!(usize::from(step.index) == venue.listings.len(), "markets are created in the order of their indices");
    let listing = listing(venue, step);
    let governance = keys::local(keys::GOVERNANCE);
    let args = CreateMarketArgs {
        index: step.index,
        tier: tier(&step.tier)?,
        base_decimals: step.base_decimals,
        feed_id: listing.feed_id,
        oracle_program: price_feed::ID,
        params: parameter_set(&step.set)?,
    };
    let create = instructions::create_market(&governance.pubkey(), &governance.pubkey(), &venue.exchange, args);
    done(venue.desk.send("create market", &[create], &governance, &[], Expect::Done).await, venue)?;
    venue.create_feed(listing.feed_id).await?;
    venue.listings.push(listing);
    Ok(())
}

async fn fund(venue: &mut Venue, step: &FundingStep, prices: &[f64], setup: &mut Setup) -> Result<()> {
    let unit = 10_u64.pow(u32::from(venue.decimals));
    let faucet = keys::local(keys::FAUCET);
    let (mint, exchange) = (venue.mint, venue.exchange);
    let source = tokens::associated(&faucet.pubkey(), &mint);
    let insurance: u64 = step.shared_insurance + step.market.iter().map(|m| m.insurance).sum::<u64>();
    let mut batch = Money::give(&mint, &faucet.pubkey(), insurance * unit).to_vec();
    batch.push(instructions::top_up_shared_insurance(
        &exchange,
        &faucet.pubkey(),
        &source,
        step.shared_insurance * unit,
    ));
    for market in &step.market {
        let listing = venue.listing(market.index)?;
        let amount = market.insurance * unit;
        let pay = instructions::top_up_market_insurance(&exchange, &listing.market, &faucet.pubkey(), &source, amount);
        batch.push(pay);
    }
    done(venue.desk.send("top up insurance", &batch, &faucet, &[], Expect::Done).await, venue)?;

    // Liquidity executes at a good price only, and a new market's first prices are unconfirmed.
    venue.tick(prices).await?;
    venue.wait(WARM_UP).await?;
    venue.tick(prices).await?;
    setup.liquidity = vec![0; venue.listings.len()];
    for market in &step.market {
        for (number, units) in market.liquidity.iter().enumerate() {
            let (owner, amount) = (provider(market.index, number), units * unit);
            let listing = venue.listing(market.index)?;
            let mut file = Money::give(&mint, &owner.pubkey(), amount).to_vec();
            let lp_mint = address::lp_mint(&listing.market);
            file.push(tokens::create_associated(&faucet.pubkey(), &owner.pubkey(), &lp_mint));
            let source = tokens::associated(&owner.pubkey(), &mint);
            let key = owner.pubkey();
            file.push(instructions::request_lp_deposit(&exchange, &listing.market, &key, &source, amount));
            done(venue.desk.send("file liquidity", &file, &faucet, &[&owner], Expect::Done).await, venue)?;
            setup.liquidity[usize::from(market.index)] += amount;
        }
    }
    venue.wait(PLACEMENT_LAG + 1).await?;
    venue.tick(prices).await?;
    for market in &step.market {
        for number in 0..market.liquidity.len() {
            let owner = provider(market.index, number).pubkey();
            let listing = venue.listing(market.index)?;
            let shares = tokens::associated(&owner, &address::lp_mint(&listing.market));
            let execute = instructions::execute_lp_deposit(&listing.market, &owner, &shares);
            done(venue.desk.send("execute liquidity", &[execute], &faucet, &[], Expect::Done).await, venue)?;
        }
    }
    Ok(())
}

async fn change(venue: &mut Venue, steps: &[ParameterStep], setup: &mut Setup) -> Result<()> {
    let governance = keys::local(keys::GOVERNANCE);
    let chain = venue.desk.chain.clone();
    let mut queued = Vec::new();
    let mut id = chain.read::<Exchange>(&venue.exchange).await?.next_proposal;
    for step in steps {
        let parameter = MarketParams::id(&step.name).with_context(|| format!("no parameter {}", step.name))?;
        let market = chain.read::<Market>(&venue.listing(step.market)?.market).await?;
        let args = QueueParameterArgs {
            parameter,
            new_value: step.value,
            version: market.state.param_version[usize::from(parameter)],
            last_slot: venue.net.clock().await?.slot + QUEUE_WITHIN,
            rationale: [0; 32],
        };
        let key = governance.pubkey();
        let queue = instructions::queue_market_parameter(&key, &key, &venue.exchange, step.market, id, args);
        done(venue.desk.send("queue parameter", &[queue], &governance, &[], Expect::Done).await, venue)?;
        queued.push((step.market, id));
        id += 1;
    }
    for (market, id) in queued {
        let proposal = chain.read::<Proposal>(&address::proposal(&venue.exchange, id)).await?;
        venue.wait_until(proposal.terms.eta + 1).await?;
        let execute = instructions::execute_market_proposal(&governance.pubkey(), &venue.exchange, market, id);
        done(venue.desk.send("execute proposal", &[execute], &governance, &[], Expect::Done).await, venue)?;
        setup.proposals += 1;
    }
    Ok(())
}
