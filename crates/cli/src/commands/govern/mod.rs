//! `ballast govern`: what is queued and what it would do, from chain alone; queueing, vetoing, executing.

mod ask;
mod dry_run;
mod effect;
mod exchange;
mod explain;
mod list;
pub(crate) mod upgrade;

use anchor_lang::prelude::Pubkey;
use anyhow::{Context, Result};
use ballast::state::Proposal;
use ballast_client::{address, instructions};
use ballast_engine::governance::kind;
use clap::{Args, Subcommand};
use serde::Serialize;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::amount::moment;
use crate::args::Global;
use crate::chain::{Chain, ExchangeAccount};
use crate::output;
use crate::{config, keys};
use ask::{Ask, Hash, hash, pair};

/// A proposal must reach the chain within so many slots of being signed: some ten minutes.
const WITHIN_SLOTS: u64 = 1_500;
/// What a multisig gets to collect its signatures: most of the day that the program allows.
const WITHIN_SLOTS_MULTISIG: u64 = 200_000;

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
    /// Proposals, from chain alone: what, who, old and new, class, when, and whom it would put below maintenance
    List {
        /// Those that have ended too
        #[arg(long)]
        all: bool,
    },
    /// One proposal in words
    Explain {
        /// Its number
        id: u64,
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
        #[command(flatten)]
        how: How,
    },
    /// Queue several parameters that must agree: all or none
    Batch {
        /// From two to eight changes, each NAME=VALUE
        #[arg(required = true, value_parser = pair, value_name = "NAME=VALUE")]
        changes: Vec<(String, u64)>,
        /// Index of the market; without it, parameters of the exchange
        #[arg(long, short)]
        market: Option<u16>,
        #[command(flatten)]
        how: How,
    },
    /// Queue any kind of proposal, or print it for a multisig with --dry-run
    Propose {
        #[command(subcommand)]
        ask: Ask,
        #[command(flatten)]
        how: How,
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
    /// Further exchanges, once the timelock holds the program's upgrade authority
    #[command(subcommand)]
    Exchange(exchange::Command),
    /// End a proposal that is dead, so that it takes no place any longer
    Expire {
        /// Its number
        id: u64,
    },
}

/// How something is queued.
#[derive(Args)]
pub(crate) struct How {
    /// Hash of the rationale, 64 hexadecimal digits
    #[arg(long, global = true, value_name = "HEX", value_parser = hash)]
    rationale: Option<Hash>,
    /// Print the instruction and a transaction's message for a multisig to import, and send nothing
    #[arg(long, global = true)]
    dry_run: bool,
    /// Who proposes, for --dry-run: usually a multisig's vault [default: the exchange's governance]
    #[arg(long, global = true, value_name = "ADDRESS", requires = "dry_run")]
    proposer: Option<Pubkey>,
    /// Slots within which it must reach the chain, at most 216000 [default: 1500, for --dry-run 200000]
    #[arg(long, global = true, value_name = "SLOTS")]
    within: Option<u64>,
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
        Command::List { all } => list::run(global, &chain, &exchange, all).await,
        Command::Explain { id } => explain::run(global, &chain, &exchange, id).await,
        Command::Queue { parameter, value, market, how } => {
            let ask = Ask::Parameter { parameter, value, market };
            queue(global, &chain, &exchange, signer, (ask, how)).await
        }
        Command::Batch { changes, market, how } => {
            queue(global, &chain, &exchange, signer, (Ask::Batch { changes, market }, how)).await
        }
        Command::Propose { ask, how } => queue(global, &chain, &exchange, signer, (ask, how)).await,
        Command::Upgrade(command) => upgrade::run(global, &chain, &exchange, signer, command).await,
        Command::Exchange(command) => exchange::run(global, &chain, &exchange, signer, command).await,
        Command::Veto { id } => {
            let (signer, market) = (signer()?, told(&*read(&chain, &exchange, id).await?));
            let veto = instructions::veto_proposal(&signer.pubkey(), &exchange.address, market, id);
            let sent = chain.send("veto", &[veto], &signer, &[]).await?;
            done(global, id, "vetoed", sent.signature.to_string())
        }
        Command::Execute { id } => {
            let (signer, proposal) = (signer()?, read(&chain, &exchange, id).await?);
            let execute = if proposal.market.0 == [0; 32] {
                instructions::execute_exchange_proposal(&signer.pubkey(), &exchange.address, id)
            } else {
                let index = proposal.market_index;
                instructions::execute_market_proposal(&signer.pubkey(), &exchange.address, index, id)
            };
            let sent = chain.send("execute", &[execute], &signer, &[]).await?;
            done(global, id, "executed", sent.signature.to_string())
        }
        Command::Expire { id } => {
            let (signer, market) = (signer()?, told(&*read(&chain, &exchange, id).await?));
            let expire = instructions::expire_proposal(&signer.pubkey(), &exchange.address, market, id);
            let sent = chain.send("expire", &[expire], &signer, &[]).await?;
            done(global, id, "expired", sent.signature.to_string())
        }
    }
}

