//! P7: who pays a shortfall is a formula, in a fixed order, whatever the order in which keepers act.

use ballast_engine::Error;
use ballast_tests::{Ask, Expect as _, MarketTerms, Setup, Terms, Trader, event, units};

use super::bank::on_bank;
use super::{BTC, ETH, equity, levered, whole};

#[test]
fn p07_the_markets_insurance_pays_first_then_its_providers_and_nobody_else() {
    let poor = MarketTerms { insurance: units(1_000), ..MarketTerms::DEEP };
    let mut setup = on_bank(&Terms { markets: vec![poor, MarketTerms::LARGE], funding: false });
    let alice = setup.trader("alice", units(10_000));
    let bob = setup.trader("bob", units(5_000));
    setup.open(&alice, BTC, whole(100_000));
    setup.move_by(BTC, -1_300);
    let hole = -equity(&setup, &alice);
    assert!(hole > whole(2_500));
    setup.flag(&alice).must();
    setup.tick(2);
    setup.liquidate(&alice).fails(Error::AccountBankrupt);
    let (insurance, pool, other, bobs) = books(&setup, &bob);
    let done = event!(setup.resolve(&alice).must(), Resolved);
    let (insurance_after, pool_after, other_after, bobs_after) = books(&setup, &bob);
    // The credit for confidence is in `hole`, one basis point of the value.
    assert!((i64::try_from(done.deficit).expect("fits") - hole).abs() < whole(10), "{} of {hole}", done.deficit);
    assert_eq!((done.insurance, insurance_after), (insurance, 0), "the bucket first, all of it");
    assert_eq!(setup.market(BTC).state.pool.deficits.0, done.deficit - done.insurance, "then its providers");
    assert!(pool_after > pool, "the pool has all that the account still had");
    assert_eq!((other_after, bobs_after), (other, bobs), "nobody else");
    let account = setup.account(&alice).state;
    assert!(account.is_flat() && account.collateral.0 == 0 && account.flag.slot == 0);
    setup.resolve(&alice).expect_err("once");
    setup.audit();
}

fn books(setup: &Setup, bystander: &Trader) -> (u64, u64, (u64, u64), u64) {
    let (own, other) = (setup.market(BTC).state.pool, setup.market(ETH).state.pool);
    let collateral = setup.account(bystander).state.collateral.0;
    (own.insurance.0, own.cash.0, (other.insurance.0, other.cash.0), collateral)
}

/// A cross account that is 10,000 units below zero: a lost long in one market, a won short in the other.
fn hedged() -> (Setup, Trader) {
    let mut setup = on_bank(&Terms::still());
    let alice = setup.trader("alice", units(30_000));
    setup.open(&alice, BTC, whole(300_000));
    setup.open(&alice, ETH, whole(-60_000));
    setup.move_by(ETH, -1_000);
    setup.move_by(BTC, -1_530);
    assert!(equity(&setup, &alice) < whole(-5_000));
    setup.flag(&alice).must();
    setup.tick(2);
    (setup, alice)
}

/// All that can differ by who acted when.
fn outcome(setup: &Setup, trader: &Trader) -> Vec<u64> {
    setup.audit();
    let mut all = vec![setup.account(trader).state.collateral.0];
    for market in [BTC, ETH] {
        let pool = setup.market(market).state.pool;
        all.extend([pool.cash.0, pool.claims.0, pool.insurance.0, pool.deficits.0, pool.insurance_paid.0]);
    }
    all
}

#[test]
fn p07_no_permutation_of_keepers_calls_changes_who_pays() {
    let (start, alice) = hedged();
    let resolved = |calls: &[&str]| {
        let mut setup = start.clone();
        for call in calls {
            match *call {
                "settle the winner" => drop(setup.settle(&alice, ETH).must()),
                // B1, P7: a lost leg pays its own pool only in the resolution, which pays all of them.
                "settle the loser" => drop(refused_as_bankrupt(&mut setup, &alice)),
                "liquidate" => drop(setup.liquidate(&alice).fails(Error::AccountBankrupt)),
                "a price" => setup.tick(1),
                _ => unreachable!("{call}"),
            }
            setup.audit();
        }
        let done = event!(setup.resolve(&alice).must(), Resolved);
        (done.deficit, done.insurance, outcome(&setup, &alice))
    };
    let expected = resolved(&[]);
    assert!(expected.0 > 0);
    for calls in [
        ["settle the winner", "settle the loser", "liquidate"],
        ["settle the loser", "settle the winner", "liquidate"],
        ["liquidate", "settle the loser", "settle the winner"],
        ["liquidate", "settle the winner", "settle the loser"],
        ["settle the loser", "liquidate", "a price"],
        ["a price", "settle the winner", "a price"],
    ] {
        assert_eq!(resolved(&calls), expected, "{calls:?}");
    }
}

