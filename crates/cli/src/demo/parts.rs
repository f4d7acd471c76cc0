//! The parts of the report, and how they are added up from events and the end state.

use std::collections::{BTreeMap, BTreeSet};

use ballast_client::events::Event;
use ballast_client::quotes;
use ballast_engine::margin::Purpose;
use serde::Serialize;

use super::stage::{Snapshot, Stage};

/// What it ran on.
#[derive(Debug, Serialize)]
pub(crate) struct ValidatorPart {
    /// surfpool or agave.
    pub(crate) kind: &'static str,
}

/// The prices.
#[derive(Debug, Serialize)]
pub(crate) struct PricesPart {
    /// Where they come from.
    pub(crate) source: String,
    /// Minutes replayed.
    pub(crate) minutes: usize,
    /// Prices posted, each in a transaction of its feed.
    pub(crate) posts: u64,
    /// The lowest price of the first market.
    pub(crate) low: f64,
    /// The highest.
    pub(crate) high: f64,
}

/// Liquidations.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Liquidations {
    /// Liquidations.
    pub(crate) count: u64,
    /// Those that left a part of the position.
    pub(crate) partial: u64,
    /// Accounts liquidated.
    pub(crate) accounts: u64,
    /// Fees to keepers, what insurance added included.
    pub(crate) keeper_fees: u64,
    /// Fees to insurance.
    pub(crate) insurance_fees: u64,
    /// Notional closed.
    pub(crate) notional: u64,
    /// Flags put on accounts.
    pub(crate) flags: u64,
    /// Accounts that had one.
    pub(crate) flagged_accounts: u64,
    /// Flags cleared without the account being closed.
    pub(crate) unflagged: u64,
    /// Accounts below zero that were resolved.
    pub(crate) resolved: u64,
    /// Deficits that nobody's money paid.
    pub(crate) deficits: u64,
}

/// Funding and holding fees, by what the indices charged.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Funding {
    /// Accruals that charged something.
    pub(crate) accruals: u64,
    /// What the paying sides came to owe.
    pub(crate) paid_by_traders: u64,
    /// What the receiving sides were owed.
    pub(crate) received_by_traders: u64,
    /// The pools' side of it.
    pub(crate) pool_net: i64,
}

/// The wrong print.
#[derive(Debug, Serialize)]
pub(crate) struct HiccupPart {
    /// The price before.
    pub(crate) before: f64,
    /// The print.
    pub(crate) print: f64,
    /// Accounts flagged by it.
    pub(crate) flags: u64,
    /// Liquidations caused by it.
    pub(crate) liquidations: u64,
}

/// A market at the end.
#[derive(Debug, Serialize)]
pub(crate) struct MarketPart {
    /// Its name.
    pub(crate) symbol: String,
    /// First deposits of its providers.
    pub(crate) liquidity: u64,
    /// Taken out by providers.
    pub(crate) liquidity_out: u64,
    /// The pool's equity.
    pub(crate) pool_equity: i64,
    /// What the pool has made since the deposits.
    pub(crate) pool_pnl: i64,
    /// Outstanding claims on it.
    pub(crate) claims: u64,
    /// Its insurance.
    pub(crate) insurance: u64,
    /// Losses that fell on its providers.
    pub(crate) deficits: u64,
    /// Open positions.
    pub(crate) positions: u64,
    /// Funding rate per hour, exponent -12.
    pub(crate) funding_rate: i64,
    /// Fills.
    pub(crate) fills: u64,
    /// Trading fees paid.
    pub(crate) fees: u64,
    /// Traded notional.
    pub(crate) volume: u64,
}

/// A trader at the end.
#[derive(Debug, Serialize)]
pub(crate) struct TraderPart {
    /// Name.
    pub(crate) name: String,
    /// Cross or isolated.
    pub(crate) mode: &'static str,
    /// Leverage aimed at.
    pub(crate) leverage: u64,
    /// Markets.
    pub(crate) markets: Vec<String>,
    /// Put in.
    pub(crate) deposited: u64,
    /// Taken out.
    pub(crate) withdrawn: u64,
    /// Equity now, profits in full.
    pub(crate) equity: i64,
    /// Liquidations of the account.
    pub(crate) liquidations: u64,
    /// Notional that they closed.
    pub(crate) liquidated_notional: u64,
    /// What it paid to keepers and insurance.
    pub(crate) liquidation_fees: u64,
}

/// The event stream.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Events {
    /// Decoded from transactions.
    pub(crate) seen: u64,
    /// Numbers that the markets' counters have and no event bears.
    pub(crate) missing: u64,
}

/// Compute units of an instruction.
#[derive(Debug, Serialize)]
pub(crate) struct Units {
    /// Least.
    pub(crate) min: u64,
    /// Middle.
    pub(crate) median: u64,
    /// Most.
    pub(crate) max: u64,
    /// How often it was run.
    pub(crate) count: usize,
}

impl Units {
    /// Least, middle and most of some; `None` of none.
    pub(crate) fn of(mut all: Vec<u64>) -> Option<Self> {
        all.sort_unstable();
        let (min, max, median) = (*all.first()?, *all.last()?, *all.get(all.len() / 2)?);
        Some(Self { min, median, max, count: all.len() })
    }
}

