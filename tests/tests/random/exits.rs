//! The end: everybody leaves, as far as the rules permit.

use ballast_engine::market::MarketState;
use rand::Rng as _;

use super::act::{Act, Legs, index};
use super::covenants::BOUND;
use super::world::{MARKETS, PEOPLE, Sim};

/// Hours that leaving may take: the outflow limiter lets profit go slowly.
const HOURS: usize = 24 * 150;

impl Sim {
    /// Orders are cancelled, positions closed, claims collected, collateral and liquidity taken out, accounts closed; and
    /// what is left in the vault is the sum of its classes.
    pub(crate) fn everybody_leaves(&mut self) {
        // Past every pause.
        self.setup.world.advance(13 * 3_600);
        self.calm();
        self.leverage();
        self.some_markets_are_settled();
        while let Some(order) = self.orders.len().checked_sub(1) {
            let by = self.subs[self.orders[order].sub].owner;
            self.step(Act::Cancel { order, by, keeper: None, legs: Legs::None });
        }
        for _ in 0..8 {
            self.calm();
            self.keep();
            self.close_positions();
        }
        let open: u64 = self.view().markets.iter().map(|m| positions(&m.state)).sum();
        assert_eq!(open, 0, "{}: positions that nobody can close", self.place());
        for _ in 0..5 {
            self.setup.world.advance(86_401);
            self.calm();
            self.insurance();
            self.collect();
            self.leave_pools();
        }
        // What is owed in a settled market is written off, whatever other pools owe it.
        self.setup.world.advance(20 * 86_401);
        self.calm();
        self.collect();
        self.leave_pools();
        for of in 0..BOUND {
            self.show(of);
        }
        for _ in 0..HOURS {
            self.setup.world.advance(3_600);
            // Free collateral needs no price.
            self.take_out();
            self.close_accounts();
            if (0..self.subs.len()).all(|sub| self.account(sub).state.collateral.is_zero()) {
                break;
            }
        }
        for sub in 0..self.subs.len() {
            let state = self.account(sub).state;
            assert!(state.collateral.is_zero(), "{}: {:?} cannot leave: {state:?}", self.place(), self.subs[sub]);
            // Only a claim that a pool still owes can keep an account.
            assert!(state.slots().all(|(_, p)| !p.claim.amount.is_zero()), "{}: {state:?}", self.place());
        }
        for market in &self.view().markets {
            assert!(market.state.insurance.pending().is_ok_and(|q| q.is_zero()), "{}: a claim is open", self.place());
        }
        let audit = self.setup.audit();
        println!("everybody has left but {} accounts: {audit:?}", self.subs.len());
        assert_eq!(audit.difference, 0);
        assert_eq!((audit.order_fees, audit.positions, audit.trader_collateral), (0, 0, 0));
    }

    /// Prices stop for ten days; some markets, one at least, are settled. The others go on.
    fn some_markets_are_settled(&mut self) {
        let first = self.rng.random_range(0..MARKETS);
        self.setup.world.advance(10 * 86_400 + 1);
        for market in 0..MARKETS {
            if market == first || self.percent(30) {
                self.step(Act::AdvanceSettlement { market });
            }
        }
        self.calm();
        for _ in 0..3 {
            self.keep();
            self.close_positions();
        }
    }

    /// Claims on the shared insurance, day by day until none is left.
    fn insurance(&mut self) {
        for market in 0..MARKETS {
            let claims = self.view().state(market).insurance;
            if claims.registered.iter().any(|claim| !claim.amount.is_zero()) {
                self.step(Act::PayInsurance { market });
            }
            if !(claims.due.is_zero() && claims.filed().is_zero()) {
                self.step(Act::RegisterInsurance { market });
            }
        }
    }

    fn close_positions(&mut self) {
        for sub in 0..self.subs.len() {
            let by = self.subs[sub].owner;
            for _ in 0..2 {
                let state = self.account(sub).state;
                for (slot, _) in state.slots() {
                    let mut position = self.account(sub).state.positions[slot];
                    let market = position.market.into();
                    if self.view().state(market).is_deleveraged(&position) {
                        // Its size is not what it was.
                        self.step(Act::PickUp { sub, market });
                        position = self.account(sub).state.positions[slot];
                    }
                    if self.view().state(market).is_settled() {
                        // One that is below zero is resolved.
                        if !self.step(Act::CloseSettled { sub, market, legs: Legs::Write }) {
                            self.step(Act::Resolve { sub, legs: Legs::Write });
                        }
                    } else if position.is_open() {
                        let size = position.base().0;
                        self.step(Act::Reduce { sub, by, market, size, limit: 0, legs: Legs::Write });
                    } else if !position.is_free() {
                        self.step(Act::Settle { sub, market, legs: Legs::Read });
                    }
                }
            }
        }
    }

    /// What pools still owe.
    fn collect(&mut self) {
        for debtor in 0..MARKETS {
            for holder in (0..MARKETS).filter(|holder| *holder != debtor) {
                let owed = self.view().markets[holder].state.held[debtor].amount;
                if !owed.is_zero() {
                    self.step(Act::CollectPoolClaim { debtor, holder });
                }
            }
        }
        for sub in 0..self.subs.len() {
            let state = self.account(sub).state;
            for (_, position) in state.slots() {
                let market = position.market.into();
                let settled = self.view().state(market).is_settled();
                let collect = Act::CollectClaim { sub, market };
                self.step(if settled { collect } else { Act::Settle { sub, market, legs: Legs::Read } });
            }
        }
    }

    fn take_out(&mut self) {
        for sub in 0..self.subs.len() {
            let by = self.subs[sub].owner;
            let (now, exchange, mut state) = (self.setup.world.now(), self.setup.exchange(), self.account(sub).state);
            let balance = ballast_engine::units::Quote(self.setup.world.tokens(&self.setup.vault));
            let whole = state.collateral;
            let limited = state.principal.withdraw(whole, &now).expect("principal").0;
            let room = exchange.outflow.room(balance, &exchange.params, &now).expect("room").0;
            let amount = whole.0 - limited.saturating_sub(room);
            if amount > 0 {
                assert!(
                    self.step(Act::Withdraw { sub, by, amount, legs: Legs::Read }),
                    "{}: free collateral is held back",
                    self.place()
                );
            }
        }
    }

    fn leave_pools(&mut self) {
        for owner in 0..PEOPLE {
            for market in 0..MARKETS {
                if self.has_deposit(owner, market) {
                    self.step(Act::LapseDeposit { owner, market });
                }
                if self.has_exit(owner, market) && !self.step(Act::ExecuteExit { by: owner, owner, market }) {
                    self.step(Act::LapseExit { owner, market });
                }
                let shares = self.setup.world.tokens(&self.share_account(owner, market));
                if shares > 0 && !self.has_exit(owner, market) {
                    self.step(Act::FileExit { by: owner, market, shares });
                }
            }
        }
    }

    fn close_accounts(&mut self) {
        for sub in (0..self.subs.len()).rev() {
            let state = self.account(sub).state;
            if state.is_flat() && state.collateral.is_zero() {
                let by = self.subs[sub].owner;
                self.step(Act::Close { sub, by });
            }
        }
    }
}

fn positions(market: &MarketState) -> u64 {
    debug_assert!(index(MARKETS) > market.index);
    market.long.positions + market.short.positions
}
