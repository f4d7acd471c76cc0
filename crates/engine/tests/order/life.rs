//! The life of orders over random sequences: an entry fills at most once and its exits at most once, what is put aside is
//! conserved to the atom, an exit that outlived its position never fills, and at the end everything that was put aside is
//! back or was earned.

use std::collections::BTreeMap;

use ballast_engine::constants::{ORDER_LIFE, ORDER_LOCK};
use ballast_engine::order::{Kind, OrderTerms, cancels};
use ballast_engine::{Error, Price, Result, SignedBase};

use crate::world::{Dice, KEEPER, Op, UNIT, Waiting, World, runs, seed};

/// How often each order filled, by its number: as an entry (or an order of its own), as the exits of a bracket.
type Fills = BTreeMap<u64, (u32, u32)>;

struct Play {
    world: World,
    dice: Dice,
    /// The orders' numbers, as the world's list has them.
    numbers: Vec<u64>,
    next: u64,
    fills: Fills,
    /// Fees put aside, earned by the keeper, given back.
    placed: u64,
    earned: u64,
    returned: u64,
}

impl Play {
    fn new(mut dice: Dice) -> Self {
        let mut world = World::crowded(|| dice.next() as u8);
        while !world.orders.is_empty() {
            // What the scene left unfilled.
            let terms = world.orders.remove(0);
            world.accounts[terms.account].collateral.0 += terms.terms.fee.0;
        }
        for account in &mut world.accounts {
            account.orders = 0;
        }
        let (numbers, fills) = (Vec::new(), Fills::new());
        Self { world, dice, numbers, next: 0, fills, placed: 0, earned: 0, returned: 0 }
    }

    /// Terms of any kind around the market's price, some of which do not go together.
    fn terms(&mut self, market: usize) -> OrderTerms {
        let price = self.world.markets[market].price.last.price.0;
        let dice = &mut self.dice;
        let kind = dice.below(4) as u8;
        let mut level = |most: u64| {
            let by = price / 10_000 * dice.below(most);
            Price(if dice.below(2) == 0 { price - by } else { price + by })
        };
        let (limit, trigger, stop, target) = (level(60), level(60), level(80), level(80));
        let exits = kind == Kind::Exit as u8 || dice.below(2) == 0;
        let keep = |is: bool, level: Price| if is { level } else { Price(0) };
        let notional = (60 + dice.below(3_000)) * UNIT;
        let size = self.world.size_for(market, notional).0 as i64;
        let dice = &mut self.dice;
        OrderTerms {
            size: SignedBase(if dice.below(2) == 0 { size } else { -size }),
            limit: keep(kind == 1 || dice.below(4) == 0, limit),
            expires_at: if dice.below(3) == 0 { self.world.now.unix + 5 + dice.below(200) as i64 } else { 0 },
            kind,
            reduce_only: u8::from(kind == Kind::Exit as u8 || dice.below(4) == 0),
            trigger: keep(kind == 2, trigger),
            stop: keep(exits && dice.below(3) != 0, stop),
            target: keep(exits && dice.below(3) != 0, target),
            trail: keep(exits && dice.below(3) == 0, Price(price / 10_000 * (1 + dice.below(60)))),
            ..OrderTerms::default()
        }
    }

    fn account_and_market(&mut self) -> (usize, usize) {
        let account = self.dice.below(KEEPER as u64) as usize;
        let isolated = self.world.accounts[account].isolated != 0;
        (account, if isolated { 2 } else { self.dice.below(2) as usize })
    }

    fn place(&mut self) {
        let (account, market) = self.account_and_market();
        let mut terms = self.terms(market);
        let before = self.world.clone();
        let (state, now) = (&self.world.markets[market], self.world.now);
        match terms.place(state, &mut self.world.accounts[account], &now) {
            Ok(()) => {
                assert!(terms.check().is_ok());
                self.world.orders.push(Waiting { account, market, terms });
                self.numbers.push(self.next);
                self.next += 1;
                self.placed += terms.fee.0;
            }
            Err(_) => self.world = before,
        }
    }

