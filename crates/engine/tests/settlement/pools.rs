//! What other pools owe a settled market: it is its claim holders' and then its providers', whoever calls first.

use ballast_engine::account::AccountState;
use ballast_engine::constants::DAY;
use ballast_engine::liquidity::{Exit, check_settled_exit, execute_exit};
use ballast_engine::market::{Claim, MarketState};
use ballast_engine::settle::{collect, collect_between};
use ballast_engine::settlement::close_settled;
use ballast_engine::{Error, Quote};

use super::cross::fix;
use crate::margin::open;
use crate::support::{NOW, account, dollars, later, market_at, price, set_price_at, units};

/// A pool without cash that owes a winner $1,000, is settled and closed, and has a claim of $1,000 on the second one.
fn owed() -> (MarketState, MarketState, AccountState) {
    let (mut here, mut debtor) = (market_at(0, price(100)), market_at(1, price(100)));
    let (mut winner, mut loser) = (account(dollars(100_000)), account(dollars(100_000)));
    open(&mut here, &mut winner, units(100), true);
    open(&mut here, &mut loser, units(100), false);
    (here.pool.cash, here.pool.insurance, loser.collateral) = (Quote(0), Quote(0), Quote(0));
    set_price_at(&mut here, price(110), &NOW);
    here.pool.shares = dollars(1_000).0;
    debtor.pool.claims = dollars(1_000);
    debtor.pool.cash = Quote(0);
    here.held[1] = Claim { amount: dollars(1_000), factor: debtor.pool.claim_factor, epoch: debtor.pool.claim_epoch };
    fix(&mut here, &NOW);
    let _ = close_settled(&mut here, &mut winner, 0, &NOW).unwrap();
    let _ = close_settled(&mut here, &mut loser, 0, &NOW).unwrap();
    assert!(here.is_closed());
    (here, debtor, winner)
}

fn leave(market: &mut MarketState, shares: u64, days: i64, second: i64) -> Exit {
    execute_exit(market, shares, NOW.unix + 90 * DAY, &later(&NOW, days * DAY + second)).unwrap()
}

#[test]
fn winners_are_paid_by_what_another_pool_has_paid_whoever_collects_first() {
    for collect_first in [false, true] {
        let (mut here, mut debtor, mut winner) = owed();
        debtor.receive(dollars(1_000)).unwrap();
        let before = winner.collateral;
        here.touch(&later(&NOW, 10 * DAY));
        if !collect_first {
            // Neither written off nor paid: it waits.
            assert_eq!(collect(&mut here, &mut winner, 0).unwrap(), Quote::ZERO);
            assert!(!winner.positions[0].claim.amount.is_zero());
        }
        assert_eq!(collect_between(&mut debtor, &mut here).unwrap(), dollars(1_000));
        let _ = collect(&mut here, &mut winner, 0).unwrap();
        assert!(winner.collateral.0 - before.0 > dollars(999).0, "first: {collect_first}");
        assert!(here.pool.free_cash().unwrap() < dollars(1));
    }
}

#[test]
fn a_settled_market_waits_for_other_pools_for_twenty_days_to_the_second() {
    for (second, over) in [(-1, false), (0, true), (1, true)] {
        let (mut here, _, mut winner) = owed();
        here.touch(&later(&NOW, 20 * DAY + second));
        let _ = collect(&mut here, &mut winner, 0).unwrap();
        assert_eq!(winner.is_flat(), over, "{second}");
        here.pool.claims = Quote(0);
        here.pool.cash = dollars(100);
        let exit = leave(&mut here, dollars(500).0, 20, second);
        assert_eq!(exit == Exit::HeldBack(Error::PoolIsOwed), !over, "{second}: {exit:?}");
    }
}

/// A pool that is owed what its claims come to keeps its bucket for what will be missing, whoever is collected from first.
#[test]
fn the_bucket_pays_what_neither_cash_nor_other_pools_pay_whoever_collects_first() {
    let ends = ["pools, winner", "winner, pools, winner"].map(|calls| {
        let (mut here, mut debtor, mut winner) = owed();
        (here.pool.insurance, here.pool.claims_paid) = (dollars(700), Quote(0));
        here.held[1].amount = dollars(600);
        debtor.pool.claims = dollars(600);
        debtor.receive(dollars(600)).unwrap();
        for call in calls.split(", ") {
            match call {
                "pools" => assert_eq!(collect_between(&mut debtor, &mut here).unwrap(), dollars(600)),
                _ => _ = collect(&mut here, &mut winner, 0).unwrap(),
            }
        }
        assert!(winner.is_flat());
        (here.pool.insurance, here.pool.free_cash().unwrap(), winner.collateral)
    });
    // The claim is $1,000 less a cent of premium: $400 come from the bucket.
    assert!(ends[0].0.0.abs_diff(dollars(300).0) < 20_000 && ends[0].1.is_zero(), "{ends:?}");
    assert_eq!(ends[0], ends[1]);
}

#[test]
fn a_provider_is_not_paid_before_what_other_pools_owe_has_come_in() {
    let (mut here, mut debtor, _) = owed();
    here.pool.claims = Quote(0);
    here.pool.cash = dollars(100);
    let half = dollars(500).0;
    assert_eq!(leave(&mut here, half, 1, 0), Exit::HeldBack(Error::PoolIsOwed));
    debtor.receive(dollars(1_000)).unwrap();
    assert_eq!(leave(&mut here, half, 1, 0), Exit::HeldBack(Error::PoolIsOwed), "set aside, not collected");
    let _ = collect_between(&mut debtor, &mut here).unwrap();
    for _ in 0..2 {
        let Exit::Paid { amount, .. } = leave(&mut here, half, 1, 0) else { panic!("not paid") };
        assert_eq!(amount, dollars(550));
    }
}

#[test]
fn nobody_but_its_owner_chooses_the_moment_of_an_exit_from_a_settled_market() {
    assert!(check_settled_exit(true, &NOW).is_ok());
    assert_eq!(check_settled_exit(false, &later(&NOW, 90 * DAY)).unwrap_err().error, Error::ExitOwnerAlone);
}

#[test]
fn two_settled_markets_that_wait_for_each_other_let_everybody_go() {
    let (mut here, mut there, mut winner) = owed();
    there.held[0] = Claim { amount: dollars(7), factor: here.pool.claim_factor, epoch: here.pool.claim_epoch };
    here.pool.claims.0 += dollars(7).0;
    fix(&mut there, &NOW);
    let end = later(&NOW, 20 * DAY);
    here.touch(&end);
    there.touch(&end);
    let _ = collect(&mut here, &mut winner, 0).unwrap();
    let _ = collect_between(&mut here, &mut there).unwrap();
    let _ = collect_between(&mut there, &mut here).unwrap();
    assert!(winner.is_flat());
    assert!(here.held.iter().chain(&there.held).all(|claim| claim.amount.is_zero()));
}
