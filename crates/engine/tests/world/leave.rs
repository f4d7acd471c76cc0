//! The end of an exchange whose oracle has fallen silent for good: everybody gets out, whatever has happened before (P14).

use ballast_engine::account::Position;
use ballast_engine::constants::{SETTLEMENT_PATIENCE, SETTLEMENT_POOLS_PATIENCE};
use ballast_engine::liquidity::LOCKED_SHARES;

use super::{ACCOUNTS, MARKETS, Op, PROVIDERS, World};

/// What everybody has in the end at face, and what each pool has paid: nothing of it may depend on who was closed first. What is
/// collected of a claim, what can be, and what is outstanding count as one: who pays a loss elsewhere does so in cash as far as
/// his claim was paid by then, and with the claim at face for the rest.
fn shares(world: &World) -> Vec<i128> {
    let mut all = Vec::new();
    for market in &world.markets {
        let pool = &market.pool;
        all.extend([pool.insurance, pool.deficits, pool.insurance_paid].map(|q| i128::from(q.0)));
        all.push(i128::from(market.insurance.pending().unwrap().0));
        let mut has = i128::from(pool.free_cash().unwrap().0) - i128::from(pool.claims.0);
        for (debtor, held) in market.held[..MARKETS].iter().enumerate() {
            let (outstanding, collectable) = world.markets[debtor].claim_value(held).unwrap();
            has += i128::from(outstanding.0 + collectable.0);
        }
        all.push(has);
    }
    for account in &world.accounts {
        let mut has = i128::from(account.collateral.0);
        for (_, position) in account.slots() {
            let market = &world.markets[usize::from(position.market)];
            let (outstanding, collectable) = market.claim_value(&position.claim).unwrap();
            has += i128::from(outstanding.0 + collectable.0 + position.held.0);
            // Not of a slot that an atom is left in.
            if position.is_open() {
                all.push(i128::from(position.base().0));
            }
        }
        all.push(has);
    }
    all
}

/// An order of so many, by dice or bytes.
pub(super) fn shuffled(count: usize, mut below: impl FnMut(usize) -> usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    for place in (1..count).rev() {
        order.swap(place, below(place + 1));
    }
    order
}

/// P7: a deleveraging is picked up, and settled markets are closed, in two orders by dice or bytes; everybody ends with the
/// same at face, to the atom. Nothing is said of a market that was settled ten days before and is not closed yet (what it owes is
/// written off when it is), or twenty days before and is still owed something (it waits for that no longer). Returns whether anything was open.
pub(crate) fn any_order_ends_alike(world: &World, mut below: impl FnMut(usize) -> usize) -> bool {
    let mut start = world.clone();
    let slots = ACCOUNTS * MARKETS;
    let waits = world.markets.iter().any(|market| market.deleveraging.positions > 0);
    let picked = [0, 1].map(|_| {
        let mut world = start.clone();
        for call in shuffled(slots, &mut below) {
            let _ = world.apply(&Op::PickUp { account: call / MARKETS, market: call % MARKETS });
        }
        world.check();
        world
    });
    assert!(picked[0].markets == picked[1].markets && picked[0].accounts == picked[1].accounts, "P7: pick-ups");
    start.must(&Op::Wait { seconds: 864_001, slots: 2_160_000 });
    for market in 0..MARKETS {
        let _ = start.apply(&Op::Advance { market });
    }
    // What silent exits have left behind is judged first: no market knows its sum, and a bucket may pay what it would.
    for (account, market) in (0..slots).map(|call| (call / MARKETS, call % MARKETS)) {
        let left = |(_, p): (usize, &Position)| usize::from(p.market) == market && !p.held.is_zero() && !p.is_open();
        if start.accounts[account].slots().any(left) {
            let _ = start.apply(&Op::CloseSettled { account, market });
        }
    }
    let since = |at: i64, time: i64| at != 0 && start.now.unix >= at + time;
    let late = start.markets.iter().any(|market| {
        let at = market.settlement.fixed_at;
        let owed = market.held.iter().any(|claim| claim.amount.0 != 0);
        since(at, SETTLEMENT_PATIENCE) && !market.is_closed() || since(at, SETTLEMENT_POOLS_PATIENCE) && owed
    });
    if late {
        return waits;
    }
    let open = start.accounts.iter().any(|account| account.slots().any(|(_, p)| p.is_open()));
    let ends = [0, 1].map(|_| {
        let mut world = start.clone();
        // Those that are below zero are resolved between others' closings.
        let mut calls = shuffled(slots + ACCOUNTS, &mut below);
        calls.extend(0..slots);
        calls.extend(slots..slots + ACCOUNTS);
        calls.extend(0..slots);
        for call in calls {
            let op = match call.checked_sub(slots) {
                Some(account) => Op::Resolve { account },
                None => Op::CloseSettled { account: call / MARKETS, market: call % MARKETS },
            };
            let _ = world.apply(&op);
        }
        for _ in 0..MARKETS {
            for debtor in 0..MARKETS {
                for account in 0..ACCOUNTS {
                    let _ = world.apply(&Op::Collect { account, market: debtor });
                }
                for holder in (0..MARKETS).filter(|holder| *holder != debtor) {
                    let _ = world.apply(&Op::CollectBetween { debtor, holder });
                }
            }
        }
        world.check();
        world
    });
    let [one, other] = ends.each_ref().map(shares);
    assert_eq!(one, other, "P7: closings");
    open || waits
}

