//! Fills orders for the fee that was put aside, and clears away those that can never fill again or whose accounts lack what
//! they need, for the same fee. Records stops that were met and trails that have moved before the ring forgets them, which
//! nobody pays for.

use ballast::state::{Covenant, Order};
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
        let (mut foreseen, mut owned) = (None, None);
        for (key, order, entry) in view.book.order_terms() {
            let Some(index) = view.book.index_of(&pubkey(&order.market)) else { continue };
            let Some(mark) = view.marks.get(index) else { continue };
            // A fee cannot go to the account that pays it.
            let keeper = (entry.key != view.reward).then_some(&view.reward);
            let what = What { view, key, order, entry, index, keeper };
            let (terms, account) = (&order.terms, &entry.account.state);
            let bound = view.book.covenant(&pubkey(&entry.account.covenant)).map(|covenant| {
                let owned = owned.get_or_insert_with(|| super::covenants::owned(view));
                let own = owned.get(&entry.account.covenant.0).map(Vec::as_slice).unwrap_or_default();
                (covenant, super::covenants::beside(view, covenant, own, entry))
            });
            let record = || (what.trigger(), Need::Record(entry.key));
            let (instruction, need) = if terms.dead(&mark.state, account, &view.now).is_some() {
                (what.cancel(false), Need::Upkeep)
            } else if terms.mark(&mark.state, account, &view.now).is_ok() {
                let markets = foreseen.get_or_insert_with(|| foresee(view));
                let quoted = quotes::order(&entry.account, markets, index, terms, &view.now);
                match quoted.and_then(|filled| allow(view, entry, bound.as_ref(), &filled, markets)) {
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
            // Under a covenant the owner's other accounts must have been seen just now.
            let batch = match &bound {
                Some((covenant, beside)) => match what.with_others(covenant, beside, instruction) {
                    Ok(batch) => batch,
                    Err(first) => {
                        actions.extend(first);
                        continue;
                    }
                },
                None => what.with_others_of(&[], instruction),
            };
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
fn allow(
    view: &View<'_>,
    entry: &Entry,
    bound: Option<&(&Covenant, Vec<&Entry>)>,
    filled: &Filled,
    markets: &Markets,
) -> Result<()> {
    let Some((covenant, beside)) = bound else { return Ok(()) };
    let others = beside.iter().copied().filter(|other| other.key != entry.key);
    let all = others.chain([entry]).map(|entry| (&entry.key, &entry.account));
    covenants::check_fill(covenant, all, &entry.key, filled, markets, &view.now)
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
    /// The prices, the owner's other accounts shown to its covenant, and the instruction; or what is to be shown first, where
    /// that is more than one transaction holds.
    fn with_others(
        &self,
        covenant: &Covenant,
        beside: &[&Entry],
        instruction: Instruction,
    ) -> core::result::Result<Vec<Instruction>, Vec<Action>> {
        let batch = self.with_others_of(beside, instruction.clone());
        if beside.is_empty() || self.view.fits(&batch) {
            return Ok(batch);
        }
        if super::covenants::just_seen(self.view, covenant, beside) {
            return Ok(self.with_others_of(&[], instruction));
        }
        let key = pubkey(&self.entry.account.covenant);
        Err(super::covenants::in_parts(self.view, &key, covenant, beside, rank::ORDER))
    }

    fn with_others_of(&self, beside: &[&Entry], instruction: Instruction) -> Vec<Instruction> {
        let covenant = pubkey(&self.entry.account.covenant);
        let all = beside.iter().copied().chain([self.entry]);
        let markets = all.flat_map(|entry| entry.account.state.slots().map(|(_, position)| position.market));
        let mut batch = self.view.refresh(markets.chain([self.index]));
        let legs = |entry: &Entry| instructions::leg_metas(&entry.account, None, false);
        let touch = |entry: &&Entry| instructions::touch_covenant(&covenant, &entry.key, &legs(entry));
        batch.extend(beside.iter().map(touch));
        batch.push(instruction);
        batch
    }

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
