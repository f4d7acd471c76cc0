//! Lets traders do what they decided on.

use anyhow::Result;
use ballast::instructions::trader::{PlaceOrderArgs, ReduceArgs};
use ballast_client::events::Event;
use ballast_client::{address, instructions};
use ballast_engine::Error;
use solana_instruction::Instruction;
use solana_signer::Signer;

use super::actors::{Action, PlacedOrder};
use super::stage::{Snapshot, Stage};
use crate::desk::{Expect, Job};
use crate::tokens;

/// A guardian's pause, a flag put on the account since it was looked at, or a price that is not good any more.
const PLACING: &[Error] = &[
    Error::MarketReduceOnly,
    Error::FlaggedAccount,
    Error::PositionNotFound,
    Error::PriceStale,
    Error::PriceUnconfirmed,
    Error::PriceUncertain,
    Error::PriceSilent,
];
/// The price has gone stale or the keeper has been faster.
const REDUCING: &[Error] = &[
    Error::PriceStale,
    Error::PositionNotFound,
    Error::SizeNotReducing,
    Error::WorsensShortfall,
    Error::SizeBelowMinimum,
    Error::LossNotCovered,
];
/// Realised profit leaves slowly.
const WITHDRAWING: &[Error] = &[Error::OutflowLimited, Error::InsufficientCollateral, Error::FlaggedAccount];
/// Filled or cancelled in the meantime: the account is gone, which Anchor reports, not Ballast.
const CANCELLING: &[Error] = &[Error::OrderLocked];

impl Stage {
    /// Everybody decides on what they see and acts, all at once.
    pub(crate) async fn act(&mut self, snapshot: &Snapshot) -> Result<()> {
        let mut jobs = Vec::new();
        let mut acting = Vec::new();
        for number in 0..self.traders.len() {
            let Some(account) = snapshot.accounts.get(number) else { continue };
            let trader = &self.traders[number];
            if let Some(order) = trader.order {
                if order.unwanted && snapshot.now.unix > order.placed_at + ballast_engine::constants::ORDER_LOCK {
                    jobs.push(self.cancel(number, &order));
                    acting.push((number, None));
                }
                continue;
            }
            let decided = trader.decide(account, &snapshot.markets, &snapshot.now, &mut self.random);
            if let Some(action) = decided {
                jobs.push(self.job(number, account, action));
                acting.push((number, Some(action)));
            }
        }
        let outcomes = self.venue.desk.send_all(jobs).await;
        for ((number, action), outcome) in acting.into_iter().zip(outcomes) {
            if outcome.is_done() {
                self.done(number, action, &outcome.events());
            }
        }
        Ok(())
    }

    fn done(&mut self, number: usize, action: Option<Action>, events: &[Event]) {
        let trader = &mut self.traders[number];
        match action {
            None => trader.order = None,
            Some(Action::Deposit(amount)) => trader.deposited += amount,
            Some(Action::Withdraw(amount)) => trader.withdrawn += amount,
            Some(Action::Reduce { .. }) => {}
            Some(Action::Order { market, .. }) => self.note_order(number, market, events),
        }
    }

    /// The transaction of an action.
    pub(crate) fn job(&self, number: usize, account: &ballast::state::Subaccount, action: Action) -> Job {
        let (venue, trader) = (&self.venue, &self.traders[number]);
        let owner = trader.key.pubkey();
        let purse = tokens::associated(&owner, &venue.mint);
        let (exchange, subaccount) = (&venue.exchange, &trader.subaccount);
        let (what, instruction, expect): (_, Instruction, _) = match action {
            Action::Order { market, size, reduce_only } => {
                let args = PlaceOrderArgs { size, reduce_only, ..PlaceOrderArgs::default() };
                let market = address::market(exchange, market);
                let id = account.state.next_order;
                ("place order", instructions::place_order(&owner, &market, subaccount, id, args), PLACING)
            }
            Action::Reduce { market, size } => {
                let ReduceArgs { size, limit } = ReduceArgs { size, limit: 0 };
                let legs = instructions::leg_metas(account, Some(market), true);
                let market = address::market(exchange, market);
                ("reduce", instructions::reduce(&owner, &market, subaccount, size, limit, &legs), REDUCING)
            }
            Action::Deposit(amount) => {
                ("deposit", instructions::deposit(exchange, &owner, subaccount, &purse, amount), &[])
            }
            Action::Withdraw(amount) => {
                let legs = instructions::leg_metas(account, None, false);
                let withdraw = instructions::withdraw(exchange, &owner, subaccount, &purse, amount, &legs);
                ("withdraw", withdraw, WITHDRAWING)
            }
        };
        let expect = if expect.is_empty() { Expect::Done } else { Expect::Either(expect) };
        Job { what, instructions: vec![instruction], payer: trader.key.clone(), expect }
    }

    fn cancel(&self, number: usize, order: &PlacedOrder) -> Job {
        let trader = &self.traders[number];
        let owner = trader.key.pubkey();
        let market = address::market(&self.venue.exchange, order.market);
        let cancel = instructions::cancel_order(&owner, &market, &trader.subaccount, &order.address, &owner, None);
        Job {
            what: "cancel order",
            instructions: vec![cancel],
            payer: trader.key.clone(),
            expect: Expect::Either(CANCELLING),
        }
    }
}