impl Liquidations {
    /// Adds it up.
    pub(crate) fn of(events: &[Event]) -> Self {
        let mut all = Self::default();
        let (mut accounts, mut flagged) = (BTreeSet::new(), BTreeSet::new());
        for event in events {
            match event {
                Event::Flagged(f) => {
                    all.flags += 1;
                    flagged.insert(f.subaccount);
                }
                Event::Unflagged(_) => all.unflagged += 1,
                Event::Liquidated(l) => {
                    all.count += 1;
                    all.partial += u64::from(l.position != 0);
                    all.keeper_fees += l.keeper_fee;
                    all.insurance_fees += l.insurance_fee;
                    all.notional += l.notional;
                    accounts.insert(l.subaccount);
                }
                Event::Resolved(r) => {
                    all.resolved += 1;
                    all.deficits += r.deficit;
                    accounts.insert(r.subaccount);
                }
                _ => {}
            }
        }
        all.accounts = accounts.len() as u64;
        all.flagged_accounts = flagged.len() as u64;
        all
    }
}

impl Funding {
    /// Adds it up.
    pub(crate) fn of(events: &[Event]) -> Self {
        let mut all = Self::default();
        for event in events {
            let sides = match event {
                Event::FundingAccrued(accrued) => [accrued.longs_owe, accrued.shorts_owe],
                Event::PriceUpdated(updated) => [updated.longs_owe, updated.shorts_owe],
                _ => continue,
            };
            all.accruals += u64::from(sides != [0, 0]);
            for owed in sides {
                if owed > 0 {
                    all.paid_by_traders += owed.unsigned_abs();
                } else {
                    all.received_by_traders += owed.unsigned_abs();
                }
                all.pool_net += owed;
            }
        }
        all
    }
}

impl Events {
    /// Every number that a market's counter has given out since the start must be on exactly one event.
    pub(crate) fn of(stage: &Stage, snapshot: &Snapshot, events: &[Event]) -> Self {
        let mut seen: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
        for event in events {
            let fields = event.fields();
            let field = |name: &str| fields.iter().find(|(n, _)| *n == name).map(|(_, value)| value.clone());
            let market = field("market").or_else(|| field("debtor"));
            let number = field("market_sequence").and_then(|text| text.parse().ok());
            if let (Some(market), Some(number)) = (market, number) {
                seen.entry(market).or_default().insert(number);
            }
        }
        let mut missing = 0;
        for (listing, before) in stage.venue.listings.iter().zip(&stage.sequences) {
            let last = snapshot.markets.get(listing.index).map_or(0, |m| m.state.sequence);
            let numbers = seen.get(&format!("{:?}", listing.market));
            let found = numbers.map_or(0, |numbers| numbers.range(before + 1..=last).count() as u64);
            missing += last - before - found;
        }
        Self { seen: events.len() as u64, missing }
    }
}

/// Every market at the end.
pub(crate) fn markets(stage: &Stage, snapshot: &Snapshot, events: &[Event]) -> Vec<MarketPart> {
    let mut parts = Vec::new();
    for listing in &stage.venue.listings {
        let Some(market) = snapshot.markets.get(listing.index).map(|m| &m.state) else { continue };
        let price = market.price.last.price;
        let deposited = stage.liquidity.get(usize::from(listing.index)).copied().unwrap_or_default();
        let (mut fills, mut fees, mut volume, mut out) = (0, 0, 0_u64, 0);
        for event in events {
            match event {
                Event::Traded(t) if t.market == listing.market => {
                    fills += 1;
                    fees += t.fee;
                    let value = ballast_engine::Base(t.size.unsigned_abs())
                        .value(ballast_engine::Price(t.mark), ballast_engine::Rounding::Down);
                    volume += value.map_or(0, |value| value.0);
                }
                Event::LiquidityRemoved(removed) if removed.market == listing.market => out += removed.amount,
                _ => {}
            }
        }
        let equity = market.equity(price).map_or(0, |equity| equity.0);
        parts.push(MarketPart {
            symbol: listing.symbol.clone(),
            liquidity: deposited,
            liquidity_out: out,
            pool_equity: equity,
            pool_pnl: equity + out as i64 - deposited as i64,
            claims: market.pool.claims.0,
            insurance: market.pool.insurance.0,
            deficits: market.pool.deficits.0,
            positions: market.long.positions + market.short.positions,
            funding_rate: market.funding.rate.0,
            fills,
            fees,
            volume,
        });
    }
    parts
}

/// Every trader at the end.
pub(crate) fn traders(stage: &Stage, snapshot: &Snapshot, events: &[Event]) -> Vec<TraderPart> {
    let symbol = |index: &u16| stage.venue.listing(*index).map_or(String::new(), |l| l.symbol.clone());
    let mut parts = Vec::new();
    for (trader, account) in stage.traders.iter().zip(&snapshot.accounts) {
        let totals = quotes::totals(account, &snapshot.markets, Purpose::Maintenance, &snapshot.now);
        let (mut count, mut notional, mut fees) = (0, 0, 0);
        for event in events {
            if let Event::Liquidated(l) = event
                && l.subaccount == trader.subaccount
            {
                count += 1;
                notional += l.notional;
                fees += l.keeper_fee - l.from_insurance + l.insurance_fee;
            }
        }
        parts.push(TraderPart {
            name: trader.name.clone(),
            mode: if trader.isolated { "isolated" } else { "cross" },
            leverage: trader.leverage,
            markets: trader.markets.iter().map(symbol).collect(),
            deposited: trader.deposited,
            withdrawn: trader.withdrawn,
            equity: totals.map_or(account.state.collateral.0 as i64, |totals| totals.full_equity.0),
            liquidations: count,
            liquidated_notional: notional,
            liquidation_fees: fees,
        });
    }
    parts
}
