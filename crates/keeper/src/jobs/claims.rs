//! Collects what pools have paid on traders' claims, the largest amount first: it then counts as their collateral, and in a
//! settled market the account becomes free. Anyone may; the owner gets it.

use ballast_client::{address, instructions};
use ballast_engine::{Error, settle};

use super::{Action, Job, View};

/// At most so many at a time.
const AT_A_TIME: usize = 64;
/// Somebody was first.
const RACE: &[Error] = &[Error::CoverTooEarly, Error::PositionNotFound, Error::WrongMarket];

/// See the module.
pub(super) struct Claims;

impl Job for Claims {
    fn name(&self) -> &'static str {
        "claims"
    }

    fn plan(&mut self, view: &View<'_>) -> Vec<Action> {
        let mut found = Vec::new();
        for entry in view.book.accounts() {
            for (slot, position) in entry.account.state.slots().filter(|(_, p)| !p.claim.amount.is_zero()) {
                let Some(mark) = view.marks.get(position.market) else { continue };
                // What has not been paid is found without a copy.
                let paid = mark.state.claim_value(&position.claim).map_or(0, |(_, paid)| paid.0);
                let unit = 10_u64.saturating_pow(mark.state.quote_decimals.into());
                if paid < unit && !mark.state.is_closed() {
                    continue;
                }
                let (mut market, mut account) = (mark.state.clone(), Box::new(entry.account.state));
                let Ok(collected) = settle::collect(&mut market, &mut account, slot) else { continue };
                let gone = account.positions.get(slot).is_none_or(|after| after.claim.amount.is_zero());
                // Less than a unit is not worth the call, unless it is the last of the claim.
                if collected.0 >= unit || gone {
                    found.push((collected, position.market, entry));
                }
            }
        }
        found.sort_by_key(|(collected, market, entry)| (core::cmp::Reverse(*collected), *market, entry.key));
        let collect = |(_, index, entry): (_, u16, _)| {
            let entry: &crate::book::Entry = entry;
            let market = address::market(&view.book.exchange(), index);
            let instructions = vec![instructions::collect_claim(&market, &entry.key)];
            Action { instructions, ..view.on(entry, "claims", instructions::collect_claim(&market, &entry.key), RACE) }
        };
        found.into_iter().take(AT_A_TIME).map(collect).collect()
    }
}