#[track_caller]
fn refused_as_bankrupt(setup: &mut Setup, trader: &Trader) -> Box<ballast_tests::Refused> {
    use ballast_client::instructions as ix;
    let market = u16::try_from(BTC).expect("small");
    let legs = ix::leg_metas(&setup.account(trader), Some(market), false);
    let settle = ix::settle_with(&setup.market_key(BTC), &trader.subaccount, &legs);
    setup.world.send(&[settle], &[]).fails(Error::AccountBankrupt)
}

#[test]
fn p07_the_owner_cannot_keep_the_winning_leg_by_closing_the_losing_one_first() {
    // B1: collateral 100,000, long 1M in A, short 1M in B; A falls 15 % and B by 14.5 %: true equity 90,000 or so.
    let market = |price| MarketTerms { price, ..MarketTerms::DEEP };
    let markets = vec![market(ballast_tests::usd(60_000)), market(ballast_tests::usd(3_000))];
    let mut setup = on_bank(&Terms { markets, funding: false });
    let alice = setup.trader("alice", units(100_000));
    setup.open(&alice, BTC, whole(600_000));
    setup.open(&alice, ETH, whole(-600_000));
    setup.move_by(ETH, -2_000);
    setup.move_by(BTC, -2_500);
    let before = equity(&setup, &alice);
    assert!(before > whole(60_000) && before < whole(72_000), "{before}");
    let insurance = setup.market(BTC).state.pool.insurance.0;
    let whole_position = setup.position(&alice, BTC).unsigned_abs();
    // Closing the losing leg alone cannot leave its loss behind: the other leg's profit pays.
    setup.reduce(&alice, BTC, whole_position, true).must();
    setup.audit();
    setup.tick(1);
    setup.reduce(&alice, ETH, setup.position(&alice, ETH).unsigned_abs(), true).must();
    assert!(i64::try_from(setup.account(&alice).state.collateral.0).expect("fits") < before);
    let market = setup.market(BTC).state;
    assert_eq!(market.pool.deficits.0, 0);
    assert!(market.pool.insurance.0 >= insurance, "insurance paid nothing");
    setup.audit();
}

#[test]
fn p07_the_owner_of_an_account_below_zero_cannot_choose_which_market_it_pays() {
    let mut setup = on_bank(&Terms::still());
    let alice = setup.trader("alice", units(30_000));
    setup.open(&alice, BTC, whole(300_000));
    setup.open(&alice, ETH, whole(60_000));
    let held = [BTC, ETH].map(|market| setup.position(&alice, market).unsigned_abs());
    setup.move_by(ETH, -1_000);
    setup.move_by(BTC, -1_000);
    assert!(equity(&setup, &alice) < whole(-5_000));
    // Nobody has flagged it yet. Its collateral would pay ETH's providers whole, and those of BTC less.
    setup.reduce(&alice, ETH, held[ETH], true).fails(Error::AccountBankrupt);
    setup.reduce(&alice, ETH, held[ETH] / 10, true).fails(Error::AccountBankrupt);
    setup.reduce(&alice, BTC, held[BTC] / 10, true).fails(Error::AccountBankrupt);
    setup
        .trade(&alice, ETH, Ask { size: -setup.position(&alice, ETH), reduce_only: true, ..Ask::default() })
        .fails(Error::AccountBankrupt);
    setup.audit();
    // Nor may it leave the other markets out, so that this cannot be seen; an account above zero may reduce as before.
    let blind = ballast_client::instructions::reduce(
        &alice.address(),
        &setup.market_key(ETH),
        &alice.subaccount,
        held[ETH] / 10,
        0,
        &[],
    );
    setup.world.send(&[blind], &[&alice.key]).fails(Error::WrongMarketCount);
    setup.deposit(&alice, units(40_000)).must();
    setup.reduce(&alice, ETH, held[ETH], true).must();
    setup.audit();
}

