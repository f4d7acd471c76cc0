//! What an account or a market needs done for it and anyone may do: settling, collecting, deleveraging, a settlement's steps;
//! and the exit from a silent market, which is its owner's.

use anyhow::{Context, Result};
use ballast::state::{Market, Subaccount};
use ballast_client::events::Event;
use ballast_client::{address, instructions};
use serde::Serialize;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use super::{funds, refresh};
use crate::amount::{self, Scale, quote};
use crate::args::Global;
use crate::chain::{self, Chain, ExchangeAccount};
use crate::{config, output};

/// Something done for a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OfPosition {
    /// Its result becomes cash or a claim.
    Settle,
    /// What has been paid on its claim becomes cash.
    Collect,
    /// It is closed in a market whose oracle is silent. The owner signs.
    ExitSilent,
    /// It is closed in a market that is being settled.
    CloseSettled,
}

/// Something done for a market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OfMarket {
    /// Its settlement is begun, called off, or has its price fixed.
    Settle,
    /// Its winning side is deleveraged.
    Deleverage,
    /// Its protocol fees go to the fee destination.
    CollectFees,
}

#[derive(Serialize)]
struct Done {
    did: Vec<String>,
    signature: String,
}

struct Desk<'a> {
    global: &'a Global,
    chain: &'a Chain,
    exchange: &'a ExchangeAccount,
    signer: Keypair,
    scale: Scale,
}

/// The market's index checked, and how its numbers are shown.
async fn desk<'a>(
    global: &'a Global,
    chain: &'a Chain,
    exchange: &'a ExchangeAccount,
    market: u16,
) -> Result<(Desk<'a>, Pubkey, Box<Market>)> {
    let key = address::market(&exchange.address, market);
    let found = chain.find::<Market>(&key).await?;
    let state = found.with_context(|| super::market::missing(market, exchange))?;
    let scale = Scale { base: state.state.base_decimals, quote: exchange.state.quote_decimals };
    chain.speak_of(scale);
    Ok((Desk { global, chain, exchange, signer: config::keypair(global)?, scale }, key, state))
}

/// Does something for a position of an account: the signer's by number, or anybody's by address.
pub(crate) async fn position(
    global: &Global,
    chain: &Chain,
    exchange: &ExchangeAccount,
    what: OfPosition,
    market: u16,
    account: Result<Pubkey, u16>,
) -> Result<()> {
    let (desk, key, _) = desk(global, chain, exchange, market).await?;
    let (account, state) = match account {
        Ok(account) => (account, chain.read::<Subaccount>(&account).await?),
        Err(id) => funds::subaccount(chain, exchange, &desk.signer.pubkey(), id).await?,
    };
    // Only what is closed at the settlement's price may have to be paid by other markets' profits.
    let legs = instructions::leg_metas(&state, Some(market), what == OfPosition::CloseSettled);
    let step = match what {
        OfPosition::Settle => instructions::settle_with(&key, &account, &legs),
        OfPosition::Collect => instructions::collect_claim(&key, &account),
        OfPosition::ExitSilent => instructions::exit_silent(&desk.signer.pubkey(), &key, &account, &legs),
        OfPosition::CloseSettled => instructions::close_settled(&key, &account, &legs),
    };
    let mut batch = match what {
        OfPosition::Settle => refresh::of_account(chain, exchange, &state, Some(market)).await?,
        // By no price, or by one that is fixed; the others' must be fresh.
        _ => refresh::newest_prices(chain, exchange, &others(&state, market)).await?,
    };
    batch.push(step);
    desk.run(what_of(what), &batch).await
}

fn others(account: &Subaccount, market: u16) -> Vec<u16> {
    account.state.slots().map(|(_, position)| position.market).filter(|other| *other != market).collect()
}

fn what_of(what: OfPosition) -> &'static str {
    match what {
        OfPosition::Settle => "settle",
        OfPosition::Collect => "collect the claim",
        OfPosition::ExitSilent => "exit",
        OfPosition::CloseSettled => "close",
    }
}

/// Does something for a market.
pub(crate) async fn market(
    global: &Global,
    chain: &Chain,
    exchange: &ExchangeAccount,
    what: OfMarket,
    market: u16,
) -> Result<()> {
    let (desk, key, _) = desk(global, chain, exchange, market).await?;
    let mut batch = Vec::new();
    let name = match what {
        OfMarket::Settle => {
            batch.extend(refresh::newest_prices(chain, exchange, &[market]).await?);
            batch.push(instructions::advance_settlement(&key));
            "settlement"
        }
        OfMarket::Deleverage => {
            batch.extend(refresh::newest_prices(chain, exchange, &[market]).await?);
            batch.push(instructions::deleverage(&key));
            "deleverage"
        }
        OfMarket::CollectFees => {
            let to = Pubkey::new_from_array(exchange.state.fee_destination.0);
            batch.push(instructions::collect_fees(&exchange.address, &key, &to));
            "collect fees"
        }
    };
    desk.run(name, &batch).await
}

impl Desk<'_> {
    async fn run(&self, what: &str, batch: &[Instruction]) -> Result<()> {
        let sent = self.chain.send(what, batch, &self.signer, &[]).await?;
        let did = chain::events(&sent).filter_map(|event| self.text(&event)).collect();
        let done = Done { did, signature: sent.signature.to_string() };
        output::show(self.global.json, &done, |done| match done.did.as_slice() {
            [] => format!("{what}: done; nothing moved"),
            did => did.join("\n"),
        })
    }

    fn text(&self, event: &Event) -> Option<String> {
        let decimals = self.exchange.state.quote_decimals;
        let money = |value: i128| quote(value, decimals);
        Some(match event {
            Event::PositionSettled(e) => format!(
                "settled: result {}, funding {}, became a claim {}, collected {}, holdback returned {}, forfeited {}",
                money(e.pnl.into()),
                money(e.funding.into()),
                money(e.claimed.into()),
                money(e.collected.into()),
                money(e.returned.into()),
                money(e.forfeited.into())
            ),
            Event::PositionDeleveraged(e) => {
                format!("picked up a deleveraging: {} -> {} base atoms", e.before, e.after)
            }
            Event::Deleveraged(e) => format!(
                "the {} are deleveraged at {}: {} of {} base atoms are kept, in {} positions",
                if e.long { "longs" } else { "shorts" },
                self.scale.show_price(e.price),
                e.kept,
                e.before,
                e.positions
            ),
            Event::SettlementAdvanced(e) => format!(
                "{} (price {}, pool equity {}, floor {})",
                match e.step {
                    1 => "the settlement is begun: its price is fixed later, and until then it may be called off",
                    2 => "the settlement is called off",
                    _ => "the settlement's price is fixed: `ballast market settle --close ACCOUNT` closes positions",
                },
                self.scale.show_price(e.price),
                money(e.equity.into()),
                money(e.floor.into())
            ),
            Event::Traded(e) => format!(
                "{} closed at {}; result {}, funding {}, fee {}; position now {}",
                amount::size(e.size, self.scale.base),
                self.scale.show_price(e.price),
                money(e.pnl.into()),
                money(e.funding.into()),
                money(e.fee.into()),
                amount::size(e.position, self.scale.base)
            ),
            Event::FeesCollected(e) => format!("{} of fees sent to their destination", money(e.amount.into())),
            _ => return None,
        })
    }
}
