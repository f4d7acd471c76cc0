//! Orders and immediate reductions.

use anchor_lang::prelude::Pubkey;
use ballast::instructions::trader::PlaceOrderArgs;
use ballast::state::Order;
use ballast_client::{address, instructions as ix};
use solana_instruction::Instruction;

use crate::actors::{Trader, named};
use crate::setup::{Setup, base_for};
use crate::world::{Expect, Outcome, Sent};

/// What an order asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ask {
    /// Signed size: positive buys.
    pub size: i64,
    /// Worst average price; 0 for none.
    pub limit: u64,
    /// Last second in which it may fill; 0 for never.
    pub expires_at: i64,
    /// Whether it may only reduce.
    pub reduce_only: bool,
    /// Kind: 0 market, 1 limit, 2 stop entry, 3 exit.
    pub kind: u8,
    /// A stop entry's price.
    pub trigger: u64,
    /// Stop of an exit, or of an entry's exits.
    pub stop: u64,
    /// Target, likewise.
    pub target: u64,
    /// Distance at which that stop follows.
    pub trail: u64,
}

impl Ask {
    /// As the instruction takes it.
    pub const fn args(self) -> PlaceOrderArgs {
        let Self { size, limit, expires_at, reduce_only, kind, trigger, stop, target, trail } = self;
        PlaceOrderArgs { size, limit, expires_at, reduce_only, kind, trigger, stop, target, trail }
    }
}

impl From<i64> for Ask {
    fn from(size: i64) -> Self {
        Self { size, ..Self::default() }
    }
}

impl Setup {
    /// The signed size that a notional (quote atoms; negative sells) buys at a market's last posted price.
    pub fn size_for(&self, market: usize, notional: i64) -> i64 {
        let decimals = self.terms.markets[market].base_decimals;
        let base = base_for(notional.unsigned_abs(), self.posted[market].price, decimals);
        i64::try_from(base).expect("fits") * notional.signum()
    }

    /// The signed size that a trader holds in a market.
    pub fn position(&self, trader: &Trader, market: usize) -> i64 {
        let account = self.account(trader);
        let slot = account.state.find(u16::try_from(market).expect("few markets"));
        slot.map_or(0, |slot| account.state.positions[slot].size.0)
    }

    /// The instruction that places an order, and the order's address.
    pub fn place_ix(&self, trader: &Trader, market: usize, ask: Ask) -> (Instruction, Pubkey) {
        let id = self.account(trader).state.next_order;
        let place = ix::place_order(&trader.address(), &self.market_key(market), &trader.subaccount, id, ask.args());
        (place, address::order(&trader.subaccount, id))
    }

    /// Places an order; its address.
    ///
    /// # Errors
    /// As [`Outcome`].
    pub fn place(
        &mut self,
        trader: &Trader,
        market: usize,
        ask: impl Into<Ask>,
    ) -> Result<Pubkey, Box<crate::Refused>> {
        let (place, order) = self.place_ix(trader, market, ask.into());
        self.world.measure("place_order", place, &[&trader.key])?;
        Ok(order)
    }

    /// The instruction by which the keeper fills an order, with all the account's other markets, to read or to write.
    pub fn execute_ix(&self, trader: &Trader, market: usize, order: &Pubkey, writable: bool) -> Instruction {
        let own = u16::try_from(market).expect("few markets");
        let account = self.account(trader);
        let (legs, covenant) = (ix::leg_metas(&account, Some(own), writable), ix::pubkey(&account.covenant));
        let (market, keeper) = (self.market_key(market), self.keeper.subaccount);
        ix::execute_order(&market, &trader.subaccount, order, &trader.address(), Some(&keeper), &covenant, &legs)
    }

    /// The keeper fills an order.
    pub fn execute(&mut self, trader: &Trader, market: usize, order: &Pubkey) -> Outcome {
        let execute = self.execute_ix(trader, market, order, false);
        let before = self.account(trader).state.slots().count();
        let sent = self.world.send(&[execute], &[])?;
        let held = before.max(self.account(trader).state.slots().count());
        self.world.record(&named("execute_order", held), sent.units);
        Ok(sent)
    }

