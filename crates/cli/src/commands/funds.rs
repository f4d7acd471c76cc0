//! `ballast deposit`, `ballast withdraw` and `ballast transfer`.

use anyhow::{Context, Result, ensure};
use ballast::state::Subaccount;
use ballast_client::view::AccountView;
use ballast_client::{address, instructions};
use ballast_engine::delegate::COLLATERAL;
use clap::Args;
use serde::Serialize;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use super::{delegate, refresh};
use crate::args::Global;
use crate::chain::{Chain, ExchangeAccount};
use crate::{amount, config, output, tokens};

/// Options of `ballast deposit` and `ballast withdraw`.
#[derive(Args)]
pub(crate) struct Options {
    /// How much, in whole units of the collateral; `all` for what your token account holds, or for what may leave
    amount: String,
    /// Number of the subaccount
    #[arg(long, value_name = "ID", default_value_t = 0)]
    account: u16,
    /// Your token account [default: the associated one]
    #[arg(long, value_name = "ADDRESS")]
    tokens: Option<Pubkey>,
}

/// Whose subaccount.
#[derive(Args, Clone)]
pub(crate) struct Whose {
    /// Its owner, where the key that signs is another: a delegate's, or anybody's [default: the owner of --keypair]
    #[arg(long, value_name = "ADDRESS")]
    owner: Option<Pubkey>,
    /// Number of the subaccount
    #[arg(long, value_name = "ID", default_value_t = 0)]
    account: u16,
}

impl Whose {
    /// The subaccount.
    pub(crate) async fn find(
        &self,
        global: &Global,
        chain: &Chain,
        exchange: &ExchangeAccount,
    ) -> Result<(Pubkey, Box<Subaccount>)> {
        subaccount(chain, exchange, &owner_or_signer(global, self.owner)?, self.account).await
    }
}

fn owner_or_signer(global: &Global, owner: Option<Pubkey>) -> Result<Pubkey> {
    Ok(match owner {
        Some(owner) => owner,
        None => config::keypair(global)?.pubkey(),
    })
}

/// Options of `ballast transfer`.
#[derive(Args)]
pub(crate) struct TransferOptions {
    /// How much, in whole units of the collateral; `all` for what may leave
    amount: String,
    /// Number of the subaccount that gives
    #[arg(long, value_name = "ID")]
    from: u16,
    /// Number of the subaccount that gets
    #[arg(long, value_name = "ID")]
    to: u16,
    /// Their owner, where a delegate of both signs [default: the owner of --keypair]
    #[arg(long, value_name = "ADDRESS")]
    owner: Option<Pubkey>,
}

#[derive(Serialize)]
struct Transferred {
    from: String,
    to: String,
    amount: u64,
    from_collateral: u64,
    to_collateral: u64,
    signature: String,
}

#[derive(Serialize)]
struct Moved {
    subaccount: String,
    amount: u64,
    collateral: u64,
    /// Share of the equity that the initial margin uses from now on, millionths; none without positions.
    margin_used: Option<u64>,
    /// How far the nearest liquidation price is away, millionths of the price; none without positions.
    liquidation_distance: Option<i64>,
    signature: String,
}

/// Puts collateral in.
pub(crate) async fn deposit(global: &Global, options: Options) -> Result<()> {
    run(global, options, true).await
}

/// Takes collateral out.
pub(crate) async fn withdraw(global: &Global, options: Options) -> Result<()> {
    run(global, options, false).await
}

/// Moves collateral between two subaccounts of one owner, which the margin of the giving one must allow.
pub(crate) async fn transfer(global: &Global, options: TransferOptions) -> Result<()> {
    let (chain, signer) = (Chain::open(global)?, config::keypair(global)?);
    let exchange = chain.exchange(global.mint).await?;
    let decimals = exchange.state.quote_decimals;
    let owner = owner_or_signer(global, options.owner)?;
    ensure!(options.from != options.to, "name two subaccounts: --from and --to are the same");
    let (from, account) = subaccount(&chain, &exchange, &owner, options.from).await?;
    let (to, _) = subaccount(&chain, &exchange, &owner, options.to).await?;
    let amount = match options.amount.as_str() {
        "all" => may_leave(&chain, &exchange, &account).await?,
        text => amount::parse(text, decimals)?,
    };
    ensure!(amount > 0, "nothing can be moved; see `ballast account show`");
    delegate::check(&account, &signer.pubkey(), COLLATERAL, &chain.now().await?)?;
    let mut batch = refresh::of_account(&chain, &exchange, &account, None).await?;
    let legs = instructions::leg_metas(&account, None, false);
    let covenant = instructions::pubkey(&account.covenant);
    batch.push(instructions::transfer(&signer.pubkey(), &from, &to, &covenant, amount, &legs));
    let sent = chain.send("transfer", &batch, &signer, &[]).await?;
    let held = [chain.read::<Subaccount>(&from).await?, chain.read::<Subaccount>(&to).await?];
    let [from_collateral, to_collateral] = held.map(|account| account.state.collateral.0);
    let moved = Transferred {
        from: from.to_string(),
        to: to.to_string(),
        amount,
        from_collateral,
        to_collateral,
        signature: sent.signature.to_string(),
    };
    output::show(global.json, &moved, |moved| {
        let exactly = |value| amount::show(value, decimals, decimals);
        let (amount, from, to) = (exactly(moved.amount), exactly(moved.from_collateral), exactly(moved.to_collateral));
        format!("{amount} moved; subaccount {} holds {from}, subaccount {} {to}", options.from, options.to)
    })
}

