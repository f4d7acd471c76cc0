//! `ballast govern exchange`: further exchanges, once the program's upgrade authority is a timelock's.

use anchor_lang::prelude::Pubkey;
use anyhow::{Context, Result, ensure};
use ballast::instructions::governance::InitializeExchangeArgs;
use ballast::state::{Charter, Exchange};
use ballast_client::{address, instructions as ix};
use ballast_engine::governance::state;
use clap::Subcommand;
use serde::Serialize;
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::{How, read};
use crate::args::Global;
use crate::chain::{Chain, ExchangeAccount};
use crate::output;

/// What can be done.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Queue the exchange of another mint: seven days, vetoable
    Propose {
        /// Its collateral
        collateral: Pubkey,
        /// The token account that its protocol fees go to
        #[arg(long)]
        fees: Pubkey,
        /// Its governance
        #[arg(long)]
        governance: Pubkey,
        /// Its guardian
        #[arg(long)]
        guardian: Pubkey,
        /// Its committee, if it is to have one
        #[arg(long)]
        committee: Option<Pubkey>,
        /// A program that may own its markets' oracle accounts; one or two
        #[arg(long, required = true, num_args = 1..=2)]
        oracle_program: Vec<Pubkey>,
        #[command(flatten)]
        how: Box<How>,
    },
    /// Create the exchange of a proposal whose delay is over
    Create {
        /// The proposal's number
        id: u64,
    },
}

#[derive(Serialize)]
struct Done {
    proposal: u64,
    exchange: String,
    what: String,
}

/// Runs it.
pub(crate) async fn run(
    global: &Global,
    chain: &Chain,
    root: &ExchangeAccount,
    signer: impl FnOnce() -> Result<Keypair>,
    command: Command,
) -> Result<()> {
    let done = match command {
        Command::Propose { collateral, fees, governance, guardian, committee, oracle_program, how } => {
            ensure!(
                chain.find::<Exchange>(&address::exchange(&collateral)).await?.is_none(),
                "{collateral} has one already"
            );
            let proposing = how.begin(chain, root, signer).await?;
            let mut oracle_programs = [Pubkey::default(); 2];
            oracle_programs.iter_mut().zip(oracle_program).for_each(|(place, program)| *place = program);
            let committee = committee.unwrap_or_default();
            let args = ix::NewExchangeArgs {
                mint: collateral,
                fee_destination: fees,
                exchange: InitializeExchangeArgs { governance, committee, guardian, oracle_programs },
                version: u32::try_from(root.state.upgrades)?,
                last_slot: proposing.last_slot,
                rationale: proposing.rationale,
            };
            let by = proposing.proposer;
            let queue = ix::queue_new_exchange(&by, &by, &root.address, proposing.id, args);
            let Some(queued) = proposing.submit(global, chain, root, &queue).await? else { return Ok(()) };
            let exchange = address::exchange(&collateral).to_string();
            Done { proposal: queued.id, exchange, what: queued.text() }
        }
        Command::Create { id } => {
            let found = chain.find::<Charter>(&address::charter(&address::proposal(&root.address, id))).await?;
            let charter =
                found.with_context(|| format!("proposal {id} is about no exchange that is still to be made"))?;
            let state = read(chain, root, id).await?.terms.state;
            ensure!(state == state::PENDING, "proposal {id} has ended; see `ballast govern explain {id}`");
            let signer = signer()?;
            chain.send("create", &[ix::execute_new_exchange(&signer.pubkey(), &charter)], &signer, &[]).await?;
            let exchange = address::exchange(&ix::pubkey(&charter.mint)).to_string();
            Done { proposal: id, exchange, what: "created; its governance makes its markets".to_owned() }
        }
    };
    output::show(global.json, &done, |done| {
        format!("proposal {}: exchange {} {}", done.proposal, done.exchange, done.what)
    })
}
