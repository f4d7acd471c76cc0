//! Covenants and delegates: a few people bind themselves, and anyone may act for some.

use ballast::instructions::trader::{SetCovenantArgs, SetDelegateArgs};
use ballast::state::Covenant;
use ballast_client::{address, instructions as ix};
use ballast_engine::account::Position;
use ballast_engine::constants::{DAY, HOUR};
use ballast_engine::covenant::{Limits, Measure};
use ballast_engine::delegate::{COLLATERAL, ORDERS, TRADE};
use ballast_engine::error::ensure;
use ballast_engine::layout::Key;
use ballast_engine::order::reduce_mark;
use ballast_engine::price::Status;
use ballast_engine::units::Quote;
use ballast_engine::{Error, Result};
use ballast_tests::binding::NO_LIMITS;
use ballast_tests::units;
use rand::Rng as _;
use solana_instruction::Instruction;

use super::act::{Act, Legs, index, metas};
use super::fill::Filler;
use super::judge::{Reasons, measure};
use super::world::{PEOPLE, Sim, View};

/// People who bind themselves now and then: the first ones.
pub(crate) const BOUND: usize = 3;

pub(crate) fn key_of(address: &anchor_lang::prelude::Pubkey) -> Key {
    Key(address.to_bytes())
}

impl Sim {
    /// Somebody's covenant, if there is one.
    pub(crate) fn covenant(&self, of: usize) -> Option<Box<Covenant>> {
        let address = address::covenant(&self.setup.exchange, &self.address(of));
        self.setup.world.exists(&address).then(|| self.setup.world.read(&address))
    }

    /// Whether a person may act for an account in all of that.
    pub(crate) fn may(&self, view: &View, sub: usize, by: usize, permissions: u64) -> bool {
        let delegate = self.account(sub).delegate;
        self.subs[sub].owner == by || delegate.may(&key_of(&self.address(by)), permissions, &view.now)
    }

    /// An account's delegate, if it is one of the people.
    pub(crate) fn delegate(&self, sub: usize) -> Option<usize> {
        let key = self.account(sub).delegate.key;
        (0..PEOPLE).find(|by| key_of(&self.address(*by)) == key)
    }

    fn terms(&mut self) -> SetCovenantArgs {
        let some = |sim: &mut Self, of: u64| if sim.percent(30) { 0 } else { of * sim.rng.random_range(1..=8) };
        SetCovenantArgs {
            max_leverage: some(self, 4_000_000),
            max_notional: some(self, units(20_000)),
            daily_loss: some(self, units(20)),
            drawdown: some(self, units(40)),
            cool_down: self.rng.random_range(HOUR - 1..12 * HOUR),
            loosening_delay: if self.percent(97) { DAY } else { DAY - 1 },
            auto_close: self.percent(70),
        }
    }

    /// One act about covenants or delegates.
    pub(crate) fn binding_act(&mut self) -> Option<Act> {
        let of = self.rng.random_range(0..BOUND);
        let Some(covenant) = self.covenant(of) else {
            return Some(Act::Bind { by: of, args: self.terms() });
        };
        let own: Vec<usize> = (0..self.subs.len()).filter(|s| self.subs[*s].owner == of).collect();
        let (by, legs) = (if self.percent(97) { of } else { self.person() }, self.reading());
        Some(match self.rng.random_range(0..20) {
            0 => Act::Tighten { by, of, args: self.terms() },
            1 => {
                let tighter = SetCovenantArgs { drawdown: covenant.state.limits.drawdown.0 / 2, ..self.terms() };
                Act::Tighten { by, of, args: tighter }
            }
            2 => Act::Loosen { by, of, args: if self.percent(50) { NO_LIMITS } else { self.terms() } },
            3 => Act::Loosened { of },
            4 => Act::Unbind { by, of },
            5..11 if !own.is_empty() => Act::Touch { sub: self.any(&own), legs },
            11..14 => Act::Trip { of },
            14..17 if !own.is_empty() => {
                let sub = self.any(&own);
                let (market, keeper) = (self.held_market(sub), self.sub());
                if keeper == sub {
                    return None;
                }
                Act::CloseTripped { sub, market, keeper, legs: Legs::Write }
            }
            _ => {
                let (sub, delegate) = (self.sub(), self.person());
                let by = if self.percent(95) { self.subs[sub].owner } else { by };
                Act::Appoint { sub, by, args: self.appointment(delegate) }
            }
        })
    }

    fn reading(&mut self) -> Legs {
        if self.percent(95) { Legs::Read } else { Legs::None }
    }

    fn appointment(&mut self, delegate: usize) -> SetDelegateArgs {
        let now = self.setup.world.now().unix;
        SetDelegateArgs {
            delegate: if self.percent(90) { self.address(delegate) } else { Default::default() },
            until: now + self.rng.random_range(-5..60) * HOUR,
            permissions: self.rng.random_range(0..9),
            fee_budget: self.rng.random_range(0..units(3)),
        }
    }

