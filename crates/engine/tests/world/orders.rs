//! What keepers do at one moment, in two orders: each account that is below zero leaves the same deficit in each market (P7).

use ballast_engine::constants::SETTLEMENT_PATIENCE;

use super::leave::shuffled;
use super::{ACCOUNTS, MARKETS, Op, World};

/// A call that anyone may make.
fn call(number: usize) -> Option<Op> {
    let (account, market) = (number / MARKETS % ACCOUNTS, number % MARKETS);
    Some(match number / (ACCOUNTS * MARKETS) {
        0 if market == 0 => Op::Resolve { account },
        0 if account < MARKETS && account != market => Op::CollectBetween { debtor: account, holder: market },
        1 => Op::Collect { account, market },
        2 => Op::PickUp { account, market },
        // These book results of accounts that go on.
        3 => Op::Settle { account, market },
        4 => Op::CloseSettled { account, market },
        _ => return None,
    })
}

/// The numbers of all calls, and of those that book no result of an account that goes on.
const ALL: usize = 5 * ACCOUNTS * MARKETS;
const PLAIN: usize = 3 * ACCOUNTS * MARKETS;

/// What each pool has at face, bucket included, and each account: paying, collecting and assigning a claim move nothing of it.
fn at_face(world: &World) -> (Vec<i128>, Vec<i128>) {
    let pool = |of: &ballast_engine::market::MarketState| {
        let held: u64 = of.held[..MARKETS].iter().map(|claim| claim.amount.0).sum();
        let pool = &of.pool;
        i128::from(pool.cash.0) - i128::from(pool.claims_paid.0) - i128::from(pool.claims.0)
            + i128::from(held)
            + i128::from(pool.insurance.0)
    };
    (world.markets.iter().map(pool).collect(), (0..ACCOUNTS).map(|account| world.wealth(account)).collect())
}

/// P7: at one moment accounts below zero are resolved, everybody's claims are collected, those between pools too, and
/// deleveragings picked up; now and then everybody is settled and closed in settled markets besides: in two orders by dice or
/// bytes. What each account leaves unpaid in each market is the same to the atom, and where nobody who goes on has a result
/// booked, so is what each pool and each account has at face. Returns how many deficits there were.
///
/// Funding is by the clock: all markets have accrued to this moment. And nothing is said of a settled market whose claims are
/// being written off, ten days after its price was fixed: what is written off counts no more.
pub(crate) fn any_order_leaves_the_same_deficits(world: &World, mut below: impl FnMut(usize) -> usize) -> usize {
    let mut start = world.clone();
    let over = |fixed_at: i64| fixed_at != 0 && world.now.unix >= fixed_at + SETTLEMENT_PATIENCE;
    if start.markets.iter().any(|market| over(market.settlement.fixed_at)) {
        return 0;
    }
    for market in &mut start.markets {
        let _ = market.accrue(false, &start.now).unwrap();
    }
    let count = if below(2) == 0 { ALL } else { PLAIN };
    let ends = [0, 1].map(|_| {
        let mut world = start.clone();
        // Those that were too early get their turn.
        for number in shuffled(count, &mut below).into_iter().chain(0..count).chain(0..count) {
            if let Some(op) = call(number) {
                let _ = world.apply(&op);
            }
        }
        world.check();
        world
    });
    let [one, two] = &ends;
    assert_eq!(one.unpaid, two.unpaid, "P7: deficits by account and market");
    if count == PLAIN {
        assert_eq!(at_face(one), at_face(two), "P7: at face");
    }
    one.unpaid.iter().zip(&start.unpaid).flat_map(|(is, was)| is.iter().zip(was)).filter(|(is, was)| is > was).count()
}
