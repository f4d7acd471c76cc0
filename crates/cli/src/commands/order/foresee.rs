//! What a fill would be refused for, found before anything is sent. An answer of this moment: the order's own price comes later.

use anyhow::{Result, bail};
use ballast::instructions::trader::PlaceOrderArgs;
use ballast::state::{Covenant, Subaccount};
use ballast_client::{Markets, covenants, instructions, quotes};
use ballast_engine::order::{Kind, OrderTerms};
use ballast_engine::{Error, Fault, Now};
use solana_pubkey::Pubkey;

use crate::chain::{Chain, ExchangeAccount};

/// Refusals of a fill that no price within an order's life is likely to change.
const LASTING: &[Error] = &[
    Error::SizeBelowMinimum,
    Error::PositionTooLarge,
    Error::OpenInterestCap,
    Error::OpenInterestStress,
    Error::OpenInterestImpact,
    Error::NoFreePosition,
    Error::PositionNotFound,
    Error::InsufficientCollateral,
    Error::InitialMargin,
    Error::WorsensShortfall,
    Error::LossNotCovered,
    Error::PoolEmpty,
    Error::FlaggedAccount,
    Error::MarketReduceOnly,
    Error::MarketSettled,
    Error::CrossNotAllowed,
    Error::IsolatedSinglePosition,
    Error::CovenantTripped,
    Error::CovenantFull,
    Error::CovenantLeverage,
    Error::CovenantNotional,
    Error::CovenantLoss,
];

/// Whose order it would be, and where.
pub(super) struct Foreseen<'a> {
    pub(super) chain: &'a Chain,
    pub(super) exchange: &'a ExchangeAccount,
    pub(super) markets: &'a Markets,
    pub(super) market: u16,
    pub(super) key: &'a Pubkey,
    pub(super) account: &'a Subaccount,
}

impl Foreseen<'_> {
    /// Refuses what the chain would not place, or what a fill would be refused for as things stand. What waits for another
    /// price than the last one is filled then, if it can be.
    pub(super) async fn check(&self, args: &PlaceOrderArgs) -> Result<()> {
        let now = self.chain.now().await?;
        let (filled, account) = match self.fill(args, &now) {
            Ok(Some(filled)) => filled,
            Ok(None) => return Ok(()),
            Err(fault) => return self.judge(&fault),
        };
        let Some(covenant) = self.chain.find::<Covenant>(&instructions::pubkey(&account.covenant)).await? else {
            return Ok(());
        };
        let owner = instructions::pubkey(&account.owner);
        let accounts = self.chain.subaccounts(self.exchange, &owner).await?;
        let accounts = accounts.iter().map(|(key, account)| (key, &**account));
        covenants::check_fill(&covenant, accounts, self.key, &filled, self.markets, &now)
            .or_else(|fault| self.judge(&fault))
    }

    /// The fill, as if the order had been placed just before the last price; none where it waits for another.
    fn fill(
        &self,
        args: &PlaceOrderArgs,
        now: &Now,
    ) -> ballast_engine::Result<Option<(quotes::Filled, Box<Subaccount>)>> {
        let market = &self.markets.get(self.market).ok_or(Error::WrongMarket)?.state;
        let (mut account, mut terms) = (Box::new(*self.account), args.terms());
        terms.place(market, &mut account.state, now)?;
        let (last, buys) = (market.price.last, terms.buys());
        let is_there = match Kind::from_byte(terms.kind)? {
            Kind::Market => true,
            Kind::Limit => {
                if buys {
                    last.price <= terms.limit
                } else {
                    last.price >= terms.limit
                }
            }
            Kind::Stop => {
                if buys {
                    last.price >= terms.trigger
                } else {
                    last.price <= terms.trigger
                }
            }
            Kind::Exit => false,
        };
        if !is_there {
            return Ok(None);
        }
        let placed_at = last.publish_time.saturating_sub(1);
        // Its condition is met; so it fills as a market order does.
        let kind = Kind::Market as u8;
        let terms = OrderTerms { kind, placed_at, placed_slot: now.slot.saturating_sub(1), ..terms };
        Ok(Some((quotes::order(&account, self.markets, self.market, &terms, now)?, account)))
    }

    fn judge(&self, fault: &Fault) -> Result<()> {
        if !LASTING.contains(&fault.error) {
            return Ok(());
        }
        bail!(
            "nothing was sent, for the fill would be refused: {}; `--anyway` places it all the same",
            self.chain.fault(fault)
        )
    }
}