    /// Somebody binds itself tightly, loses, is tripped and closed; later it asks for its freedom and leaves.
    pub(crate) fn discipline(&mut self) {
        let of = self.rng.random_range(0..BOUND);
        let own: Vec<usize> = (0..self.subs.len()).filter(|s| self.subs[*s].owner == of).collect();
        self.open_up();
        self.calm();
        for sub in &own {
            let (market, long) = (self.rng.random_range(0..2), self.rng.random());
            let size = self.most(*sub, market, long) / 2;
            self.trade(*sub, market, size);
        }
        // An atom of loss is one too many.
        let args = match self.covenant(of) {
            None => SetCovenantArgs { daily_loss: 1, drawdown: 1, auto_close: true, ..NO_LIMITS },
            Some(covenant) => SetCovenantArgs {
                max_leverage: covenant.state.limits.max_leverage.0,
                max_notional: covenant.state.limits.max_notional.0,
                daily_loss: 1,
                drawdown: 1,
                cool_down: covenant.state.limits.cool_down,
                loosening_delay: covenant.state.limits.loosening_delay,
                auto_close: true,
            },
        };
        let bound = self.covenant(of).is_some();
        self.step(if bound { Act::Tighten { by: of, of, args } } else { Act::Bind { by: of, args } });
        self.show(of);
        for _ in 0..10 {
            for market in 0..super::world::MARKETS {
                let bps = if self.percent(50) { -60 } else { 60 };
                self.shift(market, bps);
            }
            // Found, and found again at newer prices.
            for seconds in [2, 1] {
                self.tick(seconds);
                self.show(of);
            }
            if self.step(Act::Trip { of }) {
                break;
            }
        }
        self.tick(1);
        for sub in own {
            let keeper = (sub + 1) % self.subs.len();
            for (_, position) in self.account(sub).state.slots() {
                self.step(Act::CloseTripped { sub, market: position.market.into(), keeper, legs: Legs::Write });
            }
        }
        if self.percent(50) {
            self.free(of);
        }
    }

    /// All of somebody's accounts are seen.
    pub(crate) fn show(&mut self, of: usize) {
        for sub in 0..self.subs.len() {
            if self.subs[sub].owner == of && self.covenant(of).is_some() {
                self.step(Act::Touch { sub, legs: Legs::Read });
            }
        }
    }

    /// Somebody asks for its freedom, waits, and closes its covenant.
    pub(crate) fn free(&mut self, of: usize) {
        let Some(covenant) = self.covenant(of) else { return };
        self.step(Act::Loosen { by: of, of, args: NO_LIMITS });
        self.setup.world.advance(covenant.state.limits.loosening_delay);
        self.step(Act::Loosened { of });
        let cool = self.covenant(of).map_or(0, |c| c.state.tripped_until) - self.setup.world.now().unix;
        self.setup.world.advance(cool.max(1));
        self.step(Act::Unbind { by: of, of });
        self.refresh();
    }
}

/// Builds what is about covenants and delegates.
pub(crate) fn build(sim: &Sim, act: &Act) -> Option<Instruction> {
    let (exchange, key) = (&sim.setup.exchange, |by| sim.address(by));
    let covenant = |of| address::covenant(exchange, &sim.address(of));
    // Somebody else signs for the owner's covenant.
    let of_another = |mut instruction: Instruction, of| {
        instruction.accounts[1].pubkey = covenant(of);
        instruction
    };
    Some(match *act {
        Act::Bind { by, args } => ix::create_covenant(exchange, &key(by), args),
        Act::Tighten { by, of, args } => of_another(ix::tighten_covenant(exchange, &key(by), args), of),
        Act::Loosen { by, of, args } => of_another(ix::loosen_covenant(exchange, &key(by), args), of),
        Act::Unbind { by, of } => of_another(ix::close_covenant(exchange, &key(by)), of),
        Act::Loosened { of } => ix::execute_loosening(&covenant(of)),
        Act::Trip { of } => ix::trip_covenant(&covenant(of)),
        Act::Touch { sub, legs } => {
            ix::touch_covenant(&covenant(sim.subs[sub].owner), &sim.subs[sub].address, &metas(sim, sub, None, legs))
        }
        Act::CloseTripped { sub, market, keeper, legs } => ix::close_tripped(
            &sim.setup.market_key(market),
            &sim.subs[sub].address,
            &sim.subs[keeper].address,
            &covenant(sim.subs[sub].owner),
            &metas(sim, sub, Some(market), legs),
        ),
        Act::Appoint { sub, by, args } => ix::set_delegate(&key(by), &sim.subs[sub].address, args),
        _ => return None,
    })
}

