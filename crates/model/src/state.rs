//! What an exchange is: prices, positions, pools. Amounts are in atoms of the collateral, sizes in base atoms, prices in
//! quote atoms per base atom, shares and rates as plain fractions, times in seconds and slots.

use core::cell::Cell;

use crate::number::{Q, q, zero};

/// A market's parameters and its tier's constants.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names are those of docs/PARAMETERS.md and of section 7's table")]
pub struct Rules {
    pub initial_margin: Q,
    pub maintenance_margin: Q,
    pub liquidation_buffer: Q,
    pub size_margin: Q,
    pub oi_margin_start: Q,
    pub oi_margin_full: Q,
    pub profit_credit: Q,
    pub skew_scale: Q,
    pub funding_skew_scale: Q,
    /// Rate gained per hour, per hour.
    pub funding_velocity: Q,
    /// The lower of the parameter and the tier's cap, per hour.
    pub funding_cap: Q,
    pub funding_dead_zone: Q,
    pub funding_half_life: Q,
    pub funding_threshold: Q,
    pub funding_floor: Q,
    pub funding_multiple: Q,
    /// Of the rate, per hour.
    pub funding_change_limit: Q,
    pub holding_fee: Q,
    pub open_interest_cap: Q,
    pub max_position: Q,
    pub min_notional: Q,
    pub taker_fee: Q,
    pub mending_fee: Q,
    pub fee_pool_share: Q,
    pub fee_insurance_share: Q,
    pub keeper_fee_min: Q,
    pub keeper_fee_max: Q,
    pub keeper_fee_floor: Q,
    pub keeper_floor_hourly: Q,
    pub insurance_fee_max: Q,
    pub liquidation_impact: Q,
    pub liquidation_capacity: Q,
    pub stress_move: Q,
    pub lp_minimum: Q,
    pub order_fee: Q,
    pub insurance_day_cap: Q,
    pub insurance_week_cap: Q,
    pub settlement_floor: Q,
    pub move_per_slot: Q,
    pub conf_limit: Q,
    pub conf_credit: Q,
    pub ema_clamp: Q,
    pub cross: bool,
    /// One whole unit of the collateral, in atoms.
    pub unit: Q,
}

/// An oracle update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// Publish time; 0 for none yet.
    pub time: i64,
    /// Price.
    pub price: Q,
    /// Confidence, as a distance.
    pub conf: Q,
    /// Slot posted.
    pub slot: u64,
}

/// A market's price set (section 4).
#[derive(Clone, Debug)]
pub struct Prices {
    /// The last update.
    pub last: Observation,
    /// The last one stored while good or ageing.
    pub valid: Observation,
    /// Average over 5 minutes.
    pub ema5: Q,
    /// Average over 60 minutes.
    pub ema60: Q,
    /// The last sample that the averages took.
    pub sample: Q,
    /// Time up to which they are integrated.
    pub sampled: i64,
    /// Time of the first sample, 0 before.
    pub start: i64,
    /// Prices beyond the band that wait, with their slots, oldest first.
    pub waiting: Vec<(Q, u64)>,
    /// Whether those lie above.
    pub above: bool,
    /// The last 32 updates, oldest first.
    pub ring: Vec<Observation>,
    /// Publish time of the last one that left the ring.
    pub evicted: i64,
}

/// One direction of a market.
#[derive(Clone, Debug)]
pub struct Side {
    /// What one base atom has had to pay since the market began.
    pub index: Q,
}

/// A claim: what is outstanding, and what was put aside on it and not yet collected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Outstanding.
    pub due: Q,
    /// Put aside.
    pub paid: Q,
}

impl Claim {
    /// None.
    pub fn none() -> Self {
        Self { due: zero(), paid: zero() }
    }
    /// Whether there is neither.
    pub fn is_none(&self) -> bool {
        self.due.is_zero() && self.paid.is_zero()
    }
}

/// A market's claims on shared insurance.
#[derive(Clone, Debug)]
pub struct Covered {
    /// What was claimed on which day, of those that are over.
    pub days: Vec<(i64, Q)>,
    /// The newest day with a deficit.
    pub day: i64,
    /// What the bucket has not paid of that day's deficits.
    pub beyond: Q,
    /// What of it may be claimed.
    pub cap: Q,
    /// Claimed on days that are over, and not registered.
    pub due: Q,
    /// Registered: the batch's day, claimed, paid.
    pub registered: Vec<(i64, Q, Q)>,
}

