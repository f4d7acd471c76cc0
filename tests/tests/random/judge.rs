//! Why an instruction may be refused, from the accounts before it: each rule that stands in its way, by the engine. What
//! is refused must be refused for one of these; what goes through must have none.

use ballast::state::{LpDeposit, LpWithdrawal, Subaccount};
use ballast_client::address;
use ballast_engine::account::{AccountState, Position};
use ballast_engine::covenant::Measure;
use ballast_engine::delegate::COLLATERAL;
use ballast_engine::layout::Key;
use ballast_engine::margin::{self, Purpose, Totals};
use ballast_engine::market::MarketState;
use ballast_engine::settlement::close_settled;
use ballast_engine::units::{Quote, SignedQuote};
use ballast_engine::{Error, Fault, Now, Result, liquidation, liquidity, resolve, settle};

use super::act::{Act, Legs, index};
use super::covenants::taken_out;
use super::fill::{self, Filler};
use super::rules;
use super::world::{Sim, View};

/// A reason for a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Ballast's own.
    Ballast(Error),
    /// The token program's: there are not so many tokens.
    Tokens,
}

impl Reason {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ballast(error) => error.name(),
            Self::Tokens => "not enough tokens",
        }
    }
}

/// What stands in the way of an instruction.
#[derive(Default)]
pub(crate) struct Reasons(Vec<Reason>);

impl Reasons {
    /// Something that must hold.
    pub(crate) fn need(&mut self, holds: bool, error: Error) {
        if !holds {
            self.0.push(Reason::Ballast(error));
        }
    }

    /// Something that must go through.
    pub(crate) fn run<T>(&mut self, result: Result<T>) {
        if let Err(fault) = result {
            self.need(false, fault.error);
        }
    }

    fn tokens(&mut self, there: u64, wanted: u64) {
        if wanted > there {
            self.0.push(Reason::Tokens);
        }
    }
}

/// Everything that stands in the way of an instruction.
pub(crate) fn judge(sim: &Sim, view: &View, act: &Act) -> Vec<Reason> {
    let mut why = Reasons::default();
    if let (Some(sub), Some(by)) = (owned(act), act.signer()) {
        let may = match super::covenants::permissions(act) {
            Some(permissions) => sim.may(view, sub, by, permissions),
            None => sim.subs[sub].owner == by,
        };
        why.need(may, Error::WrongOwner);
    }
    let known = money(sim, view, act, &mut why)
        || positions(sim, view, act, &mut why)
        || pools(sim, view, act, &mut why)
        || super::upgrades::judge(sim, view, act, &mut why)
        || super::covenants::judge(sim, view, act, &mut why);
    if !known {
        rules::judge(sim, view, act, &mut why);
    }
    why.0
}

/// The subaccount whose owner must sign.
fn owned(act: &Act) -> Option<usize> {
    match *act {
        Act::Close { sub, .. }
        | Act::Deposit { sub, .. }
        | Act::Withdraw { sub, .. }
        | Act::Transfer { from: sub, .. }
        | Act::Place { sub, .. }
        | Act::Reduce { sub, .. }
        | Act::ExitSilent { sub, .. } => Some(sub),
        _ => None,
    }
}

/// The totals of all slots in use, as the program finds them; `own` is the instruction's market.
pub(crate) fn totals(
    view: &View,
    account: &AccountState,
    own: Option<&MarketState>,
    legs: Legs,
    purpose: Purpose,
) -> Result<Totals> {
    let others = account.slots().filter(|(_, p)| own.is_none_or(|m| m.index != p.market)).count();
    let short = Fault::new(Error::WrongMarketCount, others, 0);
    ballast_engine::error::ensure(legs != Legs::None || others == 0, short)?;
    let mut sums = Totals::new(account.collateral)?;
    for (slot, position) in account.slots() {
        let market = match own {
            Some(market) if market.index == position.market => market,
            _ => view.state(usize::from(position.market)),
        };
        sums.add(slot, &margin::leg(market, position, purpose, &view.now)?)?;
    }
    Ok(sums)
}

/// What an account is worth to its owner's covenant, as the program finds it.
pub(crate) fn measure(view: &View, account: &AccountState, own: Option<&MarketState>, legs: Legs) -> Result<Measure> {
    let others = account.slots().filter(|(_, p)| own.is_none_or(|m| m.index != p.market)).count();
    let short = Fault::new(Error::WrongMarketCount, others, 0);
    ballast_engine::error::ensure(legs != Legs::None || others == 0, short)?;
    let mut sum = Measure::new(account.collateral)?;
    for (_, position) in account.slots() {
        let market = match own {
            Some(market) if market.index == position.market => market,
            _ => view.state(usize::from(position.market)),
        };
        sum.add(market, position, &view.now)?;
    }
    Ok(sum)
}

