//! Accounts as people want to see them, with what the engine makes of them. All amounts are integers in their smallest
//! units: quote atoms, base atoms, prices with exponent -9, ratios in millionths.

use std::collections::BTreeMap;

use anchor_lang::prelude::Pubkey;
use ballast::state::{Market, Subaccount};
use ballast_engine::account::Position;
use ballast_engine::delegate::{self, Delegate};
use ballast_engine::margin::{self, Purpose};
use ballast_engine::market::{MarketState, Side};
use ballast_engine::params::MARKET_ROWS;
use ballast_engine::{Now, Result, Rounding, liquidation};
use serde::{Serialize, Serializer};

use crate::instructions::pubkey;
use crate::markets::Markets;
use crate::quotes;

/// A key as text.
pub(crate) fn text<S: Serializer>(key: &Pubkey, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_str(key)
}

/// A position, or what is left of one in its slot.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PositionView {
    /// The market's index.
    pub market: u16,
    /// Signed size.
    pub size: i64,
    /// What it cost (long) or brought (short).
    pub entry: u64,
    /// That per unit of size; 0 without a size.
    pub entry_price: u64,
    /// The market's last price.
    pub price: u64,
    /// The state of that price.
    pub price_status: String,
    /// Size at that price.
    pub notional: u64,
    /// Unrealised result at that price, before funding.
    pub pnl: i64,
    /// Funding owed (positive) or to receive.
    pub funding_owed: i64,
    /// The maintenance margin it is held to.
    pub maintenance_margin: u64,
    /// The grace that it enjoys, if a raise of the maintenance margin does not touch it yet.
    pub grace: Option<GraceView>,
    /// The price at which the account can be flagged, other markets standing still.
    pub liquidation_price: Option<u64>,
    /// How far that is from the price now, millionths of it; negative where it can be flagged already.
    pub liquidation_distance: Option<i64>,
    /// What the pool owes on the slot's claim.
    pub claim: u64,
    /// What can be collected on it now.
    pub collectable: u64,
    /// Collateral that a silent exit left behind.
    pub held: u64,
}

/// A position keeps an older maintenance margin for a while (P10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct GraceView {
    /// Until then, Unix seconds.
    pub until: i64,
    /// The maintenance margin that it is held to from then on, and at once if it is increased.
    pub then: u64,
}

impl GraceView {
    /// The grace of a position, if it has one.
    pub fn of(position: &Position, market: &MarketState, now: &Now) -> Option<Self> {
        let then = market.params.maintenance_margin;
        let kept = margin::maintenance_ratio(market, position, now);
        (position.is_open() && kept < then).then_some(Self { until: market.grace_until, then: then.0 })
    }
}

/// A subaccount's delegate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DelegateView {
    /// Its key.
    #[serde(serialize_with = "text")]
    pub key: Pubkey,
    /// Its right ends then, Unix seconds.
    pub until: i64,
    /// What it may do: `trade`, `orders`, `collateral`.
    pub permissions: Vec<&'static str>,
    /// Order fees that it may still put aside today.
    pub fees_left: u64,
}

impl DelegateView {
    /// The delegate whose right has not ended, if there is one.
    pub fn of(delegate: &Delegate, now: &Now) -> Option<Self> {
        let names = [(delegate::TRADE, "trade"), (delegate::ORDERS, "orders"), (delegate::COLLATERAL, "collateral")];
        let spent = if delegate.day == now.unix / ballast_engine::constants::DAY { delegate.fees.0 } else { 0 };
        delegate.may(&delegate.key, 0, now).then(|| Self {
            key: pubkey(&delegate.key),
            until: delegate.until,
            permissions: names
                .iter()
                .filter(|(bit, _)| delegate.permissions & bit != 0)
                .map(|(_, name)| *name)
                .collect(),
            fees_left: delegate.fee_budget.0.saturating_sub(spent),
        })
    }
}

/// A liquidation flag in force.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FlagView {
    /// Slot of the flag.
    pub slot: u64,
    /// Publish time that a liquidation needs a newer one than.
    pub publish_time: i64,
    /// Notional to close.
    pub need: u64,
    /// Closed of it.
    pub closed: u64,
    /// Who shares in the fee.
    #[serde(serialize_with = "text")]
    pub flagger: Pubkey,
}

/// A subaccount with its health. What needs a price is `None` where one is missing.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AccountView {
    /// The owner.
    #[serde(serialize_with = "text")]
    pub owner: Pubkey,
    /// The owner's number.
    pub id: u16,
    /// Whether it holds one position only.
    pub isolated: bool,
    /// Collateral.
    pub collateral: u64,
    /// Equity as the maintenance test counts it.
    pub equity: Option<i64>,
    /// Equity with profits and claims in full.
    pub full_equity: Option<i64>,
    /// Maintenance requirement.
    pub maintenance: Option<u64>,
    /// Equity as a withdrawal counts it.
    pub initial_equity: Option<i64>,
    /// Initial margin of a withdrawal.
    pub initial: Option<u64>,
    /// Share of the equity that the initial margin uses, millionths; none without positive equity.
    pub margin_used: Option<u64>,
    /// Notional of all positions.
    pub notional: Option<u64>,
    /// Positions, claims and holdbacks by slot.
    pub positions: Vec<PositionView>,
    /// The flag in force.
    pub flag: Option<FlagView>,
    /// Who else may act for it, if anybody may now.
    pub delegate: Option<DelegateView>,
    /// Open orders.
    pub orders: u64,
    /// Events so far.
    pub sequence: u64,
}

