//! Queueing and executing proposals on the market that is tuned, and seeing the change paid.

use anyhow::{Context, Result};
use ballast::instructions::governance::QueueParameterArgs;
use ballast::state::{Exchange, Market};
use ballast_client::events::Event;
use ballast_client::instructions;
use ballast_engine::constants::{PRICE_SCALE, RATIO_SCALE};
use ballast_engine::params::MarketParams;
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::governance::{NEW_FEE, TUNED};
use super::stage::Stage;
use crate::desk::{Expect, Outcome};

/// One more fill, to see the new fee paid; whether it was.
pub(crate) async fn pay_new_fee(stage: &mut Stage) -> Result<bool> {
    let snapshot = stage.snapshot().await?;
    let skew = snapshot.markets.get(TUNED).context("no market")?.state.skew().map_or(0, |skew| skew.0);
    for number in 0..stage.traders.len() {
        let (trader, account) = (&stage.traders[number], &snapshot.accounts[number]);
        let free = account.state.is_flat() || (!trader.isolated && account.state.find(TUNED).is_none());
        // The fee that was changed is that of size which worsens the skew.
        if trader.order.is_some() || !free || trader.long != (skew >= 0) {
            continue;
        }
        let Some(action) = trader.open(TUNED, account, &snapshot.markets, &snapshot.now) else { continue };
        let mut job = stage.job(number, account, action);
        job.expect = Expect::Done;
        let Some(outcome) = stage.venue.desk.send_all(vec![job]).await.pop() else { continue };
        stage.note_order(number, TUNED, &outcome.events());
        stage.rewarm().await?;
        let mut tally = stage.venue.desk.tally();
        let subaccount = stage.traders[number].subaccount;
        let traded = tally.events.iter().rev().find_map(|event| match event {
            Event::Traded(traded) if traded.subaccount == subaccount => Some(traded.clone()),
            _ => None,
        });
        let Some(traded) = traded.filter(|traded| traded.pnl == 0) else { continue };
        let notional = u128::from(traded.size.unsigned_abs()) * u128::from(traded.mark);
        let fee = (notional.div_ceil(u128::from(PRICE_SCALE)) * u128::from(NEW_FEE)).div_ceil(u128::from(RATIO_SCALE));
        if fee != u128::from(traded.fee) {
            tally.fail(format!("a fill paid a fee of {}, the new one is {fee}", traded.fee));
        }
        return Ok(fee == u128::from(traded.fee));
    }
    Ok(false)
}

/// Queues a change of a parameter of the tuned market.
pub(crate) async fn queue(
    stage: &Stage,
    what: &str,
    proposer: &Keypair,
    name: &str,
    new_value: u64,
    expect: Expect<'_>,
) -> Result<(u64, Outcome)> {
    let (venue, chain) = (&stage.venue, &stage.venue.desk.chain);
    let parameter = MarketParams::id(name).with_context(|| format!("no parameter {name}"))?;
    let id = chain.read::<Exchange>(&venue.exchange).await?.next_proposal;
    let market = chain.read::<Market>(&venue.listing(TUNED)?.market).await?;
    let args = QueueParameterArgs {
        parameter,
        new_value,
        version: market.state.param_version.get(usize::from(parameter)).copied().unwrap_or_default(),
        last_slot: venue.net.clock().await?.slot + 1_000,
        rationale: [0; 32],
    };
    let key = proposer.pubkey();
    let queue = instructions::queue_market_parameter(&key, &key, &venue.exchange, TUNED, id, args);
    Ok((id, venue.desk.send(what, &[queue], proposer, &[], expect).await))
}

/// Executes a proposal, as anyone may.
pub(crate) async fn execute(stage: &Stage, what: &str, id: u64, expect: Expect<'_>) -> Outcome {
    let anyone = &stage.anyone;
    let execute = instructions::execute_market_proposal(&anyone.pubkey(), &stage.venue.exchange, TUNED, id);
    stage.venue.desk.send(what, &[execute], anyone, &[], expect).await
}