/// A cross account with losses in both markets, 30,000 units to pay them with, and the first market settled at its price.
fn beside_a_settlement(moved: i64) -> (Setup, Trader) {
    let mut setup = on_bank(&Terms::still());
    let alice = setup.trader("alice", units(30_000));
    setup.open(&alice, BTC, whole(300_000));
    setup.open(&alice, ETH, whole(60_000));
    setup.move_by(ETH, moved);
    setup.move_by(BTC, moved);
    let mut market = setup.market(BTC);
    // As if its end had been announced long since.
    market.state.governed.closing_since = 1;
    market.state.price.ema5 = market.state.price.last.price;
    setup.world.write(&setup.market_key(BTC), &*market);
    setup.advance_settlement(BTC).must();
    (setup, alice)
}

#[test]
fn p07_whoever_closes_a_settled_leg_cannot_choose_which_market_an_account_below_zero_pays() {
    let (mut setup, alice) = beside_a_settlement(-1_000);
    assert!(equity(&setup, &alice) < whole(-5_000));
    setup.close_settled(&alice, BTC).fails(Error::AccountBankrupt);
    // Nor by leaving the other market's price old.
    setup.world.advance(5);
    setup.close_settled(&alice, BTC).fails(Error::PriceStale);
    setup.audit();
    setup.tick(1);
    setup.flag(&alice).must();
    setup.tick(2);
    let done = event!(setup.resolve(&alice).must(), Resolved);
    let pools = [BTC, ETH].map(|market| setup.market(market).state.pool);
    let borne = pools.map(|pool| pool.deficits.0 + pool.insurance_paid.0);
    assert!(borne[ETH] > 0 && borne[BTC] > 3 * borne[ETH], "pro rata to the losses: {borne:?}");
    assert_eq!(borne.iter().sum::<u64>(), done.deficit);
    setup.audit();
}

#[test]
fn p07_an_account_whose_other_prices_are_gone_is_resolved_beside_a_settlement_without_a_flag() {
    let (mut setup, alice) = beside_a_settlement(-1_000);
    setup.resolve(&alice).fails(Error::NotFlagged);
    setup.world.advance(3_601);
    setup.flag(&alice).expect_err("no good price to flag it by");
    event!(setup.resolve(&alice).must(), Resolved);
    assert!(setup.account(&alice).state.is_flat());
    setup.audit();
}

#[test]
fn p07_nobody_settles_a_loss_beside_a_price_that_was_left_old() {
    let mut setup = on_bank(&Terms::still());
    let alice = setup.trader("alice", units(30_000));
    setup.open(&alice, BTC, whole(100_000));
    setup.open(&alice, ETH, whole(60_000));
    setup.move_by(BTC, -500);
    setup.world.advance(5);
    let btc = setup.posted[BTC];
    setup.post_as(BTC, btc);
    setup.settle(&alice, BTC).fails(Error::PriceStale);
    setup.tick(1);
    setup.settle(&alice, BTC).must();
    setup.audit();
}

#[test]
fn p07_the_order_in_which_two_accounts_are_resolved_moves_no_deficit() {
    let poor = MarketTerms { insurance: units(2_000), ..MarketTerms::DEEP };
    let mut setup = on_bank(&Terms { markets: vec![poor, MarketTerms::LARGE], funding: false });
    let [alice, bob] = [("alice", 10_000), ("bob", 6_000)].map(|(name, c)| setup.trader(name, units(c)));
    setup.open(&alice, BTC, whole(100_000));
    setup.open(&bob, BTC, whole(60_000));
    setup.move_by(BTC, -1_200);
    setup.flag(&alice).must();
    setup.flag(&bob).must();
    setup.tick(2);
    let resolve = |order: [&Trader; 2]| {
        let mut setup = setup.clone();
        let deficits: u64 = order.map(|t| event!(setup.resolve(t).must(), Resolved).deficit).iter().sum();
        setup.audit();
        let pool = setup.market(BTC).state.pool;
        assert!(pool.deficits.0 > 0 && pool.insurance.0 == 0);
        (deficits, pool.cash.0, pool.deficits.0, pool.insurance_paid.0)
    };
    assert_eq!(resolve([&alice, &bob]), resolve([&bob, &alice]));
}

#[test]
fn p07_an_account_above_zero_or_not_yet_seen_twice_is_not_resolved() {
    let (mut setup, alice) = levered();
    setup.move_by(BTC, -880);
    setup.flag(&alice).must();
    setup.tick(1);
    setup.resolve(&alice).fails(Error::NotBankrupt);
    let (mut setup, alice) = levered();
    setup.move_by(BTC, -1_200);
    setup.resolve(&alice).fails(Error::NotFlagged);
    setup.flag(&alice).must();
    setup.resolve(&alice).fails(Error::FlagTooFresh);
    setup.tick(1);
    setup.resolve(&alice).must();
    setup.audit();
}
