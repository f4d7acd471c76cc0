//! Who paid, added up from the events and the markets as they stand.

use ballast_client::Markets;
use ballast_client::events::Event;
use ballast_engine::{Base, Price, Rounding};
use serde::Serialize;

/// Who paid. Amounts in the collateral's smallest unit.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Waterfall {
    /// What accounts below zero could not pay.
    pub(crate) deficits: u64,
    /// Paid by markets' own insurance.
    pub(crate) market_insurance: u64,
    /// Paid by shared insurance.
    pub(crate) shared_insurance: u64,
    /// What fell on providers in the end.
    pub(crate) lp_loss: u64,
    /// The most that claims on one pool have come to.
    pub(crate) claims_peak: u64,
    /// Collected on claims.
    pub(crate) claims_paid: u64,
    /// Open interest closed by deleveraging, at its prices.
    pub(crate) deleveraged: u64,
    /// Markets that were settled.
    pub(crate) settled_markets: u64,
}

impl Waterfall {
    /// Adds it up.
    pub(crate) fn of(events: &[Event], markets: &Markets) -> Self {
        let mut all = Self::default();
        for event in events {
            match event {
                Event::DeficitBooked(d) => all.deficits += d.deficit,
                Event::InsuranceClaimPaid(paid) => all.shared_insurance += paid.amount,
                Event::PositionSettled(settled) => all.claims_paid += settled.collected,
                Event::PoolClaimCollected(collected) => all.claims_paid += collected.amount,
                Event::Deleveraged(d) => {
                    let closed = Base(d.before.saturating_sub(d.kept)).value(Price(d.price), Rounding::Down);
                    all.deleveraged += closed.map_or(0, |value| value.0);
                }
                _ => {}
            }
        }
        for (_, market) in markets.iter() {
            let state = &market.state;
            all.market_insurance += state.pool.insurance_paid.0;
            all.lp_loss += state.pool.deficits.0;
            all.claims_peak = all.claims_peak.max(state.episode.peak.0);
            all.settled_markets += u64::from(state.is_settled());
        }
        all
    }
}
