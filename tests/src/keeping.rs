//! What keepers do to others' accounts.

use ballast_client::{instructions as ix, quotes};
use ballast_engine::constants::{DELEVERAGE_AFTER, SETTLEMENT_WAIT};
use ballast_engine::margin::{Purpose, Totals};
use solana_instruction::Instruction;

use crate::actors::{Trader, named};
use crate::setup::{Setup, Terms};
use crate::units;
use crate::world::{Expect as _, Outcome};

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

    /// Anyone deleverages a market's winning side.
    pub fn deleverage(&mut self, market: usize) -> Outcome {
        let deleverage = ix::deleverage(&self.market_key(market));
        self.world.measure("deleverage", deleverage, &[])
    }

    /// Anyone lets a trader's position pick up a deleveraging.
    pub fn pick_up(&mut self, trader: &Trader, market: usize) -> Outcome {
        let pick_up = ix::pick_up_deleveraging(&self.market_key(market), &trader.subaccount);
        self.world.measure("pick_up_deleveraging", pick_up, &[])
    }

    /// Two markets with little liquidity and no insurance; in market 0 alice and bob are long and carol short. It has risen by
    /// a quarter, alice has settled, and what the pool could not pay her is a claim: an episode is open.
    pub fn in_episode() -> (Self, [Trader; 3]) {
        let mut terms = Terms::cross(2);
        for market in &mut terms.markets {
            market.liquidity = units(20_000);
            market.insurance = 0;
        }
        let mut setup = Self::with(&terms);
        let traders = [("alice", 40_000), ("bob", 40_000), ("carol", 100_000)];
        let [alice, bob, carol] = traders.map(|(name, amount)| setup.trader(name, units(amount)));
        setup.open(&carol, 0, -units(180_000).cast_signed());
        setup.open(&alice, 0, units(90_000).cast_signed());
        setup.open(&bob, 0, units(90_000).cast_signed());
        setup.move_by(0, 2_500);
        setup.settle(&alice, 0).must();
        assert!(setup.market(0).state.claims_block());
        (setup, [alice, bob, carol])
    }

    /// The same two days later, when nobody has settled the others.
    pub fn after_an_episode() -> (Self, [Trader; 3]) {
        let (mut setup, traders) = Self::in_episode();
        setup.world.advance(DELEVERAGE_AFTER);
        setup.tick(1);
        (setup, traders)
    }

    /// Anyone begins a market's settlement, calls it off or fixes its price.
    pub fn advance_settlement(&mut self, market: usize) -> Outcome {
        let advance = ix::advance_settlement(&self.market_key(market));
        self.world.measure("advance_settlement", advance, &[])
    }

    /// Anyone closes what a trader has in a settled market.
    pub fn close_settled(&mut self, trader: &Trader, market: usize) -> Outcome {
        let own = u16::try_from(market).expect("few markets");
        let legs = ix::leg_metas(&self.account(trader), Some(own), true);
        let close = ix::close_settled(&self.market_key(market), &trader.subaccount, &legs);
        self.world.measure("close_settled", close, &[])
    }

    /// [`Setup::in_episode`], with a pool that losses elsewhere have left without cash, below a floor of 5 %.
    pub fn below_floor() -> (Self, [Trader; 3]) {
        let (mut setup, traders) = Self::in_episode();
        let mut market = setup.market(0);
        let pool = &mut market.state.pool;
        // The tokens stay in the vault: as fees.
        let lost = pool.cash.0 - pool.claims_paid.0;
        pool.cash.0 -= lost;
        pool.protocol_fees.0 += lost;
        market.state.params.settlement_floor.0 = 50_000;
        setup.world.write(&setup.market_key(0), &*market);
        (setup, traders)
    }

    /// The same a day later, settled at its price.
    pub fn settled() -> (Self, [Trader; 3]) {
        let (mut setup, traders) = Self::below_floor();
        setup.advance_settlement(0).must();
        setup.world.advance(SETTLEMENT_WAIT);
        setup.tick(1);
        setup.advance_settlement(0).must();
        (setup, traders)
    }
}
