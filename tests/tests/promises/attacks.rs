//! Attacks on fills and on the pool (section 5), each with its numbers.

use ballast::instructions::governance::InitializeExchangeArgs;
use ballast_client::instructions as ix;
use ballast_client::view::MarketView;
use ballast_engine::Error;
use ballast_engine::constants::{DAY, EXIT_OWNER_ALONE, PLACEMENT_LAG};
use ballast_engine::price::Status;
use ballast_tests::world::fixed_key;
use ballast_tests::{Ask, Expect as _, Setup, Terms, event, units};
use solana_signer::Signer as _;

use super::bank::on_bank;
use super::{BTC, whole};

#[test]
fn attack_the_owner_chooses_which_later_price_fills_his_order() {
    // The order takes the first price after it or the present one, whichever is worse for its owner.
    let fill = |first_bps: i64, present_bps: i64, notional: i64| {
        let mut setup = on_bank(&Terms::still());
        let alice = setup.trader("alice", units(50_000));
        let start = setup.posted[BTC].price;
        let at = |bps: i64| start + start / 10_000 * bps;
        let order = setup.place(&alice, BTC, setup.size_for(BTC, whole(notional))).expect("placed");
        for bps in [first_bps, present_bps] {
            setup.world.advance(3);
            setup.post(BTC, at(bps));
        }
        let mark = event!(setup.execute(&alice, BTC, &order).must(), Traded).mark;
        setup.audit();
        // Both are of exponent -9 in quote atoms per base atom, ten times less than dollars of exponent -8.
        (mark, at(first_bps.max(present_bps)) / 10, at(first_bps.min(present_bps)) / 10)
    };
    for (first, present) in [(50, 0), (0, 50)] {
        let (mark, high, _) = fill(first, present, 10_000);
        assert!(mark >= u64::try_from(high).expect("positive"), "a buy at the higher of {first} and {present}");
        let (mark, _, low) = fill(first, present, -10_000);
        assert!(mark <= u64::try_from(low).expect("positive"), "a sell at the lower of {first} and {present}");
    }
}

#[test]
fn attack_a_lagging_clock_shows_the_price_before_the_order_is_placed() {
    // The chain's clock is two seconds late: the owner knows what was published in them when he places, and has it posted.
    for lag in 1..=PLACEMENT_LAG {
        let mut setup = on_bank(&Terms::still());
        let alice = setup.trader("alice", units(50_000));
        let order = setup.place(&alice, BTC, setup.size_for(BTC, whole(10_000))).expect("placed");
        setup.world.advance(lag);
        setup.post(BTC, setup.posted[BTC].price);
        setup.execute(&alice, BTC, &order).fails(Error::OrderTooEarly);
        // The first that nobody could know then stands half a percent higher, and it is the one that fills.
        setup.world.advance(PLACEMENT_LAG + 1 - lag);
        let first = setup.posted[BTC].price / 1_000 * 1_005;
        setup.post(BTC, first);
        let mark = event!(setup.execute(&alice, BTC, &order).must(), Traded).mark;
        assert!(mark >= u64::try_from(first / 10).expect("positive"), "{mark}");
    }
}

#[test]
fn attack_a_buy_and_a_sell_are_kept_and_the_better_one_executed() {
    let mut setup = on_bank(&Terms::still());
    let alice = setup.trader("alice", units(50_000));
    let size = setup.size_for(BTC, whole(100_000));
    let buy = setup.place(&alice, BTC, size).expect("placed");
    let sell = setup.place(&alice, BTC, -size).expect("placed");
    // The market jumps by 50 bps before anybody posts; neither order can be taken back, and the good one is filled at the
    // price after the jump.
    setup.cancel(&alice, BTC, &sell).fails(Error::OrderLocked);
    setup.world.advance(3);
    setup.post(BTC, setup.posted[BTC].price / 1_000 * 1_005);
    let before = super::equity(&setup, &alice);
    setup.execute(&alice, BTC, &buy).must();
    assert!(super::equity(&setup, &alice) < before, "no profit from the jump");
    // An order that waits for the outside market to move lapses half a minute after it could fill.
    setup.tick(31);
    setup.execute(&alice, BTC, &sell).expect_err("lapsed");
    setup.audit();
}

#[test]
fn attack_a_stale_market_is_no_free_put() {
    let mut setup = on_bank(&Terms::still());
    let alice = setup.trader("alice", units(50_000));
    setup.open(&alice, BTC, whole(100_000));
    let size = setup.position(&alice, BTC);
    // Thirty minutes without a price; the truth is 1 % lower and the owner does not post it.
    setup.world.advance(1_800);
    assert_eq!(setup.status(BTC), Status::Stale);
    setup.reduce(&alice, BTC, size.unsigned_abs(), false).fails(Error::PriceStale);
    setup.exit_silent(&alice, BTC).fails(Error::PriceNotSilent);
    let order = setup.place(&alice, BTC, Ask { size: -size, reduce_only: true, ..Ask::default() }).expect("placed");
    setup.execute(&alice, BTC, &order).fails(Error::OrderTooEarly);
    let truth = setup.posted[BTC].price / 100 * 99;
    setup.world.advance(3);
    setup.post(BTC, truth);
    let filled = event!(setup.execute(&alice, BTC, &order).must(), Traded);
    assert!(filled.mark <= u64::try_from(truth / 10).expect("positive"), "filled at the truth");
    setup.audit();
}