impl AccountView {
    /// A subaccount with its markets, funding accrued until now.
    ///
    /// # Errors
    /// [`ballast_engine::Error::WrongMarket`] for a missing market, [`ballast_engine::Error::MathOverflow`].
    pub fn of(subaccount: &Subaccount, markets: &Markets, now: &Now) -> Result<Self> {
        let markets = markets.accrued(now)?;
        let account = &subaccount.state;
        let maintenance = quotes::totals(subaccount, &markets, Purpose::Maintenance, now).ok();
        let withdrawal = quotes::totals(subaccount, &markets, Purpose::Withdrawal, now).ok();
        let mut positions = Vec::new();
        for (slot, market) in markets.legs(account)? {
            let mut view = PositionView::of(account.position(slot)?, market, now)?;
            if view.size != 0 {
                let price = quotes::liquidation_price(subaccount, &markets, market.index, now);
                view.liquidation_price = price.ok().flatten().map(|p| p.0);
                view.liquidation_distance = view.liquidation_price.and_then(|at| view.distance(at));
            }
            positions.push(view);
        }
        let flag = &account.flag;
        Ok(Self {
            owner: pubkey(&subaccount.owner),
            id: subaccount.id,
            isolated: account.isolated != 0,
            collateral: account.collateral.0,
            equity: maintenance.map(|t| t.equity.0),
            full_equity: maintenance.map(|t| t.full_equity.0),
            maintenance: maintenance.map(|t| t.requirement.0),
            initial_equity: withdrawal.map(|t| t.equity.0),
            initial: withdrawal.map(|t| t.requirement.0),
            margin_used: withdrawal.and_then(|t| {
                let used = u128::from(t.requirement.0) * 1_000_000;
                u64::try_from(used.checked_div(u128::from(t.equity.gain().0))?).ok()
            }),
            notional: maintenance.map(|t| t.notional.0),
            positions,
            flag: liquidation::is_flagged(account, now).then(|| FlagView {
                slot: flag.slot,
                publish_time: flag.publish_time,
                need: flag.need.0,
                closed: flag.closed.0,
                flagger: pubkey(&flag.flagger),
            }),
            delegate: DelegateView::of(&subaccount.delegate, now),
            orders: account.orders,
            sequence: account.sequence,
        })
    }
}

impl PositionView {
    fn of(position: &Position, market: &MarketState, now: &Now) -> Result<Self> {
        // As it stands, a deleveraging that it has yet to pick up included.
        let position = &market.effective(position)?;
        let price = market.price.last.price;
        let (claim, collectable) = market.claim_value(&position.claim)?;
        let base = position.base();
        Ok(Self {
            market: position.market,
            size: position.size.0,
            entry: position.entry.0,
            entry_price: if position.is_open() {
                position.entry.share(ballast_engine::constants::PRICE_SCALE, base.0, Rounding::Down)?.0
            } else {
                0
            },
            price: price.0,
            price_status: format!("{:?}", market.status(now)?),
            notional: base.value(price, Rounding::Up)?.0,
            pnl: if position.is_open() { margin::unrealised(position, price)?.0 } else { 0 },
            funding_owed: if position.is_open() { margin::funding_owed(market, position)?.0 } else { 0 },
            maintenance_margin: margin::maintenance_ratio(market, position, now).0,
            grace: GraceView::of(position, market, now),
            liquidation_price: None,
            liquidation_distance: None,
            claim: claim.0,
            collectable: collectable.0,
            held: position.held.0,
        })
    }
}

impl PositionView {
    /// How far a price is from the one now against the position, millionths of the one now.
    fn distance(&self, at: u64) -> Option<i64> {
        let against = if self.size > 0 {
            i128::from(self.price) - i128::from(at)
        } else {
            i128::from(at) - i128::from(self.price)
        };
        i64::try_from((against * 1_000_000).checked_div(i128::from(self.price))?).ok()
    }
}

/// One side of a market.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SideView {
    /// Open interest in base atoms.
    pub open_interest: u64,
    /// That at the last price.
    pub notional: u64,
    /// Sum of the entries.
    pub entry: u64,
    /// Unrealised result at the last price, before funding.
    pub pnl: i64,
    /// Funding owed (positive) or to receive.
    pub funding_owed: i64,
    /// Open positions.
    pub positions: u64,
}

