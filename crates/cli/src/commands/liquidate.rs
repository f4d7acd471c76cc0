//! `ballast liquidate`.

use core::mem::offset_of;
use std::time::{Duration, Instant};

use anchor_lang::prelude::Pubkey;
use anyhow::{Context, Result, bail};
use ballast::state::Subaccount;
use ballast_client::events::Event;
use ballast_client::{address, instructions, quotes};
use ballast_engine::liquidation::is_flagged;
use ballast_engine::margin::{Purpose, Totals};
use ballast_engine::{Error, Now};
use clap::Args;
use serde::Serialize;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::{funds, refresh};
use crate::amount::quote;
use crate::args::Global;
use crate::chain::{self, Chain, ExchangeAccount};
use crate::{config, output};

/// How long one account is pursued.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two tries: about the two slots that a flag takes.
const PAUSE: Duration = Duration::from_millis(900);
/// Refusals that pass, or that mean somebody else was first.
const PASSING: &[Error] = &[
    Error::FlagTooFresh,
    Error::PacingExhausted,
    Error::CapacityExhausted,
    Error::AlreadyFlagged,
    Error::AccountHealthy,
    Error::PriceStale,
    Error::PriceUnconfirmed,
    Error::NotFlagged,
];

/// Options of `ballast liquidate`.
#[derive(Args)]
pub(crate) struct Options {
    /// The subaccount to liquidate [default: every one that is below maintenance]
    account: Option<Pubkey>,
    /// Number of your subaccount that earns the fees
    #[arg(long, value_name = "ID", default_value_t = 0)]
    keeper: u16,
    /// Only list accounts below maintenance
    #[arg(long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct Line {
    subaccount: String,
    equity: i64,
    maintenance: u64,
    steps: u64,
    closed: u64,
    keeper_fees: u64,
    outcome: String,
}

/// Runs it.
pub(crate) async fn run(global: &Global, options: Options) -> Result<()> {
    let (chain, owner) = (Chain::open(global)?, config::keypair(global)?);
    let exchange = chain.exchange(global.mint).await?;
    let decimals = exchange.state.quote_decimals;
    let (keeper, _) = funds::subaccount(&chain, &exchange, &owner.pubkey(), options.keeper)
        .await
        .context("fees are credited to a subaccount of yours")?;
    let accounts = match options.account {
        Some(key) => vec![(key, chain.read::<Subaccount>(&key).await?)],
        None => {
            let at = offset_of!(Subaccount, exchange);
            chain.all::<Subaccount>(at, exchange.address.as_ref()).await?
        }
    };
    if !options.dry_run {
        chain.check_payer(&owner).await?;
    }
    let pursuit = Pursuit { chain: &chain, exchange: &exchange, owner: &owner, keeper };
    let mut lines = Vec::new();
    for (key, account) in accounts {
        if let Some(line) = pursuit.pursue(key, &account, options.dry_run).await? {
            lines.push(line);
        } else if options.account.is_some() {
            bail!("{key} is at or above maintenance: it cannot be liquidated");
        }
    }
    output::show(global.json, &lines, |lines| {
        if lines.is_empty() {
            return "no account is below maintenance".to_owned();
        }
        let rows = lines.iter().map(|l| {
            vec![
                l.subaccount.clone(),
                quote(l.equity, decimals),
                quote(l.maintenance, decimals),
                l.steps.to_string(),
                quote(l.closed, decimals),
                quote(l.keeper_fees, decimals),
                l.outcome.clone(),
            ]
        });
        let header = ["subaccount", "equity", "maintenance", "steps", "closed", "your fees", "outcome"];
        output::table(&header, &[1, 2, 3, 4, 5], rows)
    })
}

struct Pursuit<'a> {
    chain: &'a Chain,
    exchange: &'a ExchangeAccount,
    owner: &'a Keypair,
    keeper: Pubkey,
}

