//! `ballast liquidity`.

use std::time::{Duration, Instant};

use anchor_lang::prelude::Pubkey;
use anyhow::{Context, Result, bail, ensure};
use ballast::state::{LpDeposit, LpWithdrawal, Market};
use ballast_client::events::Event;
use ballast_client::{address, instructions};
use ballast_engine::constants::{EXIT_OWNER_ALONE, TICKET_LAPSE};
use ballast_engine::{Error, Now};
use ballast_localnet::Sent;
use clap::{Args, Subcommand};
use serde::Serialize;
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::refresh::newest_prices;
use crate::amount::{self, quote};
use crate::args::Global;
use crate::chain::{self, Chain, ExchangeAccount};
use crate::output::{self, table};
use crate::{config, tokens};

/// Decimals of a share.
const SHARE_DECIMALS: u8 = 6;
/// Between two tries.
const LOOK: Duration = Duration::from_millis(400);
/// Refusals that pass with the next price.
const PASSING: &[Error] = &[Error::TicketNotRipe, Error::PriceStale, Error::PriceUnconfirmed, Error::PriceUncertain];

/// Options of `ballast liquidity`.
#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// File a deposit; it executes at the first price published after it, by anyone's call
    Deposit {
        /// How much, in whole units of the collateral
        amount: String,
        /// Index of the market
        #[arg(long, short, value_parser = super::market::index)]
        market: u16,
        /// Execute it too, as soon as it can; give up after so many seconds
        #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "30")]
        wait: Option<u64>,
    },
    /// File an exit; it cannot be taken back, and executes after the market's cool-down
    Exit {
        /// How many shares, or `all`
        shares: String,
        /// Index of the market
        #[arg(long, short, value_parser = super::market::index)]
        market: u16,
    },
    /// Execute what waits in a market, or give back what has lapsed
    Execute {
        /// Index of the market
        #[arg(long, short, value_parser = super::market::index)]
        market: u16,
        /// Whose tickets [default: the owner of --keypair]
        #[arg(long, value_name = "ADDRESS")]
        owner: Option<Pubkey>,
    },
    /// Shares and tickets in every market
    Status {
        /// Whose [default: the owner of --keypair]
        #[arg(long, value_name = "ADDRESS")]
        owner: Option<Pubkey>,
    },
}

#[derive(Serialize)]
struct Filed {
    market: u16,
    kind: &'static str,
    amount: u64,
    executes_from: i64,
    signature: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    executed: Option<Executed>,
}

#[derive(Serialize)]
struct Executed {
    what: &'static str,
    amount: u64,
    shares: u64,
    left: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    held_back: Option<&'static str>,
    signature: String,
}

#[derive(Serialize)]
struct Line {
    market: u16,
    shares: u64,
    worth: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    deposit: Option<Ticket>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit: Option<Ticket>,
}

#[derive(Serialize)]
struct Ticket {
    amount: u64,
    executes_from: i64,
    lapses_at: i64,
    state: &'static str,
}

/// Runs it.
pub(crate) async fn run(global: &Global, options: Options) -> Result<()> {
    let chain = Chain::open(global)?;
    let exchange = chain.exchange(global.mint).await?;
    let owner_of = |given: Option<Pubkey>| match given {
        Some(owner) => Ok(owner),
        None => config::keypair(global).map(|key| key.pubkey()),
    };
    match options.command {
        Command::Deposit { amount, market, wait } => {
            let amount = amount::parse(&amount, exchange.state.quote_decimals)?;
            deposit(global, &Desk::of(&chain, &exchange, market).await?, amount, wait).await
        }
        Command::Exit { shares, market } => exit(global, &Desk::of(&chain, &exchange, market).await?, &shares).await,
        Command::Execute { market, owner } => {
            let desk = Desk::of(&chain, &exchange, market).await?;
            let signer = config::keypair(global)?;
            let done = desk.execute(&signer, &owner.unwrap_or(signer.pubkey())).await?;
            let decimals = exchange.state.quote_decimals;
            output::show(global.json, &done, |done| {
                done.iter().map(|done| executed(done, decimals)).collect::<Vec<_>>().join("\n")
            })
        }
        Command::Status { owner } => status(global, &chain, &exchange, &owner_of(owner)?).await,
    }
}

