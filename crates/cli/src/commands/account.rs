//! `ballast account`.

use core::mem::offset_of;

use anyhow::Result;
use ballast::state::{Proposal, Subaccount};
use ballast_client::covenants::CovenantView;
use ballast_client::pending::{self, PendingView};
use ballast_client::view::AccountView;
use ballast_client::{Markets, instructions};
use ballast_engine::{Fault, Now};
use clap::{Args, Subcommand};
use serde::Serialize;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use super::anyone::{self, OfPosition};
use super::market::{self, index as market_index};
use super::order::list as orders;
use super::{funds, govern};
use crate::amount::{self, Scale, moment, percent, quote};
use crate::args::Global;
use crate::chain::{Chain, ExchangeAccount};
use crate::config;
use crate::output::{self, table};

/// Options of `ballast account`.
#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Open a subaccount
    Open {
        /// Its number
        #[arg(long, default_value_t = 0)]
        id: u16,
        /// One position only, with collateral of its own
        #[arg(long)]
        isolated: bool,
    },
    /// Show an owner's subaccounts with their health
    Show {
        /// Whose [default: the owner of --keypair]
        #[arg(long, value_name = "ADDRESS")]
        owner: Option<Pubkey>,
        /// Only this one
        #[arg(long)]
        id: Option<u16>,
    },
    /// Close an empty subaccount; its rent comes back
    Close {
        /// Its number
        #[arg(long, default_value_t = 0)]
        id: u16,
    },
    /// Turn a position's result into cash, or into a claim on the pool; anyone may, for anybody
    Settle(Place),
    /// Turn what has been paid on a claim into cash; anyone may, for anybody
    Collect(Place),
    /// Leave a market whose oracle has been silent for an hour, at its last price less a penalty
    ExitSilent {
        /// Index of the market
        #[arg(long, short, value_parser = market_index)]
        market: u16,
        /// Number of the subaccount
        #[arg(long, default_value_t = 0)]
        id: u16,
    },
}

/// A position of a subaccount.
#[derive(Args)]
struct Place {
    /// Index of the market
    #[arg(long, short, value_parser = market_index)]
    market: u16,
    /// Number of the subaccount
    #[arg(long, default_value_t = 0)]
    id: u16,
    /// Somebody else's subaccount instead
    #[arg(long, value_name = "ADDRESS", conflicts_with = "id")]
    subaccount: Option<Pubkey>,
}

#[derive(Serialize)]
struct Opened {
    subaccount: String,
    id: u16,
    signature: String,
}

#[derive(Serialize)]
struct Shown {
    address: String,
    #[serde(flatten)]
    account: AccountView,
    /// What may leave now; nothing where a price is missing.
    withdrawable: Option<u64>,
    open_orders: Vec<orders::Line>,
    /// What binds its owner, over all of its accounts.
    covenant: Option<CovenantView>,
    /// Governance's changes that wait and touch it.
    pending: Vec<Waiting>,
}

/// A proposal that waits, with what it says in words.
#[derive(Serialize)]
struct Waiting {
    #[serde(flatten)]
    change: PendingView,
    summary: String,
}

/// Those that touch an account, in words.
fn waiting(
    all: &[(Pubkey, Box<Proposal>)],
    account: &Subaccount,
    open_orders: &[orders::Line],
    (markets, exchange, now): (&Markets, &ExchangeAccount, &Now),
) -> Result<Vec<Waiting>> {
    let fault = |fault: Fault| anyhow::anyhow!("what is pending cannot be read: {fault:?}");
    let ordered: Vec<u16> = open_orders.iter().map(orders::Line::market).collect();
    let accrued = markets.accrued(now).map_err(fault)?;
    let proposals = all.iter().map(|(key, proposal)| (key, &**proposal));
    let views = pending::of(account, &ordered, proposals, &exchange.state, &accrued, now).map_err(fault)?;
    let told = |change: PendingView| {
        let proposal = all.iter().find(|(_, proposal)| proposal.id == change.id);
        let base = change.market.and_then(|index| markets.get(index)).map_or(0, |market| market.state.base_decimals);
        let scale = Scale { base, quote: exchange.state.quote_decimals };
        let summary = proposal.map(|(_, proposal)| govern::summary(proposal, scale)).transpose()?.unwrap_or_default();
        Ok(Waiting { change, summary })
    };
    views.into_iter().map(told).collect()
}

