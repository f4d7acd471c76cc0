//! The keeper: fills orders, flags accounts below maintenance, liquidates them stage by stage, clears flags, resolves
//! what is below zero. It judges with the engine on what it reads from the chain, and sends only what should go
//! through; the chain judges again.

use anyhow::Result;
use ballast::state::Subaccount;
use ballast_client::events::Event;
use ballast_client::{Markets, address, instructions, quotes};
use ballast_engine::margin::{Purpose, Totals, unrealised};
use ballast_engine::order::OrderTerms;
use ballast_engine::{Error, Now, Rounding, liquidation};
use solana_instruction::Instruction;
use solana_signer::Signer;

use super::stage::{Snapshot, Stage};
use crate::desk::{Expect, Job, Outcome};
use crate::{keys, tokens};

/// Why a fill may be refused that was right to try: the account, the market or the price has moved since the placing.
const FILLING: &[Error] = &[
    Error::OrderTooEarly,
    Error::OrderLapsed,
    Error::PriceStale,
    Error::PriceUnconfirmed,
    Error::InitialMargin,
    Error::InsufficientCollateral,
    Error::OpenInterestCap,
    Error::OpenInterestImpact,
    Error::OpenInterestStress,
    Error::MarketReduceOnly,
    Error::ExitsWaiting,
    Error::PoolClaims,
    Error::PositionNotFound,
    Error::SizeBelowMinimum,
    Error::FlaggedAccount,
    Error::LossNotCovered,
    Error::WorsensShortfall,
];
/// Those of them that pass: the order is tried again.
const PASSING: &[Error] = &[Error::OrderTooEarly, Error::PriceStale, Error::PriceUnconfirmed, Error::ExitsWaiting];
/// Somebody was first, or the price has moved.
const FLAGGING: &[Error] = &[Error::AccountHealthy, Error::AlreadyFlagged, Error::PriceStale, Error::PriceUnconfirmed];
/// The same for a liquidation.
const LIQUIDATING: &[Error] = &[
    Error::NotFlagged,
    Error::PacingExhausted,
    Error::CapacityExhausted,
    Error::PriceStale,
    Error::PriceUnconfirmed,
    Error::AccountBankrupt,
    Error::PositionNotFound,
];
/// The position was closed or settled in between, or the price is not good.
const SETTLING: &[Error] = &[Error::CoverTooEarly, Error::PositionNotFound, Error::PriceStale, Error::PriceUnconfirmed];
/// Losses are settled from one part in so many of notional on.
const SETTLED_FROM: u64 = 500;
/// Positions settled at a time.
const SETTLED: usize = 4;
const RESOLVING: &[Error] = &[Error::NotBankrupt, Error::NotFlagged, Error::PriceStale, Error::PriceUnconfirmed];
const UNFLAGGING: &[Error] = &[Error::NotFlagged, Error::StillUnhealthy, Error::PriceStale];

/// What a job is about.
#[derive(Clone, Copy)]
enum About {
    Order(usize),
    Account(usize),
}

impl Stage {
    /// One round; returns what was seen before it.
    pub(crate) async fn keep(&mut self) -> Result<Snapshot> {
        let snapshot = self.snapshot().await?;
        let mut jobs = Vec::new();
        let mut about = Vec::new();
        for (number, account) in snapshot.accounts.iter().enumerate() {
            if let Some(job) = self.watch(account, &snapshot, number) {
                jobs.push(job);
                about.push(About::Account(number));
            } else if let Some(job) = self.fill(number, account, &snapshot) {
                jobs.push(job);
                about.push(About::Order(number));
            }
        }
        if jobs.is_empty() {
            return Ok(snapshot);
        }
        let outcomes = self.venue.desk.send_all(jobs).await;
        for (about, outcome) in about.into_iter().zip(outcomes) {
            match about {
                About::Order(number) => self.after_fill(number, &outcome),
                About::Account(number) => {
                    if outcome.events().iter().any(|e| matches!(e, Event::Liquidated(_) | Event::Resolved(_))) {
                        self.traders[number].liquidated = true;
                    }
                }
            }
        }
        Ok(snapshot)
    }

    /// Settles the open positions that have lost most: their pools get the cash, and can pay profits with it.
    pub(crate) async fn settle(&self) -> Result<()> {
        let snapshot = self.snapshot().await?;
        let mut losers = Vec::new();
        for (trader, account) in self.traders.iter().zip(&snapshot.accounts) {
            for (_, position) in account.state.slots().filter(|(_, p)| p.is_open()) {
                let Some(market) = snapshot.markets.get(position.market) else { continue };
                let price = market.state.price.last.price;
                let pnl = unrealised(position, price).map_or(0, |pnl| pnl.0);
                // Within the confidence that the maintenance test grants, there is no loss yet to settle.
                let notional = position.base().value(price, Rounding::Up).map_or(0, |value| value.0);
                if account.state.collateral.is_zero() || pnl >= 0 || pnl.unsigned_abs() < notional / SETTLED_FROM {
                    continue;
                }
                let legs = instructions::leg_metas(account, Some(position.market), false);
                let market = address::market(&self.venue.exchange, position.market);
                losers.push((pnl, instructions::settle_with(&market, &trader.subaccount, &legs)));
            }
        }
        losers.sort_by_key(|(pnl, _)| *pnl);
        let worst = losers.into_iter().take(SETTLED);
        let jobs = worst.map(|(_, settle)| self.keeper_job("settle", settle, SETTLING));
        self.venue.desk.send_all(jobs.collect()).await;
        Ok(())
    }