/// A market and where its liquidity goes.
struct Desk<'a> {
    chain: &'a Chain,
    exchange: &'a ExchangeAccount,
    index: u16,
    market: Pubkey,
    lp_mint: Pubkey,
}

impl<'a> Desk<'a> {
    async fn of(chain: &'a Chain, exchange: &'a ExchangeAccount, index: u16) -> Result<Self> {
        ensure!(index < exchange.state.markets, super::market::missing(index, exchange));
        let market = address::market(&exchange.address, index);
        Ok(Self { chain, exchange, index, market, lp_mint: address::lp_mint(&market) })
    }

    async fn held(&self, purse: &Pubkey) -> Result<u64> {
        Ok(self.chain.account(purse).await?.and_then(|account| tokens::amount(&account.data)).unwrap_or(0))
    }

    async fn tickets(&self, owner: &Pubkey) -> Result<(Option<Box<LpDeposit>>, Option<Box<LpWithdrawal>>)> {
        let deposit = self.chain.find(&address::lp_deposit(&self.market, owner)).await?;
        Ok((deposit, self.chain.find(&address::lp_withdrawal(&self.market, owner)).await?))
    }

    /// Executes an owner's tickets, each as far as it can be, or gives back what has lapsed.
    async fn execute(&self, signer: &Keypair, owner: &Pubkey) -> Result<Vec<Executed>> {
        let (deposit, exit) = self.tickets(owner).await?;
        let now = self.chain.now().await?;
        let mut done = Vec::new();
        let (payer, mint) = (signer.pubkey(), self.exchange.mint());
        let purse = tokens::associated(owner, &mint);
        let shares = tokens::associated(owner, &self.lp_mint);
        let opened = |mint| tokens::create_associated(&payer, owner, mint);
        if let Some(ticket) = deposit {
            let lapsed = now.unix > ticket.filed_at + TICKET_LAPSE;
            let execute = match lapsed {
                true => instructions::lapse_lp_deposit(&self.exchange.address, &self.market, owner, &purse),
                false => instructions::execute_lp_deposit(&self.market, owner, &shares),
            };
            let account = opened(if lapsed { &mint } else { &self.lp_mint });
            done.push(self.send(signer, "execute the deposit", [account, execute], lapsed).await?);
        }
        if let Some(ticket) = exit {
            let lapsed = now.unix > ticket.window_start + TICKET_LAPSE;
            let execute = match lapsed {
                true => instructions::lapse_lp_withdrawal(&self.market, owner, &shares),
                false => instructions::execute_lp_withdrawal(&self.exchange.address, &self.market, owner, &purse),
            };
            let execute = if payer == *owner { instructions::by_owner(execute, owner) } else { execute };
            let account = opened(if lapsed { &self.lp_mint } else { &mint });
            done.push(self.send(signer, "execute the exit", [account, execute], lapsed).await?);
        }
        if done.is_empty() {
            bail!("{owner} has no ticket in market {}; see `ballast liquidity status`", self.index);
        }
        Ok(done)
    }

    async fn send(
        &self,
        signer: &Keypair,
        what: &str,
        ours: [solana_instruction::Instruction; 2],
        lapsed: bool,
    ) -> Result<Executed> {
        let mut batch =
            if lapsed { Vec::new() } else { newest_prices(self.chain, self.exchange, &[self.index]).await? };
        batch.extend(ours);
        outcome(&self.chain.send(what, &batch, signer, &[]).await?)
    }
}

/// What a transaction did with a ticket.
fn outcome(sent: &Sent) -> Result<Executed> {
    let signature = sent.signature.to_string();
    let plain = |what, amount, shares| Executed { what, amount, shares, left: 0, held_back: None, signature };
    for event in chain::events(sent) {
        return Ok(match event {
            Event::LiquidityAdded(e) => plain("deposit", e.amount, e.shares),
            Event::LiquidityRemoved(e) => Executed { left: e.left, ..plain("exit", e.amount, e.shares) },
            Event::LiquidityHeldBack(e) => {
                let reason = ballast_client::errors::from_code(e.reason);
                Executed { held_back: reason.map(Error::message), ..plain("exit", 0, 0) }
            }
            Event::LiquidityLapsed(e) if e.deposit => plain("lapsed deposit", e.amount, 0),
            Event::LiquidityLapsed(e) => plain("lapsed exit", 0, e.amount),
            _ => continue,
        });
    }
    bail!("the ticket is gone, but its event cannot be read; see `ballast liquidity status`")
}

