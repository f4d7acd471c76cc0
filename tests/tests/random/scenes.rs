//! Scenes: what random acts alone would hardly ever come to.

use ballast_engine::constants::PLACEMENT_LAG;
use ballast_engine::governance::kind;
use ballast_engine::liquidation::is_flagged;
use ballast_engine::margin::{Purpose, unrealised};
use ballast_tests::{Ask, units};
use rand::Rng as _;

use super::act::{Act, Legs, index};
use super::judge::totals;
use super::officers::GOVERNANCE;
use super::world::{MARKETS, PEOPLE, Sim};

impl Sim {
    /// Everybody comes with two accounts, and some provide liquidity.
    pub(crate) fn begin(&mut self) {
        for by in 0..PEOPLE {
            for (id, isolated) in [(0, false), (2, true)] {
                self.step(Act::Open { by, id, isolated });
                let amount = units(self.rng.random_range(500..5_000));
                self.step(Act::Deposit { sub: self.subs.len() - 1, by, amount });
            }
        }
        for market in 0..MARKETS {
            let by = self.person();
            self.step(Act::FileDeposit { by, market, amount: units(5_000) });
            self.tick(PLACEMENT_LAG + 1);
            self.step(Act::ExecuteDeposit { owner: by, market });
        }
        // The rare scenes once while all pools are well: later a pool may be past helping.
        for name in
            ["collect_pool_claim", "deleverage", "unflag", "liquidate", "resolve", "exit_silent", "lapse_lp_withdrawal"]
        {
            self.look_for(name);
        }
    }

    /// Plays scenes until an instruction has gone through; gives up after twenty.
    pub(crate) fn look_for(&mut self, name: &str) {
        for _ in 0..20 {
            if self.done.contains_key(name) {
                return;
            }
            self.cover(name);
        }
    }

    /// What a run has not come across by chance.
    fn cover(&mut self, missing: &str) {
        match missing {
            "collect_claim" | "collect_pool_claim" => self.squeeze(),
            "deleverage" | "pick_up_deleveraging" => self.long_episode(),
            "unflag" => self.crash(true),
            "flag" | "liquidate" | "resolve" => self.crash(false),
            "register_insurance_claim" | "pay_insurance_claim" => {
                self.crash(false);
                self.midnights();
            }
            "exit_silent" => self.silence(),
            "queue_upgrade"
            | "verify_upgrade"
            | "execute_upgrade"
            | "close_upgrade"
            | "queue_new_exchange"
            | "execute_new_exchange" => self.upgrade_program(),
            "touch_covenant" | "trip_covenant" | "close_tripped" | "execute_loosening" | "close_covenant" => {
                self.discipline()
            }
            "execute_lp_withdrawal" => self.providers_leave(false),
            "lapse_lp_withdrawal" | "lapse_lp_deposit" => self.providers_leave(true),
            _ if GOVERNANCE.contains(&missing) => self.govern_on_purpose(missing),
            _ => (0..50).for_each(|_| self.anything()),
        }
    }

    /// A scene at random.
    pub(crate) fn scene(&mut self) {
        if self.percent(40) {
            self.open_up();
        }
        match self.rng.random_range(0..18) {
            17 => self.discipline(),
            16 => self.long_episode(),
            14 => self.midnights(),
            15 => self.upgrade_program(),
            0..3 => self.leverage(),
            3..7 => {
                let recover = self.percent(30);
                self.crash(recover);
            }
            7 => self.silence(),
            8 | 9 => self.squeeze(),
            10 | 11 => {
                let late = self.percent(20);
                self.providers_leave(late);
            }
            12 => self.restart(),
            _ => self.roles_change(),
        }
    }

    /// Prices that have wandered become good.
    pub(crate) fn calm(&mut self) {
        for quote in &mut self.quotes {
            quote.conf_bps = 1;
        }
        for wait in [2, 2, 2, 2, 300, 2, 2, 2] {
            self.tick(wait);
            // What jumped is confirmed after three; after another feed the averages warm up for five minutes.
            if self.all_good() {
                return;
            }
        }
    }

    /// Opens or increases at once: places, waits for a price, fills.
    pub(crate) fn trade(&mut self, sub: usize, market: usize, size: i64) -> bool {
        let by = self.subs[sub].owner;
        let ask = Ask { size, ..Ask::default() };
        if size == 0 || !self.step(Act::Place { sub, by, market, ask }) {
            return false;
        }
        self.tick(PLACEMENT_LAG + 1);
        let order = self.orders.len() - 1;
        self.step(Act::Fill { order, keeper: None, legs: Legs::Write })
    }

