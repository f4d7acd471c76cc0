//! What the instructions that trade share: reducing with all its rules, increasing with all its checks, both in one for
//! a flip, the funding that accrues first, and who is paid for it.

use anchor_lang::Key as _;
use anchor_lang::prelude::*;
use ballast_engine::account::AccountState;
use ballast_engine::layout::Key;
use ballast_engine::margin::{self, Purpose};
use ballast_engine::market::MarketState;
use ballast_engine::math::fit;
use ballast_engine::order::{OrderTerms, check_limit};
use ballast_engine::pool::Realised;
use ballast_engine::trade::{self, Charge, Fill};
use ballast_engine::units::{Base, Price, Quote, SignedBase};
use ballast_engine::{Error as EngineError, Fault, Now, deleverage, liquidation, resolve};

use crate::covenants::Bound;
use crate::error::{OnChain, ensure, refuse};
use crate::events::{FundingAccrued, PositionDeleveraged, Traded};
use crate::legs::{self, Others};
use crate::state::Subaccount;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// Signed size: positive buys.
    pub size: SignedBase,
    /// Whether it may only reduce; the size is then capped at the position.
    pub reduce_only: bool,
    /// Worst average price; 0 for none.
    pub limit: Price,
    /// The mark, before the premium.
    pub mark: Price,
}

/// Who is trading, and what its other positions need.
pub struct Trader<'a, 'info> {
    /// Its state.
    pub account: &'a mut AccountState,
    /// Its exchange.
    pub exchange: &'a Key,
    /// Its other markets, as passed.
    pub others: Others<'info>,
    /// Its owner's covenant, which an increase must pass; none where there is none, or where nothing can increase.
    pub covenant: Option<Bound<'a>>,
    /// Whether it only tries, on copies: then the other markets, which are no copies, are left as they are, even where they
    /// were passed writable (a message's accounts are so for all its instructions).
    pub trial: bool,
}

impl<'a, 'info> Trader<'a, 'info> {
    /// Who trades in a market, with its other markets as passed.
    pub fn of(
        account: &'a mut AccountState,
        exchange: &'a Key,
        market: &MarketState,
        others: &'info [AccountInfo<'info>],
    ) -> Self {
        let others = Others::of(account, Some(market.index), others);
        Self::with(account, exchange, others)
    }

    /// The same with markets that were looked through before anything moved.
    pub const fn with(account: &'a mut AccountState, exchange: &'a Key, others: Others<'info>) -> Self {
        Self { account, exchange, others, covenant: None, trial: false }
    }
}

/// A fill's event.
pub fn event(
    fill: &Fill,
    market: Pubkey,
    state: &mut MarketState,
    subaccount: Pubkey,
    account: &mut AccountState,
    order: Pubkey,
) -> Result<Traded> {
    Ok(Traded {
        market,
        subaccount,
        order,
        size: fill.size.signed(fill.buy).on_chain()?.0,
        mark: fill.mark.0,
        price: fill.price.0,
        premium: fill.premium.0,
        fee: fill.fee.0,
        pnl: fill.pnl.0,
        funding: fill.funding.0,
        claimed: fill.realised.claimed.0,
        position: position_of(account, state.index),
        market_sequence: state.next_sequence().on_chain()?,
        account_sequence: account.next_sequence().on_chain()?,
    })
}

/// The signed size held in a market.
pub fn position_of(account: &AccountState, market: u16) -> i64 {
    account.find(market).and_then(|slot| account.positions.get(slot)).map_or(0, |p| p.size.0)
}

/// Accrues funding before a touch. The event, where somebody came to owe something.
pub fn accrue(key: Pubkey, market: &mut MarketState, now: &Now) -> Result<Option<FundingAccrued>> {
    let accrual = market.accrue(false, now).on_chain()?;
    if accrual.longs_owe.is_zero() && accrual.shorts_owe.is_zero() {
        return Ok(None);
    }
    Ok(Some(FundingAccrued {
        market: key,
        seconds: accrual.seconds,
        rate: accrual.rate.0,
        long_index: market.long.index.get(),
        short_index: market.short.index.get(),
        longs_owe: accrual.longs_owe.0,
        shorts_owe: accrual.shorts_owe.0,
        market_sequence: market.next_sequence().on_chain()?,
    }))
}