/// What may leave a subaccount now.
async fn may_leave(chain: &Chain, exchange: &ExchangeAccount, account: &Subaccount) -> Result<u64> {
    let (markets, now) = (chain.markets(exchange).await?, chain.now().await?);
    let view = AccountView::of(account, &markets, &now);
    let view = view.map_err(|fault| anyhow::anyhow!("the subaccount cannot be read: {}", chain.fault(&fault)))?;
    super::account::withdrawable(&view).context("a market of this subaccount has no price; give an amount")
}

async fn run(global: &Global, options: Options, inwards: bool) -> Result<()> {
    let (chain, owner) = (Chain::open(global)?, config::keypair(global)?);
    let exchange = chain.exchange(global.mint).await?;
    let decimals = exchange.state.quote_decimals;
    let (key, account) = subaccount(&chain, &exchange, &owner.pubkey(), options.account).await?;
    let purse = options.tokens.unwrap_or_else(|| tokens::associated(&owner.pubkey(), &exchange.mint()));
    let held = chain.account(&purse).await?.and_then(|account| tokens::amount(&account.data)).unwrap_or(0);
    let amount = match (options.amount.as_str(), inwards) {
        ("all", true) => held,
        ("all", false) => may_leave(&chain, &exchange, &account).await?,
        (text, _) => amount::parse(text, decimals)?,
    };
    ensure!(amount > 0, "nothing can be moved; see `ballast account show`");
    let mut batch = Vec::new();
    if inwards {
        ensure!(
            held >= amount,
            "your token account {purse} holds {}, not {}; deposit less (on a local validator `ballast faucet` makes \
             test collateral)",
            amount::quote(held, decimals),
            amount::quote(amount, decimals)
        );
        batch.push(instructions::deposit(&exchange.address, &owner.pubkey(), &key, &purse, amount));
    } else {
        batch.extend(refresh::of_account(&chain, &exchange, &account, None).await?);
        let legs = instructions::leg_metas(&account, None, false);
        let pubkey = owner.pubkey();
        batch.push(instructions::withdraw(&exchange.address, &pubkey, &key, &purse, amount, &legs));
    }
    let what = if inwards { "deposit" } else { "withdraw" };
    let sent = chain.send(what, &batch, &owner, &[]).await?;
    let account = chain.read::<Subaccount>(&key).await?;
    let (mut margin_used, mut liquidation_distance) = (None, None);
    if !account.state.is_flat() {
        let (markets, now) = (chain.markets(&exchange).await?, chain.now().await?);
        // What is done is done: where it cannot be told, it is not.
        if let Ok(view) = AccountView::of(&account, &markets, &now) {
            margin_used = view.margin_used;
            liquidation_distance = view.positions.iter().filter_map(|position| position.liquidation_distance).min();
        }
    }
    let moved = Moved {
        margin_used,
        liquidation_distance,
        subaccount: key.to_string(),
        amount,
        collateral: account.state.collateral.0,
        signature: sent.signature.to_string(),
    };
    output::show(global.json, &moved, |moved| {
        let done = if inwards { "deposited" } else { "withdrawn" };
        let exactly = |value| amount::show(value, decimals, decimals);
        let (amount, after) = (exactly(moved.amount), exactly(moved.collateral));
        let mut text = format!("{amount} {done}; subaccount {} holds {after}", options.account);
        if let Some(used) = moved.margin_used {
            text += &format!("\nmargin used {}", amount::percent(used));
        }
        if let Some(distance) = moved.liquidation_distance {
            text += &format!(", liquidation {} away", super::account::away(distance));
        }
        text
    })
}

/// A subaccount of an owner by its number.
pub(crate) async fn subaccount(
    chain: &Chain,
    exchange: &ExchangeAccount,
    owner: &Pubkey,
    id: u16,
) -> Result<(Pubkey, Box<Subaccount>)> {
    let key = address::subaccount(&exchange.address, owner, id);
    let account = chain.find(&key).await?;
    let hint = || format!("{owner} has no subaccount {id} here; open it with `ballast account open --id {id}`");
    Ok((key, account.with_context(hint)?))
}