    /// Places an order, posts all prices as soon as one can fill it, and lets the keeper do that.
    pub fn trade(&mut self, trader: &Trader, market: usize, ask: impl Into<Ask>) -> Outcome {
        let order = self.place(trader, market, ask)?;
        self.later();
        self.execute(trader, market, &order)
    }

    /// Opens or increases a position by a notional at the last price (quote atoms; negative sells).
    #[track_caller]
    pub fn open(&mut self, trader: &Trader, market: usize, notional: i64) -> Sent {
        let size = self.size_for(market, notional);
        self.trade(trader, market, size).must()
    }

    /// Closes a position by a reduce-only order.
    #[track_caller]
    pub fn close(&mut self, trader: &Trader, market: usize) -> Sent {
        let size = -self.position(trader, market);
        self.trade(trader, market, Ask { size, reduce_only: true, ..Ask::default() }).must()
    }

    /// The owner cancels an order.
    pub fn cancel(&mut self, trader: &Trader, market: usize, order: &Pubkey) -> Outcome {
        let (owner, market) = (trader.address(), self.market_key(market));
        let cancel = ix::cancel_order(&owner, &market, &trader.subaccount, order, &owner, None);
        self.world.measure("cancel_order", cancel, &[&trader.key])
    }

    /// The keeper cancels a dead order for its fee.
    pub fn cancel_dead(&mut self, trader: &Trader, market: usize, order: &Pubkey) -> Outcome {
        let (keeper, market) = (self.keeper.clone(), self.market_key(market));
        let (caller, rent_to) = (keeper.address(), trader.address());
        let reward = Some(&keeper.subaccount);
        let cancel = ix::cancel_order(&caller, &market, &trader.subaccount, order, &rent_to, reward);
        self.world.measure("cancel_order", cancel, &[&keeper.key])
    }

    /// The keeper cancels, for its fee, an order that its account cannot fill.
    pub fn cancel_unfillable(&mut self, trader: &Trader, market: usize, order: &Pubkey) -> Outcome {
        let own = u16::try_from(market).expect("few markets");
        let account = self.account(trader);
        let (legs, covenant) = (ix::leg_metas(&account, Some(own), false), ix::pubkey(&account.covenant));
        let (keeper, market) = (self.keeper.clone(), self.market_key(market));
        let (caller, rent_to) = (keeper.address(), trader.address());
        let (account, reward, covenant) = (&trader.subaccount, Some(&keeper.subaccount), Some(&covenant));
        let cancel = ix::cancel_unfillable(&caller, &market, account, order, &rent_to, reward, covenant, &legs);
        self.world.measure("cancel_order", cancel, &[&keeper.key])
    }

    /// Anybody records how far an order has come.
    pub fn trigger(&mut self, trader: &Trader, market: usize, order: &Pubkey) -> Outcome {
        let trigger = ix::trigger_order(&self.market_key(market), &trader.subaccount, order);
        self.world.measure("trigger_order", trigger, &[])
    }

    /// An order as it is.
    pub fn order(&self, order: &Pubkey) -> Box<Order> {
        self.world.read(order)
    }

    /// The owner reduces at once, with all its other markets, to read or to write.
    pub fn reduce(&mut self, trader: &Trader, market: usize, size: u64, writable: bool) -> Outcome {
        let own = u16::try_from(market).expect("few markets");
        let account = self.account(trader);
        let legs = ix::leg_metas(&account, Some(own), writable);
        let reduce = ix::reduce(&trader.address(), &self.market_key(market), &trader.subaccount, size, 0, &legs);
        self.world.measure(&named("reduce", account.state.slots().count()), reduce, &[&trader.key])
    }

    /// The owner leaves a silent market.
    pub fn exit_silent(&mut self, trader: &Trader, market: usize) -> Outcome {
        let own = u16::try_from(market).expect("few markets");
        let legs = ix::leg_metas(&self.account(trader), Some(own), false);
        let exit = ix::exit_silent(&trader.address(), &self.market_key(market), &trader.subaccount, &legs);
        self.world.measure("exit_silent", exit, &[&trader.key])
    }
}
