//! `ballast govern`: what is queued and what it would do, from chain alone; queueing, vetoing, executing.

mod ask;
mod dry_run;
mod effect;
mod exchange;
mod explain;
mod list;
mod seat;
pub(crate) mod upgrade;
mod value;

pub(super) use list::summary;

use anchor_lang::prelude::Pubkey;
use anyhow::{Context, Result, bail, ensure};
use ballast::state::{Market, Proposal};
use ballast_client::{address, instructions};
use ballast_engine::constants::PROPOSAL_SLOTS_AHEAD;
use ballast_engine::governance::{SHARED_FUND, kind};
use ballast_engine::layout::Key;
use clap::{Args, Subcommand};
use serde::Serialize;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::amount::{Scale, moment};
use crate::args::Global;
use crate::chain::{Chain, ExchangeAccount};
use crate::config;
use crate::keys::LocalRole;
use crate::output;
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
    /// Sign as the local test key of a role instead of --keypair
    #[arg(long, global = true, value_enum, value_name = "ROLE")]
    local_role: Option<LocalRole>,
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
        /// Its new value: an integer as stored, or with its unit (0.06%, 12h, 1000u for whole units)
        value: String,
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
        changes: Vec<(String, String)>,
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
    #[command(flatten)]
    Seat(seat::Command),
    /// Give the rent of a proposal that has ended back to whoever paid it
    Close {
        /// Its number
        id: u64,
    },
}

/// How something is queued.
#[derive(Args)]
pub(crate) struct How {
    /// Hash of the rationale, 64 hexadecimal digits: `sha256sum` of the text that explains it
    #[arg(long, global = true, value_name = "HEX", value_parser = hash)]
    rationale: Option<Hash>,
    /// Print the instruction and a transaction's message for a multisig to import, and send nothing
    #[arg(long, global = true)]
    dry_run: bool,
    /// Who proposes, for --dry-run: usually a multisig's vault [default: the exchange's governance]
    #[arg(long, global = true, value_name = "ADDRESS", requires = "dry_run")]
    proposer: Option<Pubkey>,
    /// Slots within which it must reach the chain, at most 216000, about a day [default: 1500, for --dry-run 200000]
    #[arg(long, global = true, value_name = "SLOTS", value_parser = clap::value_parser!(u64).range(1..=PROPOSAL_SLOTS_AHEAD))]
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
        Some(role) => Ok(role.key()),
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
            let (signer, proposal) = (signer()?, read(&chain, &exchange, id).await?);
            let (market, vetoer) = (told(&proposal), instructions::pubkey(&proposal.terms.vetoer));
            ensure!(
                signer.pubkey() == vetoer,
                "proposal {id} names {vetoer} as its vetoer, not you ({}); on the local exchange: --local-role guardian",
                signer.pubkey()
            );
            let veto = instructions::veto_proposal(&signer.pubkey(), &exchange.address, market, id);
            let sent = chain.send("veto", &[veto], &signer, &[]).await?;
            done(global, id, "vetoed", sent.signature.to_string())
        }
        Command::Execute { id } => {
            let (signer, proposal) = (signer()?, read(&chain, &exchange, id).await?);
            let execute = execution(&exchange, &proposal, &signer.pubkey())?;
            let sent = chain.send("execute", &[execute], &signer, &[]).await?;
            done(global, id, "executed", sent.signature.to_string())
        }
        Command::Expire { id } => {
            let (signer, market) = (signer()?, told(&*read(&chain, &exchange, id).await?));
            let expire = instructions::expire_proposal(&signer.pubkey(), &exchange.address, market, id);
            let sent = chain.send("expire", &[expire], &signer, &[]).await?;
            done(global, id, "expired", sent.signature.to_string())
        }
        Command::Seat(command) => seat::run(global, &chain, &exchange, &signer()?, command).await,
        Command::Close { id } => {
            let (signer, proposal) = (signer()?, read(&chain, &exchange, id).await?);
            let kind = proposal.terms.kind;
            ensure!(
                kind != kind::UPGRADE,
                "an upgrade is closed with its buffer: `ballast govern upgrade close BUFFER`"
            );
            let rent_to = instructions::pubkey(&proposal.payer);
            let close = instructions::close_proposal(&exchange.address, id, &rent_to, kind == kind::NEW_EXCHANGE);
            let sent = chain.send("close", &[close], &signer, &[]).await?;
            done(global, id, &format!("closed; its rent went to {rent_to}"), sent.signature.to_string())
        }
    }
}

/// The instruction that executes a proposal of its kind.
fn execution(exchange: &ExchangeAccount, proposal: &Proposal, executor: &Pubkey) -> Result<Instruction> {
    let (at, id, terms) = (&exchange.address, proposal.id, &proposal.terms);
    Ok(match terms.kind {
        kind::UPGRADE => bail!("proposal {id} is an upgrade: `ballast govern upgrade execute BUFFER`"),
        kind::NEW_EXCHANGE => bail!("proposal {id} is another exchange: `ballast govern exchange create {id}`"),
        kind::INSURANCE => {
            let from = (terms.parameter != SHARED_FUND).then_some(terms.parameter);
            let (to, markets) = (instructions::pubkey(&terms.new_key), exchange.state.markets);
            instructions::execute_insurance_withdrawal(executor, at, id, from, &to, markets)
        }
        _ if proposal.market.0 == [0; 32] => instructions::execute_exchange_proposal(executor, at, id),
        _ => instructions::execute_market_proposal(executor, at, proposal.market_index, id),
    })
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

/// The decimals that a proposal's values are shown by.
async fn scale_of(chain: &Chain, exchange: &ExchangeAccount, market: &Key, index: u16) -> Result<Scale> {
    let base = match market.0 == [0; 32] {
        true => 0,
        false => chain.read::<Market>(&address::market(&exchange.address, index)).await?.state.base_decimals,
    };
    Ok(Scale { base, quote: exchange.state.quote_decimals })
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
    what: String,
    class: u8,
    eta: i64,
    signature: String,
}

impl Queued {
    fn text(&self) -> String {
        let class = list::class(self.class);
        format!("queued: {}, class {class}; it may be executed from {} on", self.what, moment(self.eta))
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
        if let Some(signer) = &signer {
            let (key, roles) = (signer.pubkey().to_bytes(), &exchange.state.roles);
            ensure!(
                key == roles.governance.0 || key == roles.committee.0,
                "{} is neither governance nor the committee (`ballast roles`); on the local exchange: --local-role governance",
                signer.pubkey()
            );
        }
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
            let foreseen = dry_run::foresee(chain, exchange, instruction, &self.proposer).await?;
            dry_run::show(global, (self.id, &self.proposer, self.last_slot), foreseen, instruction)?;
            return Ok(None);
        };
        let sent = chain.send("queue", std::slice::from_ref(instruction), &signer, &[]).await?;
        let proposal = read(chain, exchange, self.id).await?;
        let scale = scale_of(chain, exchange, &proposal.market, proposal.market_index).await?;
        Ok(Some(Queued {
            signer,
            id: self.id,
            what: list::summary(&proposal, scale)?,
            class: proposal.terms.class,
            eta: proposal.terms.eta,
            signature: sent.signature.to_string(),
        }))
    }
}
