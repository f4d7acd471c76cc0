//! The same sequences on an exchange whose parameters lie at the edges of what may be stored: at their hard bounds, or as far
//! towards them as envelope and cross-checks let them. What the engine's tests do for thousands of sets, on the program's file
//! for a few.

use ballast_engine::envelope::{check_exchange, check_market};
use ballast_engine::params::{EXCHANGE_ROWS, ExchangeParams, MARKET_ROWS, MarketParams, Row};
use ballast_engine::tier::Tier;
use rand::Rng as _;
use rand::seq::SliceRandom as _;

use super::world::{MARKETS, Sim};

/// A set as it is stored, by parameter id.
trait Set: Copy {
    const ROWS: &'static [Row];
    fn value(&self, id: u16) -> u64;
    fn with(self, id: u16, value: u64) -> Self;
}

impl Set for MarketParams {
    const ROWS: &'static [Row] = MARKET_ROWS;
    fn value(&self, id: u16) -> u64 {
        self.get(id).expect("a row")
    }
    fn with(mut self, id: u16, value: u64) -> Self {
        self.set(id, value).expect("a row");
        self
    }
}

impl Set for ExchangeParams {
    const ROWS: &'static [Row] = EXCHANGE_ROWS;
    fn value(&self, id: u16) -> u64 {
        self.get(id).expect("a row")
    }
    fn with(mut self, id: u16, value: u64) -> Self {
        self.set(id, value).expect("a row");
        self
    }
}

/// The value nearest to `end` with which a set is accepted, on the way there from its own.
fn farthest<S: Set>(set: &S, id: u16, end: u64, accepted: impl Fn(&S) -> bool) -> u64 {
    if accepted(&set.with(id, end)) {
        return end;
    }
    let (mut good, mut bad) = (set.value(id), end);
    while good.abs_diff(bad) > 1 {
        let middle = good.midpoint(bad);
        if accepted(&set.with(id, middle)) { good = middle } else { bad = middle }
    }
    good
}

impl Sim {
    /// In random order four parameters of five go as far as they can, up or down, but for those that are kept.
    fn edges<S: Set>(&mut self, mut set: S, kept: &[&str], accepted: impl Fn(&S) -> bool) -> S {
        let mut ids: Vec<u16> = (0..).zip(S::ROWS).map(|(id, _)| id).collect();
        ids.shuffle(&mut self.rng);
        for id in ids {
            let row = &S::ROWS[usize::from(id)];
            if kept.contains(&row.name) || self.percent(20) {
                continue;
            }
            let end = if self.rng.random() { row.min } else { row.max };
            set = set.with(id, farthest(&set, id, end, &accepted));
        }
        assert!(accepted(&set));
        set
    }

    /// Parameters of everything at the edges, before anybody holds a position. The sizes stay for every second market: where a
    /// market is too small to trade in there is little to see.
    fn go_to_the_edges(&mut self) {
        for market in 0..MARKETS {
            let mut account = self.setup.market(market);
            let tier = Tier::from_byte(account.state.tier).expect("a tier");
            let sizes = [
                "skew_scale",
                "open_interest_cap",
                "liquidation_capacity",
                "max_position",
                "min_notional",
                "stress_move",
            ];
            let kept = if self.percent(50) { &sizes[..] } else { &[] };
            let accepted = |set: &MarketParams| check_market(set, tier, set.maintenance_margin, 6).is_ok();
            account.state.params = self.edges(account.state.params, kept, accepted);
            account.state.invariant().expect("a market");
            self.setup.world.write(&self.setup.market_key(market), &*account);
        }
        let mut exchange = self.setup.exchange();
        // The longest delays are years, in which nothing happens.
        let kept = ["delay_tune", "delay_risk", "delay_deep"];
        exchange.params = self.edges(exchange.params, &kept, |set| check_exchange(set).is_ok());
        self.setup.world.write(&self.setup.exchange.clone(), &*exchange);
    }
}

#[test]
fn p1_p3_hold_on_parameters_at_the_edges() {
    let seed = super::variable("BALLAST_SEED").unwrap_or_else(rand::random);
    let steps = super::variable("BALLAST_STEPS").unwrap_or(2_000);
    println!("BALLAST_SEED={seed} BALLAST_STEPS={steps}");
    let (mut filled, runs) = (0, 4);
    for run in 0..runs {
        let mut sim = Sim::new(seed.wrapping_add(run));
        sim.begin();
        sim.go_to_the_edges();
        let begun = sim.sent;
        while sim.sent < begun + steps / runs {
            sim.anything();
        }
        filled += sim.done.get("execute_order").copied().unwrap_or_default();
    }
    assert!(filled > 0 || steps < 2_000, "nobody ever traded");
}
