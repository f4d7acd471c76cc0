//! Fills orders for the fee that was put aside, and clears away those that can never fill again or whose accounts lack what
//! they need, for the same fee. Records stops that were met and trails that have moved before the ring forgets them, which
//! nobody pays for.

use ballast::state::Order;
use ballast_client::covenants;
use ballast_client::instructions::{self, pubkey};
use ballast_client::markets::Markets;
use ballast_client::quotes::{self, Filled};
use ballast_engine::constants::RING;
use ballast_engine::market::MarketState;
use ballast_engine::order::cancels;
use ballast_engine::{Error, Now, Result};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{Action, Job, View, rank};
use crate::book::Entry;
use crate::fees::Need;

/// Somebody was first; or the account, the market or the price does not allow the fill (now).
const FILLING: &[Error] = &[
    Error::OrderTooEarly,
    Error::OrderNotTriggered,
    Error::WrongOwner,
    Error::OrderLapsed,
    Error::OrderExpired,
    Error::PriceStale,
    Error::PriceUnconfirmed,
    Error::PriceUncertain,
    Error::PriceSilent,
    Error::InitialMargin,
    Error::InsufficientCollateral,
    Error::SlippageExceeded,
    Error::OpenInterestCap,
    Error::OpenInterestImpact,
    Error::OpenInterestStress,
    Error::PositionTooLarge,
    Error::NoFreePosition,
    Error::IsolatedSinglePosition,
    Error::CrossNotAllowed,
    Error::MarketReduceOnly,
    Error::ExitsWaiting,
    Error::PoolClaims,
    Error::PoolEmpty,
    Error::PositionNotFound,
    Error::SizeBelowMinimum,
    Error::FlaggedAccount,
    Error::LossNotCovered,
    Error::WorsensShortfall,
    Error::AccountBankrupt,
    Error::WrongMarketCount,
    Error::WrongMarket,
    Error::CovenantTripped,
    Error::CovenantStale,
    Error::CovenantFull,
    Error::CovenantNotEnrolled,
    Error::CovenantLeverage,
    Error::CovenantNotional,
    Error::CovenantLoss,
];

/// See the module.
pub(super) struct Orders;

impl Job for Orders {
    fn name(&self) -> &'static str {
        "orders"
    }

    fn plan(&mut self, view: &View<'_>) -> Vec<Action> {
        let mut actions = Vec::new();
        let mut foreseen = None;
        for (key, order, entry) in view.book.order_terms() {
            let Some(index) = view.book.index_of(&pubkey(&order.market)) else { continue };
            let Some(mark) = view.marks.get(index) else { continue };
            // A fee cannot go to the account that pays it.
            let keeper = (entry.key != view.reward).then_some(&view.reward);
            let what = What { view, key, order, entry, index, keeper };
            let (terms, account) = (&order.terms, &entry.account.state);
            let record = || (what.trigger(), Need::Record(entry.key));
            let (instruction, need) = if terms.dead(&mark.state, account, &view.now).is_some() {
                (what.cancel(false), Need::Upkeep)
            } else if terms.mark(&mark.state, account, &view.now).is_ok() {
                let markets = foreseen.get_or_insert_with(|| foresee(view));
                let quoted = quotes::order(&entry.account, markets, index, terms, &view.now);
                match quoted.and_then(|filled| allow(view, entry, &filled, markets)) {
                    Ok(()) => (what.execute(), Need::Upkeep),
                    Err(fault) if cancels(fault.error) && !terms.reduces() => (what.cancel(true), Need::Upkeep),
                    Err(_) if is_forgotten_soon(order, &mark.state, &view.now) => record(),
                    Err(_) => continue,
                }
            } else if is_forgotten_soon(order, &mark.state, &view.now) {
                record()
            } else {
                continue;
            };
            let mut batch = view.refresh_of(entry);
            let own = view.refresh([index]);
            batch.extend(own.into_iter().filter(|i| !batch.contains(i)).collect::<Vec<_>>());
            // Under a covenant the owner's other accounts must have been seen just now.
            batch.extend(
                view.book.covenant(&pubkey(&entry.account.covenant)).map(|_| seen(view, entry)).unwrap_or_default(),
            );
            batch.push(instruction);
            // There is time for it, and nobody pays.
            let records = matches!(need, Need::Record(_));
            actions.push(Action {
                job: "orders",
                subject: *key,
                version: mark.state.price.last.publish_time.unsigned_abs(),
                instructions: batch,
                race: FILLING,
                may_vanish: true,
                reward: if keeper.is_some() && !records { terms.fill_fee().map_or(0, |fee| fee.0) } else { 0 },
                own_flag: false,
                need,
                rank: if records { rank::REST } else { rank::ORDER },
            });
        }
        actions
    }
}

