//! One act at random: mostly one that may go through, now and then one that may not.

use ballast_client::{address, quotes};
use ballast_engine::constants::PLACEMENT_LAG;
use ballast_engine::price::Status;
use ballast_tests::{Ask, units};
use rand::Rng as _;

use super::act::{Act, Legs, index};
use super::world::{MARKETS, PEOPLE, Sim};

impl Sim {
    /// Whatever comes next: time and prices, a scene, or a single act.
    pub(crate) fn anything(&mut self) {
        match self.rng.random_range(0..100) {
            0..3 => self.scene(),
            3..8 => self.governing(),
            8..10 => self.odd_price(),
            10..20 => self.time_passes(),
            _ => {
                if let Some(act) = self.one_act() {
                    self.step(act);
                    self.what_follows(act);
                }
            }
        }
    }

    /// What is filed executes soon, mostly: a second later there is a price for it.
    fn what_follows(&mut self, act: Act) {
        let Some(follower) = (match act {
            Act::Place { .. } => self.orders.len().checked_sub(1).map(|order| {
                let keeper = (self.orders[order].sub + 1) % self.subs.len();
                Act::Fill { order, keeper: Some(keeper), legs: Legs::Write }
            }),
            Act::FileDeposit { by, market, .. } if self.has_deposit(by, market) => {
                Some(Act::ExecuteDeposit { owner: by, market })
            }
            _ => None,
        }) else {
            return;
        };
        if self.percent(60) {
            self.tick(PLACEMENT_LAG + 1);
            self.step(follower);
        }
    }

    fn time_passes(&mut self) {
        for quote in 0..MARKETS {
            self.wander(quote);
        }
        let seconds = match self.rng.random_range(0..100) {
            0..70 => self.rng.random_range(1..4),
            70..90 => self.rng.random_range(4..40),
            90..98 => self.rng.random_range(40..1_200),
            _ => self.rng.random_range(1_200..30_000),
        };
        self.setup.world.advance(seconds);
        // Sometimes nobody posts.
        if self.percent(90) {
            self.refresh();
        }
    }

    /// Moves a quoted price a little.
    fn wander(&mut self, market: usize) {
        let bps = self.rng.random_range(-15..=15);
        self.shift(market, bps);
        self.quotes[market].conf_bps = if self.percent(95) { 1 } else { self.rng.random_range(0..600) };
    }

    /// Moves a quoted price by basis points, within a factor of eight of its first one.
    pub(crate) fn shift(&mut self, market: usize, bps: i64) {
        let first = self.setup.terms.markets[market].price;
        let price = &mut self.quotes[market].price;
        *price = (*price + *price / 10_000 * bps).clamp(first / 8, first * 8);
    }

    /// A post that may be none: another's feed, an old time, no price, a scale that does not fit.
    fn odd_price(&mut self) {
        let market = self.rng.random_range(0..MARKETS);
        let (kind, slot) = (self.rng.random_range(0..8), self.setup.world.now().slot);
        if kind == 0 {
            let feed = self.feed((market + 1) % MARKETS);
            self.step(Act::Update { market, feed });
            return;
        }
        self.publish(market, |update| {
            let message = &mut update.message;
            match kind {
                1 => message.publish_time -= 100,
                2 => message.publish_time += 2,
                3 => message.publish_time += 3,
                4 => message.price = -message.price,
                5 => message.exponent = -19,
                6 => message.prev_publish_time = message.publish_time + 1,
                _ => update.posted_slot = Some(slot + 1),
            }
        });
        let feed = self.feed(market);
        self.step(Act::Update { market, feed });
        // Put it right: the next message names the one before it.
        self.quotes[market].published = self.quotes[market].published.min(self.setup.world.now().unix);
    }

    pub(crate) fn person(&mut self) -> usize {
        self.rng.random_range(0..PEOPLE)
    }

    pub(crate) fn sub(&mut self) -> usize {
        self.rng.random_range(0..self.subs.len())
    }