/// Runs it.
pub(crate) async fn run(global: &Global, options: Options) -> Result<()> {
    let chain = Chain::open(global)?;
    let exchange = chain.exchange(global.mint).await?;
    match options.command {
        Command::Open { id, isolated } => {
            let owner = config::keypair(global)?;
            let key = ballast_client::address::subaccount(&exchange.address, &owner.pubkey(), id);
            anyhow::ensure!(
                chain.find::<Subaccount>(&key).await?.is_none(),
                "your subaccount {id} is open already ({key}); `ballast account show` shows it, `--id` opens another"
            );
            let open = instructions::open_subaccount(&exchange.address, &owner.pubkey(), id, isolated);
            let sent = chain.send("open", &[open], &owner, &[]).await?;
            told(global, "opened", key, id, sent.signature.to_string())
        }
        Command::Close { id } => {
            let owner = config::keypair(global)?;
            let (key, _) = funds::subaccount(&chain, &exchange, &owner.pubkey(), id).await?;
            let close = instructions::close_subaccount(&exchange.address, &owner.pubkey(), &key);
            let sent = chain.send("close", &[close], &owner, &[]).await?;
            told(global, "closed", key, id, sent.signature.to_string())
        }
        Command::Settle(place) => of(global, &chain, &exchange, OfPosition::Settle, place).await,
        Command::Collect(place) => of(global, &chain, &exchange, OfPosition::Collect, place).await,
        Command::ExitSilent { market, id } => {
            anyone::position(global, &chain, &exchange, OfPosition::ExitSilent, market, Err(id)).await
        }
        Command::Show { owner, id } => {
            let owner = match owner {
                Some(owner) => owner,
                None => config::keypair(global)?.pubkey(),
            };
            show(global, &chain, &exchange, &owner, id).await
        }
    }
}

async fn of(global: &Global, chain: &Chain, exchange: &ExchangeAccount, what: OfPosition, place: Place) -> Result<()> {
    let account = place.subaccount.ok_or(place.id);
    anyone::position(global, chain, exchange, what, place.market, account).await
}

fn told(global: &Global, what: &str, key: Pubkey, id: u16, signature: String) -> Result<()> {
    let opened = Opened { subaccount: key.to_string(), id, signature };
    output::show(global.json, &opened, |o| format!("subaccount {} {what}: {}", o.id, o.subaccount))
}

async fn show(
    global: &Global,
    chain: &Chain,
    exchange: &ExchangeAccount,
    owner: &Pubkey,
    id: Option<u16>,
) -> Result<()> {
    let all = chain.subaccounts(exchange, owner).await?;
    let accounts: Vec<_> = all.iter().filter(|(_, a)| id.is_none_or(|id| a.id == id)).collect();
    if accounts.is_empty() {
        anyhow::bail!("{owner} has no such subaccount on this exchange; open one with `ballast account open`");
    }
    let (markets, now) = (chain.markets(exchange).await?, chain.now().await?);
    let covenant = super::covenant::view(chain, exchange, owner, &all).await?;
    let proposals = chain.all::<Proposal>(offset_of!(Proposal, exchange), exchange.address.as_ref()).await?;
    let mut shown = Vec::new();
    for (address, account) in accounts {
        let view = AccountView::of(account, &markets, &now)
            .map_err(|fault| anyhow::anyhow!("subaccount {} cannot be read: {fault:?}", account.id))?;
        let open_orders = orders::of(chain, exchange, address, account, &markets, &now).await?;
        let withdrawable = withdrawable(&view);
        let pending = waiting(&proposals, account, &open_orders, (&markets, exchange, &now))?;
        let covenant = covenant.clone();
        shown.push(Shown { address: address.to_string(), account: view, withdrawable, open_orders, covenant, pending });
    }
    output::show(global.json, &shown, |shown| {
        let mut parts: Vec<String> = shown.iter().map(|s| text(s, &markets, exchange)).collect();
        let decimals = exchange.state.quote_decimals;
        parts.extend(shown.first().and_then(|s| s.covenant.as_ref()).map(|view| super::covenant::text(view, decimals)));
        parts.join("\n\n")
    })
}