    /// What the program's `execute_order` and `cancel_order` do; whether the order went.
    fn execute(&mut self, order: usize) -> Result<()> {
        let Waiting { account, market, terms } = self.world.orders[order];
        let dead = terms.dead(&self.world.markets[market], &self.world.accounts[account], &self.world.now);
        let held = |world: &World| {
            let slot = world.accounts[account].find(market as u16);
            slot.map_or(0, |slot| world.accounts[account].positions[slot].size.0)
        };
        let (fees, before) = (self.fees(), held(&self.world));
        let collateral = self.world.accounts[account].collateral;
        let count = self.world.orders.len();
        match self.world.apply(&Op::Execute { order }) {
            Ok(()) if dead.is_some() => {
                assert_eq!(held(&self.world), before, "what is dead moves nothing");
                assert_eq!(self.world.accounts[account].collateral.0, collateral.0 + terms.exit_fee.0);
                self.earned += terms.fee.0 - terms.exit_fee.0;
                self.returned += terms.exit_fee.0;
                self.gone(order, account);
                Ok(())
            }
            Ok(()) => {
                let after = held(&self.world);
                assert!(after != before, "a fill moves the position");
                assert_eq!(after > before, terms.buys());
                if terms.reduces() {
                    assert!(after.abs() < before.abs() && after.signum() * before.signum() >= 0, "{before} to {after}");
                }
                let turned = self.world.orders.len() == count;
                let left = if turned { self.world.orders[order].terms.fee.0 } else { 0 };
                // What the exits would have cost goes to whoever fills them, or back.
                let back = if turned { 0 } else { terms.exit_fee.0 };
                self.earned += terms.fee.0 - terms.exit_fee.0;
                self.returned += back;
                assert_eq!(fees - self.fees(), terms.fee.0 - left);
                let fills = self.fills.entry(self.numbers[order]).or_default();
                let of_bracket = terms.kind == Kind::Exit as u8 && fills.0 == 1;
                let times = if of_bracket { &mut fills.1 } else { &mut fills.0 };
                *times += 1;
                assert_eq!(*times, 1, "an order fills at most once");
                if turned {
                    let exits = self.world.orders[order].terms;
                    assert!(terms.is_bracket() && exits.check().is_ok() && exits.fee == terms.exit_fee);
                    assert_eq!(exits.buys(), !terms.buys());
                    let covered = exits.size.size().0 <= after.unsigned_abs();
                    assert!(covered && exits.size.size() <= terms.size.size());
                } else {
                    self.gone(order, account);
                }
                Ok(())
            }
            Err(fault) if cancels(fault.error) && !terms.reduces() && dead.is_none() => {
                // Its price was there, and the account had not what it needs: cancelled for the fee.
                assert!(
                    terms.mark(&self.world.markets[market], &self.world.accounts[account], &self.world.now).is_ok()
                );
                self.world.orders.remove(order);
                self.gone(order, account);
                let fee = terms.fill_fee()?;
                self.world.accounts[KEEPER].collateral.0 += fee.0;
                self.world.accounts[account].collateral.0 += terms.exit_fee.0;
                self.earned += fee.0;
                self.returned += terms.exit_fee.0;
                Ok(())
            }
            Err(fault) => Err(fault),
        }
    }

    fn cancel(&mut self, order: usize) -> Result<()> {
        let Waiting { account, terms, .. } = self.world.orders[order];
        self.world.apply(&Op::Cancel { order })?;
        self.returned += terms.fee.0;
        self.gone(order, account);
        Ok(())
    }

    fn gone(&mut self, order: usize, account: usize) {
        self.numbers.remove(order);
        self.world.accounts[account].orders -= 1;
    }

    fn fees(&self) -> u64 {
        self.world.orders.iter().map(|order| order.terms.fee.0).sum()
    }

    fn pick(&mut self) -> Option<usize> {
        let count = self.world.orders.len() as u64;
        (count > 0).then(|| self.dice.below(count) as usize)
    }

    fn step(&mut self) {
        match self.dice.below(20) {
            0..5 => self.place(),
            5..10 => {
                // Prices move, and somebody stores them.
                let seconds = 1 + self.dice.below(3) as i64;
                self.world.must(&Op::Wait { seconds, slots: seconds as u64 * 5 / 2 });
                for market in 0..3 {
                    let at = self.world.oracle_price(market);
                    let price = at + at / 10_000 * (self.dice.below(81) as i64 - 40);
                    let _ = self.world.apply(&Op::Publish { market, price, conf: price / 20_000, lag: 0 });
                }
            }
            10..15 => {
                if let Some(order) = self.pick() {
                    let _ = self.execute(order);
                }
            }
            15 => {
                if let Some(order) = self.pick() {
                    let _ = self.cancel(order);
                }
            }
            16..18 => {
                if let Some(order) = self.pick() {
                    let Waiting { market, ref mut terms, .. } = self.world.orders[order];
                    let _ = terms.record(&self.world.markets[market], &self.world.now);
                }
            }
            18 => {
                // By its owner, past the orders; or the whole by a liquidation's price.
                let (account, market) = self.account_and_market();
                let held = self.world.accounts[account].find(market as u16);
                let size = held.map_or(0, |slot| self.world.accounts[account].positions[slot].base().0);
                let size = if self.dice.below(2) == 0 { size } else { size / 2 };
                let _ = self.world.apply(&Op::Reduce { account, market, size });
            }
            _ => {
                let seconds = 10 + self.dice.below(60) as i64;
                self.world.must(&Op::Wait { seconds, slots: seconds as u64 * 5 / 2 });
            }
        }
        self.check();
    }