    /// An account with something besides collateral, mostly.
    fn holder(&mut self) -> usize {
        let holders: Vec<usize> = (0..self.subs.len()).filter(|sub| !self.account(*sub).state.is_flat()).collect();
        if holders.is_empty() || self.percent(10) { self.sub() } else { self.any(&holders) }
    }

    fn market(&mut self) -> usize {
        self.rng.random_range(0..MARKETS)
    }

    fn legs(&mut self) -> Legs {
        match self.rng.random_range(0..20) {
            0 => Legs::None,
            1..10 => Legs::Read,
            _ => Legs::Write,
        }
    }

    /// The owner, or somebody else.
    fn by(&mut self, sub: usize) -> usize {
        match self.delegate(sub).filter(|_| self.rng.random_ratio(1, 4)) {
            Some(delegate) => delegate,
            None if self.percent(98) => self.subs[sub].owner,
            None => self.person(),
        }
    }

    fn amount(&mut self) -> u64 {
        match self.rng.random_range(0..40) {
            0 => 0,
            1 => 1,
            2 => units(1_000_000_000),
            _ => {
                let most = units(10_u64.pow(self.rng.random_range(0..5)));
                self.rng.random_range(1..=most)
            }
        }
    }

    /// A market in which an account has something, if it has.
    pub(crate) fn held_market(&mut self, sub: usize) -> usize {
        let held: Vec<usize> = self.account(sub).state.slots().map(|(_, p)| p.market.into()).collect();
        if held.is_empty() || self.percent(5) { self.market() } else { self.any(&held) }
    }

    fn one_act(&mut self) -> Option<Act> {
        match self.rng.random_range(0..100) {
            0..14 => self.money_act(),
            14..20 => self.binding_act(),
            20..56 => self.trading_act(),
            56..74 => self.keeping_act(),
            _ => self.liquidity_act(),
        }
    }

    fn money_act(&mut self) -> Option<Act> {
        let (sub, amount, legs) = (self.sub(), self.amount(), self.legs());
        let by = self.by(sub);
        let free = self.account(sub).state.collateral.0;
        Some(match self.rng.random_range(0..20) {
            0 | 1 => {
                let (by, id) = (self.person(), self.rng.random_range(0..5));
                let isolated = id >= 2;
                let there = self.subs.iter().any(|s| (s.owner, s.id) == (by, id));
                return (!there).then_some(Act::Open { by, id, isolated });
            }
            // Many must stay.
            2 if self.subs.len() > 15 => Act::Close { sub, by },
            3..10 => Act::Deposit { sub, by, amount },
            10..16 => {
                let amount = if self.percent(50) { self.rng.random_range(0..=free) } else { amount };
                Act::Withdraw { sub, by, amount, legs }
            }
            _ => {
                let owner = self.subs[sub].owner;
                let own: Vec<usize> = (0..self.subs.len()).filter(|s| self.subs[*s].owner == owner).collect();
                let to = if self.percent(90) { self.any(&own) } else { self.sub() };
                if to == sub {
                    return None;
                }
                let amount = if self.percent(70) { self.rng.random_range(0..=free) } else { amount };
                Act::Transfer { from: sub, to, by, amount, legs }
            }
        })
    }

    /// A size for an account in a market: within what its margin allows, mostly; negative sells.
    pub(crate) fn size(&mut self, sub: usize, market: usize) -> i64 {
        let long = self.rng.random();
        let now = self.setup.world.now();
        let most = quotes::max_increase(&self.account(sub), &self.setup.markets(), index(market), long, &now);
        let most = i64::try_from(most.map_or(0, |b| b.0)).unwrap_or(0);
        let size = match self.rng.random_range(0..20) {
            0 => self.setup.size_for(market, self.rng.random_range(0..1_000_000_000_000)),
            1 => 1,
            2 => most.saturating_add(self.rng.random_range(0..=most.max(1))),
            3 => self.rng.random_range(0..=most),
            _ => self.rng.random_range(most / 3..=most),
        };
        if long { size } else { -size }
    }

