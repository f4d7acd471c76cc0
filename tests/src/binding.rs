//! Covenants and delegates.

use anchor_lang::prelude::Pubkey;
use ballast::instructions::trader::{SetCovenantArgs, SetDelegateArgs};
use ballast::state::Covenant;
use ballast_client::{address, instructions as ix};
use ballast_engine::constants::{DAY, HOUR};

use crate::actors::{Trader, named};
use crate::setup::Setup;
use crate::units;
use crate::world::{Expect, Outcome};

/// Five times leverage, 100,000 units of notional, 500 a day, 800 from the highest; six hours, two days, closed by others.
pub const TERMS: SetCovenantArgs = SetCovenantArgs {
    max_leverage: 5_000_000,
    max_notional: units(100_000),
    daily_loss: units(500),
    drawdown: units(800),
    cool_down: 6 * HOUR,
    loosening_delay: 2 * DAY,
    auto_close: true,
};

/// No limits, and the least that the times may be.
pub const NO_LIMITS: SetCovenantArgs = SetCovenantArgs {
    max_leverage: 0,
    max_notional: 0,
    daily_loss: 0,
    drawdown: 0,
    cool_down: HOUR,
    loosening_delay: DAY,
    auto_close: false,
};

impl Setup {
    /// The covenant address of a trader.
    pub fn covenant_key(&self, trader: &Trader) -> Pubkey {
        address::covenant(&self.exchange, &trader.address())
    }

    /// A trader's covenant.
    pub fn covenant(&self, trader: &Trader) -> Box<Covenant> {
        self.world.read(&self.covenant_key(trader))
    }

    /// A trader binds itself.
    pub fn bind(&mut self, trader: &Trader, terms: SetCovenantArgs) -> Outcome {
        let create = ix::create_covenant(&self.exchange, &trader.address(), terms);
        self.world.measure("create_covenant", create, &[&trader.key])
    }

    /// A trader with collateral who is bound by [`TERMS`].
    pub fn bound(&mut self, name: &str, collateral: u64) -> Trader {
        let trader = self.trader(name, collateral);
        self.bind(&trader, TERMS).must();
        trader
    }

    /// Tightens a trader's covenant.
    pub fn tighten(&mut self, trader: &Trader, terms: SetCovenantArgs) -> Outcome {
        let tighten = ix::tighten_covenant(&self.exchange, &trader.address(), terms);
        self.world.measure("tighten_covenant", tighten, &[&trader.key])
    }

    /// Asks for other terms.
    pub fn loosen(&mut self, trader: &Trader, terms: SetCovenantArgs) -> Outcome {
        let loosen = ix::loosen_covenant(&self.exchange, &trader.address(), terms);
        self.world.measure("loosen_covenant", loosen, &[&trader.key])
    }

    /// Anyone puts them in force.
    pub fn execute_loosening(&mut self, trader: &Trader) -> Outcome {
        let execute = ix::execute_loosening(&self.covenant_key(trader));
        self.world.measure("execute_loosening", execute, &[])
    }

    /// The owner closes its covenant.
    pub fn close_covenant(&mut self, trader: &Trader) -> Outcome {
        let close = ix::close_covenant(&self.exchange, &trader.address());
        self.world.measure("close_covenant", close, &[&trader.key])
    }

    /// Anyone shows a subaccount to its owner's covenant.
    pub fn touch(&mut self, trader: &Trader) -> Outcome {
        let account = self.account(trader);
        let legs = ix::leg_metas(&account, None, false);
        let touch = ix::touch_covenant(&self.covenant_key(trader), &trader.subaccount, &legs);
        self.world.measure(&named("touch_covenant", account.state.slots().count()), touch, &[])
    }

    /// Anyone trips it.
    pub fn trip(&mut self, trader: &Trader) -> Outcome {
        let trip = ix::trip_covenant(&self.covenant_key(trader));
        self.world.measure("trip_covenant", trip, &[])
    }

    /// All prices are published again as they are, a trader's account is shown at them, and its covenant tripped: what a loss that was seen
    /// before still needs.
    pub fn find_again(&mut self, trader: &Trader) -> Outcome {
        self.tick(1);
        self.touch(trader).must();
        self.trip(trader)
    }

    /// The keeper closes a position under it.
    pub fn close_tripped(&mut self, trader: &Trader, market: usize) -> Outcome {
        let own = u16::try_from(market).expect("few markets");
        let legs = ix::leg_metas(&self.account(trader), Some(own), false);
        let (covenant, keeper) = (self.covenant_key(trader), self.keeper.subaccount);
        let close = ix::close_tripped(&self.market_key(market), &trader.subaccount, &keeper, &covenant, &legs);
        self.world.measure("close_tripped", close, &[])
    }

    /// A trader appoints a delegate of its subaccount.
    pub fn appoint(&mut self, trader: &Trader, args: SetDelegateArgs) -> Outcome {
        let set = ix::set_delegate(&trader.address(), &trader.subaccount, args);
        self.world.measure("set_delegate", set, &[&trader.key])
    }

    /// The same for so many days, with all permissions and a budget.
    pub fn appoint_for(&mut self, trader: &Trader, delegate: Pubkey, days: i64, fee_budget: u64) {
        let until = self.world.now().unix + days * DAY;
        self.appoint(trader, SetDelegateArgs { delegate, until, permissions: 7, fee_budget }).must();
    }
}
