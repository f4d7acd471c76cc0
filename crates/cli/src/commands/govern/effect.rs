//! What a proposal would do to open positions: how many accounts it would put below maintenance, at the prices of this
//! moment and once its grace is over.

use std::mem::offset_of;

use anyhow::Result;
use ballast::state::{Market, Proposal, Subaccount};
use ballast_client::{Markets, pending, quotes};
use ballast_engine::Now;
use ballast_engine::margin::Purpose;
use serde::Serialize;

use crate::chain::{Chain, ExchangeAccount};

/// What a proposal would do to open positions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Effect {
    /// Accounts with a position in the market.
    pub(super) accounts: usize,
    /// Of those, at or above maintenance now and below it then.
    pub(super) below_maintenance: usize,
}

/// Everything that effects are counted on, read once.
pub(super) struct Crowd {
    markets: Markets,
    accounts: Vec<Subaccount>,
    now: Now,
}

impl Crowd {
    pub(super) async fn read(chain: &Chain, exchange: &ExchangeAccount, now: Now) -> Result<Self> {
        let markets = chain.markets(exchange).await?;
        let at = offset_of!(Subaccount, exchange);
        let accounts = chain.all::<Subaccount>(at, exchange.address.as_ref()).await?;
        Ok(Self { markets, accounts: accounts.into_iter().map(|(_, account)| *account).collect(), now })
    }

    /// The market of an index.
    pub(super) fn market(&self, index: u16) -> Option<&Market> {
        self.markets.get(index)
    }

    /// The effect of a proposal; `None` for one that no maintenance margin depends on.
    pub(super) fn effect(&self, proposal: &Proposal) -> Option<Effect> {
        let index = proposal.market_index;
        let margin = pending::margin_after(proposal)?;
        let accrued = self.markets.accrued(&self.now).ok()?;
        let changed = pending::with_margin(&accrued, index, margin);
        let holds = |account: &&Subaccount| {
            account.state.slots().any(|(_, position)| position.market == index && position.is_open())
        };
        let healthy = |account: &Subaccount, markets: &Markets| {
            let totals = quotes::totals(account, markets, Purpose::Maintenance, &self.now).ok()?;
            Some(totals.surplus().ok()?.0 >= 0)
        };
        let mut effect = Effect::default();
        for account in self.accounts.iter().filter(holds) {
            effect.accounts += 1;
            let falls = healthy(account, &accrued) == Some(true) && healthy(account, &changed) == Some(false);
            effect.below_maintenance += usize::from(falls);
        }
        Some(effect)
    }
}