/// Lets a slot's position pick up a deleveraging before a touch. The event, where it had one to pick up.
pub fn pick_up(
    key: Pubkey,
    market: &mut MarketState,
    subaccount: Pubkey,
    account: &mut AccountState,
) -> Result<Option<PositionDeleveraged>> {
    if market.deleveraging.positions == 0 {
        return Ok(None);
    }
    let Some(slot) = account.find(market.index) else { return Ok(None) };
    let Some(picked) = deleverage::pick_up(market, account, slot).on_chain()? else { return Ok(None) };
    Ok(Some(PositionDeleveraged {
        market: key,
        subaccount,
        before: picked.before.0,
        after: picked.after.0,
        frozen: picked.frozen.0,
        market_sequence: market.next_sequence().on_chain()?,
        account_sequence: account.next_sequence().on_chain()?,
    }))
}

/// What an order asks for now.
pub fn ask(terms: &OrderTerms, market: &MarketState, account: &AccountState, now: &Now) -> Result<Ask> {
    let mark = terms.mark(market, account, now).on_chain()?;
    let size = match account.opposite(market.index, terms.buys()) {
        Some((_, position)) => terms.size_of(market, position.base()).on_chain()?.signed(terms.buys()).on_chain()?,
        None => terms.size,
    };
    Ok(Ask { size, reduce_only: terms.reduces(), limit: terms.limit, mark })
}

/// Fills what is asked for: reduces an opposite position first, opens or increases with the rest, and keeps every rule
/// of either. The market has accrued just now.
pub fn fill(market: &mut MarketState, trader: &mut Trader<'_, '_>, ask: &Ask, now: &Now) -> Result<Fill> {
    let (buy, size) = (ask.size.0 > 0, ask.size.size());
    ensure(!size.is_zero(), EngineError::AmountZero)?;
    let held = trader.account.opposite(market.index, buy).map(|(slot, position)| (slot, position.base()));
    let Some((slot, held)) = held else {
        ensure(!ask.reduce_only, EngineError::PositionNotFound)?;
        let fill = increase(market, trader, size, buy, ask.mark, now)?;
        return finish(market, trader, fill, ask, now);
    };
    if ask.reduce_only || size <= held {
        return reduce(market, trader, slot, size.min(held), ask.mark, ask.limit, now);
    }
    let closed = close(market, trader, slot, held, ask.mark, now)?;
    let opened = increase(market, trader, size.less(held).on_chain()?, buy, ask.mark, now)?;
    finish(market, trader, closed.and(&opened).on_chain()?, ask, now)
}

/// Reduces or closes the position in a slot. A part of it leaves the account no less healthy (section 7); the whole of it
/// may always go.
pub fn reduce(
    market: &mut MarketState,
    trader: &mut Trader<'_, '_>,
    slot: usize,
    size: Base,
    mark: Price,
    limit: Price,
    now: &Now,
) -> Result<Fill> {
    let position = trader.account.position(slot).on_chain()?;
    let held = position.base();
    let maintenance = margin::maintenance_ratio(market, position, now);
    let fill = close(market, trader, slot, size, mark, now)?;
    check_limit(fill.price, fill.buy, limit).on_chain()?;
    if size != held {
        trade::check_rest(market, trader.account, slot, held).on_chain()?;
        if trade::worsens(market, &fill, maintenance).on_chain()? {
            check_surplus(market, trader, now)?;
        }
    }
    Ok(fill)
}