/// What a withdrawal may take now by the margin test alone; the outflow limiter may hold back a part of it.
pub(crate) fn withdrawable(view: &AccountView) -> Option<u64> {
    if view.flag.is_some() {
        return Some(0);
    }
    let surplus = i128::from(view.initial_equity?) - i128::from(view.initial?);
    Some(u64::try_from(surplus.max(0)).unwrap_or(u64::MAX).min(view.collateral))
}

/// A distance in millionths, in percent.
pub(super) fn away(distance: i64) -> String {
    format!("{}{}", if distance < 0 { "-" } else { "" }, percent(distance.unsigned_abs()))
}

fn text(shown: &Shown, markets: &Markets, exchange: &ExchangeAccount) -> String {
    let (v, d) = (&shown.account, exchange.state.quote_decimals);
    let or_dash = |value: Option<i128>| value.map_or("-".to_owned(), |value| quote(value, d));
    let mut text = format!(
        "subaccount {} ({}) {}\ncollateral {}, withdrawable {}\nequity by the maintenance test {}, maintenance {}, initial margin {} ({} used)",
        v.id,
        if v.isolated { "isolated" } else { "cross" },
        shown.address,
        amount::show(v.collateral, d, d),
        shown.withdrawable.map_or("-".to_owned(), |value| amount::show(value, d, d)),
        or_dash(v.equity.map(Into::into)),
        or_dash(v.maintenance.map(Into::into)),
        or_dash(v.initial.map(Into::into)),
        v.margin_used.map_or("-".to_owned(), percent),
    );
    if let Some(delegate) = &v.delegate {
        text += &format!(
            "\n{} may act for it until {}: {}; order fees left today {}",
            delegate.key,
            moment(delegate.until),
            delegate.permissions.join(", "),
            quote(delegate.fees_left, d)
        );
    }
    if let Some(flag) = &v.flag {
        text += &format!(
            "\nFLAGGED for liquidation: {} of {} closed; add collateral or reduce",
            quote(flag.closed, d),
            quote(flag.need, d)
        );
    }
    let rows: Vec<_> = v
        .positions
        .iter()
        .map(|p| {
            let base = markets.get(p.market).map_or(0, |m| m.state.base_decimals);
            let scale = Scale { base, quote: d };
            vec![
                market::name(p.market, markets),
                amount::size(p.size, base),
                scale.show_price(p.entry_price),
                scale.show_price(p.price),
                p.price_status.clone(),
                quote(p.notional, d),
                quote(p.pnl, d),
                quote(p.funding_owed, d),
                p.liquidation_price.map_or("-".to_owned(), |price| scale.show_price(price)),
                p.liquidation_distance.map_or("-".to_owned(), away),
                quote(p.claim + p.collectable, d),
            ]
        })
        .collect();
    if !rows.is_empty() {
        let header = [
            "market",
            "size",
            "entry",
            "price",
            "state",
            "notional",
            "PnL",
            "funding owed",
            "liquidation at",
            "away",
            "claim",
        ];
        text += "\n";
        text += &table(&header, &[1, 2, 3, 5, 6, 7, 8, 9, 10], rows);
    }
    for p in &v.positions {
        if let Some(grace) = p.grace {
            text += &format!(
                "\nyour position in market {} keeps {} maintenance margin until {}, then {}; increasing it takes the new one at once",
                p.market,
                percent(p.maintenance_margin),
                moment(grace.until),
                percent(grace.then),
            );
        }
    }
    if v.positions.iter().filter(|p| p.size != 0).count() > 1 {
        text += "\neach liquidation price supposes that the other markets stand still";
    }
    for Waiting { change, summary } in &shown.pending {
        text += &format!(
            "\npending: proposal {}, {summary}, from {} on{}; `ballast govern explain {}` says more",
            change.id,
            moment(change.from),
            if change.below_maintenance == Some(true) {
                ", which would put this account BELOW MAINTENANCE"
            } else {
                ""
            },
            change.id,
        );
    }
    if !shown.open_orders.is_empty() {
        text += "\n";
        text += &orders::text(&shown.open_orders, markets, d);
    }
    text
}