/// A batch of the shared insurance.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Its day.
    pub day: i64,
    /// Sum of its claims.
    pub claimed: Q,
    /// The fund when its factor was fixed, and what it was awarded, once it was.
    pub fixed: Option<(Q, Q)>,
    /// Paid so far.
    pub paid: Q,
    /// Claims not fully paid.
    pub open: usize,
}

/// What the governor knows: it counts hours of funding, 3600 seconds that were charged.
#[derive(Clone, Debug)]
pub struct Governor {
    /// The soft cap as of the last hour's end.
    pub soft_cap: Q,
    /// The 30-day average of the rate's size.
    pub average: Q,
    /// Integral of the rate's size over the running hour, rate times seconds.
    pub area: Q,
    /// Seconds of the running hour.
    pub seconds: i64,
    /// Those of them above the threshold.
    pub heavy: i64,
}

/// A time in which claims are over their threshold.
#[derive(Clone, Debug, Default)]
pub struct Episode {
    /// Episodes so far.
    pub number: u64,
    /// When it opened; 0 for none.
    pub since: i64,
    /// Positions open then.
    pub positions: usize,
    /// Positions settled or closed in it, each counted once.
    pub settled: usize,
    /// When those were as many; 0 before.
    pub complete_at: i64,
}

/// A market's end.
#[derive(Clone, Debug, Default)]
pub struct Settlement {
    /// When it was begun for want of equity; 0 if it is not.
    pub begun_at: i64,
    /// When its price was fixed, which is the market's for ever; 0 before.
    pub fixed_at: i64,
}

/// A market.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names are those of the sections")]
pub struct Market {
    /// The time of its last touch: what comes before the next one belongs to it.
    pub clock: i64,
    pub episode: Episode,
    /// The most that claims have come to.
    pub peak: Q,
    pub settlement: Settlement,
    pub rules: Rules,
    pub prices: Prices,
    pub long: Side,
    pub short: Side,
    pub rate: Q,
    pub accrued_at: i64,
    pub governor: Governor,
    pub cash: Q,
    pub set_aside: Q,
    pub insurance: Q,
    pub protocol: Q,
    pub shares: Q,
    pub pending: Q,
    pub exits_waiting_until: i64,
    pub deficits: Q,
    pub insurance_paid: Q,
    pub covered: Covered,
    /// Claims on other pools, by market.
    pub held: Vec<Claim>,
    pub margin_version: u64,
    pub old_maintenance: Q,
    pub grace_until: i64,
    pub old_initial: Q,
    pub credit_until: i64,
    /// Whether a silent exit waits for the first good price, and that price once it came.
    pub unjudged: bool,
    pub resumed: Q,
    pub throttle_slot: u64,
    pub throttle_used: Q,
    pub floor_hour: i64,
    pub floor_paid: Q,
}

/// A position, or what is left of one.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names are those of the sections")]
pub struct Position {
    pub market: usize,
    /// Positive long, negative short.
    pub size: Q,
    pub entry: Q,
    pub index_at: Q,
    /// Version of the maintenance margin when it was opened or increased.
    pub margin_version: u64,
    pub claim: Claim,
    pub held: Q,
    pub held_size: Q,
    pub held_price: Q,
    /// Result up to the last deleveraging, to be realised with the next settling or reduction.
    pub frozen: Q,
    /// The last episode in which it was settled or closed.
    pub counted: u64,
    /// Whether the last deleveraging has yet to be picked up; it has happened all the same.
    pub waits: bool,
}

impl Position {
    /// An empty slot.
    pub fn empty() -> Self {
        Self {
            market: 0,
            size: zero(),
            entry: zero(),
            index_at: zero(),
            margin_version: 0,
            claim: Claim::none(),
            held: zero(),
            held_size: zero(),
            held_price: zero(),
            frozen: zero(),
            counted: 0,
            waits: false,
        }
    }
    /// Whether it holds nothing.
    pub fn is_free(&self) -> bool {
        self.size.is_zero() && self.claim.is_none() && self.held.is_zero()
    }
    /// Whether there is a size.
    pub fn is_open(&self) -> bool {
        !self.size.is_zero()
    }
    /// Whether it is long.
    pub fn is_long(&self) -> bool {
        !self.size.is_negative()
    }
    /// PnL at a price, before funding; what a deleveraging has frozen is part of it.
    pub fn pnl(&self, price: &Q) -> Q {
        let moved = if self.is_long() { &self.size * price - &self.entry } else { &self.entry + &self.size * price };
        moved + &self.frozen
    }
}

