//! A market ends in the middle of a run, while the others are traded on.

use ballast_tests::units;
use rand::Rng as _;

use super::act::{Act, Legs};
use super::world::{MARKETS, Sim};

impl Sim {
    /// A market is settled: because its pool has lost its equity, or after ten days of silence. Some holders close at once,
    /// others later, or never: then anybody does it for them.
    pub(crate) fn a_market_ends(&mut self) {
        let mut market = self.rng.random_range(0..MARKETS);
        let (wanted, mut by_floor) = (self.percent(60), false);
        // A pool may be too full, or too empty, or its market closed to increases: then another one's.
        for _ in 0..2 * MARKETS {
            if !wanted || by_floor {
                break;
            }
            market = (market + 1) % MARKETS;
            by_floor = self.empty_the_pool(market);
        }
        if !by_floor {
            self.setup.world.advance(10 * 86_400 + 1);
            self.step(Act::AdvanceSettlement { market });
        }
        let settled = self.view().state(market).is_settled();
        assert!(settled, "{}: market {market} is not settled", self.place());
        println!(
            "market {market} was settled {} at instruction {}",
            if by_floor { "below its floor" } else { "in silence" },
            self.sent
        );
        self.calm();
        for sub in 0..self.subs.len() {
            if self.account(sub).state.find(super::act::index(market)).is_some() && self.percent(50) {
                self.step(Act::CloseSettled { sub, market, legs: Legs::Write });
            }
        }
    }

    /// A trader wins more than the pool has, until its equity is below the floor; a day later the price is fixed. Whether it
    /// came to that.
    fn empty_the_pool(&mut self, market: usize) -> bool {
        self.open_up();
        // Past what held exits hold up.
        self.setup.world.advance(3_601);
        self.calm();
        let isolated = market == 2;
        let flat: Vec<usize> = (0..self.subs.len())
            .filter(|sub| (self.subs[*sub].id >= 2) == isolated && self.account(*sub).state.is_flat())
            .collect();
        let Some(winner) = flat.first().copied() else { return false };
        let by = self.subs[winner].owner;
        let amount = self.view().state(market).pool.cash.0 * 3 + units(1_000);
        self.step(Act::Deposit { sub: winner, by, amount });
        let up = self.quotes[market].price <= self.setup.terms.markets[market].price.saturating_mul(2);
        let size = self.most(winner, market, up);
        if !self.trade(winner, market, size) {
            return false;
        }
        for _ in 0..12 {
            // Losses on paper count in the pool's equity until they are resolved.
            self.shift(market, if up { 1_500 } else { -1_300 });
            self.calm();
            self.keep();
            self.calm();
            let view = self.view();
            let state = view.state(market);
            let price = state.settlement_price();
            let floor = state.equity_floor(price).expect("in range").0;
            if state.equity(price).expect("in range").0 >= i64::try_from(floor).expect("in range") {
                continue;
            }
            if !self.step(Act::AdvanceSettlement { market }) {
                continue;
            }
            self.setup.world.advance(86_400);
            self.calm();
            self.step(Act::AdvanceSettlement { market });
            if self.view().state(market).is_settled() {
                return true;
            }
        }
        false
    }
}
