//! `ballast order list`.

use core::mem::offset_of;

use anyhow::Result;
use ballast::state::Order;
use ballast_client::address;
use ballast_client::orders::{OrderView, State};
use solana_signer::Signer;

use super::Whose;
use crate::amount::{self, Scale};
use crate::args::Global;
use crate::chain::{Chain, ExchangeAccount};
use crate::commands::funds;
use crate::config;
use crate::output::{self, table};

pub(super) async fn run(global: &Global, chain: &Chain, exchange: &ExchangeAccount, whose: Whose) -> Result<()> {
    let owner = match whose.owner {
        Some(owner) => owner,
        None => config::keypair(global)?.pubkey(),
    };
    let (key, account) = funds::subaccount(chain, exchange, &owner, whose.account).await?;
    let (markets, now) = (chain.markets(exchange).await?, chain.now().await?);
    let mut views = Vec::new();
    for (_, order) in chain.all::<Order>(offset_of!(Order, subaccount), key.as_ref()).await? {
        let own = |index: &u16| address::market(&exchange.address, *index).to_bytes() == order.market.0;
        let Some(index) = (0..exchange.state.markets).find(own) else { continue };
        let view = OrderView::of(&order, &account, index, &markets, &now);
        views.push(view.map_err(|fault| anyhow::anyhow!("order {} cannot be read: {fault:?}", order.id))?);
    }
    views.sort_by_key(|view| view.id);
    output::show(global.json, &views, |views| {
        if views.is_empty() {
            return format!("subaccount {} has no orders", whose.account);
        }
        let header = ["order", "market", "kind", "size", "limit", "trigger", "stop", "target", "trail", "state"];
        let rows = views.iter().map(|view| {
            let base = markets.get(view.market).map_or(0, |market| market.state.base_decimals);
            let scale = Scale { base, quote: exchange.state.quote_decimals };
            let price = |price: u64| if price == 0 { "-".to_owned() } else { scale.show_price(price) };
            let kind = if view.bracket { format!("{}, bracket", view.kind) } else { view.kind.to_owned() };
            vec![
                view.id.to_string(),
                view.market.to_string(),
                kind,
                amount::size(view.size, base),
                price(view.limit),
                price(view.trigger),
                price(view.stop),
                price(view.target),
                price(view.trail),
                state(view),
            ]
        });
        table(&header, &[3, 4, 5, 6, 7, 8], rows.collect::<Vec<_>>())
    })
}

fn state(view: &OrderView) -> String {
    let what = match view.state {
        State::Waiting => "waits for its price",
        State::Met => "met; waits for the next price",
        State::Fillable => "anyone can fill it",
        State::Held => "not now",
        State::Dead => "anyone can cancel it",
    };
    view.reason.map_or(what.to_owned(), |reason| format!("{what}: {reason}"))
}