    /// The largest increase that margin and limits allow, as a signed size.
    pub(crate) fn most(&self, sub: usize, market: usize, long: bool) -> i64 {
        let (account, markets, now) = (self.account(sub), self.setup.markets(), self.setup.world.now());
        let most = ballast_client::quotes::max_increase(&account, &markets, index(market), long, &now);
        let most = i64::try_from(most.map_or(0, |b| b.0)).unwrap_or(0) / 100 * 97;
        if long { most } else { -most }
    }

    /// Several accounts go as far as they can.
    pub(crate) fn leverage(&mut self) {
        self.calm();
        for _ in 0..6 {
            let (sub, market) = (self.sub(), self.rng.random_range(0..MARKETS));
            let long = self.rng.random();
            let size = self.most(sub, market, long);
            self.trade(sub, market, size);
        }
    }

    /// Prices jump, confirmed, and may come back; keepers look at everybody.
    fn crash(&mut self, recover: bool) {
        if recover || self.percent(60) {
            self.leverage();
        }
        // As large as the tiers' margins.
        let most = self.any(&[300, 400, 500, 600, 1_500]);
        let moves = [1, 2, 4].map(|tier| self.rng.random_range(-most..=most) * tier);
        for (market, bps) in moves.into_iter().enumerate() {
            self.shift(market, bps);
        }
        self.calm();
        self.flag_all();
        if recover {
            for (market, bps) in moves.into_iter().enumerate() {
                self.shift(market, -bps);
            }
            self.calm();
        }
        for _ in 0..self.rng.random_range(2..6) {
            self.keep();
        }
    }

    /// Somebody brings the first market's pool liquidity: a drained one carries no open interest.
    fn refill(&mut self) {
        let by = self.person();
        if self.has_deposit(by, 0) || self.view().state(0).is_settled() {
            return;
        }
        self.step(Act::FileDeposit { by, market: 0, amount: units(5_000) });
        self.tick(PLACEMENT_LAG + 1);
        self.step(Act::ExecuteDeposit { owner: by, market: 0 });
    }

    /// A pool that cannot pay its winners, for two days; then its winning side is deleveraged, and picked up by some.
    fn long_episode(&mut self) {
        if self.view().state(0).is_settled() {
            return;
        }
        self.calm();
        self.refill();
        // Losses on paper that nobody can pay count in the pool's equity until they are resolved.
        for _ in 0..2 {
            self.keep();
            self.calm();
        }
        let flat: Vec<usize> = (0..self.subs.len()).filter(|sub| self.account(*sub).state.is_flat()).collect();
        if flat.len() < 2 {
            return;
        }
        let place = self.rng.random_range(1..flat.len());
        let [winner, loser] = [flat[0], flat[place]];
        let cash = self.view().state(0).pool.free_cash().expect("claims are paid from cash").0 + units(1_000);
        if self.view().state(0).claims_block() {
            // An older one goes on: what its losers can pay ends it.
            for sub in 0..self.subs.len() {
                if self.account(sub).state.find(0).is_some() {
                    self.step(Act::Settle { sub, market: 0, legs: Legs::Read });
                }
            }
        }
        if self.view().state(0).claims_block() {
            return;
        }
        for (sub, amount) in [(winner, cash * 2), (loser, cash * 3)] {
            let by = self.subs[sub].owner;
            self.step(Act::Deposit { sub, by, amount });
        }
        // Upwards, for a short cannot win more than it sold; unless the price has wandered far up already.
        let up = self.quotes[0].price <= self.setup.terms.markets[0].price.saturating_mul(4);
        // As much against it: what is lost on paper counts in the pool's equity, and more of it would carry the winning side.
        let size = self.most(winner, 0, up);
        if !self.trade(winner, 0, size) {
            return;
        }
        let against = self.most(loser, 0, !up).clamp(-size.abs(), size.abs());
        if !self.trade(loser, 0, against) {
            return;
        }
        for _ in 0..14 {
            self.shift(0, if up { 2_500 } else { -1_800 });
            self.calm();
            self.step(Act::Settle { sub: winner, market: 0, legs: Legs::Read });
            if self.view().state(0).claims_block() {
                break;
            }
        }
        self.setup.world.advance(2 * 86_400 + 1);
        self.calm();
        self.step(Act::Deleverage { market: 0 });
        let mut picked = false;
        for sub in 0..self.subs.len() {
            let state = self.account(sub).state;
            let waits = state.find(0).is_some_and(|slot| self.view().state(0).is_deleveraged(&state.positions[slot]));
            if waits && (!picked || self.percent(60)) {
                picked |= self.step(Act::PickUp { sub, market: 0 });
            }
        }
        self.step(Act::Settle { sub: loser, market: 0, legs: Legs::Read });
        self.keep();
    }

