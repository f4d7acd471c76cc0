//! What a transaction may cost. For what earns a reward: a share of the reward's worth, never more, and a budget for what is
//! paid in vain. For what nobody pays for: an hourly budget, of which what can wait leaves a part to what cannot.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use solana_pubkey::Pubkey;

use crate::config::{FeeConfig, SOL};
use crate::lock;

const HOUR: Duration = Duration::from_secs(3_600);
/// Micro-lamports of a lamport.
const MICRO: u128 = 1_000_000;

/// What a transaction is for: it says how much of an hour's budget may go into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The exchange is not safe without: liquidations, resolutions, trips, and what lets pools pay. The whole budget.
    Safety,
    /// It can wait. The budget but for the reserve.
    Upkeep,
    /// Prices stored for their own sake. Of the same, at most a part.
    Price,
    /// A stop or a trail of this subaccount recorded. Of the same, at most a part, and so many transactions a subaccount.
    Record(Pubkey),
}

impl Need {
    /// What a job's transactions are for, where it does not say otherwise.
    pub(crate) fn of(job: &str) -> Self {
        match job {
            "flag" | "liquidate" | "resolve" | "settle" | "settlement" | "deleverage" => Self::Safety,
            "prices" => Self::Price,
            _ => Self::Upkeep,
        }
    }
}

/// What an hour's transactions have cost, lamports.
#[derive(Debug, Default)]
struct Spent {
    safety: u64,
    upkeep: u64,
    prices: u64,
    records: u64,
    /// Records by subaccount, in transactions.
    of: HashMap<Pubkey, u64>,
    /// What was to earn something and failed on chain: for safety, and the rest.
    failed: (u64, u64),
}

/// What is spent in this hour on what nobody pays for, or in vain.
#[derive(Debug)]
pub struct Purse {
    config: FeeConfig,
    decimals: u32,
    spent: Mutex<(Instant, Spent)>,
}

/// A price that is worth paying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Micro-lamports per compute unit.
    pub unit_price: u64,
    /// The whole fee, lamports, rounded up.
    pub fee: u64,
}

impl Purse {
    /// A full purse; the collateral has so many decimals.
    pub fn new(config: FeeConfig, decimals: u8) -> Self {
        Self { config, decimals: decimals.into(), spent: Mutex::new((Instant::now(), Spent::default())) }
    }

    /// What a reward (in the collateral's smallest unit) is worth spending on it, lamports, rounded down.
    pub fn worth(&self, reward: u64) -> u64 {
        let unit = u128::from(self.config.sol_price) * 10_u128.pow(self.decimals);
        let lamports = u128::from(reward) * SOL * u128::from(self.config.reward_percent) / 100 / unit.max(1);
        u64::try_from(lamports).unwrap_or(u64::MAX)
    }

    /// What to offer for a transaction with this limit of units, others having paid `recent` per unit; `None` where even
    /// the base fee is more than it is worth, or than is left for it.
    pub fn offer(&self, need: Need, reward: u64, units: u32, recent: u64) -> Option<Offer> {
        let most = if reward > 0 {
            self.worth(reward).min(self.failing_left(need))
        } else {
            self.left(need).min(self.config.base * 2)
        };
        let spare = most.checked_sub(self.config.base)?;
        let units = u128::from(units.max(1));
        let affordable = u64::try_from(u128::from(spare) * MICRO / units).unwrap_or(u64::MAX);
        let unit_price = recent.min(self.config.most_per_unit).min(affordable);
        let priority = (u128::from(unit_price) * units).div_ceil(MICRO);
        let fee = self.config.base + u64::try_from(priority).unwrap_or(u64::MAX);
        Some(Offer { unit_price, fee })
    }

    fn in_hour<T>(&self, act: impl FnOnce(&mut Spent) -> T) -> T {
        let mut spent = lock(&self.spent);
        if spent.0.elapsed() >= HOUR {
            *spent = (Instant::now(), Spent::default());
        }
        act(&mut spent.1)
    }

    /// Left of this hour's budget for what nobody pays for, lamports.
    pub fn left(&self, need: Need) -> u64 {
        let config = &self.config;
        self.in_hour(|spent| {
            let can_wait = spent.upkeep.saturating_add(spent.prices).saturating_add(spent.records);
            let all = config.unpaid_hourly.saturating_sub(can_wait).saturating_sub(spent.safety);
            let rest = config.but_the_reserve(config.unpaid_hourly).saturating_sub(can_wait).min(all);
            match need {
                Need::Safety => all,
                Need::Upkeep => rest,
                Need::Price => rest.min(config.for_prices().saturating_sub(spent.prices)),
                Need::Record(of) if spent.of.get(&of).is_some_and(|many| *many >= config.records_hourly) => 0,
                Need::Record(_) => rest.min(config.for_records().saturating_sub(spent.records)),
            }
        })
    }

    /// Left of this hour's budget for what fails on chain though it was to earn something, lamports.
    pub fn failing_left(&self, need: Need) -> u64 {
        let config = &self.config;
        self.in_hour(|spent| {
            let all = config.failed_hourly.saturating_sub(spent.failed.0).saturating_sub(spent.failed.1);
            let rest = config.but_the_reserve(config.failed_hourly).saturating_sub(spent.failed.1);
            if need == Need::Safety { all } else { rest.min(all) }
        })
    }