    /// Sends the protocol's share of the fees where it belongs.
    pub(crate) async fn collect_fees(&self) {
        let destination = tokens::associated(&keys::local(keys::GOVERNANCE).pubkey(), &self.venue.mint);
        for listing in &self.venue.listings {
            let collect = instructions::collect_fees(&self.venue.exchange, &listing.market, &destination);
            let key = &self.keeper.key;
            let _ = self.venue.desk.send("collect fees", &[collect], key, &[], Expect::Done).await;
        }
    }

    fn keeper_job(&self, what: &'static str, instruction: Instruction, expect: &'static [Error]) -> Job {
        let expect = Expect::Either(expect);
        Job { what, instructions: vec![instruction], payer: self.keeper.key.clone(), expect }
    }

    /// Fills an order once a price was published after its placing.
    fn fill(&self, number: usize, account: &Subaccount, snapshot: &Snapshot) -> Option<Job> {
        let trader = self.traders.get(number)?;
        let order = trader.order.filter(|order| !order.unwanted)?;
        let state = &snapshot.markets.get(order.market)?.state;
        if state.price.last.publish_time <= order.placed_at {
            return None;
        }
        let market = address::market(&self.venue.exchange, order.market);
        let owner = trader.key.pubkey();
        let keeper = Some(&self.keeper.flagger);
        let terms = OrderTerms { placed_at: order.placed_at, placed_slot: 1, ..OrderTerms::default() };
        if terms.dead(state, &snapshot.now).is_some() {
            // Prices were jumping all the while: it can never fill again, and whoever cleans it up gets its fee.
            let caller = self.keeper.key.pubkey();
            let cancel =
                instructions::cancel_order(&caller, &market, &trader.subaccount, &order.address, &owner, keeper);
            return Some(self.keeper_job("cancel dead order", cancel, &[]));
        }
        let legs = instructions::leg_metas(account, Some(order.market), false);
        let fill = instructions::execute_order(&market, &trader.subaccount, &order.address, &owner, keeper, &legs);
        Some(self.keeper_job("fill order", fill, FILLING))
    }

    fn after_fill(&mut self, number: usize, outcome: &Outcome) {
        let trader = &mut self.traders[number];
        match outcome {
            Outcome::Done(_) => trader.order = None,
            Outcome::Refused(error) if PASSING.contains(error) => {}
            Outcome::Refused(_) | Outcome::Failed => {
                if let Some(order) = &mut trader.order {
                    order.unwanted = true;
                }
            }
        }
    }

    /// What an account's health asks for, if anything.
    fn watch(&self, account: &Subaccount, snapshot: &Snapshot, number: usize) -> Option<Job> {
        let (markets, now) = (&snapshot.markets, &snapshot.now);
        let key = &self.traders.get(number)?.subaccount;
        let flag = &account.state.flag;
        if account.state.is_flat() && flag.slot == 0 {
            return None;
        }
        let totals = quotes::totals(account, markets, Purpose::Maintenance, now).ok()?;
        let healthy = totals.surplus().ok()?.loss().is_zero();
        let all = || instructions::leg_metas(account, None, false);
        if !liquidation::is_flagged(&account.state, now) {
            if !healthy && totals.largest.is_some() {
                return Some(self.keeper_job("flag", instructions::flag(key, &self.keeper.flagger, &all()), FLAGGING));
            }
            return None;
        }
        if totals.shortage().ok()?.is_zero() {
            return Some(self.keeper_job("unflag", instructions::unflag(key, &all()), UNFLAGGING));
        }
        if !totals.full_equity.loss().is_zero() {
            let legs = instructions::leg_metas(account, None, true);
            return Some(self.keeper_job("resolve", instructions::resolve(key, &legs), RESOLVING));
        }
        let market = would_liquidate(account, markets, &totals, now)?;
        let legs = instructions::leg_metas(account, Some(market), true);
        let market = address::market(&self.venue.exchange, market);
        let keeper = &self.keeper;
        let liquidate = instructions::liquidate(&market, key, &keeper.liquidator, Some(&keeper.flagger), &legs);
        Some(self.keeper_job("liquidate", liquidate, LIQUIDATING))
    }
}

/// The market in which a liquidation would go through now, by the engine's own word on copies.
fn would_liquidate(account: &Subaccount, markets: &Markets, totals: &Totals, now: &Now) -> Option<u16> {
    let (slot, _) = totals.largest?;
    let index = account.state.position(slot).ok()?.market;
    let mut market = Box::new(markets.get(index)?.state);
    let mut account = Box::new(account.state);
    liquidation::liquidate(&mut market, &mut account, slot, totals, now).ok()?;
    Some(index)
}
