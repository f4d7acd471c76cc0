//! `ballast govern`.

use core::mem::offset_of;

use anchor_lang::prelude::Pubkey;
use anyhow::{Context, Result, bail};
use ballast::instructions::governance::QueueParameterArgs;
use ballast::state::{Market, Proposal};
use ballast_client::{address, instructions};
use ballast_engine::governance::{kind, state};
use ballast_engine::params::{EXCHANGE_ROWS, ExchangeParams, MARKET_ROWS, MarketParams, Row};
use clap::{Args, Subcommand};
use serde::Serialize;
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::upgrade;
use crate::args::Global;
use crate::chain::{Chain, ExchangeAccount};
use crate::output::{self, table};
use crate::{config, keys};

/// A proposal must reach the chain within so many slots of being signed: some ten minutes.
const WITHIN_SLOTS: u64 = 1_500;

/// Options of `ballast govern`.
#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
    /// Sign as the local test key of a role (governance, committee, guardian) instead of --keypair
    #[arg(long, global = true, value_name = "ROLE")]
    local_role: Option<String>,
}

#[derive(Subcommand)]
enum Command {
    /// Proposals, from chain alone
    List {
        /// Those that have ended too
        #[arg(long)]
        all: bool,
    },
    /// Queue a change of a parameter
    Queue {
        /// Its name (docs/PARAMETERS.md)
        parameter: String,
        /// Its new value, an integer in the parameter's unit
        value: u64,
        /// Index of the market; without it, a parameter of the exchange
        #[arg(long, short)]
        market: Option<u16>,
        /// Hash of the rationale, 64 hexadecimal digits
        #[arg(long, value_name = "HEX", value_parser = hash)]
        rationale: Option<Hash>,
    },
    /// End a proposal for good, as the vetoer that it names
    Veto {
        /// Its number
        id: u64,
    },
    /// Execute a proposal whose delay is over
    Execute {
        /// Its number
        id: u64,
    },
    /// The program itself: who may upgrade it, what is proposed, and each step of it
    #[command(subcommand)]
    Upgrade(upgrade::Command),
}

/// A hash as an argument.
type Hash = [u8; 32];

fn hash(text: &str) -> Result<Hash, String> {
    let wrong = || "write 64 hexadecimal digits".to_owned();
    if text.len() != 64 || !text.is_ascii() {
        return Err(wrong());
    }
    let mut hash = [0; 32];
    for (byte, place) in hash.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&text[place..place + 2], 16).map_err(|_| wrong())?;
    }
    Ok(hash)
}

#[derive(Serialize)]
struct Line {
    id: u64,
    state: &'static str,
    class: &'static str,
    what: String,
    old_value: u64,
    new_value: u64,
    new_key: String,
    queued_at: i64,
    ready_at: i64,
    dead_at: i64,
    vetoer: String,
    ready: bool,
}

#[derive(Serialize)]
struct Done {
    id: u64,
    what: String,
    signature: String,
}

/// Runs it.
pub(crate) async fn run(global: &Global, options: Options) -> Result<()> {
    let chain = Chain::open(global)?;
    let exchange = chain.exchange(global.mint).await?;
    let signer = || match &options.local_role {
        Some(role) => Ok(keys::local(role)),
        None => config::keypair(global),
    };
    match options.command {
        Command::List { all } => list(global, &chain, &exchange, all).await,
        Command::Queue { parameter, value, market, rationale } => {
            let change = Change { parameter, value, market, rationale: rationale.unwrap_or_default() };
            queue(global, &chain, &exchange, &signer()?, change).await
        }
        Command::Veto { id } => {
            let signer = signer()?;
            let veto = instructions::veto_proposal(&signer.pubkey(), &exchange.address, id);
            let sent = chain.send("veto", &[veto], &signer, &[]).await?;
            told(global, id, "vetoed", sent.signature.to_string())
        }
        Command::Upgrade(command) => upgrade::run(global, &chain, &exchange, signer, command).await,
        Command::Execute { id } => {
            let signer = signer()?;
            let proposal = read(&chain, &exchange, id).await?;
            let market = Pubkey::new_from_array(proposal.market.0);
            let execute = if market == Pubkey::default() {
                instructions::execute_exchange_proposal(&signer.pubkey(), &exchange.address, id)
            } else {
                let index = chain.read::<Market>(&market).await?.state.index;
                instructions::execute_market_proposal(&signer.pubkey(), &exchange.address, index, id)
            };
            let sent = chain.send("execute", &[execute], &signer, &[]).await?;
            told(global, id, "executed", sent.signature.to_string())
        }
    }
}

fn told(global: &Global, id: u64, what: &str, signature: String) -> Result<()> {
    let done = Done { id, what: what.to_owned(), signature };
    output::show(global.json, &done, |done| format!("proposal {} {}", done.id, done.what))
}

async fn read(chain: &Chain, exchange: &ExchangeAccount, id: u64) -> Result<Box<Proposal>> {
    let found = chain.find::<Proposal>(&address::proposal(&exchange.address, id)).await?;
    found.with_context(|| format!("there is no proposal {id}; see `ballast govern list --all`"))
}

struct Change {
    parameter: String,
    value: u64,
    market: Option<u16>,
    rationale: Hash,
}

