//! Filling an order as soon as a price allows it: `ballast trade --wait`, `ballast fill`, `ballast order execute`.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use ballast::events::Traded;
use ballast::state::{Market, Order, Subaccount};
use ballast_client::events::Event;
use ballast_client::{address, errors, instructions};
use ballast_engine::Error;
use ballast_engine::order::Kind;
use serde::Serialize;
use solana_commitment_config::CommitmentConfig;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_rpc_client::rpc_client::GetConfirmedSignaturesForAddress2Config;
use solana_signature::Signature;

use crate::amount::{self, Scale, quote};
use crate::chain::{self, Chain, ExchangeAccount};
use crate::commands::{covenant, refresh};
use crate::oracle;

/// Between two looks at the oracle.
const LOOK: Duration = Duration::from_millis(400);
/// What became of an order is among the last transactions that name its address; a node may list them a moment late.
const LAST: usize = 100;
const LATE: Duration = Duration::from_secs(5);
/// Refusals of a fill that pass with the next price.
const PASSING: &[Error] = &[Error::OrderTooEarly, Error::PriceStale, Error::PriceUnconfirmed];

/// A fill.
#[derive(Serialize)]
pub(crate) struct Filled {
    order: String,
    size: i64,
    price: u64,
    premium: i64,
    fee: u64,
    pnl: i64,
    funding: i64,
    position: i64,
    /// Whether another call than this one filled it: a keeper's.
    by_another: bool,
    signature: String,
}

impl Filled {
    /// Who filled it, where that was another call.
    pub(crate) const fn by(&self) -> &'static str {
        if self.by_another { "; filled by a keeper" } else { "" }
    }

    pub(super) fn of(t: &Traded, by_another: bool, signature: &Signature) -> Self {
        Self {
            order: t.order.to_string(),
            size: t.size,
            price: t.price,
            premium: t.premium,
            fee: t.fee,
            pnl: t.pnl,
            funding: t.funding,
            position: t.position,
            by_another,
            signature: signature.to_string(),
        }
    }
}

/// In words.
pub(crate) fn text(fill: &Filled, scale: Scale) -> String {
    let mut text = format!(
        "{} filled at {}; fee {}, premium {}; position now {}",
        amount::size(fill.size, scale.base),
        scale.show_price(fill.price),
        quote(fill.fee, scale.quote),
        quote(fill.premium, scale.quote),
        amount::size(fill.position, scale.base),
    );
    if fill.pnl != 0 || fill.funding != 0 {
        text += &format!("; result {}, funding {}", quote(fill.pnl, scale.quote), quote(fill.funding, scale.quote));
    }
    text
}

/// What goes in front of a fill, tried or real: newer prices; and where a covenant binds the owner, all accounts are shown to it,
/// for it must have seen them just now.
pub(super) async fn front(
    chain: &Chain,
    exchange: &ExchangeAccount,
    account: &Subaccount,
    market: u16,
) -> Result<Vec<Instruction>> {
    let mut batch = refresh::of_account(chain, exchange, account, Some(market)).await?;
    let seen = covenant::seen(chain, exchange, account).await?;
    batch.extend(seen.into_iter().filter(|step| !batch.contains(step)).collect::<Vec<_>>());
    Ok(batch)
}

/// What is needed to fill a subaccount's orders in a market.
pub(crate) struct Fill<'a> {
    pub(crate) chain: &'a Chain,
    pub(crate) exchange: &'a ExchangeAccount,
    /// Who signs and pays: anyone may.
    pub(crate) signer: &'a Keypair,
    pub(crate) market: u16,
    pub(crate) subaccount: Pubkey,
}