    /// Whether there is a base fee left for what nobody pays for.
    pub fn affords(&self, need: Need) -> bool {
        self.left(need) >= self.config.base
    }

    /// Takes from the budget what was sent without a reward.
    pub fn spend(&self, need: Need, lamports: u64) {
        self.in_hour(|spent| {
            let of = match need {
                Need::Safety => &mut spent.safety,
                Need::Upkeep => &mut spent.upkeep,
                Need::Price => &mut spent.prices,
                Need::Record(of) => {
                    *spent.of.entry(of).or_default() += 1;
                    &mut spent.records
                }
            };
            *of = of.saturating_add(lamports);
        });
    }

    /// Takes from the other budget what was sent for a reward and failed.
    pub fn fail(&self, need: Need, lamports: u64) {
        self.in_hour(|spent| {
            let of = if need == Need::Safety { &mut spent.failed.0 } else { &mut spent.failed.1 };
            *of = of.saturating_add(lamports);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn purse(change: impl FnOnce(&mut FeeConfig)) -> Purse {
        let mut config = FeeConfig::default();
        change(&mut config);
        Purse::new(config, 6)
    }

    #[test]
    fn it_never_offers_more_than_the_share_of_the_reward() {
        let purse = purse(|_| {});
        // A reward of 0.05 at 150 a SOL is 333,333 lamports, half of which may be spent.
        assert_eq!(purse.worth(50_000), 166_666);
        for reward in [1_000, 1_500, 1_501, 2_000, 50_000, 10_000_000] {
            for units in [1, 20_000, 200_000, 1_400_000] {
                for recent in [0, 1, 1_000, 50_000, u64::MAX] {
                    let worth = purse.worth(reward);
                    match purse.offer(Need::Safety, reward, units, recent) {
                        Some(offer) => assert!(offer.fee <= worth && offer.fee >= 5_000, "{reward} {units} {recent}"),
                        None => assert!(worth < 5_000, "{reward}"),
                    }
                }
            }
        }
        assert_eq!(purse.offer(Need::Safety, 1_499, 20_000, 0), None, "half of it is less than the base fee");
        assert_eq!(purse.offer(Need::Safety, 50_000, 20_000, 1_000), Some(Offer { unit_price: 1_000, fee: 5_020 }));
    }

    #[test]
    fn the_price_per_unit_is_capped() {
        let purse = purse(|config| config.most_per_unit = 500);
        assert_eq!(purse.offer(Need::Safety, 10_000_000, 100_000, 9_000).unwrap().unit_price, 500);
    }

    #[test]
    fn what_nobody_pays_for_has_a_budget() {
        let purse = purse(|config| config.unpaid_hourly = 12_000);
        let offer = purse.offer(Need::Safety, 0, 10_000, 1).unwrap();
        assert_eq!(offer.fee, 5_001);
        purse.spend(Need::Safety, 5_001);
        assert_eq!(purse.left(Need::Safety), 6_999);
        purse.spend(Need::Safety, 5_001);
        assert_eq!(purse.offer(Need::Safety, 0, 10_000, 1), None, "used up");
        assert!(!purse.affords(Need::Safety));
        assert!(purse.offer(Need::Safety, 50_000, 10_000, 1).is_some(), "what earns goes on");
    }

    /// Spends one base fee after the other until there is none left; how many they were.
    fn drain(purse: &Purse, need: Need) -> u64 {
        let mut count = 0;
        while purse.affords(need) {
            purse.spend(need, 5_000);
            count += 1;
        }
        count
    }

    #[test]
    fn prices_and_records_leave_the_reserve_to_what_cannot_wait() {
        let key = |n| Pubkey::new_from_array([n; 32]);
        // 1,000 base fees: 600 for prices, 100 for records, 250 kept back.
        let of = || purse(|config| (config.unpaid_hourly, config.records_hourly) = (5_000_000, 40));
        let one = of();
        assert_eq!(drain(&one, Need::Price), 600);
        assert_eq!(drain(&one, Need::Record(key(1))), 40, "one subaccount's");
        assert_eq!((drain(&one, Need::Record(key(2))), drain(&one, Need::Record(key(3)))), (40, 20), "everybody's");
        assert_eq!(drain(&one, Need::Upkeep), 50);
        assert_eq!(drain(&one, Need::Safety), 250, "a resolution goes on whatever prices have cost");
        // What cannot wait may use everything; what can wait then has the less.
        let other = of();
        for _ in 0..900 {
            other.spend(Need::Safety, 5_000);
        }
        assert_eq!((drain(&other, Need::Price), drain(&other, Need::Upkeep)), (100, 0));
    }

    #[test]
    fn what_is_paid_in_vain_for_a_reward_has_a_budget() {
        let purse = purse(|config| config.failed_hourly = 1_000_000);
        let fills = |purse: &Purse| purse.offer(Need::Upkeep, 10_000_000, 10_000, u64::MAX);
        assert!(fills(&purse).unwrap().fee <= 750_000, "no more than is left, however much it would earn");
        purse.fail(Need::Upkeep, 747_000);
        assert_eq!(fills(&purse), None, "orders that fail leave the reserve to liquidations");
        assert!(purse.offer(Need::Safety, 10_000_000, 10_000, 1).is_some());
        purse.fail(Need::Safety, 250_000);
        assert_eq!(purse.offer(Need::Safety, 10_000_000, 10_000, 1), None);
        assert!(purse.affords(Need::Safety), "what nobody pays for is another budget");
    }
}
