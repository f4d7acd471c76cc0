//! How far the engine may be from the exact figures after one operation, from the same state: the named roundings of that
//! operation, added up. Everything is in atoms of the collateral, base atoms, or prices as the model has them.
//!
//! | rounding | at most |
//! | --- | --- |
//! | an amount: a value, premium, fee, part of an entry, funding, share of a claim | 1 atom each |
//! | a mark, an average, a confidence: a price | 1e-9 each, which over a size is `size × 1e-9` atoms |
//! | a funding rate | 8e-12, and `cap × 2^-30` for a power of two; a decay's integral `3e-12 × half-life` |
//! | the holding fee's share of the cap, rounded up to a millionth | `2e-6 × fee + 1e-12` an hour |
//! | an index | 1e-15, besides what the rate brings: `rate × price × hours` |
//! | a liquidation's size, rounded up to a base atom | 1 base atom, and so its price in atoms |
//! | its need: the shortage's roundings over what a unit of notional frees | `(2 + 6 × legs) ÷ freed` |
//! | its fees' rates, rounded down to a millionth three times | `3e-6 × notional` |
//! | a deleveraged size, rounded down when picked up | 1 base atom, at the deleveraging's price |
//! | what a pool carries | `2 + 16 ÷ (price × stress move)` base atoms |
//! | shares | 1; a part of an exit is rounded to whole shares, worth `equity ÷ shares` each |
//!
//! All of them are against the trader or provider, but for two: a liquidation's fees are rounded down (the liquidated
//! account keeps the rest), and the rate of funding is rounded either way, which one side loses and the other gains.

use ballast_model::number::{frac, most, q, zero};
use ballast_model::{Exchange, Q};

use crate::fields::Kind;
use crate::world::{MARKETS, Op};

/// Bounds by kind, and what a trader's wealth may be above the exact one.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    money: Q,
    size: Q,
    price: Q,
    index: Q,
    rate: Q,
    shares: Q,
    need: Q,
    margin: Q,
    /// The largest open interest: what a price's rounding is multiplied by.
    largest: Q,
    /// What a unit of shortage is in need.
    per_shortage: Q,
    pub(crate) favour: Q,
}

/// Positions of the account that has most.
fn legs(state: &Exchange) -> usize {
    let open = |slots: &Vec<ballast_model::Position>| slots.iter().filter(|p| p.is_open()).count();
    state.accounts.iter().map(|account| open(&account.slots)).max().unwrap_or(0)
}

/// What accruing may have moved an index by beyond the exact one, and the rate and what the governor keeps of it.
fn accrual(before: &Exchange, after: &Exchange, market: usize) -> (Q, Q) {
    let (was, is) = (&before.markets[market], &after.markets[market]);
    let seconds = is.accrued_at - was.accrued_at;
    if seconds == 0 {
        return (zero(), zero());
    }
    let rules = &is.rules;
    let unit = frac(1, 1_000_000_000_000_i64);
    // The rate's own roundings; a decay's integral is what it loses, rounded, times half-life over ln 2; a power of two is
    // off by less than 2^-30 of the cap.
    let decay = &unit * q(3) * &rules.funding_half_life / q(3_600);
    let rate = &unit * q(8) + &decay + &rules.funding_cap * frac(1, 1_u64 << 30);
    let holding = &rules.holding_fee * frac(2, 1_000_000) + &unit;
    let hours = frac(seconds.min(3_600), 3_600);
    let index = (&unit * q(8) + holding) * &is.prices.last.price * hours + (&decay + &unit) * &is.prices.last.price;
    (index + frac(2, 1_000_000_000_000_000_i64), rate)
}

