//! Fills orders for the fee that was put aside, and clears away those that can never fill again, for the same fee.

use ballast_client::instructions::{self, pubkey};
use ballast_engine::Error;

use super::{Action, Job, View, rank};

/// Somebody was first; or the account, the market or the price does not allow the fill (now).
const FILLING: &[Error] = &[
    Error::OrderTooEarly,
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
];

/// See the module.
pub(super) struct Orders;

impl Job for Orders {
    fn name(&self) -> &'static str {
        "orders"
    }

    fn plan(&mut self, view: &View<'_>) -> Vec<Action> {
        let mut actions = Vec::new();
        for (key, order, entry) in view.book.order_terms() {
            let Some(index) = view.book.index_of(&pubkey(&order.market)) else { continue };
            let Some(mark) = view.marks.get(index) else { continue };
            // A fee cannot go to the account that pays it.
            let keeper = (entry.key != view.reward).then_some(&view.reward);
            let (market, rent_to) = (pubkey(&order.market), pubkey(&order.rent_to));
            let terms = &order.terms;
            let instruction = if terms.dead(&mark.state, &view.now).is_some() {
                instructions::cancel_order(&view.payer, &market, &entry.key, key, &rent_to, keeper)
            } else if terms.mark(&mark.state, &view.now).is_ok() {
                let account = &entry.account;
                let held = account.state.find(index).and_then(|slot| account.state.position(slot).ok());
                // A reduction's loss may have to be paid by other markets' profits, which are then written.
                let reduces = held.is_some_and(|p| p.is_open() && p.size.is_long() != terms.size.is_long());
                let legs = instructions::leg_metas(account, Some(index), reduces);
                instructions::execute_order(&market, &entry.key, key, &rent_to, keeper, &legs)
            } else {
                continue;
            };
            let mut batch = view.refresh_of(entry);
            let own = view.refresh([index]);
            batch.extend(own.into_iter().filter(|i| !batch.contains(i)).collect::<Vec<_>>());
            batch.push(instruction);
            actions.push(Action {
                job: "orders",
                subject: *key,
                version: mark.state.price.last.publish_time.unsigned_abs(),
                instructions: batch,
                race: FILLING,
                may_vanish: true,
                reward: if keeper.is_some() { terms.fee.0 } else { 0 },
                own_flag: false,
                rank: rank::ORDER,
            });
        }
        actions
    }
}