/// A liquidation flag.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names are those of section 8")]
pub struct Flag {
    pub slot: u64,
    pub time: i64,
    pub need: Q,
    pub closed: Q,
    pub last_slot: u64,
    pub full: bool,
    pub floor_paid: bool,
    /// Whether somebody shares in the fee.
    pub flagger: bool,
}

/// A subaccount.
#[derive(Clone, Debug)]
pub struct Account {
    /// Collateral.
    pub collateral: Q,
    /// Eight slots.
    pub slots: Vec<Position>,
    /// Flag, if it was set.
    pub flag: Option<Flag>,
    /// One position only.
    pub isolated: bool,
}

/// Everything.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Unix time.
    pub unix: i64,
    /// Slot.
    pub slot: u64,
    /// Slot of the last restart.
    pub restart: u64,
    /// Markets.
    pub markets: Vec<Market>,
    /// Accounts.
    pub accounts: Vec<Account>,
    /// The shared insurance fund.
    pub fund: Q,
    /// Its batches.
    pub batches: Vec<Batch>,
    /// What rounding left of awards that are paid; nothing here, but the engine's is never awarded again.
    pub dust: Q,
    /// Whether a decision since the last [`Exchange::begin`] hung on less than what rounding can move.
    pub close_call: Cell<bool>,
    /// What the state itself may be off by already; widens every decision's margin.
    pub drift: Q,
}

impl Exchange {
    /// Forgets close calls.
    pub fn begin(&self) {
        self.close_call.set(false);
    }

    /// Whether `a ≥ b`, where the engine may be off by so much.
    pub fn at_least(&self, a: &Q, b: &Q, off: &Q) -> bool {
        let apart = (a - b).abs();
        if apart <= off + &self.drift {
            self.close_call.set(true);
        }
        a >= b
    }

    /// The same with so many atoms.
    pub fn reaches(&self, a: &Q, b: &Q, atoms: i64) -> bool {
        self.at_least(a, b, &q(atoms))
    }

    /// All positions of a market and direction.
    pub fn side(&self, market: usize, long: bool) -> impl Iterator<Item = &Position> {
        let slots = self.accounts.iter().flat_map(|account| &account.slots);
        slots.filter(move |p| p.is_open() && p.market == market && p.is_long() == long)
    }

    /// Open interest of a side.
    pub fn open_interest(&self, market: usize, long: bool) -> Q {
        self.side(market, long).map(|p| p.size.abs()).sum()
    }

    /// Entry notional of a side.
    pub fn entry(&self, market: usize, long: bool) -> Q {
        self.side(market, long).map(|p| p.entry.clone()).sum()
    }

    /// Whether nothing is open in a market.
    pub fn is_closed(&self, market: usize) -> bool {
        [true, false].into_iter().all(|long| self.side(market, long).next().is_none())
    }

    /// Whether a market's settlement has its price.
    pub fn is_settled(&self, market: usize) -> bool {
        self.markets[market].settlement.fixed_at != 0
    }

    /// Notes the time in a market.
    pub fn touch(&mut self, market: usize) {
        let clock = &mut self.markets[market].clock;
        *clock = self.unix.max(*clock);
    }

    /// Longs less shorts.
    pub fn skew(&self, market: usize) -> Q {
        self.open_interest(market, true) - self.open_interest(market, false)
    }

    /// Funding that a position owes.
    pub fn owed(&self, p: &Position) -> Q {
        let market = &self.markets[p.market];
        let index = if p.is_long() { &market.long.index } else { &market.short.index };
        p.size.abs() * (index - &p.index_at)
    }

    /// The slot of a market, if the account has one there.
    pub fn find(&self, account: usize, market: usize) -> Option<usize> {
        self.accounts[account].slots.iter().position(|p| !p.is_free() && p.market == market)
    }

    /// Whether an account holds a flag in force.
    pub fn is_flagged(&self, account: usize) -> bool {
        self.accounts[account].flag.as_ref().is_some_and(|flag| {
            flag.slot > self.restart && self.slot.saturating_sub(flag.slot.max(flag.last_slot)) <= 150
        })
    }
}