#[test]
fn attack_pool_equity_is_inflated_by_skew_and_taken_out() {
    let mut setup = on_bank(&Terms::still());
    let pool = |setup: &Setup| MarketView::of(&setup.market(BTC), &setup.world.now()).expect("a view").pool.equity;
    let attacker = setup.trader("attacker", units(500_000));
    let before = pool(&setup);
    let traded = event!(setup.open(&attacker, BTC, whole(800_000)), Traded);
    let fees = i64::try_from(traded.fee * 6 / 10).expect("fits");
    let spread = i64::try_from(
        u128::from(traded.mark - setup.market(BTC).state.price.last.price.0) * u128::from(traded.size.unsigned_abs())
            / 1_000_000_000,
    )
    .expect("fits");
    // The premium, tens of units, is no equity: it will be paid back. The confidence spread, also on the premium, and the
    // fee are.
    assert!(traded.premium > whole(30), "{}", traded.premium);
    let spread = spread + traded.premium / 10_000;
    assert!((pool(&setup) - before - fees - spread).abs() <= 4, "{} to {}", before, pool(&setup));
    setup.close(&attacker, BTC);
    assert!(pool(&setup) >= before);
    setup.audit();
}

#[test]
fn attack_a_provider_comes_in_on_a_price_that_he_knows_already() {
    let mut setup = on_bank(&Terms::still());
    let trader = setup.trader("trader", units(100_000));
    setup.open(&trader, BTC, whole(500_000));
    // A fall of 1 % is known outside: the pool will gain 5,000. A deposit executes at the first price after its filing.
    let provider = setup.provider_account("late provider", BTC, units(3_000_000));
    setup.file_deposit(&provider, units(3_000_000)).must();
    setup.execute_deposit(&provider).expect_err("no later price yet");
    setup.move_by(BTC, -100);
    setup.execute_deposit(&provider).must();
    let shares = u128::from(setup.world.tokens(&provider.shares));
    let market = setup.market(BTC).state;
    let equity = MarketView::of(&setup.market(BTC), &setup.world.now()).expect("a view").pool.equity;
    let worth = shares * u128::try_from(equity).expect("positive") / u128::from(market.pool.shares);
    assert!(worth <= u128::from(units(3_000_000)), "{worth}: it has none of the gain");
    setup.audit();
}

#[test]
fn attack_a_rival_executes_an_exit_while_losses_are_unsettled() {
    let mut setup = on_bank(&Terms::still());
    let alice = setup.trader("alice", units(100_000));
    setup.open(&alice, BTC, whole(500_000));
    let provider = setup.providers[BTC].clone();
    let shares = setup.world.tokens(&provider.shares) / 10;
    setup.file_exit(&provider, shares).must();
    setup.tick(DAY - 30);
    // What alice loses counts nothing for the exit until it is cash.
    setup.move_by(BTC, -500);
    setup.tick(30);
    setup.execute_exit_of(&provider).fails(Error::ExitOwnerAlone);
    let paid = |setup: &mut Setup, by_owner: bool| {
        let sent = if by_owner { setup.execute_exit(&provider) } else { setup.execute_exit_of(&provider) };
        event!(sent.must(), LiquidityRemoved).amount
    };
    let early = paid(&mut setup.clone(), true);
    setup.settle(&alice, BTC).must();
    let settled = paid(&mut setup.clone(), true);
    assert!(settled > early + units(2_000), "{settled} {early}: a tenth of her 25,000");
    // A provider that does not come is served by anyone in the second half of the hour.
    setup.tick(EXIT_OWNER_ALONE);
    assert!(paid(&mut setup, false) > early);
    setup.audit();
}

#[test]
fn attack_the_first_caller_owns_the_exchange() {
    let mut setup = Setup::bare();
    let (thief, mint) = (fixed_key("thief"), fixed_key("another mint").pubkey());
    let account = setup.world.svm.get_account(&setup.mint).expect("the mint");
    setup.world.set_account(mint, account);
    setup.world.give(thief.pubkey(), 1_000_000_000);
    let tokens = fixed_key("thief's tokens").pubkey();
    setup.set_tokens(tokens, &thief.pubkey(), &mint, 0);
    setup.world.twin = Some(Box::new(super::bank::Bank::of(&setup.world.svm)));
    let args = InitializeExchangeArgs {
        governance: thief.pubkey(),
        committee: anchor_lang::prelude::Pubkey::default(),
        guardian: fixed_key("thief's guardian").pubkey(),
        oracle_programs: [price_feed::ID, anchor_lang::prelude::Pubkey::default()],
    };
    let payer = setup.world.payer.pubkey();
    let create = ix::initialize_exchange(&payer, &thief.pubkey(), &mint, &tokens, args);
    setup.world.send(&[create], &[&thief]).fails(Error::NotUpgradeAuthority);
}
