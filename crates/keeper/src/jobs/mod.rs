//! What a keeper does, one job a file. A job looks at a [`View`] and says which transactions should go through now by the
//! engine's own word; it sends nothing and keeps nothing. A new job is a file, a line in [`all`] and one in the
//! configuration's list ([`crate::config::Jobs`]).

mod claims;
mod covenants;
mod deleverage;
mod execute;
mod insurance;
mod liquidate;
mod liquidity;
mod orders;
mod prices;
mod proposals;
mod settle;
mod settlement;
mod unflag;

use std::collections::HashSet;

use ballast_client::rpc::{PACKET, size, unit_limit, unit_price};
use ballast_client::{address, instructions};
use ballast_engine::account::{AccountState, Position};
use ballast_engine::closing::sure_value;
use ballast_engine::{Error, Now};
use solana_instruction::Instruction;
use solana_message::AddressLookupTableAccount;
use solana_pubkey::Pubkey;

use crate::book::{Book, Entry};
use crate::config::{Jobs, Timing};
use crate::fees::Need;
use ballast_client::health::{Marks, Scan};

/// Everything at one moment.
pub struct View<'a> {
    /// The clock.
    pub now: Now,
    /// What is known.
    pub book: &'a Book,
    /// The markets to judge by.
    pub marks: &'a Marks,
    /// What judging everybody has found.
    pub scan: &'a Scan,
    /// The subaccount that earns.
    pub reward: Pubkey,
    /// Who signs and pays.
    pub payer: Pubkey,
    /// When to do what.
    pub timing: &'a Timing,
    /// What shortens transactions.
    pub tables: &'a [AddressLookupTableAccount],
    /// Actions, by job and subject, that were tried last in vain and wait for their next try.
    pub held: &'a HashSet<(&'static str, Pubkey)>,
}

/// A transaction that should go through.
#[derive(Clone, Debug)]
pub struct Action {
    /// The job, for logs and books.
    pub job: &'static str,
    /// The account acted upon: one action at a time.
    pub subject: Pubkey,
    /// Changes when the chain has moved on for this subject.
    pub version: u64,
    /// The instructions.
    pub instructions: Vec<Instruction>,
    /// Refusals by which the chain says that somebody else did it, or that the moment has passed.
    pub race: &'static [Error],
    /// Whether an account of it may be closed by then: also somebody else's doing.
    pub may_vanish: bool,
    /// What it earns at least by what is known now, in the collateral's smallest unit; 0 where nobody pays.
    pub reward: u64,
    /// Whether the liquidated account was flagged by the keeper itself, which then earns that share too.
    pub own_flag: bool,
    /// Whose budget it is paid from where nobody pays, or where it fails.
    pub need: Need,
    /// Lower goes first.
    pub rank: i64,
}

impl Action {
    /// The job and the account that it acts upon.
    pub fn key(&self) -> (&'static str, Pubkey) {
        (self.job, self.subject)
    }

    /// The oracle accounts that it stores prices from.
    pub fn oracles(&self) -> impl Iterator<Item = Pubkey> + '_ {
        self.instructions.iter().filter_map(instructions::stored_oracle)
    }
}