/// That the owner's covenant lets a fill pass, its accounts seen in front.
fn allow(view: &View<'_>, entry: &Entry, filled: &Filled, markets: &Markets) -> Result<()> {
    let Some(covenant) = view.book.covenant(&pubkey(&entry.account.covenant)) else { return Ok(()) };
    let owned = view.book.accounts().iter().filter(|other| other.account.covenant == entry.account.covenant);
    let owned = owned.map(|other| (&other.key, &other.account));
    covenants::check_fill(covenant, owned, &entry.key, filled, markets, &view.now)
}

/// Shows the owner's other accounts with positions to its covenant.
fn seen(view: &View<'_>, entry: &Entry) -> Vec<Instruction> {
    let covenant = pubkey(&entry.account.covenant);
    let others = view.book.accounts().iter().filter(|other| {
        other.key != entry.key && other.account.covenant == entry.account.covenant && !other.account.state.is_flat()
    });
    let mut batch = Vec::new();
    for other in others {
        batch.extend(view.refresh_of(other));
        let legs = instructions::leg_metas(&other.account, None, false);
        batch.push(instructions::touch_covenant(&covenant, &other.key, &legs));
    }
    batch
}

/// The markets as they are judged by.
fn foresee(view: &View<'_>) -> Markets {
    let markets = view.book.markets().map(|market| {
        let mut market = Box::new(*market);
        if let Some(mark) = view.marks.get(market.state.index) {
            market.state = *mark.state;
        }
        market
    });
    markets.collect()
}

/// Whether there is something to record that half of a ring of newer prices has come after.
fn is_forgotten_soon(order: &Order, market: &MarketState, now: &Now) -> bool {
    let mut terms = order.terms;
    let Ok(progress) = terms.record(market, now) else { return false };
    // A stop is recorded as of the price that met it; of a trail the first price counts that is not recorded.
    let since = if terms.triggered_at == 0 { order.terms.since } else { progress.triggered_at };
    let newer = market.price.ring.iter().filter(|seen| seen.publish_time > since).count();
    newer >= RING / 2
}

/// An order to act upon.
struct What<'a> {
    view: &'a View<'a>,
    key: &'a Pubkey,
    order: &'a Order,
    entry: &'a Entry,
    index: u16,
    keeper: Option<&'a Pubkey>,
}

impl What<'_> {
    fn execute(&self) -> Instruction {
        let (account, terms) = (&self.entry.account, &self.order.terms);
        // A reduction's loss may have to be paid by other markets' profits, which are then written.
        let reduces = account.state.opposite(self.index, terms.buys()).is_some();
        let legs = instructions::leg_metas(account, Some(self.index), reduces);
        let (market, rent_to) = (pubkey(&self.order.market), pubkey(&self.order.rent_to));
        let covenant = pubkey(&account.covenant);
        instructions::execute_order(&market, &self.entry.key, self.key, &rent_to, self.keeper, &covenant, &legs)
    }

    fn cancel(&self, unfillable: bool) -> Instruction {
        let legs = instructions::leg_metas(&self.entry.account, Some(self.index), false);
        let legs = if unfillable { legs.as_slice() } else { &[] };
        let (market, rent_to) = (pubkey(&self.order.market), pubkey(&self.order.rent_to));
        let (payer, account, covenant) = (&self.view.payer, &self.entry.key, pubkey(&self.entry.account.covenant));
        let (by, covenant) = (self.keeper, unfillable.then_some(&covenant));
        instructions::cancel_unfillable(payer, &market, account, self.key, &rent_to, by, covenant, legs)
    }

    fn trigger(&self) -> Instruction {
        instructions::trigger_order(&pubkey(&self.order.market), &self.entry.key, self.key)
    }
}