/// The market that must be told of a proposal's end.
fn told(proposal: &Proposal) -> Option<u16> {
    (proposal.terms.kind == kind::ORACLE_FEED).then_some(proposal.market_index)
}

fn done(global: &Global, id: u64, what: &str, signature: String) -> Result<()> {
    let done = Done { id, what: what.to_owned(), signature };
    output::show(global.json, &done, |done| format!("proposal {} {}", done.id, done.what))
}

async fn read(chain: &Chain, exchange: &ExchangeAccount, id: u64) -> Result<Box<Proposal>> {
    let found = chain.find::<Proposal>(&address::proposal(&exchange.address, id)).await?;
    found.with_context(|| format!("there is no proposal {id}; see `ballast govern list --all`"))
}

async fn queue(
    global: &Global,
    chain: &Chain,
    exchange: &ExchangeAccount,
    signer: impl Fn() -> Result<Keypair>,
    (ask, how): (Ask, How),
) -> Result<()> {
    let proposing = how.begin(chain, exchange, signer).await?;
    let (proposer, last_slot, rationale) = (proposing.proposer, proposing.last_slot, proposing.rationale);
    let queue = ask.build(chain, exchange, &proposer, last_slot, rationale).await?;
    let Some(queued) = proposing.submit(global, chain, exchange, &queue).await? else { return Ok(()) };
    done(global, queued.id, &queued.text(), queued.signature)
}

/// A proposal that is about to be made.
struct Proposing {
    /// Who signs; nobody when it is only printed.
    signer: Option<Keypair>,
    proposer: Pubkey,
    id: u64,
    last_slot: u64,
    rationale: Hash,
}

/// One that was made.
struct Queued {
    signer: Keypair,
    id: u64,
    eta: i64,
    signature: String,
}

impl Queued {
    fn text(&self) -> String {
        format!("queued; it may be executed from {} on", moment(self.eta))
    }
}

impl How {
    async fn begin(
        self,
        chain: &Chain,
        exchange: &ExchangeAccount,
        signer: impl FnOnce() -> Result<Keypair>,
    ) -> Result<Proposing> {
        let within = self.within.unwrap_or(if self.dry_run { WITHIN_SLOTS_MULTISIG } else { WITHIN_SLOTS });
        let governance = Pubkey::new_from_array(exchange.state.roles.governance.0);
        let signer = if self.dry_run { None } else { Some(signer()?) };
        Ok(Proposing {
            proposer: signer.as_ref().map_or_else(|| self.proposer.unwrap_or(governance), Signer::pubkey),
            signer,
            id: exchange.state.next_proposal,
            last_slot: chain.now().await?.slot + within,
            rationale: self.rationale.unwrap_or_default(),
        })
    }
}

impl Proposing {
    /// Sends it; or prints it and sends nothing.
    async fn submit(
        self,
        global: &Global,
        chain: &Chain,
        exchange: &ExchangeAccount,
        instruction: &Instruction,
    ) -> Result<Option<Queued>> {
        let Some(signer) = self.signer else {
            dry_run::show(global, self.id, &self.proposer, self.last_slot, instruction)?;
            return Ok(None);
        };
        let sent = chain.send("queue", std::slice::from_ref(instruction), &signer, &[]).await?;
        let eta = read(chain, exchange, self.id).await?.terms.eta;
        Ok(Some(Queued { signer, id: self.id, eta, signature: sent.signature.to_string() }))
    }
}
