//! What keepers do to others' accounts.

use ballast_client::{instructions as ix, quotes};
use ballast_engine::margin::{Purpose, Totals};
use solana_instruction::Instruction;

use crate::actors::{Trader, named};
use crate::setup::Setup;
use crate::world::Outcome;

impl Setup {
    /// A margin test's totals, funding accrued until now.
    pub fn totals(&self, trader: &Trader, purpose: Purpose) -> Totals {
        let now = self.world.now();
        let markets = self.markets().accrued(&now).expect("accrues");
        quotes::totals(&self.account(trader), &markets, purpose, &now).expect("totals")
    }

    /// Equity less maintenance, funding accrued until now.
    pub fn surplus(&self, trader: &Trader) -> i64 {
        self.totals(trader, Purpose::Maintenance).surplus().expect("in range").0
    }

    /// The market that a liquidation must start with.
    ///
    /// # Panics
    /// If no position has a good price.
    pub fn largest(&self, trader: &Trader) -> usize {
        let (slot, _) = self.totals(trader, Purpose::Maintenance).largest.expect("a position with a good price");
        self.account(trader).state.positions[slot].market.into()
    }

    /// The keeper flags an account.
    pub fn flag(&mut self, trader: &Trader) -> Outcome {
        let account = self.account(trader);
        let flag = ix::flag(&trader.subaccount, &self.keeper.subaccount, &ix::leg_metas(&account, None, false));
        self.world.measure(&named("flag", account.state.slots().count()), flag, &[])
    }

    /// The instruction by which the keeper liquidates a position, its other markets to read or to write.
    pub fn liquidate_ix(&self, trader: &Trader, market: usize, writable: bool) -> Instruction {
        let own = u16::try_from(market).expect("few markets");
        let legs = ix::leg_metas(&self.account(trader), Some(own), writable);
        ix::liquidate(&self.market_key(market), &trader.subaccount, &self.keeper.subaccount, None, &legs)
    }

    /// The keeper liquidates what pacing allows of the largest position.
    pub fn liquidate(&mut self, trader: &Trader) -> Outcome {
        let liquidate = self.liquidate_ix(trader, self.largest(trader), false);
        let positions = self.account(trader).state.slots().count();
        self.world.measure(&named("liquidate", positions), liquidate, &[])
    }

    /// The keeper clears the flag of an account that is healthy again.
    pub fn unflag(&mut self, trader: &Trader) -> Outcome {
        let unflag = ix::unflag(&trader.subaccount, &ix::leg_metas(&self.account(trader), None, false));
        self.world.measure("unflag", unflag, &[])
    }

    /// The keeper resolves an account below zero.
    pub fn resolve(&mut self, trader: &Trader) -> Outcome {
        let account = self.account(trader);
        let resolve = ix::resolve(&trader.subaccount, &ix::leg_metas(&account, None, true));
        self.world.measure(&named("resolve", account.state.slots().count()), resolve, &[])
    }

    /// Anyone settles a trader's position in a market, with all its other markets.
    pub fn settle(&mut self, trader: &Trader, market: usize) -> Outcome {
        let own = u16::try_from(market).expect("few markets");
        let legs = ix::leg_metas(&self.account(trader), Some(own), false);
        let settle = ix::settle_with(&self.market_key(market), &trader.subaccount, &legs);
        self.world.measure("settle", settle, &[])
    }

    /// Anyone collects what was paid on a trader's claim.
    pub fn collect_claim(&mut self, trader: &Trader, market: usize) -> Outcome {
        let collect = ix::collect_claim(&self.market_key(market), &trader.subaccount);
        self.world.measure("collect_claim", collect, &[])
    }

    /// Anyone collects what one pool has paid on another's claim.
    pub fn collect_pool_claim(&mut self, debtor: usize, holder: usize) -> Outcome {
        let collect = ix::collect_pool_claim(&self.market_key(debtor), &self.market_key(holder));
        self.world.measure("collect_pool_claim", collect, &[])
    }

    /// Anyone registers a market's claims on the shared insurance.
    pub fn register_insurance(&mut self, market: usize) -> Outcome {
        let register = ix::register_insurance_claim(&self.exchange, &self.market_key(market));
        self.world.measure("register_insurance_claim", register, &[])
    }

    /// Anyone pays a market what the shared insurance has released on its claims.
    pub fn pay_insurance(&mut self, market: usize) -> Outcome {
        let pay = ix::pay_insurance_claim(&self.exchange, &self.market_key(market));
        self.world.measure("pay_insurance_claim", pay, &[])
    }

    /// Moves the clock to so many seconds after the midnight that ends today, so many days later. Prices are posted again.
    pub fn midnight(&mut self, days: i64, seconds: i64) {
        let now = self.world.now().unix;
        let at = (now / 86_400 + 1 + days) * 86_400 + seconds;
        self.world.advance(at - now);
        self.post_all();
    }
}