impl World {
    /// Ten days of silence settle all markets, all positions close, shared insurance pays, claims are collected or written off,
    /// and whoever has anything takes it.
    pub(crate) fn everybody_leaves(&mut self) {
        let day = Op::Wait { seconds: 86_401, slots: 216_000 };
        let ten_days = Op::Wait { seconds: 864_001, slots: 2_160_000 };
        self.must(&ten_days);
        for order in (0..self.orders.len()).rev() {
            self.must(&Op::Cancel { order });
        }
        for market in 0..MARKETS {
            let _ = self.apply(&Op::Advance { market });
            let state = &self.markets[market];
            let idle = state.is_closed() && state.pool.shares <= LOCKED_SHARES;
            assert!(state.is_settled() || idle, "market {market} is not settled after ten days of silence");
        }
        for account in 0..ACCOUNTS {
            for market in 0..MARKETS {
                let _ = self.apply(&Op::CloseSettled { account, market });
            }
            // One that is below zero pays all its losing markets at once.
            let _ = self.apply(&Op::Resolve { account });
            for market in 0..MARKETS {
                let _ = self.apply(&Op::CloseSettled { account, market });
            }
            assert!(!self.accounts[account].slots().any(|(_, p)| p.is_open()), "account {account} has something open");
        }
        self.check();
        // A batch may wait for an older one's place.
        for _ in 0..8 {
            self.must(&day);
            for market in 0..MARKETS {
                let _ = self.apply(&Op::PayClaim { market });
                let _ = self.apply(&Op::Register { market });
            }
        }
        for market in &self.markets {
            assert!(market.insurance.pending().unwrap().is_zero(), "an insurance claim is open for ever");
        }
        // Twenty days after the fixing no market waits for what another owes it.
        self.must(&ten_days);
        self.must(&ten_days);
        for debtor in 0..MARKETS {
            for holder in (0..MARKETS).filter(|holder| *holder != debtor) {
                let _ = self.apply(&Op::CollectBetween { debtor, holder });
            }
        }
        for account in 0..ACCOUNTS {
            for market in 0..MARKETS {
                let _ = self.apply(&Op::CloseSettled { account, market });
                let _ = self.apply(&Op::Collect { account, market });
            }
            assert!(self.accounts[account].is_flat(), "account {account} is kept: {:?}", self.accounts[account]);
            let amount = self.accounts[account].collateral.0;
            if amount > 0 {
                // A flag that nobody follows is void by now.
                self.must(&Op::Withdraw { account, amount });
            }
        }
        while !self.filed.is_empty() {
            self.must(&Op::Lapse { ticket: 0, exit: false });
        }
        for market in 0..MARKETS {
            for provider in 0..PROVIDERS {
                let shares = self.shares[market][provider];
                if shares > 0 {
                    self.must(&Op::Leave { market, provider, shares });
                }
            }
            assert!(self.markets[market].pool.claims.is_zero(), "a claim on market {market} is left");
        }
        for ticket in (0..self.leaving.len()).rev() {
            let _ = self.apply(&Op::Redeem { ticket });
        }
        self.check();
        // What is left is insurance, fees, what rounding keeps, and the part of the locked shares, whatever a share is worth.
        for market in &self.markets {
            let pool = &market.pool;
            let paid = pool.shares <= LOCKED_SHARES || pool.free_cash().unwrap().0 < pool.shares;
            assert!(paid, "providers were not paid: {pool:?}");
        }
    }
}