    /// Two days pass: claims on the shared insurance are registered and paid.
    pub(crate) fn midnights(&mut self) {
        for pay in [false, true] {
            let (now, later) = (self.setup.world.now().unix, self.rng.random_range(0..20_000));
            self.setup.world.advance(86_400 - now % 86_400 + later);
            for market in 0..MARKETS {
                let claims = self.view().state(market).insurance;
                if pay && claims.registered.iter().any(|claim| !claim.amount.is_zero()) {
                    self.step(Act::PayInsurance { market });
                }
                if !claims.pending().expect("in range").is_zero() {
                    self.step(Act::RegisterInsurance { market });
                }
            }
        }
        self.calm();
    }

    /// Flags whoever is below maintenance.
    fn flag_all(&mut self) {
        for sub in 0..self.subs.len() {
            let (view, account) = (self.view(), self.account(sub));
            let Ok(sums) = totals(&view, &account.state, None, Legs::Read, Purpose::Maintenance) else { continue };
            let healthy = sums.surplus().is_ok_and(|s| s.0 >= 0);
            if account.state.flag.slot != 0 && healthy {
                self.step(Act::Unflag { sub, legs: Legs::Read });
            } else if !healthy && !is_flagged(&account.state, &view.now) {
                let flagger = (sub + 1) % self.subs.len();
                self.step(Act::Flag { sub, flagger, legs: Legs::Read });
            }
        }
    }

    /// Flags, liquidates, resolves, unflags and settles whoever needs it.
    pub(crate) fn keep(&mut self) {
        self.flag_all();
        self.tick(2);
        for sub in 0..self.subs.len() {
            let (view, account) = (self.view(), self.account(sub));
            if !is_flagged(&account.state, &view.now) {
                continue;
            }
            let Ok(sums) = totals(&view, &account.state, None, Legs::Read, Purpose::Maintenance) else { continue };
            if sums.full_equity.0 < 0 {
                self.step(Act::Resolve { sub, legs: Legs::Write });
            } else if let Some((slot, _)) = sums.largest {
                let market = account.state.positions[slot].market.into();
                let keeper = (sub + 1) % self.subs.len();
                self.step(Act::Liquidate { sub, market, keeper, flagger: None, legs: Legs::Write });
            }
        }
    }

    /// No price for an hour: some leave at the penalised one.
    fn silence(&mut self) {
        self.setup.world.advance(3_700);
        for _ in 0..6 {
            let sub = self.sub();
            let (by, account) = (self.subs[sub].owner, self.account(sub));
            for (_, position) in account.state.slots().filter(|(_, p)| p.is_open()) {
                self.step(Act::ExitSilent { sub, by, market: position.market.into() });
            }
        }
        self.calm();
    }

    /// A pool that cannot pay its winners at once, and an account whose loss elsewhere takes its claim on that pool.
    fn squeeze(&mut self) {
        if [0, 1].into_iter().any(|market| self.view().state(market).is_settled()) {
            return;
        }
        self.calm();
        self.refill();
        let cross: Vec<usize> =
            (0..self.subs.len()).filter(|sub| self.subs[*sub].id < 2 && self.account(*sub).state.is_flat()).collect();
        if cross.is_empty() {
            return;
        }
        let (winner, loser) = (self.any(&cross), self.any(&cross));
        if winner == loser {
            return;
        }
        let cash = self.view().state(0).pool.free_cash().expect("claims are paid from cash").0 + units(1_000);
        // The loser can pay what it loses: the pool is short of cash for a while only.
        for (sub, amount) in [(winner, cash / 6), (loser, cash * 3)] {
            let by = self.subs[sub].owner;
            self.step(Act::Deposit { sub, by, amount });
        }
        let up = [0, 1].map(|market| self.quotes[market].price <= self.setup.terms.markets[market].price);
        for (sub, long) in [(loser, !up[0]), (winner, up[0])] {
            let size = self.most(sub, 0, long);
            if !self.trade(sub, 0, size) {
                return;
            }
        }
        for _ in 0..4 {
            self.shift(0, if up[0] { 3_000 } else { -2_000 });
            self.calm();
            let payable = self.view().state(0).payable().expect("payable");
            if payable.gross.0 > payable.cash.0 / 2 * 3 {
                break;
            }
        }
        self.step(Act::Settle { sub: winner, market: 0, legs: Legs::Read });
        self.close(winner);
        self.keep_little(winner);
        let size = self.most(winner, 1, up[1]);
        self.trade(winner, 1, size);
        self.lose_elsewhere(winner, !up[1]);
        self.step(Act::Settle { sub: loser, market: 0, legs: Legs::Read });
        self.step(Act::CollectClaim { sub: winner, market: 0 });
        self.step(Act::CollectPoolClaim { debtor: 0, holder: 1 });
        self.close(winner);
        self.close(loser);
    }

