//! `ballast order list`.

use core::mem::offset_of;

use anyhow::Result;
use ballast::state::{Covenant, Order, Subaccount};
use ballast_client::orders::{OrderView, State};
use ballast_client::quotes::Filled;
use ballast_client::{Markets, address, covenants, instructions};
use ballast_engine::Now;
use serde::Serialize;
use solana_pubkey::Pubkey;

use crate::amount::{self, Scale};
use crate::args::Global;
use crate::chain::{Chain, ExchangeAccount};
use crate::commands::funds::Whose;
use crate::output::{self, table};

/// An order with its address.
#[derive(Serialize)]
pub(crate) struct Line {
    address: String,
    #[serde(flatten)]
    order: OrderView,
}

impl Line {
    /// Its market's index.
    pub(crate) const fn market(&self) -> u16 {
        self.order.market
    }
}

/// A subaccount's orders by number, as they stand.
pub(crate) async fn of(
    chain: &Chain,
    exchange: &ExchangeAccount,
    key: &Pubkey,
    account: &Subaccount,
    markets: &Markets,
    now: &Now,
) -> Result<Vec<Line>> {
    // What an owner's covenant forbids cannot be filled either.
    let covenant = chain.find::<Covenant>(&instructions::pubkey(&account.covenant)).await?;
    let owned = chain.subaccounts(exchange, &instructions::pubkey(&account.owner)).await?;
    let allowed = |filled: &Filled| {
        let owned = owned.iter().map(|(key, account)| (key, &**account));
        let check = |covenant: &Covenant| covenants::check_fill(covenant, owned, key, filled, markets, now);
        covenant.as_deref().map_or(Ok(()), check)
    };
    let mut lines = Vec::new();
    for (address, order) in chain.all::<Order>(offset_of!(Order, subaccount), key.as_ref()).await? {
        let own = |index: &u16| address::market(&exchange.address, *index).to_bytes() == order.market.0;
        let Some(index) = (0..exchange.state.markets).find(own) else { continue };
        let view = OrderView::of(&order, account, index, markets, allowed, now);
        let order =
            view.map_err(|fault| anyhow::anyhow!("order {} cannot be read: {}", order.id, chain.fault(&fault)))?;
        lines.push(Line { address: address.to_string(), order });
    }
    lines.sort_by_key(|line| line.order.id);
    Ok(lines)
}

pub(super) async fn run(global: &Global, chain: &Chain, exchange: &ExchangeAccount, whose: &Whose) -> Result<()> {
    let (key, account) = whose.find(global, chain, exchange).await?;
    let (markets, now) = (chain.markets(exchange).await?, chain.now().await?);
    let lines = of(chain, exchange, &key, &account, &markets, &now).await?;
    output::show(global.json, &lines, |lines| match lines.as_slice() {
        [] => format!("subaccount {} has no orders", account.id),
        lines => text(lines, &markets, exchange.state.quote_decimals),
    })
}

/// Orders in a table.
pub(crate) fn text(lines: &[Line], markets: &Markets, decimals: u8) -> String {
    let header =
        ["order", "market", "kind", "size", "limit", "trigger", "stop", "target", "trail", "put aside", "state"];
    let rows = lines.iter().map(|Line { order: view, .. }| {
        let base = markets.get(view.market).map_or(0, |market| market.state.base_decimals);
        let scale = Scale { base, quote: decimals };
        let price = |price: u64| if price == 0 { "-".to_owned() } else { scale.show_price(price) };
        let mut kind = view.kind.to_owned();
        if view.bracket {
            kind += ", bracket";
        } else if view.reduce_only && kind != "exit" {
            kind += ", reduce-only";
        }
        vec![
            view.id.to_string(),
            crate::commands::market::name(view.market, markets),
            kind,
            amount::size(view.size, base),
            price(view.limit),
            price(view.trigger),
            price(view.stop),
            price(view.target),
            price(view.trail),
            amount::quote(view.fee, decimals),
            state(view),
        ]
    });
    table(&header, &[3, 4, 5, 6, 7, 8, 9], rows)
}

fn state(view: &OrderView) -> String {
    let what = match view.state {
        State::Waiting => "waits for its price",
        State::Met => "met; waits for the next price",
        State::Fillable => "anyone can fill it",
        State::Held => "not now",
        State::Dead => "anyone can cancel it",
    };
    let mut text = view.reason.map_or(what.to_owned(), |reason| format!("{what}: {reason}"));
    if view.expires_at != 0 {
        text += &format!("; expires at {}", amount::moment(view.expires_at));
    }
    text
}