async fn deposit(global: &Global, desk: &Desk<'_>, amount: u64, wait: Option<u64>) -> Result<()> {
    let owner = config::keypair(global)?;
    let (key, decimals) = (owner.pubkey(), desk.exchange.state.quote_decimals);
    let purse = tokens::associated(&key, &desk.exchange.mint());
    let held = desk.held(&purse).await?;
    ensure!(
        held >= amount,
        "your token account {purse} holds {}, not {}; deposit less (on a local validator `ballast faucet` makes test \
         collateral)",
        quote(held, decimals),
        quote(amount, decimals)
    );
    ensure!(
        desk.tickets(&key).await?.0.is_none(),
        "a deposit waits in market {} already; `ballast liquidity execute --market {}` executes it",
        desk.index,
        desk.index
    );
    let request = instructions::request_lp_deposit(&desk.exchange.address, &desk.market, &key, &purse, amount);
    let sent = desk.chain.send("file the deposit", &[request], &owner, &[]).await?;
    let ticket = desk.tickets(&key).await?.0;
    let executes_from = ticket.map_or(0, |ticket| ticket.filed_at) + 1;
    let signature = sent.signature.to_string();
    let mut filed = Filed { market: desk.index, kind: "deposit", amount, executes_from, signature, executed: None };
    if let Some(seconds) = wait {
        let bar = output::waiting(global.json, "waiting for a price published after the deposit");
        let done = until_executed(desk, &owner, Duration::from_secs(seconds)).await;
        bar.finish_and_clear();
        filed.executed = Some(done.with_context(|| {
            let again = format!("`ballast liquidity execute --market {}` tries again", desk.index);
            format!("the deposit is filed, but not executed; {again}")
        })?);
    }
    output::show(global.json, &filed, |filed| match &filed.executed {
        Some(done) => executed(done, decimals),
        None => format!(
            "{} filed for market {}'s pool; it executes at the first price published from {} (Unix seconds) on, by \
             anyone's call: `ballast liquidity execute --market {}`",
            quote(filed.amount, decimals),
            filed.market,
            filed.executes_from,
            filed.market
        ),
    })
}

async fn until_executed(desk: &Desk<'_>, owner: &Keypair, patience: Duration) -> Result<Executed> {
    let begun = Instant::now();
    let key = owner.pubkey();
    let shares = tokens::associated(&key, &desk.lp_mint);
    let mut last = anyhow::anyhow!("no price was published after it");
    while begun.elapsed() < patience {
        tokio::time::sleep(LOOK).await;
        let mut batch = newest_prices(desk.chain, desk.exchange, &[desk.index]).await?;
        batch.push(tokens::create_associated(&key, &key, &desk.lp_mint));
        batch.push(instructions::execute_lp_deposit(&desk.market, &key, &shares));
        match desk.chain.sender.send(&batch, owner, &[]).await {
            Ok(sent) => return outcome(&sent),
            Err(error) if chain::reason(&error).is_some_and(|reason| PASSING.contains(&reason)) => {
                last = desk.chain.refusal("execute", &error);
            }
            Err(error) => return Err(desk.chain.refusal("the deposit was refused", &error)),
        }
    }
    bail!("{patience:?} have passed: {last:#}")
}