    fn trading_act(&mut self) -> Option<Act> {
        if !self.orders.is_empty() && self.percent(60) {
            let order = self.rng.random_range(0..self.orders.len());
            let placed = self.orders[order];
            let keeper = if self.percent(90) { Some(self.sub()) } else { None };
            // The program refuses an account as its own keeper by name only when it is passed once: Anchor's own check of
            // duplicates comes first.
            let keeper = keeper.filter(|keeper| *keeper != placed.sub);
            let legs = self.legs();
            let dead = self.is_dead(order);
            if self.percent(15) {
                return Some(Act::Trigger { order });
            }
            if self.percent(if dead { 20 } else { 80 }) {
                return Some(Act::Fill { order, keeper, legs });
            }
            let by = if self.percent(60) { self.subs[placed.sub].owner } else { self.person() };
            return Some(Act::Cancel { order, by, keeper, legs });
        }
        let opens = self.percent(40);
        let sub = if opens { self.sub() } else { self.holder() };
        let (by, legs) = (self.by(sub), self.legs());
        let held = self.held_market(sub);
        let position = self.setup.world.read::<ballast::state::Subaccount>(&self.subs[sub].address);
        let position = position.state.find(index(held)).map_or(0, |slot| position.state.positions[slot].size.0);
        if opens {
            let market = if self.subs[sub].id < 2 { self.rng.random_range(0..2) } else { held };
            let market = if self.percent(95) { market } else { self.market() };
            let size = self.size(sub, market);
            let ask = self.ask(size);
            let ask = self.kind(ask, market, position);
            return (size != 0 || self.percent(5)).then_some(Act::Place { sub, by, market, ask });
        }
        Some(match self.rng.random_range(0..20) {
            // Reductions and flips.
            0..9 => {
                let size = -position / 4 * self.rng.random_range(1..=6);
                let ask = self.ask(size);
                let ask = Ask { reduce_only: self.percent(60), ..ask };
                let ask = self.kind(ask, held, position);
                Act::Place { sub, by, market: held, ask }
            }
            9..18 => {
                let whole = position.unsigned_abs();
                let size = if self.percent(30) { whole } else { self.rng.random_range(0..=whole + whole / 20) };
                let limit = if self.percent(95) { 0 } else { self.rng.random_range(1..1 << 50) };
                Act::Reduce { sub, by, market: held, size, limit, legs }
            }
            _ => Act::ExitSilent { sub, by, market: held },
        })
    }

    fn ask(&mut self, size: i64) -> Ask {
        let now = self.setup.world.now().unix;
        Ask {
            size,
            limit: if self.percent(95) { 0 } else { self.rng.random_range(1..1 << 50) },
            expires_at: if self.percent(90) { 0 } else { now + self.rng.random_range(-1..20) },
            reduce_only: self.percent(3),
            ..Ask::default()
        }
    }

    /// The same as one that waits for a price, or brings exits along; mostly with terms that go together.
    fn kind(&mut self, ask: Ask, market: usize, position: i64) -> Ask {
        if self.percent(50) {
            return ask;
        }
        let price = self.setup.market(market).state.price.last.price.0;
        let bps = |sim: &mut Self, most: u64| price / 10_000 * sim.rng.random_range(0..=most);
        let (near, far) = (bps(self, 20), bps(self, 100));
        let long = ask.size > 0;
        // On the side of the price where a buy of that kind waits, of a sell the other one.
        let side = |below: bool, by: u64| if below == long { price - by } else { price + by };
        let kind = self.rng.random_range(0..4);
        let exits = Ask {
            stop: if self.percent(70) { side(true, far) } else { 0 },
            target: if self.percent(70) { side(false, far + 1) } else { 0 },
            trail: if self.percent(30) { far + 1 } else { 0 },
            ..ask
        };
        match kind {
            0 => Ask { reduce_only: self.percent(3), ..exits },
            1 => Ask { limit: side(self.percent(50), near), kind, ..if ask.reduce_only { ask } else { exits } },
            2 => Ask { trigger: side(self.percent(50), near), kind, reduce_only: self.percent(3), ..exits },
            _ => {
                // Of the position that there is: stop and target are those of the other direction.
                let size = if position == 0 { ask.size } else { -position };
                let other = Ask { stop: exits.target, target: exits.stop, ..exits };
                let exits = if (size > 0) == long { other } else { exits };
                Ask { size, kind, reduce_only: self.percent(97), ..exits }
            }
        }
    }