/// A reduction dearer than the margin it sets free is for accounts without a shortfall.
fn check_surplus(market: &MarketState, trader: &Trader<'_, '_>, now: &Now) -> Result<()> {
    ensure(!trader.others.missing(), EngineError::WorsensShortfall)?;
    let totals = legs::totals(trader.account, trader.exchange, Some(market), trader.others, Purpose::Maintenance, now)?;
    ensure(totals.surplus().on_chain()?.0 >= 0, EngineError::WorsensShortfall)
}

/// Reduces without further checks; other markets' profits pay what the collateral cannot.
fn close(
    market: &mut MarketState,
    trader: &mut Trader<'_, '_>,
    slot: usize,
    size: Base,
    mark: Price,
    now: &Now,
) -> Result<Fill> {
    let fill = trade::reduce(market, trader.account, slot, size, mark, Charge::Trade).on_chain()?;
    pay_loss(market, trader, slot, fill.realised.unpaid, now)?;
    check_solvent(market, trader.account, trader.exchange, trader.others, fill.realised.pays(), now)?;
    Ok(fill)
}

fn increase(
    market: &mut MarketState,
    trader: &mut Trader<'_, '_>,
    size: Base,
    long: bool,
    mark: Price,
    now: &Now,
) -> Result<Fill> {
    ensure(!liquidation::is_flagged(trader.account, now), EngineError::FlaggedAccount)?;
    trade::check_mode(market, trader.account).on_chain()?;
    if let Some(bound) = &mut trader.covenant {
        bound.enrol(trader.account, now)?;
    }
    let slot = trader.account.find_or_free(market.index).on_chain()?;
    let fill = trade::increase(market, trader.account, slot, size, long, mark).on_chain()?;
    trade::check_increase(market, trader.account, slot, now).on_chain()?;
    Ok(fill)
}

/// What must hold after an increase.
fn finish(market: &MarketState, trader: &mut Trader<'_, '_>, fill: Fill, ask: &Ask, now: &Now) -> Result<Fill> {
    check_limit(fill.price, fill.buy, ask.limit).on_chain()?;
    legs::totals(trader.account, trader.exchange, Some(market), trader.others, Purpose::Increase, now)?
        .check_initial()
        .on_chain()?;
    if let Some(bound) = &mut trader.covenant {
        let _ = bound.touch(trader.account, trader.exchange, Some(market), trader.others, now)?;
        bound.covenant.check_increase(now).on_chain()?;
    }
    Ok(fill)
}

/// Runs `work` over all of the account's markets, this one and the others as passed, which must be writable.
fn over_all<T>(
    market: &mut MarketState,
    trader: &mut Trader<'_, '_>,
    slot: usize,
    unpaid: Quote,
    work: impl FnOnce(&mut AccountState, &mut [(usize, &mut MarketState)]) -> ballast_engine::Result<T>,
) -> Result<T> {
    let read_only = trader.trial || trader.others.infos.iter().any(|info| !info.is_writable);
    if read_only || trader.others.missing() {
        return Err(refuse(Fault::new(EngineError::LossNotCovered, 0, unpaid.0)));
    }
    let mut others = legs::change_all(trader.account, trader.exchange, Some(market.index), trader.others.infos)?;
    let mut markets: Vec<(usize, &mut MarketState)> = Vec::with_capacity(others.len().saturating_add(1));
    markets.extend(others.iter_mut().map(|(other, market)| (*other, &mut market.state)));
    let place = markets.iter().take_while(|(other, _)| *other < slot).count();
    markets.insert(place, (slot, market));
    let done = work(trader.account, &mut markets).on_chain()?;
    for (_, market) in &markets {
        market.invariant().on_chain()?;
    }
    Ok(done)
}

/// Pays a loss booked in `slot` that the collateral could not, from the account's profits in its other markets
/// (section 5), which must then be writable.
pub fn pay_loss(
    market: &mut MarketState,
    trader: &mut Trader<'_, '_>,
    slot: usize,
    unpaid: Quote,
    now: &Now,
) -> Result<()> {
    if unpaid.is_zero() {
        return Ok(());
    }
    let left =
        over_all(market, trader, slot, unpaid, |account, markets| resolve::cover(account, slot, unpaid, markets, now))?;
    if left.is_zero() {
        return Ok(());
    }
    Err(refuse(Fault::new(EngineError::LossNotCovered, unpaid.saturating_sub(left).0, unpaid.0)))
}

