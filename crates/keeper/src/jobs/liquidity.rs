//! Providers' tickets: executes a deposit at the first good price after its filing, a ripe exit when the pool can pay it, and
//! gives back what has lapsed. An exit that would only be held back is left to its owner, who may want it to lapse.

use ballast::state::{Exchange, LpDeposit, LpWithdrawal};
use ballast_client::address;
use ballast_client::instructions::{self, pubkey};
use ballast_engine::Error;
use ballast_engine::liquidity::{self, Exit};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{Action, Job, View};
use crate::book::Ticket;

/// Somebody was first; the moment has passed; or the owner has no account for it, which nobody else pays for.
const RACE: &[Error] = &[
    Error::TicketNotRipe,
    Error::TicketLapsed,
    Error::TicketNotLapsed,
    Error::ExitOwnerAlone,
    Error::InsurancePending,
    Error::PoolInsolvent,
    Error::SharesZero,
    Error::MarketSettled,
    Error::PriceStale,
    Error::PriceUnconfirmed,
    Error::PriceUncertain,
    Error::PriceSilent,
    Error::WrongMint,
    Error::DestinationNotAssociated,
];

/// See the module.
pub(super) struct Liquidity;

impl Job for Liquidity {
    fn name(&self) -> &'static str {
        "liquidity"
    }

    fn plan(&mut self, view: &View<'_>) -> Vec<Action> {
        let Some(exchange) = view.book.state() else { return Vec::new() };
        let act = |(key, ticket): (&Pubkey, &Ticket)| {
            let (market, instruction) = match ticket {
                Ticket::Deposit(ticket) => (ticket.market, deposit(view, exchange, ticket)?),
                Ticket::Exit(ticket) => (ticket.market, exit(view, exchange, ticket)?),
            };
            let index = view.book.index_of(&pubkey(&market))?;
            let version = view.marks.get(index)?.state.price.last.publish_time.unsigned_abs();
            let action = view.on_market(index, "liquidity", instruction, RACE);
            Some(Action { subject: *key, version, may_vanish: true, ..action })
        };
        view.book.tickets().filter_map(act).collect()
    }
}

fn deposit(view: &View<'_>, exchange: &Exchange, ticket: &LpDeposit) -> Option<Instruction> {
    let (market, owner) = (pubkey(&ticket.market), pubkey(&ticket.owner));
    let mark = view.marks.get(view.book.index_of(&market)?)?;
    let mut trial = mark.state.clone();
    if liquidity::execute_deposit(&mut trial, ticket.amount, ticket.filed_at, &view.now).is_ok() {
        let shares = address::tokens(&owner, &address::lp_mint(&market));
        return Some(instructions::execute_lp_deposit(&market, &owner, &shares));
    }
    liquidity::check_lapsed(ticket.filed_at, &view.now).ok()?;
    let purse = address::tokens(&owner, &pubkey(&exchange.mint));
    Some(instructions::lapse_lp_deposit(&view.book.exchange(), &market, &owner, &purse))
}

fn exit(view: &View<'_>, exchange: &Exchange, ticket: &LpWithdrawal) -> Option<Instruction> {
    let (market, owner) = (pubkey(&ticket.market), pubkey(&ticket.owner));
    let mark = view.marks.get(view.book.index_of(&market)?)?;
    let mut trial = mark.state.clone();
    // In a settled market it is the owner's alone.
    let may =
        !trial.is_settled() && liquidity::check_exit(ticket.ripe_at, ticket.window_start, false, &view.now).is_ok();
    if may && !exchange.emergency.active(&view.now) {
        let paid = liquidity::execute_exit(&mut trial, ticket.shares, ticket.ripe_at, &view.now);
        if matches!(paid, Ok(Exit::Paid { .. })) {
            let purse = address::tokens(&owner, &pubkey(&exchange.mint));
            return Some(instructions::execute_lp_withdrawal(&view.book.exchange(), &market, &owner, &purse));
        }
    }
    liquidity::check_lapsed(ticket.window_start, &view.now).ok()?;
    let shares = address::tokens(&owner, &address::lp_mint(&market));
    Some(instructions::lapse_lp_withdrawal(&market, &owner, &shares))
}