    fn keeping_act(&mut self) -> Option<Act> {
        let sub = self.holder();
        let (market, legs, keeper) = (self.held_market(sub), self.legs(), self.sub());
        if keeper == sub {
            return None;
        }
        Some(match self.rng.random_range(0..20) {
            0 if self.percent(20) => Act::AdvanceSettlement { market },
            0 | 1 if self.view().state(market).is_settled() => Act::CloseSettled { sub, market, legs },
            0..6 => Act::Settle { sub, market, legs },
            6 | 7 => Act::CollectClaim { sub, market },
            8 if self.percent(50) => Act::Deleverage { market },
            8 => Act::PickUp { sub, market },
            9..11 => {
                let debtor = self.market();
                Act::CollectPoolClaim { debtor, holder: (debtor + 1) % MARKETS }
            }
            11..14 => Act::Flag { sub, flagger: keeper, legs },
            14..17 => {
                let flagger = (self.percent(50)).then(|| self.sub()).filter(|f| *f != sub && *f != keeper);
                Act::Liquidate { sub, market, keeper, flagger, legs }
            }
            17 | 18 => Act::Unflag { sub, legs },
            _ => Act::Resolve { sub, legs: if legs == Legs::Read { Legs::Write } else { legs } },
        })
    }

    pub(crate) fn has_deposit(&self, by: usize, market: usize) -> bool {
        self.setup.world.exists(&address::lp_deposit(&self.setup.market_key(market), &self.address(by)))
    }

    pub(crate) fn has_exit(&self, by: usize, market: usize) -> bool {
        self.setup.world.exists(&address::lp_withdrawal(&self.setup.market_key(market), &self.address(by)))
    }

    fn liquidity_act(&mut self) -> Option<Act> {
        let (by, market, amount) = (self.person(), self.market(), self.amount() / 10);
        let (filed, leaving) = (self.has_deposit(by, market), self.has_exit(by, market));
        let shares = self.setup.world.tokens(&self.share_account(by, market));
        Some(match self.rng.random_range(0..20) {
            0..3 if !filed => Act::FileDeposit { by, market, amount },
            3..9 if filed => Act::ExecuteDeposit { owner: by, market },
            9 if filed => Act::LapseDeposit { owner: by, market },
            10..12 if !leaving && shares > 0 => {
                let shares = self.rng.random_range(0..=shares + shares / 10);
                Act::FileExit { by, market, shares }
            }
            12..14 if leaving => {
                let owner = by;
                Act::ExecuteExit { by: if self.percent(70) { owner } else { self.person() }, owner, market }
            }
            14..17 if leaving => Act::LapseExit { owner: by, market },
            17 => Act::InsureMarket { by, market, amount: amount / 10 },
            18 => Act::InsureAll { by, amount: amount / 10 },
            19 => Act::CollectFees { market },
            _ if self.percent(50) => Act::RegisterInsurance { market },
            _ => Act::PayInsurance { market },
        })
    }

    /// Whether an order can never fill again.
    fn is_dead(&self, order: usize) -> bool {
        let placed = &self.orders[order];
        let terms = self.setup.world.read::<ballast::state::Order>(&placed.address).terms;
        let account = self.account(placed.sub);
        terms.dead(&self.setup.market(placed.market).state, &account.state, &self.setup.world.now()).is_some()
    }

    /// Whether all prices are good.
    pub(crate) fn all_good(&self) -> bool {
        (0..MARKETS).all(|market| self.setup.status(market) == Status::Good)
    }
}