/// What stands in the way of it.
pub(crate) fn judge(sim: &Sim, view: &View, act: &Act, why: &mut Reasons) -> bool {
    let now = &view.now;
    let state = |of| sim.covenant(of).expect("there").state;
    match *act {
        Act::Bind { args, .. } => why.run(
            Limits::from(args).check().and_then(|()| ensure(!Limits::from(args).is_none(), Error::CovenantInvalid)),
        ),
        Act::Tighten { by, of, args } => {
            why.need(by == of, Error::WrongOwner);
            why.run(state(of).tighten(&args.into()));
        }
        Act::Loosen { by, of, args } => {
            why.need(by == of, Error::WrongOwner);
            why.run(state(of).ask(&args.into(), now));
        }
        Act::Unbind { by, of } => {
            why.need(by == of, Error::WrongOwner);
            why.run(state(of).check_close(now));
        }
        Act::Loosened { of } => why.run(state(of).loosen(now)),
        Act::Trip { of } => why.run(state(of).trip(now)),
        Act::Touch { sub, legs } => {
            let (account, mut covenant) = (sim.account(sub).state, state(sim.subs[sub].owner));
            let seen = measure(view, &account, None, legs);
            why.run(seen.and_then(|seen| covenant.touch(&key_of(&sim.subs[sub].address), &seen, account.flow, now)));
        }
        Act::CloseTripped { sub, market, legs, .. } => {
            why.run(close_tripped(sim, view, (sub, market), legs));
        }
        Act::Appoint { sub, by, args } => {
            let account = sim.account(sub);
            why.need(sim.subs[sub].owner == by, Error::WrongOwner);
            let (mut delegate, owner, permissions) = (account.delegate, account.owner, args.permissions.into());
            let key = key_of(&args.delegate);
            why.run(delegate.appoint(key, &owner, args.until, permissions, Quote(args.fee_budget), now));
        }
        _ => return false,
    }
    true
}

fn close_tripped(sim: &Sim, view: &View, (sub, market): (usize, usize), legs: Legs) -> Result<()> {
    let covenant = sim.covenant(sim.subs[sub].owner).ok_or(Error::CovenantNotTripped)?;
    let mut state = Box::new(*view.state(market));
    covenant.state.check_close_at(state.price.last.publish_time, &view.now)?;
    let status = state.status(&view.now)?;
    ensure(status == Status::Good, status.refusal())?;
    let _ = state.accrue(false, &view.now)?;
    let mut filler = Filler::new(view, state, sim.account(sub), legs);
    let slot = filler.account.state.find(index(market)).ok_or(Error::PositionNotFound)?;
    let position = filler.account.state.positions[slot];
    ensure(position.is_open(), Error::PositionNotFound)?;
    let mark = reduce_mark(&filler.market, !position.size.is_long(), &view.now)?;
    filler.reduce(slot, position.base(), mark, Default::default())
}

/// What a covenant says to money that leaves one account, for another of its owner's or for the owner.
pub(crate) fn taken_out(
    sim: &Sim,
    view: &View,
    from: usize,
    account: &ballast_engine::account::AccountState,
    (amount, to): (u64, Option<usize>),
    legs: Legs,
) -> Result<()> {
    let Some(mut covenant) = sim.covenant(sim.subs[from].owner) else { return Ok(()) };
    let (state, key) = (&mut covenant.state, key_of(&sim.subs[from].address));
    let signed = Quote(amount).signed()?;
    let enrolled = state.find(&key).is_some();
    if enrolled && account.positions.iter().any(Position::is_open) {
        state.touch(&key, &measure(view, account, None, legs)?, account.flow, &view.now)?;
    } else if enrolled && account.is_flat() {
        state.touch(&key, &Measure::new(account.collateral)?, account.flow, &view.now)?;
    } else if enrolled {
        state.moved(&key, signed.negated()?)?;
        state.closed(&key);
    }
    let inside = to.is_some_and(|to| {
        let key = key_of(&sim.subs[to].address);
        state.moved(&key, signed).expect("no overflow");
        state.find(&key).is_some()
    });
    if enrolled && !inside { state.check_taken_out() } else { Ok(()) }
}

/// Which permissions an act on an account needs of a delegate; none for what only the owner may.
pub(crate) fn permissions(act: &Act) -> Option<u64> {
    match act {
        Act::Place { ask, .. } => {
            let rests = ask.stop != 0 || ask.target != 0 || ask.trail != 0;
            Some(if ask.kind != 0 {
                ORDERS
            } else if rests {
                TRADE | ORDERS
            } else {
                TRADE
            })
        }
        Act::Reduce { .. } => Some(TRADE),
        Act::Cancel { .. } => Some(ORDERS),
        Act::Transfer { .. } => Some(COLLATERAL),
        _ => None,
    }
}