    /// Closes all positions of an account.
    fn close(&mut self, sub: usize) {
        let (by, state) = (self.subs[sub].owner, self.account(sub).state);
        for (_, position) in state.slots().filter(|(_, p)| p.is_open()) {
            let (market, size) = (position.market.into(), position.base().0);
            self.step(Act::Reduce { sub, by, market, size, limit: 0, legs: Legs::Write });
        }
    }

    /// Moves collateral to another account of the owner's, so that what is left is less than the claim beside it.
    fn keep_little(&mut self, sub: usize) {
        let (by, state) = (self.subs[sub].owner, self.account(sub).state);
        let claim = state.find(0).map_or(0, |slot| state.positions[slot].claim.amount.0);
        let amount = state.collateral.0.saturating_sub((claim / 3).clamp(units(100), units(15_000)));
        let other = (0..self.subs.len()).find(|other| *other != sub && self.subs[*other].owner == by);
        if let Some(to) = other.filter(|_| amount > 0) {
            self.step(Act::Transfer { from: sub, to, by, amount, legs: Legs::Read });
        }
    }

    /// The second market goes against an account until its collateral cannot pay; then it closes there.
    fn lose_elsewhere(&mut self, sub: usize, up: bool) {
        let by = self.subs[sub].owner;
        for _ in 0..8 {
            self.shift(1, if up { 800 } else { -700 });
            self.calm();
            let (view, state) = (self.view(), self.account(sub).state);
            let Some(slot) = state.find(1) else { return };
            let position = state.positions[slot];
            let result = unrealised(&position, view.state(1).price.last.price).expect("a result");
            if position.is_open() && result.loss() > state.collateral {
                let size = position.base().0;
                self.step(Act::Reduce { sub, by, market: 1, size, limit: 0, legs: Legs::Write });
                return;
            }
        }
    }

    /// Exits are filed, ripen and are executed, or lapse if everybody is late.
    fn providers_leave(&mut self, late: bool) {
        for by in 0..PEOPLE {
            for market in 0..MARKETS {
                let shares = self.setup.world.tokens(&self.share_account(by, market));
                if shares > 0 && !self.has_exit(by, market) && self.percent(50) {
                    self.step(Act::FileExit { by, market, shares: shares / 2 + 1 });
                }
            }
        }
        self.setup.world.advance(86_401);
        if late {
            self.setup.world.advance(3_601);
        }
        self.calm();
        for owner in 0..PEOPLE {
            for market in 0..MARKETS {
                if self.has_exit(owner, market) {
                    let lapse = late && self.percent(50);
                    let leave = Act::ExecuteExit { by: owner, owner, market };
                    self.step(if lapse { Act::LapseExit { owner, market } } else { leave });
                }
                if self.has_deposit(owner, market) {
                    self.step(Act::LapseDeposit { owner, market });
                }
            }
        }
    }

    /// The cluster restarts: prices, flags and orders from before are void.
    fn restart(&mut self) {
        let slot = self.setup.world.now().slot;
        self.setup.world.set_restart_slot(slot);
        for _ in 0..3 {
            if let Some(order) = self.orders.len().checked_sub(1) {
                self.step(Act::Fill { order, keeper: None, legs: Legs::Write });
            }
            let sub = self.sub();
            self.step(Act::Settle { sub, market: 0, legs: Legs::Read });
        }
        self.setup.world.advance(2);
        self.calm();
    }

    /// Governance offers itself to another key, which accepts.
    pub(crate) fn roles_change(&mut self) {
        let exchange = self.setup.exchange();
        let Some(by) = self.officer(&exchange.roles.governance.0) else { return };
        let free = (PEOPLE..).find(|by| {
            let key = ballast_engine::layout::Key(self.address(*by).to_bytes());
            exchange.roles.check_key(&key).is_ok()
        });
        let new_key = self.address(free.expect("more officers than roles"));
        let last_slot = self.setup.last_slot();
        let version = exchange.roles.version[0];
        let args = ballast::instructions::governance::QueueRoleArgs {
            kind: kind::GOVERNANCE,
            new_key,
            version,
            last_slot,
            rationale: [1; 32],
        };
        self.step(Act::QueueRole { by, args });
        self.wait_and_execute();
    }
}
