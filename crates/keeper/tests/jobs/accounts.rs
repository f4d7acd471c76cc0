//! The jobs `liquidate`, `unflag` and `insurance`: the waterfall's first steps, and who pays for the last.

use ballast_client::instructions;
use ballast_client::quotes;
use ballast_engine::liquidation::is_flagged;
use ballast_engine::margin::Purpose;
use ballast_tests::{Expect, MarketTerms, Setup, Terms, Trader, units};
use solana_signer::Signer;

use super::{keep, plan};

fn leveraged(setup: &mut Setup, name: &str, notional: u64) -> Trader {
    let trader = setup.trader(name, units(10_000));
    setup.open(&trader, 0, units(notional).cast_signed());
    trader
}

fn surplus(setup: &Setup, trader: &Trader) -> i64 {
    let markets = setup.markets().accrued(&setup.world.now()).unwrap();
    let account = setup.account(trader);
    quotes::totals(&account, &markets, Purpose::Maintenance, &setup.world.now()).unwrap().surplus().unwrap().0
}

fn flagged(setup: &Setup, trader: &Trader) -> bool {
    is_flagged(&setup.account(trader).state, &setup.world.now())
}

#[test]
fn the_worst_account_is_flagged_first_and_all_are_liquidated_until_they_are_healthy() {
    let mut setup = Setup::with(&Terms::still());
    let (worse, bad, fine) = (
        leveraged(&mut setup, "worse", 130_000),
        leveraged(&mut setup, "bad", 120_000),
        leveraged(&mut setup, "fine", 20_000),
    );
    let held = setup.position(&fine, 0);
    assert!(plan(&setup, "liquidate").is_empty());
    setup.move_by(0, -560);
    assert!(surplus(&setup, &worse) < 0 && surplus(&setup, &bad) < 0 && surplus(&setup, &fine) > 0);
    let planned = plan(&setup, "liquidate");
    let subjects: Vec<_> = planned.iter().map(|action| action.subject).collect();
    assert_eq!(subjects.len(), 2, "the third is healthy");
    let first = planned.iter().min_by_key(|action| action.rank).unwrap();
    assert_eq!((first.job, first.subject), ("flag", worse.subaccount));
    assert!(first.reward > 0, "a flagger's share is foreseen");
    assert_eq!(keep(&mut setup, "liquidate"), 2);
    assert!(flagged(&setup, &worse) && flagged(&setup, &bad), "and nothing more without a newer price");

    let before = setup.account(&setup.keeper).state.collateral.0;
    let mut stages = 0;
    for _ in 0..60 {
        setup.tick(2);
        let planned = plan(&setup, "liquidate");
        assert!(planned.iter().all(|action| action.job == "liquidate" && action.reward > 0), "{planned:?}");
        stages += keep(&mut setup, "liquidate");
        if surplus(&setup, &worse) > 0 && surplus(&setup, &bad) > 0 {
            break;
        }
    }
    assert!(stages >= 2 && surplus(&setup, &worse) > 0 && surplus(&setup, &bad) > 0);
    assert!(setup.position(&fine, 0) == held && !flagged(&setup, &fine));
    assert!(setup.account(&setup.keeper).state.collateral.0 > before, "it was paid");
}

#[test]
fn an_account_below_zero_is_resolved() {
    let mut setup = Setup::with(&Terms::still());
    let broke = leveraged(&mut setup, "broke", 150_000);
    setup.move_by(0, -900);
    assert_eq!(keep(&mut setup, "liquidate"), 1, "flagged");
    setup.tick(2);
    assert_eq!(plan(&setup, "liquidate")[0].job, "resolve");
    assert_eq!(keep(&mut setup, "liquidate"), 1);
    assert!(setup.account(&broke).state.is_flat() && setup.account(&broke).state.collateral.0 == 0);
}

#[test]
fn an_account_that_is_healthy_again_loses_its_flag() {
    let mut setup = Setup::with(&Terms::still());
    let lucky = leveraged(&mut setup, "lucky", 130_000);
    setup.move_by(0, -560);
    assert_eq!(keep(&mut setup, "liquidate"), 1);
    assert!(flagged(&setup, &lucky) && plan(&setup, "unflag").is_empty(), "it is not healthy");
    setup.move_by(0, 600);
    assert!(flagged(&setup, &lucky) && plan(&setup, "liquidate").is_empty(), "nothing to liquidate any more");
    let planned = plan(&setup, "unflag");
    assert_eq!((planned.len(), planned[0].subject, planned[0].reward), (1, lucky.subaccount, 0));
    assert_eq!(keep(&mut setup, "unflag"), 1);
    assert!(!flagged(&setup, &lucky));
}

/// A hole that the market's insurance did not fill is a claim on the shared one, registered on the next day and paid over the
/// hours in which it is released.
#[test]
fn claims_on_the_shared_insurance_are_registered_the_day_after_and_paid() {
    let poor = MarketTerms { insurance: units(100), ..MarketTerms::DEEP };
    let mut setup = Setup::with(&Terms { markets: vec![poor], funding: false });
    let (rich, purse) = setup.fund("rich", units(2_000));
    let gift = instructions::top_up_shared_insurance(&setup.exchange, &rich.pubkey(), &purse, units(2_000));
    setup.world.send(&[gift], &[&rich]).must();
    let broke = leveraged(&mut setup, "broke", 150_000);
    setup.move_by(0, -900);
    assert_eq!(keep(&mut setup, "liquidate"), 1);
    setup.tick(2);
    assert_eq!(keep(&mut setup, "liquidate"), 1);
    assert!(setup.account(&broke).state.is_flat());
    assert!(plan(&setup, "insurance").is_empty(), "the day is not over");
    setup.midnight(0, 0);
    assert_eq!(keep(&mut setup, "insurance"), 1, "registered");
    let fund = setup.exchange().shared_insurance.0;
    setup.midnight(0, 0);
    let mut paid = keep(&mut setup, "insurance");
    for _ in 0..5 {
        setup.world.advance(3_600);
        paid += keep(&mut setup, "insurance");
    }
    assert!(paid >= 1 && setup.exchange().shared_insurance.0 < fund);
    assert!(plan(&setup, "insurance").is_empty(), "all that is released is paid");
}