fn take_out(view: &View, account: &mut AccountState, amount: u64, legs: Legs) -> Result<()> {
    use ballast_engine::error::ensure;
    ensure(!liquidation::is_flagged(account, &view.now), Error::FlaggedAccount)?;
    ensure(Quote(amount) <= account.collateral, Error::InsufficientCollateral)?;
    account.take_out(Quote(amount))?;
    if account.positions.iter().any(Position::is_open) {
        totals(view, account, None, legs, Purpose::Withdrawal)?.check_initial()?;
    }
    Ok(())
}

fn money(sim: &Sim, view: &View, act: &Act, why: &mut Reasons) -> bool {
    match *act {
        Act::Open { .. } => {}
        Act::Close { sub, .. } => {
            let state = sim.account(sub).state;
            why.need(state.is_flat() && state.collateral.is_zero() && state.orders == 0, Error::SubaccountInUse);
        }
        Act::Deposit { by, amount, .. } => {
            why.need(amount > 0, Error::AmountZero);
            why.tokens(sim.setup.world.tokens(&sim.wallet(by)), amount);
        }
        Act::Withdraw { sub, amount, legs, .. } => {
            why.need(amount > 0, Error::AmountZero);
            why.run(view.exchange.emergency.check(&view.now));
            let mut account = sim.account(sub).state;
            let balance = Quote(sim.setup.world.tokens(&sim.setup.vault));
            why.run(take_out(view, &mut account, amount, legs).and_then(|()| {
                taken_out(sim, view, sub, &account, (amount, None), legs)?;
                let profit = account.principal.profit_of(Quote(amount), &view.now)?;
                let limited = account.principal.withdraw(Quote(amount), &view.now)?;
                let (mut outflow, params) = (view.exchange.outflow, &view.exchange.params);
                outflow.book_withdrawal(Quote(amount), limited, profit, balance, params, &view.now)
            }));
        }
        Act::Transfer { from, to, by, amount, legs } => {
            why.need(amount > 0, Error::AmountZero);
            let same = sim.subs[to].owner == sim.subs[from].owner;
            why.need(same && sim.may(view, to, by, COLLATERAL), Error::WrongOwner);
            let mut account = sim.account(from).state;
            why.run(
                take_out(view, &mut account, amount, legs)
                    .and_then(|()| taken_out(sim, view, from, &account, (amount, Some(to)), legs)),
            );
        }
        _ => return false,
    }
    true
}

/// The state of an account's own market after funding was accrued, with the account and its slot there.
struct Touched {
    market: Box<MarketState>,
    account: Box<Subaccount>,
}

fn touch(sim: &Sim, view: &View, sub: usize, market: usize) -> Touched {
    let mut market = Box::new(*view.state(market));
    let _ = market.accrue(false, &view.now).expect("funding accrues");
    Touched { market, account: sim.account(sub) }
}