async fn queue(
    global: &Global,
    chain: &Chain,
    exchange: &ExchangeAccount,
    signer: &Keypair,
    change: Change,
) -> Result<()> {
    let key = signer.pubkey();
    let id = exchange.state.next_proposal;
    let last_slot = chain.now().await?.slot + WITHIN_SLOTS;
    let (rationale, new_value) = (change.rationale, change.value);
    let args = |parameter, version| QueueParameterArgs { parameter, new_value, version, last_slot, rationale };
    let unknown = |rows: &[Row]| {
        let names: Vec<_> = rows.iter().map(|row| row.name).collect();
        format!("there is no parameter {:?}; there are {}", change.parameter, names.join(", "))
    };
    let queue = match change.market {
        Some(index) => {
            let parameter = MarketParams::id(&change.parameter).with_context(|| unknown(MARKET_ROWS))?;
            let market = chain.read::<Market>(&address::market(&exchange.address, index)).await?;
            let version = market.state.param_version[usize::from(parameter)];
            instructions::queue_market_parameter(&key, &key, &exchange.address, index, id, args(parameter, version))
        }
        None => {
            let parameter = ExchangeParams::id(&change.parameter)
                .with_context(|| unknown(EXCHANGE_ROWS))
                .context("a market's parameter needs --market")?;
            let version = exchange.state.param_log.version[usize::from(parameter)];
            instructions::queue_exchange_parameter(&key, &key, &exchange.address, id, args(parameter, version))
        }
    };
    let sent = chain.send("queue", &[queue], signer, &[]).await?;
    let eta = read(chain, exchange, id).await?.terms.eta;
    told(global, id, &format!("queued; it may be executed from {eta} (Unix seconds) on"), sent.signature.to_string())
}

async fn list(global: &Global, chain: &Chain, exchange: &ExchangeAccount, all: bool) -> Result<()> {
    let at = offset_of!(Proposal, exchange);
    let mut proposals = chain.all::<Proposal>(at, exchange.address.as_ref()).await?;
    proposals.sort_by_key(|(_, proposal)| proposal.id);
    let now = chain.now().await?;
    let mut lines = Vec::new();
    for (_, proposal) in proposals {
        let terms = &proposal.terms;
        if !all && terms.state != state::PENDING {
            continue;
        }
        let emergency = &exchange.state.emergency;
        let time = |at: ballast_engine::Result<i64>| at.map_err(|fault| anyhow::anyhow!("{fault:?}"));
        let ready_at = time(terms.ready_at(emergency, &now))?;
        let dead_at = time(terms.dead_at(emergency, &now))?;
        lines.push(Line {
            id: proposal.id,
            state: match terms.state {
                state::PENDING if now.unix >= dead_at => "expired, not closed",
                state::PENDING => "pending",
                state::EXECUTED => "executed",
                state::VETOED => "vetoed",
                _ => "expired",
            },
            class: ["?", "G1", "G2", "G3", "guardian"].get(usize::from(terms.class)).copied().unwrap_or("?"),
            what: what(&proposal, chain).await?,
            old_value: terms.old_value,
            new_value: terms.new_value,
            new_key: Pubkey::new_from_array(terms.new_key.0).to_string(),
            queued_at: terms.queued_at,
            ready_at,
            dead_at,
            vetoer: Pubkey::new_from_array(terms.vetoer.0).to_string(),
            ready: terms.state == state::PENDING && now.unix >= ready_at && now.unix < dead_at,
        });
    }
    output::show(global.json, &lines, |lines| {
        if lines.is_empty() {
            return "no proposal is pending; `--all` lists those that have ended".to_owned();
        }
        let rows = lines.iter().map(|l| {
            let change = match l.new_value {
                0 if l.old_value == 0 => l.new_key.clone(),
                _ => format!("{} -> {}", l.old_value, l.new_value),
            };
            let when = match (l.ready, l.state) {
                (true, _) => "now".to_owned(),
                (false, "pending") => format!("in {} s", l.ready_at - now.unix),
                _ => "-".to_owned(),
            };
            vec![l.id.to_string(), l.state.to_owned(), l.class.to_owned(), l.what.clone(), change, when]
        });
        table(&["id", "state", "class", "what", "change", "may be executed"], &[0], rows)
    })
}

async fn what(proposal: &Proposal, chain: &Chain) -> Result<String> {
    let terms = &proposal.terms;
    let market = Pubkey::new_from_array(proposal.market.0);
    let named = |rows: &[Row]| rows.get(usize::from(terms.parameter)).map_or("?", |row| row.name);
    Ok(match terms.kind {
        kind::MARKET_PARAMETER => {
            let index = chain.read::<Market>(&market).await?.state.index;
            format!("market {index}: {}", named(MARKET_ROWS))
        }
        kind::EXCHANGE_PARAMETER => named(EXCHANGE_ROWS).to_owned(),
        kind::INSURANCE => "withdrawal of insurance".to_owned(),
        kind::GOVERNANCE => "new governance".to_owned(),
        kind::COMMITTEE => "new committee".to_owned(),
        kind::GUARDIAN => "new guardian".to_owned(),
        kind::UPGRADE => "upgrade of the program".to_owned(),
        kind::NEW_EXCHANGE => "exchange of another mint".to_owned(),
        kind::ORACLE_FEED => format!("market {}: oracle feed", chain.read::<Market>(&market).await?.state.index),
        other => bail!("proposal {} is of kind {other}, which this version does not know; update it", proposal.id),
    })
}