impl Pursuit<'_> {
    async fn totals(&self, account: &Subaccount) -> Result<(Totals, Now)> {
        let (markets, now) = (self.chain.markets(self.exchange).await?, self.chain.now().await?);
        let markets = markets.accrued(&now).map_err(|fault| anyhow::anyhow!("{fault:?}"))?;
        let totals = quotes::totals(account, &markets, Purpose::Maintenance, &now);
        Ok((totals.map_err(|fault| anyhow::anyhow!("health cannot be computed: {fault:?}"))?, now))
    }

    /// Flags and liquidates one account until it is healthy, flat or resolved; `None` for one that is healthy.
    async fn pursue(&self, key: Pubkey, account: &Subaccount, dry_run: bool) -> Result<Option<Line>> {
        if account.state.is_flat() || key == self.keeper {
            return Ok(None);
        }
        let (totals, now) = self.totals(account).await?;
        let unhealthy = totals.surplus().is_ok_and(|surplus| surplus.0 < 0);
        if !unhealthy && !is_flagged(&account.state, &now) {
            return Ok(None);
        }
        let mut line = Line {
            subaccount: key.to_string(),
            equity: totals.equity.0,
            maintenance: totals.requirement.0,
            steps: 0,
            closed: 0,
            keeper_fees: 0,
            outcome: "not tried".to_owned(),
        };
        if dry_run {
            return Ok(Some(line));
        }
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let account = self.chain.read::<Subaccount>(&key).await?;
            let (totals, now) = self.totals(&account).await?;
            let Some(step) = self.next(&key, &account, &totals, &now)? else {
                line.outcome = if account.state.is_flat() { "closed" } else { "healthy again" }.to_owned();
                return Ok(Some(line));
            };
            let mut batch = refresh::of_account(self.chain, self.exchange, &account, None).await?;
            batch.push(step);
            match self.chain.sender.send(&batch, self.owner, &[]).await {
                Ok(sent) => {
                    for event in chain::events(&sent) {
                        if let Event::Liquidated(l) = event {
                            line.steps += 1;
                            line.closed += l.notional;
                            line.keeper_fees += l.keeper_fee;
                        }
                    }
                }
                Err(error) => match chain::reason(&error) {
                    Some(reason) if PASSING.contains(&reason) => {}
                    _ => {
                        line.outcome = format!("{:#}", self.chain.refusal("refused", &error));
                        return Ok(Some(line));
                    }
                },
            }
            tokio::time::sleep(PAUSE).await;
        }
        line.outcome = format!("not finished after {PATIENCE:?}; run it again");
        Ok(Some(line))
    }

    /// What to send next; `None` when there is nothing left to do.
    fn next(&self, key: &Pubkey, account: &Subaccount, totals: &Totals, now: &Now) -> Result<Option<Instruction>> {
        let all = instructions::leg_metas(account, None, false);
        let unhealthy = totals.surplus().is_ok_and(|surplus| surplus.0 < 0);
        if !is_flagged(&account.state, now) {
            return Ok(unhealthy.then(|| instructions::flag(key, &self.keeper, &all)));
        }
        if totals.shortage().is_ok_and(|shortage| shortage.is_zero()) {
            return Ok(Some(instructions::unflag(key, &all)));
        }
        if totals.full_equity.0 < 0 {
            return Ok(Some(instructions::resolve(key, &instructions::leg_metas(account, None, true))));
        }
        if !unhealthy {
            return Ok(None);
        }
        let Some((slot, _)) = totals.largest else {
            bail!("{key}: no position has a good price; have prices posted and try again")
        };
        let market = account.state.position(slot).map_err(|fault| anyhow::anyhow!("{fault:?}"))?.market;
        let flagger = Pubkey::new_from_array(account.state.flag.flagger.0);
        // The keeper's own share comes with its fee; a flagger that has closed its account loses it.
        let flagger = (flagger != self.keeper).then_some(flagger);
        let legs = instructions::leg_metas(account, Some(market), true);
        let market = address::market(&self.exchange.address, market);
        Ok(Some(instructions::liquidate(&market, key, &self.keeper, flagger.as_ref(), &legs)))
    }
}