/// A pool's books.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PoolView {
    /// Cash, what is set aside for claims included.
    pub cash: u64,
    /// Outstanding claims.
    pub claims: u64,
    /// Set aside for claim holders.
    pub claims_paid: u64,
    /// Equity at the last price.
    pub equity: i64,
    /// Equity as limits and exits count it.
    pub firm_equity: i64,
    /// The market's insurance.
    pub insurance: u64,
    /// Protocol fees, not yet collected.
    pub protocol_fees: u64,
    /// Liquidity shares.
    pub shares: u64,
    /// Filed deposits that wait.
    pub pending_deposits: u64,
    /// Losses that fell on the providers since the market began.
    pub deficits: u64,
    /// What the market's insurance has paid of deficits.
    pub insurance_paid: u64,
    /// Claims on the shared insurance that are open.
    pub insurance_claims: u64,
    /// What the shared insurance has paid.
    pub shared_insurance_paid: u64,
    /// Since when claims have been over their threshold, Unix seconds; 0 while they are not.
    pub episode_since: i64,
    /// When the market's settlement was begun for want of equity, Unix seconds; 0 if it was not.
    pub settlement_begun_at: i64,
    /// When its price was fixed; 0 while it is not.
    pub settled_at: i64,
}

/// A market.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MarketView {
    /// Its index.
    pub index: u16,
    /// Tier: 0 A, 1 B, 2 C.
    pub tier: u8,
    /// Decimals of a base atom.
    pub base_decimals: u8,
    /// The last price.
    pub price: u64,
    /// Its confidence.
    pub conf: u64,
    /// When it was published.
    pub publish_time: i64,
    /// Its state now.
    pub price_status: String,
    /// 5-minute average.
    pub ema5: u64,
    /// 60-minute average.
    pub ema60: u64,
    /// The longs.
    pub long: SideView,
    /// The shorts.
    pub short: SideView,
    /// Longs less shorts, base atoms.
    pub skew: i64,
    /// Funding rate per hour, exponent -12; positive when longs pay.
    pub funding_rate: i64,
    /// What bounds its size now: the lower of the governor's soft cap and the hard cap, exponent -12.
    pub funding_bound: i64,
    /// The 30-day average of its size, exponent -12.
    pub funding_average: i64,
    /// The pool.
    pub pool: PoolView,
    /// Increases are refused until then, Unix seconds.
    pub reduce_only_until: i64,
    /// The cap in force, the guardian's included.
    pub open_interest_cap: u64,
    /// Parameters by name.
    pub parameters: BTreeMap<&'static str, u64>,
    /// Events so far.
    pub sequence: u64,
}

impl MarketView {
    /// A market, funding accrued until now.
    ///
    /// # Errors
    /// [`ballast_engine::Error::MathOverflow`].
    pub fn of(market: &Market, now: &Now) -> Result<Self> {
        let mut market = Box::new(market.state);
        let _ = market.accrue(false, now)?;
        let (market, price) = (&*market, market.price.last.price);
        let side = |long: bool| -> Result<SideView> {
            let side: &Side = market.side(long);
            Ok(SideView {
                open_interest: side.open_interest.0,
                notional: side.open_interest.value(price, Rounding::Up)?.0,
                entry: side.entry.0,
                pnl: market.side_pnl(long, price)?.0,
                funding_owed: side.funding_owed(Rounding::Up)?.0,
                positions: side.positions,
            })
        };
        let pool = &market.pool;
        let parameters = (0..).zip(MARKET_ROWS).map(|(id, row)| Ok((row.name, market.params.get(id)?)));
        Ok(Self {
            index: market.index,
            tier: market.tier,
            base_decimals: market.base_decimals,
            price: price.0,
            conf: market.price.last.conf.0,
            publish_time: market.price.last.publish_time,
            price_status: format!("{:?}", market.status(now)?),
            ema5: market.price.ema5.0,
            ema60: market.price.ema60.0,
            long: side(true)?,
            short: side(false)?,
            skew: market.skew()?.0,
            funding_rate: market.funding.rate.0,
            funding_bound: market.funding_bound()?.0,
            funding_average: market.funding.average.0,
            pool: PoolView {
                cash: pool.cash.0,
                claims: pool.claims.0,
                claims_paid: pool.claims_paid.0,
                equity: market.equity(price)?.0,
                firm_equity: market.firm_equity(price)?.0,
                insurance: pool.insurance.0,
                protocol_fees: pool.protocol_fees.0,
                shares: pool.shares,
                pending_deposits: pool.pending_deposits.0,
                deficits: pool.deficits.0,
                insurance_paid: pool.insurance_paid.0,
                insurance_claims: market.insurance.pending()?.0,
                shared_insurance_paid: market.insurance.paid.0,
                episode_since: market.episode.since,
                settlement_begun_at: market.settlement.begun_at,
                settled_at: market.settlement.fixed_at,
            },
            reduce_only_until: market.overlay.reduce_only_until,
            open_interest_cap: market.overlay.effective_cap(market.params.open_interest_cap, now).0,
            parameters: parameters.collect::<Result<_>>()?,
            sequence: market.sequence,
        })
    }
}