fn positions(sim: &Sim, view: &View, act: &Act, why: &mut Reasons) -> bool {
    let now = &view.now;
    match *act {
        Act::Place { sub, by, market, ask } => {
            let account = sim.account(sub);
            let fee = fill::place(&account.state, view.state(market), &ask, now, why);
            if sim.subs[sub].owner != by {
                why.run({ account.delegate }.spend(fee, now));
            }
        }
        Act::Cancel { order, by, legs, .. } => fill::cancel(sim, view, &sim.orders[order], by, legs, why),
        Act::Trigger { order } => fill::trigger(sim, view, &sim.orders[order], why),
        Act::Fill { order, legs, .. } => {
            let placed = sim.orders[order];
            why.run(fill::execute(sim, view, &placed, legs));
        }
        Act::Reduce { sub, market, size, limit, legs, .. } => {
            why.need(size > 0, Error::AmountZero);
            why.run(fill::reduce_at_once(sim, view, (sub, market), size, limit, legs));
        }
        Act::ExitSilent { sub, market, .. } => {
            let state = Box::new(*view.state(market));
            let mut filler = Filler::new(view, state, sim.account(sub), Legs::Read);
            why.run(filler.slot().and_then(|slot| {
                let filled = settle::silent_exit(&mut filler.market, &mut filler.account.state, slot, now)?;
                filler.check_solvent(filled.realised.pays())
            }));
        }
        Act::Settle { sub, market, legs } => {
            let Touched { market, account } = touch(sim, view, sub, market);
            let mut filler = Filler::new(view, market, account, legs);
            why.run(filler.slot().and_then(|slot| {
                let settled = settle::settle(&mut filler.market, &mut filler.account.state, slot, now)?;
                filler.check_sure(&settled.realised)
            }));
        }
        Act::CloseSettled { sub, market, legs } => {
            let mut filler = Filler::new(view, Box::new(*view.state(market)), sim.account(sub), legs);
            why.run(filler.slot().and_then(|slot| {
                let closed = close_settled(&mut filler.market, &mut filler.account.state, slot, now)?;
                filler.close_settled(slot, &closed)
            }));
        }
        Act::PickUp { sub, market } => {
            let (mut state, mut account) = (Box::new(*view.state(market)), sim.account(sub));
            let picked = match account.state.find(index(market)) {
                Some(slot) => ballast_engine::deleverage::pick_up(&mut state, &mut account.state, slot),
                None => Ok(None),
            };
            why.run(picked.and_then(|picked| picked.ok_or(Error::CoverTooEarly.into())));
        }
        Act::CollectClaim { sub, market } => {
            let (mut state, mut account) = (Box::new(*view.state(market)), sim.account(sub));
            let slot = account.state.find(index(market)).ok_or(Error::PositionNotFound.into());
            why.run(slot.and_then(|slot| {
                state.touch(now);
                let _ = ballast_engine::deleverage::pick_up(&mut state, &mut account.state, slot)?;
                let owed = account.state.positions[slot].claim.amount;
                let collected = settle::collect(&mut state, &mut account.state, slot)?;
                let moved = !collected.is_zero() || account.state.positions[slot].claim.amount != owed;
                ballast_engine::error::ensure(moved, Error::CoverTooEarly)
            }));
        }
        Act::Flag { sub, flagger, legs } => {
            why.need(flagger != sub, Error::KeeperAccountInvalid);
            why.run(flag(view, &mut sim.account(sub).state, legs));
        }
        Act::Liquidate { sub, market, keeper, flagger, legs } => {
            why.need(keeper != sub && flagger != Some(sub), Error::KeeperAccountInvalid);
            why.run(liquidate(touch(sim, view, sub, market), view, legs));
        }
        Act::Unflag { sub, legs } => {
            let mut account = sim.account(sub);
            let sums = totals(view, &account.state, None, legs, Purpose::Maintenance);
            why.run(sums.and_then(|sums| liquidation::unflag(&mut account.state, &sums, now)));
        }
        Act::Resolve { sub, legs } => {
            let mut account = sim.account(sub);
            let mut markets: Vec<(usize, Box<MarketState>)> =
                account.state.slots().map(|(slot, p)| (slot, Box::new(*view.state(usize::from(p.market))))).collect();
            why.need(legs != Legs::None || markets.is_empty(), Error::WrongMarketCount);
            why.run(resolve::resolve(&mut account.state, &mut markets, now));
        }
        _ => return false,
    }
    true
}

fn flag(view: &View, account: &mut AccountState, legs: Legs) -> Result<()> {
    let sums = totals(view, account, None, legs, Purpose::Maintenance)?;
    let Some((largest, _)) = sums.largest else {
        return Err(sums.worst.refusal().into());
    };
    let market = view.state(usize::from(account.positions[largest].market));
    liquidation::flag(account, market, &sums, Key::default(), &view.now)
}

fn liquidate(touched: Touched, view: &View, legs: Legs) -> Result<()> {
    let mut filler = Filler::new(view, touched.market, touched.account, legs);
    let slot = filler.slot()?;
    ballast_engine::error::ensure(filler.account.state.positions[slot].is_open(), Error::PositionNotFound)?;
    let sums = totals(view, &filler.account.state, Some(&filler.market), legs, Purpose::Maintenance)?;
    let done = liquidation::liquidate(&mut filler.market, &mut filler.account.state, slot, &sums, &view.now)?;
    done.map_or(Ok(()), |receipt| filler.pay_liquidated_loss(slot, receipt.fill.realised.unpaid))
}