/// The same after a liquidation: what nobody's money pays is the market's deficit, or stays with the rest of the position
/// while another price is not good. Returns the deficit.
pub fn pay_liquidated_loss(
    market: &mut MarketState,
    trader: &mut Trader<'_, '_>,
    slot: usize,
    unpaid: Quote,
    now: &Now,
) -> Result<Quote> {
    if unpaid.is_zero() {
        return Ok(Quote::ZERO);
    }
    let done = over_all(market, trader, slot, unpaid, |account, markets| {
        resolve::cover_liquidation(account, slot, unpaid, markets, now)
    })?;
    Ok(done.deficit)
}

/// That what one market was paid was not another's: of an account below zero only the resolution pays, to all its losing
/// markets at once (P7), whether it is flagged yet or not. An account without other positions has nobody to choose between.
pub fn check_solvent(
    market: &MarketState,
    account: &AccountState,
    exchange: &Key,
    others: Others<'_>,
    pays: bool,
    now: &Now,
) -> Result<()> {
    if !pays || !account.is_open_elsewhere(market.index) {
        return Ok(());
    }
    let totals = legs::totals(account, exchange, Some(market), others, Purpose::Maintenance, now)?;
    ensure(totals.full_equity.0 >= 0, EngineError::AccountBankrupt)
}

/// The same where anyone may call, with a loss that is booked and not paid yet: it is judged by what is surely there
/// ([`legs::sure_equity`]), so that nobody makes an account look solvent by leaving a price old. It waits for one, for nobody
/// is hurt by waiting.
pub fn check_sure(
    market: &MarketState,
    account: &AccountState,
    exchange: &Key,
    others: Others<'_>,
    realised: &Realised,
    now: &Now,
) -> Result<()> {
    if !realised.pays() || !account.is_open_elsewhere(market.index) {
        return Ok(());
    }
    let sure = legs::sure_equity(account, exchange, market, others, now)?;
    let left = sure.less(realised.unpaid.signed().on_chain()?).on_chain()?;
    ensure(left.0 >= 0, EngineError::AccountBankrupt)
}

/// That a reward account is a subaccount of this exchange, and not the one acted upon.
pub fn check_keeper(keeper: &AccountLoader<'_, Subaccount>, exchange: &Key, acted_upon: &Pubkey) -> Result<()> {
    ensure(keeper.key() != *acted_upon, EngineError::KeeperAccountInvalid)?;
    let keeper = keeper.load()?;
    crate::checks::check_version(keeper.version)?;
    ensure(keeper.exchange == *exchange, EngineError::KeeperAccountInvalid)
}

/// Credits a reward to a subaccount: money put in, not what trading has made.
pub fn credit(to: &AccountLoader<'_, Subaccount>, amount: Quote) -> Result<()> {
    if amount.is_zero() {
        return Ok(());
    }
    to.load_mut()?.state.put_in(amount).on_chain()
}

/// Pays an order's fee to the keeper, or gives it back to the account that put it aside.
pub fn pay_order_fee(
    keeper: Option<&AccountLoader<'_, Subaccount>>,
    from: &AccountLoader<'_, Subaccount>,
    fee: Quote,
) -> Result<()> {
    if let Some(keeper) = keeper {
        return credit(keeper, fee);
    }
    let state = &mut from.load_mut()?.state;
    state.collateral = state.collateral.plus(fee).on_chain()?;
    Ok(())
}

/// A size as an instruction carries it.
pub fn base_of(size: u64) -> Result<Base> {
    let _: i64 = fit(size).on_chain()?;
    Ok(Base(size))
}