/// A job.
pub trait Job: Send {
    /// Its name, as in the configuration.
    fn name(&self) -> &'static str;
    /// What should be sent now.
    fn plan(&mut self, view: &View<'_>) -> Vec<Action>;
}

/// The jobs that are switched on, in the order in which they come if there is no time for all.
pub fn all(on: &Jobs) -> Vec<Box<dyn Job>> {
    let mut jobs: Vec<Box<dyn Job>> = Vec::new();
    let mut add = |on: bool, job: Box<dyn Job>| {
        if on {
            jobs.push(job);
        }
    };
    add(on.liquidate, Box::new(liquidate::Liquidate));
    add(on.orders, Box::new(orders::Orders));
    add(on.covenants, Box::new(covenants::Covenants));
    add(on.unflag, Box::new(unflag::Unflag));
    add(on.settle, Box::new(settle::Settle));
    add(on.prices, Box::new(prices::Prices));
    add(on.insurance, Box::new(insurance::Insurance));
    add(on.claims, Box::new(claims::Claims));
    add(on.settlement, Box::new(settlement::Settlement));
    add(on.deleverage, Box::new(deleverage::Deleverage));
    add(on.liquidity, Box::new(liquidity::Liquidity));
    add(on.execute, Box::new(execute::Execute));
    add(on.proposals, Box::new(proposals::Proposals));
    jobs
}

/// Ranks by which jobs are put in order; within a liquidation the worst account goes first.
mod rank {
    pub(super) const LIQUIDATE: i64 = 0;
    pub(super) const FLAG: i64 = 1_000_000_000;
    pub(super) const PRICE: i64 = 2_000_000_000;
    pub(super) const ORDER: i64 = 3_000_000_000;
    pub(super) const REST: i64 = 4_000_000_000;
}

impl View<'_> {
    /// Instructions that store the oracles' newer prices in these markets, to go in front.
    fn refresh(&self, markets: impl IntoIterator<Item = u16>) -> Vec<Instruction> {
        let mut indices: Vec<u16> = markets.into_iter().collect();
        indices.sort_unstable();
        indices.dedup();
        let exchange = self.book.exchange();
        let fresh = |index: u16| {
            let oracle = self.marks.get(index)?.fresh?;
            Some(instructions::update_market(&address::market(&exchange, index), &oracle))
        };
        indices.into_iter().filter_map(fresh).collect()
    }

    /// The same for all markets of an account.
    fn refresh_of(&self, entry: &Entry) -> Vec<Instruction> {
        self.refresh(entry.account.state.slots().map(|(_, position)| position.market))
    }

    /// Whether instructions fit one transaction.
    fn fits(&self, instructions: &[Instruction]) -> bool {
        let all = [&[unit_limit(0), unit_price(0)], instructions].concat();
        size(&all, &self.payer, self.tables).is_some_and(|size| size <= PACKET)
    }

    /// An action on a subaccount, its markets refreshed in front.
    fn on(&self, entry: &Entry, job: &'static str, instruction: Instruction, race: &'static [Error]) -> Action {
        let mut instructions = self.refresh_of(entry);
        instructions.push(instruction);
        let flag = &entry.account.state.flag;
        Action {
            job,
            subject: entry.key,
            version: entry.account.state.sequence ^ (flag.slot << 20) ^ flag.last_slot,
            instructions,
            race,
            may_vanish: true,
            reward: 0,
            own_flag: false,
            need: Need::of(job),
            rank: rank::REST,
        }
    }

    /// Whether what an account surely has pays all its losses: only then is one of them taken by anyone's call.
    fn surely_pays(&self, account: &AccountState) -> bool {
        let value = |(_, position): (usize, &Position)| {
            let mark = self.marks.get(position.market)?;
            sure_value(&mark.state, position, true, &self.now).ok().map(|value| i128::from(value.0))
        };
        let sum =
            account.slots().map(value).try_fold(i128::from(account.collateral.0), |sum, value| Some(sum + value?));
        sum.is_some_and(|sum| sum >= 0)
    }

    /// An action on a market that nobody pays for, its price refreshed in front.
    fn on_market(&self, index: u16, job: &'static str, instruction: Instruction, race: &'static [Error]) -> Action {
        let mut instructions = self.refresh([index]);
        instructions.push(instruction);
        Action {
            job,
            subject: address::market(&self.book.exchange(), index),
            version: self.book.market(index).map_or(0, |market| market.state.sequence),
            instructions,
            race,
            may_vanish: false,
            reward: 0,
            own_flag: false,
            need: Need::of(job),
            rank: rank::REST,
        }
    }
}
