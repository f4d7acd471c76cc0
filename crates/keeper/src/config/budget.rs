//! What the keeper's transactions may cost, by the hour and by what they are for.

use serde::Deserialize;

use super::{TOGETHER, Timing};

/// Slots of 400 ms.
const SLOTS_AN_HOUR: u64 = 9_000;

/// What it may cost.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct FeeConfig {
    /// What a SOL is worth, in whole units of the collateral.
    pub sol_price: u64,
    /// Of a reward's worth at most so many percent go into the transaction's fee.
    pub reward_percent: u8,
    /// The priority fee is the one below which so many percent of the recent ones over the same accounts lie.
    pub percentile: u8,
    /// No more than so many micro-lamports per compute unit, whatever the others pay.
    pub most_per_unit: u64,
    /// Lamports an hour for what nobody pays for: prices, unflagging, settling, resolving, tickets, proposals.
    pub unpaid_hourly: u64,
    /// Of each hour's budget so many percent are kept for what cannot wait: liquidations, resolutions, trips, settling.
    pub reserve_percent: u8,
    /// Of `unpaid_hourly` at most so many percent go into prices for their own sake.
    pub prices_percent: u8,
    /// Of it at most so many percent go into recording stops and trails.
    pub records_percent: u8,
    /// At most so many such transactions an hour for one subaccount.
    pub records_hourly: u64,
    /// Lamports an hour for what lands and fails though it was to earn something.
    pub failed_hourly: u64,
    /// The base fee of a signature, lamports.
    pub base: u64,
}

impl Default for FeeConfig {
    fn default() -> Self {
        Self {
            sol_price: 150,
            reward_percent: 50,
            percentile: 75,
            most_per_unit: 1_000_000,
            unpaid_hourly: 25_000_000,
            reserve_percent: 25,
            prices_percent: 60,
            records_percent: 10,
            records_hourly: 200,
            failed_hourly: 100_000_000,
            base: 5_000,
        }
    }
}

impl FeeConfig {
    fn part(budget: u64, percent: u8) -> u64 {
        u64::try_from(u128::from(budget) * u128::from(percent) / 100).unwrap_or(u64::MAX)
    }

    /// What can wait may use of an hour's budget.
    pub fn but_the_reserve(&self, budget: u64) -> u64 {
        budget.saturating_sub(Self::part(budget, self.reserve_percent))
    }

    /// An hour's prices may cost so much, lamports.
    pub fn for_prices(&self) -> u64 {
        Self::part(self.unpaid_hourly, self.prices_percent)
    }

    /// An hour's records may cost so much, lamports.
    pub fn for_records(&self) -> u64 {
        Self::part(self.unpaid_hourly, self.records_percent)
    }

    /// Of so many markets all prices are kept for an hour without a priority fee, if nobody else stores any: lamports.
    pub fn prices_cost(&self, markets: u64, timing: &Timing) -> u64 {
        let turns = SLOTS_AN_HOUR.div_ceil(timing.price_age_slots.max(1));
        markets.div_ceil(TOGETHER as u64).saturating_mul(turns).saturating_mul(self.base)
    }
}