impl Fill<'_> {
    /// Waits for a price published after the placing, stores it and fills the order in one transaction. Its rent goes to
    /// whoever placed it. If somebody else fills it first, that is the fill. `kind` is what it was placed as: a bracket that
    /// has become its exits is filled.
    pub(crate) async fn wait(
        &self,
        order: &Pubkey,
        kind: Kind,
        rent_to: &Pubkey,
        placed_at: i64,
        patience: Duration,
    ) -> Result<Filled> {
        let begun = Instant::now();
        let key = address::market(&self.exchange.address, self.market);
        let mut last = anyhow!("no price was published after it");
        while begun.elapsed() < patience {
            tokio::time::sleep(LOOK).await;
            if self.is_over(order, kind).await? {
                return self.by_another(order).await;
            }
            let market = self.chain.read::<Market>(&key).await?;
            let (_, message) = oracle::newest(self.chain, &market).await?;
            if message.publish_time.max(market.state.price.last.publish_time) <= placed_at {
                continue;
            }
            let account = self.chain.read::<Subaccount>(&self.subaccount).await?;
            let mut batch = front(self.chain, self.exchange, &account, self.market).await?;
            let legs = instructions::leg_metas(&account, Some(self.market), true);
            let covenant = instructions::pubkey(&account.covenant);
            batch.push(instructions::execute_order(&key, &self.subaccount, order, rent_to, None, &covenant, &legs));
            match self.chain.sender.send(&batch, self.signer, &[]).await {
                Ok(sent) => {
                    let traded =
                        chain::events(&sent).find_map(|e| if let Event::Traded(t) = e { Some(t) } else { None });
                    let traded = traded
                        .context("the order is filled, but its event cannot be read; see `ballast account show`")?;
                    return Ok(Filled::of(&traded, false, &sent.signature));
                }
                Err(_) if self.is_over(order, kind).await? => return self.by_another(order).await,
                Err(error) if chain::reason(&error).is_some_and(|reason| PASSING.contains(&reason)) => {
                    last = self.chain.refusal("fill", &error);
                }
                Err(error) => return Err(self.chain.refusal("the fill was refused", &error)),
            }
        }
        bail!("{patience:?} have passed: {last:#}")
    }

    /// Whether the order is gone, or a bracket's entry has become its exits.
    async fn is_over(&self, order: &Pubkey, kind: Kind) -> Result<bool> {
        let order = self.chain.find::<Order>(order).await?;
        Ok(order.is_none_or(|order| order.terms.kind == Kind::Exit as u8 && kind != Kind::Exit))
    }

    async fn by_another(&self, order: &Pubkey) -> Result<Filled> {
        let (traded, signature) = outcome(self.chain, order).await?;
        Ok(Filled::of(&traded, true, &signature))
    }
}

/// The fill of an order that is gone, or that has become its exits.
///
/// # Errors
/// If it was cancelled, with the reason; if no transaction of the last ones says what became of it.
pub(super) async fn outcome(chain: &Chain, order: &Pubkey) -> Result<(Traded, Signature)> {
    let begun = Instant::now();
    loop {
        let config = GetConfirmedSignaturesForAddress2Config {
            limit: Some(LAST),
            commitment: Some(CommitmentConfig::confirmed()),
            ..Default::default()
        };
        let listed = chain.rpc().get_signatures_for_address_with_config(order, config).await;
        let listed = listed.context("the order is gone, and the node does not list its transactions")?;
        for line in listed.iter().filter(|line| line.err.is_none()) {
            let signature: Signature = line.signature.parse().context("a signature")?;
            let (_, done) = chain.sender.look_up(&signature).await?;
            let Ok(sent) = done else { continue };
            for event in chain::events(&sent) {
                match event {
                    Event::Traded(t) if t.order == *order => return Ok((t, signature)),
                    Event::OrderCancelled(c) if c.order == *order => bail!(cancelled(c.reason)),
                    _ => {}
                }
            }
        }
        ensure!(
            begun.elapsed() < LATE,
            "the order is gone, and none of its last transactions says why; `ballast account show` shows what is held"
        );
        tokio::time::sleep(LOOK).await;
    }
}

fn cancelled(reason: u32) -> String {
    let why = errors::from_code(reason).map_or_else(
        || "by its owner or a delegate".to_owned(),
        |error| format!("because it could not fill: {}: {}", error.name(), error.message()),
    );
    format!("the order is not filled but cancelled, {why}; `ballast account show` shows what is held")
}