fn pools(sim: &Sim, view: &View, act: &Act, why: &mut Reasons) -> bool {
    let (now, world) = (&view.now, &sim.setup.world);
    let deposit = |owner, market| -> Box<LpDeposit> {
        world.read(&address::lp_deposit(&sim.setup.market_key(market), &sim.address(owner)))
    };
    let exit = |owner, market| -> Box<LpWithdrawal> {
        world.read(&address::lp_withdrawal(&sim.setup.market_key(market), &sim.address(owner)))
    };
    match *act {
        Act::FileDeposit { by, market, amount } => {
            why.need(amount > 0, Error::AmountZero);
            why.tokens(world.tokens(&sim.wallet(by)), amount);
            why.run(view.state(market).check_not_settled());
        }
        Act::InsureMarket { by, amount, .. } | Act::InsureAll { by, amount } => {
            why.need(amount > 0, Error::AmountZero);
            why.tokens(world.tokens(&sim.wallet(by)), amount);
        }
        Act::ExecuteDeposit { owner, market } => {
            let (ticket, mut state) = (deposit(owner, market), Box::new(*view.state(market)));
            why.run(liquidity::execute_deposit(&mut state, ticket.amount, ticket.filed_at, now));
        }
        Act::LapseDeposit { owner, market } => {
            why.run(liquidity::check_lapsed(deposit(owner, market).filed_at, now));
        }
        Act::FileExit { by, market, shares } => {
            why.need(shares > 0, Error::AmountZero);
            why.tokens(world.tokens(&sim.share_account(by, market)), shares);
        }
        Act::ExecuteExit { by, owner, market } => {
            let (ticket, mut state) = (exit(owner, market), Box::new(*view.state(market)));
            if state.is_settled() {
                why.run(liquidity::check_settled_exit(by == owner, now));
            } else {
                why.run(liquidity::check_exit(ticket.ripe_at, ticket.window_start, by == owner, now));
            }
            if !view.exchange.emergency.active(now) {
                why.run(liquidity::execute_exit(&mut state, ticket.shares, ticket.ripe_at, now));
            }
        }
        Act::LapseExit { owner, market } => {
            why.run(liquidity::check_lapsed(exit(owner, market).window_start, now));
        }
        Act::CollectFees { market } => {
            why.need(!view.state(market).pool.protocol_fees.is_zero(), Error::AmountZero);
        }
        Act::CollectPoolClaim { debtor, holder } => {
            let (mut debtor, mut holder) = (Box::new(*view.state(debtor)), Box::new(*view.state(holder)));
            debtor.touch(now);
            let owed = holder.held;
            why.run(settle::collect_between(&mut debtor, &mut holder).and_then(|amount| {
                let moved = !amount.is_zero() || holder.held != owed;
                ballast_engine::error::ensure(moved, Error::CoverTooEarly)
            }));
        }
        Act::AdvanceSettlement { market } => {
            let mut state = Box::new(*view.state(market));
            let _ = state.accrue(false, now).expect("funding accrues");
            why.run(state.advance_settlement(now));
        }
        Act::Deleverage { market } => {
            let mut state = Box::new(*view.state(market));
            let _ = state.accrue(false, now).expect("funding accrues");
            why.run(state.deleverage(now));
        }
        Act::RegisterInsurance { market } => {
            let (mut shared, mut state) = (view.exchange.insurance, Box::new(*view.state(market)));
            why.run(shared.register(view.exchange.shared_insurance, &mut state, now));
        }
        Act::PayInsurance { market } => {
            let (mut shared, mut state) = (view.exchange.insurance, Box::new(*view.state(market)));
            why.run(shared.pay(&mut { view.exchange.shared_insurance }, &mut state, now));
        }
        Act::Update { market, feed } => why.run(rules::update(sim, view, market, &feed)),
        _ => return false,
    }
    true
}

/// What a liquidation must not worsen: equity less maintenance, all funding accrued.
pub(crate) fn health(sim: &Sim, view: &View, act: &Act) -> Option<SignedQuote> {
    let Act::Liquidate { sub, .. } = *act else { return None };
    surplus(sim, view, sub)
}

/// That it did not (P6).
pub(crate) fn check_health(sim: &Sim, act: &Act, before: Option<SignedQuote>) {
    let (Act::Liquidate { sub, .. }, Some(before)) = (*act, before) else { return };
    let after = surplus(sim, &sim.view(), sub).expect("was there before");
    assert!(after.0 >= before.0, "{}: {act:?} left {} of {}", sim.place(), after.0, before.0);
}

fn surplus(sim: &Sim, view: &View, sub: usize) -> Option<SignedQuote> {
    let accrued = |now: &Now| {
        let mut markets = view.markets.clone();
        for market in &mut markets {
            let _ = market.state.accrue(false, now)?;
        }
        Ok::<_, Fault>(markets)
    };
    let markets = accrued(&view.now).ok()?;
    let view = View { now: view.now, exchange: view.exchange.clone(), markets };
    totals(&view, &sim.account(sub).state, None, Legs::Read, Purpose::Maintenance).ok()?.surplus().ok()
}