    /// Books, counts, and no orphan that can fill.
    fn check(&self) {
        self.world.check();
        assert_eq!(self.placed, self.earned + self.returned + self.fees(), "fees are earned, given back or put aside");
        for (number, account) in self.world.accounts.iter().enumerate() {
            let count = self.world.orders.iter().filter(|order| order.account == number).count();
            assert_eq!(account.orders, count as u64);
            assert!(count <= 16);
        }
        for Waiting { account, market, terms } in &self.world.orders {
            let (state, holder) = (&self.world.markets[*market], &self.world.accounts[*account]);
            let own = holder.opposite(*market as u16, terms.buys());
            if terms.reduces() && own.is_none_or(|(_, position)| position.generation != terms.generation) {
                assert_eq!(terms.mark(state, holder, &self.world.now).map_err(|fault| fault.error), {
                    let expired = terms.expires_at != 0 && self.world.now.unix > terms.expires_at;
                    Err(if expired { Error::OrderExpired } else { Error::PositionNotFound })
                });
            }
        }
    }

    /// Everybody closes and takes his orders back, or somebody clears them away.
    fn end(&mut self) {
        for _ in 0..20 {
            self.world.must(&Op::Wait { seconds: ORDER_LOCK + ORDER_LIFE, slots: 100 });
            for market in 0..3 {
                let price = self.world.oracle_price(market);
                let _ = self.world.apply(&Op::Publish { market, price, conf: price / 20_000, lag: 0 });
            }
            if self.dice.below(2) == 0 {
                // What was met just now is locked.
                self.world.must(&Op::Wait { seconds: ORDER_LOCK, slots: 25 });
            }
            for order in (0..self.world.orders.len()).rev() {
                let cleared = match self.dice.below(2) {
                    0 => self.cancel(order),
                    _ => self.execute(order),
                };
                if cleared.is_err() {
                    let _ = self.cancel(order);
                }
            }
            self.check();
            if self.world.orders.is_empty() {
                break;
            }
        }
        assert!(self.world.orders.is_empty(), "{:?}", self.world.orders);
        assert!(self.world.accounts.iter().all(|account| account.orders == 0));
        assert_eq!(self.fees(), 0);
        assert_eq!(self.placed, self.earned + self.returned);
    }
}

#[test]
fn orders_fill_at_most_once_and_what_was_put_aside_for_them_is_earned_or_given_back() {
    let mut dice = Dice::new(seed());
    let (mut entries, mut exits, mut single) = (0, 0, 0);
    for _ in 0..runs("BALLAST_ORDER_LIVES", 60) {
        let mut play = Play::new(Dice::new(dice.next()));
        for _ in 0..250 {
            play.step();
        }
        play.end();
        for (entry, exit) in play.fills.values() {
            entries += u32::from(*exit == 1);
            exits += exit;
            single += entry;
        }
    }
    println!("{single} fills, {exits} of them of a bracket's exits after its entry");
    assert!(single > 100 && entries > 0 && entries == exits, "{single} {entries} {exits}");
}

/// Nothing that is put aside is lost where the account has nothing left to open with.
#[test]
fn an_order_whose_account_lacks_what_it_needs_is_cancelled_and_one_that_the_market_stops_is_kept() {
    use Error::*;
    for reason in [
        InitialMargin,
        InsufficientCollateral,
        SizeBelowMinimum,
        PositionTooLarge,
        NoFreePosition,
        LossNotCovered,
        CovenantTripped,
        CovenantFull,
        CovenantNotional,
        CovenantLeverage,
        CovenantLoss,
    ] {
        assert!(cancels(reason));
    }
    for reason in [
        SlippageExceeded,
        PriceStale,
        PriceUncertain,
        PriceUnconfirmed,
        MarketReduceOnly,
        OpenInterestCap,
        PoolClaims,
        ExitsWaiting,
        OpenInterestStress,
        OpenInterestImpact,
        FlaggedAccount,
        CovenantStale,
        CovenantNotEnrolled,
        WrongMarketCount,
    ] {
        assert!(!cancels(reason), "{reason:?}");
    }
}
