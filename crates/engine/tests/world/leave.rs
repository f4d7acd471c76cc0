//! The end of an exchange whose oracle has fallen silent for good: everybody gets out, whatever has happened before (P14).

use super::{ACCOUNTS, MARKETS, Op, PROVIDERS, World};

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
            assert!(self.markets[market].is_settled(), "market {market} is not settled after ten days of silence");
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
        // What is left is insurance, fees, what rounding and the locked shares keep.
        for market in &self.markets {
            let (pool, held) = (&market.pool, market.pool.shares);
            assert!(held == 0 || pool.free_cash().unwrap().0 <= held, "providers were not paid: {pool:?}");
        }
    }
}
