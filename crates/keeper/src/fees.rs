//! What a transaction may cost. For what earns a reward: a share of the reward's worth, never more. For what nobody pays
//! for: an hourly budget.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::config::{FeeConfig, SOL};
use crate::lock;

const HOUR: Duration = Duration::from_secs(3_600);
/// Micro-lamports of a lamport.
const MICRO: u128 = 1_000_000;

/// What is spent in this hour on what nobody pays for.
#[derive(Debug)]
pub struct Purse {
    config: FeeConfig,
    decimals: u32,
    spent: Mutex<(Instant, u64)>,
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
        Self { config, decimals: decimals.into(), spent: Mutex::new((Instant::now(), 0)) }
    }

    /// What a reward (in the collateral's smallest unit) is worth spending on it, lamports, rounded down.
    pub fn worth(&self, reward: u64) -> u64 {
        let unit = u128::from(self.config.sol_price) * 10_u128.pow(self.decimals);
        let lamports = u128::from(reward) * SOL * u128::from(self.config.reward_percent) / 100 / unit.max(1);
        u64::try_from(lamports).unwrap_or(u64::MAX)
    }

    /// What to offer for a transaction with this limit of units, others having paid `recent` per unit; `None` where even
    /// the base fee is more than it is worth.
    pub fn offer(&self, reward: u64, units: u32, recent: u64) -> Option<Offer> {
        let most = if reward > 0 { self.worth(reward) } else { self.left().min(self.config.base * 2) };
        let spare = most.checked_sub(self.config.base)?;
        let units = u128::from(units.max(1));
        let affordable = u64::try_from(u128::from(spare) * MICRO / units).unwrap_or(u64::MAX);
        let unit_price = recent.min(self.config.most_per_unit).min(affordable);
        let priority = (u128::from(unit_price) * units).div_ceil(MICRO);
        let fee = self.config.base + u64::try_from(priority).unwrap_or(u64::MAX);
        Some(Offer { unit_price, fee })
    }

    /// Left of this hour's budget, lamports.
    pub fn left(&self) -> u64 {
        let mut spent = lock(&self.spent);
        if spent.0.elapsed() >= HOUR {
            *spent = (Instant::now(), 0);
        }
        self.config.unpaid_hourly.saturating_sub(spent.1)
    }

    /// Takes from the budget what was sent without a reward.
    pub fn spend(&self, lamports: u64) {
        let mut spent = lock(&self.spent);
        spent.1 = spent.1.saturating_add(lamports);
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
                    match purse.offer(reward, units, recent) {
                        Some(offer) => assert!(offer.fee <= worth && offer.fee >= 5_000, "{reward} {units} {recent}"),
                        None => assert!(worth < 5_000, "{reward}"),
                    }
                }
            }
        }
        assert_eq!(purse.offer(1_499, 20_000, 0), None, "half of it is less than the base fee");
        assert_eq!(purse.offer(50_000, 20_000, 1_000), Some(Offer { unit_price: 1_000, fee: 5_020 }));
    }

    #[test]
    fn the_price_per_unit_is_capped() {
        let purse = purse(|config| config.most_per_unit = 500);
        assert_eq!(purse.offer(10_000_000, 100_000, 9_000).unwrap().unit_price, 500);
    }

    #[test]
    fn what_nobody_pays_for_has_a_budget() {
        let purse = purse(|config| config.unpaid_hourly = 12_000);
        let offer = purse.offer(0, 10_000, 1).unwrap();
        assert_eq!(offer.fee, 5_001);
        purse.spend(5_001);
        assert_eq!(purse.left(), 6_999);
        purse.spend(5_001);
        assert_eq!(purse.offer(0, 10_000, 1), None, "used up");
        assert!(purse.offer(50_000, 10_000, 1).is_some(), "what earns goes on");
    }
}