impl Bounds {
    /// After one operation from the same state.
    pub(crate) fn of(op: &Op, before: &Exchange, after: &Exchange) -> Self {
        // Amounts that the operation rounds: most of them in a fill (two of them in a flip) that is covered elsewhere.
        let (atoms, marks) = match op {
            Op::Wait { .. } | Op::Tick { .. } | Op::Publish { .. } | Op::Deposit { .. } | Op::Withdraw { .. } => (0, 0),
            Op::Place { .. } | Op::Cancel { .. } | Op::Flag { .. } | Op::Unflag { .. } | Op::TopUp { .. } => (0, 0),
            Op::TopUpShared { .. } | Op::Register { .. } => (0, 0),
            // The release of up to four hours, the share of it, and what claims get of that.
            Op::PayClaim { .. } => (8, 0),
            Op::File { .. } | Op::Leave { .. } | Op::Lapse { .. } => (0, 0),
            Op::Collect { .. } | Op::CollectBetween { .. } => (3, 0),
            Op::Provide { .. } | Op::Redeem { .. } => (3, 0),
            Op::Settle { .. } => (6, 1),
            Op::Exit { .. } => (6, 1),
            Op::PickUp { .. } => (4, 1),
            Op::Advance { .. } => (0, 0),
            Op::Deleverage { .. } | Op::CloseSettled { .. } => (16, 1),
            Op::Execute { .. } => (16, 2),
            Op::Reduce { .. } => (12, 2),
            Op::Liquidate { .. } | Op::Resolve { .. } => (16, 1),
        };
        let (mut index, mut rate, mut largest, mut moved) = (zero(), zero(), zero(), zero());
        for market in 0..MARKETS {
            let interest = [before, after]
                .map(|state| most(&state.open_interest(market, true), &state.open_interest(market, false)));
            let size = most(&interest[0], &interest[1]);
            let (by, of_rate) = accrual(before, after, market);
            moved = most(&moved, &(&by * &size));
            index = most(&index, &by);
            rate = most(&rate, &of_rate);
            largest = most(&largest, &size);
        }
        let legs = legs(before).max(legs(after));
        let mut bounds = Self {
            money: q(atoms) + q(marks) * frac(1, 1_000_000_000) * &largest + &moved,
            size: zero(),
            // Two averages of two steps each; a mark; a confidence.
            price: frac(4, 1_000_000_000),
            index,
            rate,
            shares: zero(),
            need: zero(),
            margin: q(4 + 6 * legs),
            largest,
            per_shortage: zero(),
            favour: &moved + frac(1, 1_000_000),
        };
        for market in 0..MARKETS {
            bounds.wait_for_pick_ups(op, before, after, market);
        }
        match *op {
            Op::Provide { .. } => bounds.shares = q(1),
            Op::Deleverage { market } => {
                // The size that equity carries: its roundings over what an atom of size needs.
                let slack = before.carried_slack(market);
                bounds.money += &slack * &before.markets[market].prices.last.price;
                bounds.size += slack;
            }
            Op::Redeem { ticket: _ } => {
                // What an atom of money is in shares, where a share is worth little.
                let rich = |market: usize| {
                    let state = &before.markets[market];
                    let price = &state.prices.last.price;
                    let equity = most(&(before.firm_equity(market, price) - q(1_000)), &q(1));
                    &state.shares / equity
                };
                let each = (0..MARKETS).map(rich).fold(q(1), |a, b| most(&a, &b));
                bounds.shares = q(24) * &each + q(1);
                // And what a share is worth in money, where it is worth much.
                let worth = (0..MARKETS).map(|m| {
                    most(&before.equity(m, &before.markets[m].prices.last.price), &q(1))
                        / most(&before.markets[m].shares, &q(1))
                });
                bounds.money += worth.fold(zero(), |a, b| most(&a, &b));
            }
            Op::Flag { account } | Op::Liquidate { account, .. } => {
                let slots = before.accounts[account].slots.iter().filter(|p| p.is_open());
                let freed = slots.map(|p| {
                    let rules = &before.markets[p.market].rules;
                    &rules.maintenance_margin + &rules.liquidation_buffer
                        - &rules.keeper_fee_max
                        - &rules.insurance_fee_max
                        - &rules.liquidation_impact
                        - &rules.conf_credit
                });
                let freed = freed.min().unwrap_or_else(|| q(1));
                let shortage = q(4 + 6 * legs) + &moved * q(2);
                bounds.need = shortage / &freed + q(2);
                bounds.per_shortage = q(4) / freed;
                if let Op::Liquidate { market, .. } = *op {
                    let prices = &before.markets[market].prices;
                    let notional = before.accounts[account].slots.iter().filter(|p| p.market == market);
                    let notional: Q = notional.map(|p| p.size.abs() * &prices.last.price).sum();
                    bounds.size = q(1) + &bounds.need / &prices.last.price;
                    bounds.need += &prices.last.price * q(2);
                    let fees = &notional * frac(3, 1_000_000);
                    bounds.money += &fees + &bounds.need;
                    bounds.favour += fees + &bounds.need;
                }
            }
            _ => {}
        }
        bounds
    }

    /// Sizes that a deleveraging left are rounded down to a base atom when they are picked up, and so is the sum of those
    /// that are to come; an atom at least is kept by each. An atom that is lost stands at the deleveraging's price, so in
    /// wealth it is what the price has moved since, or what a silent exit's is away from it.
    fn wait_for_pick_ups(&mut self, op: &Op, before: &Exchange, after: &Exchange, market: usize) {
        let sides = [before, after].map(|state| {
            let slots = state.accounts.iter().flat_map(|account| &account.slots);
            slots.filter(|p| p.waits && p.is_open() && p.market == market).collect::<Vec<_>>()
        });
        let late = sides.iter().map(Vec::len).max().unwrap_or(0);
        let Some(one) = sides.iter().flatten().next() else { return };
        let (then, now) = (&one.entry / one.size.abs(), &after.markets[market].prices.last.price);
        let atoms = q(2 + late);
        self.money += &atoms * most(&then, now) + q(4);
        let silent = matches!(op, Op::Exit { .. }).then(|| after.silent_price(market, one.is_long()).ok()).flatten();
        let apart = silent.map_or_else(zero, |mark| (&then - mark).abs());
        self.favour += &atoms * most(&apart, &(then - now).abs());
        self.size += atoms;
    }

    /// The running bound: in an operation that adds and subtracts, an older difference only changes its place, so that the
    /// sum of all differences bounds each of them.
    pub(crate) fn add(&mut self, other: &Self) {
        self.money += &other.money;
        self.size += &other.size;
        self.price += &other.price;
        self.index += &other.index;
        self.rate += &other.rate;
        self.shares += &other.shares;
        self.need += &other.need;
        self.favour += &other.favour;
        self.margin = most(&self.margin, &other.margin);
        self.largest = most(&self.largest, &other.largest);
        self.per_shortage = other.per_shortage.clone();
    }

    /// By which a quantity of a kind may differ.
    pub(crate) fn at_most(&self, kind: Kind) -> Q {
        match kind {
            Kind::Money => &self.money + q(1),
            Kind::Derived => &self.money * q(2) + q(10),
            Kind::Need => &self.need + &self.money * &self.per_shortage,
            Kind::Size => self.size.clone(),
            Kind::Price => self.price.clone(),
            Kind::Index => self.index.clone(),
            Kind::Rate => self.rate.clone(),
            Kind::Shares => self.shares.clone(),
            Kind::Margin => &self.money * q(3) + &self.margin + &self.price * &self.largest * q(2),
            Kind::Exact => zero(),
        }
    }

    /// What decisions have to allow for.
    pub(crate) fn drift(&self) -> Q {
        &self.money * q(4)
    }
}