async fn exit(global: &Global, desk: &Desk<'_>, shares: &str) -> Result<()> {
    let owner = config::keypair(global)?;
    let key = owner.pubkey();
    let source = tokens::associated(&key, &desk.lp_mint);
    let held = desk.held(&source).await?;
    let amount = if shares == "all" { held } else { amount::parse(shares, SHARE_DECIMALS)? };
    ensure!(
        amount > 0 && amount <= held,
        "{key} has {} shares of market {}; see `ballast liquidity status`",
        quote(held, SHARE_DECIMALS),
        desk.index
    );
    ensure!(
        desk.tickets(&key).await?.1.is_none(),
        "an exit waits in market {} already, and there can be one at a time; see `ballast liquidity status`",
        desk.index
    );
    let request = instructions::request_lp_withdrawal(&desk.market, &key, &source, amount);
    let sent = desk.chain.send("file the exit", &[request], &owner, &[]).await?;
    let executes_from = desk.tickets(&key).await?.1.map_or(0, |ticket| ticket.ripe_at);
    let signature = sent.signature.to_string();
    let filed = Filed { market: desk.index, kind: "exit", amount, executes_from, signature, executed: None };
    let now = desk.chain.now().await?;
    output::show(global.json, &filed, |filed| {
        format!(
            "exit of {} shares filed in market {}; run `ballast liquidity execute --market {}` in {} s, within {} \
             minutes from then on: until then only you may execute it, after an hour it lapses and the shares come back",
            quote(filed.amount, SHARE_DECIMALS),
            filed.market,
            filed.market,
            filed.executes_from - now.unix,
            EXIT_OWNER_ALONE / 60
        )
    })
}

async fn status(global: &Global, chain: &Chain, exchange: &ExchangeAccount, owner: &Pubkey) -> Result<()> {
    let now = chain.now().await?;
    let mut lines = Vec::new();
    for index in 0..exchange.state.markets {
        let desk = Desk::of(chain, exchange, index).await?;
        let (deposit, exit) = desk.tickets(owner).await?;
        let shares = desk.held(&tokens::associated(owner, &desk.lp_mint)).await?;
        let market = chain.read::<Market>(&desk.market).await?;
        let published = market.state.price.last.publish_time;
        lines.push(Line {
            market: index,
            shares,
            worth: worth(&market, shares)?,
            deposit: deposit.map(|t| ticket(t.amount.0, t.filed_at + 1, t.filed_at, published > t.filed_at, &now)),
            exit: exit.map(|t| ticket(t.shares, t.ripe_at, t.window_start, now.unix >= t.ripe_at, &now)),
        });
    }
    output::show(global.json, &lines, |lines| {
        let d = exchange.state.quote_decimals;
        let told = |ticket: &Option<Ticket>, decimals| {
            ticket.as_ref().map_or("-".to_owned(), |t| match t.state {
                "waits" => format!("{}, in {} s", quote(t.amount, decimals), t.executes_from - now.unix),
                state => format!("{}, {state}", quote(t.amount, decimals)),
            })
        };
        let rows = lines.iter().map(|l| {
            let shares = quote(l.shares, SHARE_DECIMALS);
            vec![l.market.to_string(), shares, quote(l.worth, d), told(&l.deposit, d), told(&l.exit, SHARE_DECIMALS)]
        });
        table(&["market", "shares", "worth now", "deposit filed", "exit filed (shares)"], &[0, 1, 2], rows)
    })
}

/// What shares would be paid at the last price if nothing held them back, without the confidence that an exit also bears.
fn worth(market: &Market, shares: u64) -> Result<u64> {
    let state = &market.state;
    let equity = state.firm_equity(state.price.last.price).map_err(|fault| anyhow::anyhow!("{fault:?}"))?;
    let all = u128::from(state.pool.shares.max(1));
    Ok(u64::try_from(u128::from(shares) * u128::from(equity.gain().0) / all)?)
}

fn ticket(amount: u64, executes_from: i64, window_start: i64, ready: bool, now: &Now) -> Ticket {
    let lapses_at = window_start + TICKET_LAPSE;
    let state = match (now.unix > lapses_at, ready) {
        (true, _) => "lapsed",
        (false, true) => "ready",
        (false, false) => "waits",
    };
    Ticket { amount, executes_from, lapses_at, state }
}

fn executed(done: &Executed, decimals: u8) -> String {
    let (money, shares) = (quote(done.amount, decimals), quote(done.shares, SHARE_DECIMALS));
    match (done.what, done.held_back) {
        (_, Some(why)) => format!("the exit is held back: {why}"),
        ("deposit", _) => format!("{money} deposited for {shares} shares"),
        ("lapsed deposit", _) => format!("the deposit had lapsed: {money} given back"),
        ("lapsed exit", _) => format!("the exit had lapsed: {shares} shares given back"),
        _ if done.left > 0 => {
            let left = quote(done.left, SHARE_DECIMALS);
            format!("{money} paid for {shares} shares; {left} wait: open interest needs them")
        }
        _ => format!("{money} paid for {shares} shares"),
    }
}
