//! P7 on the SBPF file: the same keepers' actions in every order give the same split of every deficit, to the smallest unit.
//! Under LiteSVM alone, for each order is a copy of the whole exchange.

use ballast_client::instructions as ix;
use ballast_engine::Error;
use ballast_tests::{Expect as _, MarketTerms, Setup, Terms, Trader, event, units};
use solana_signer::Signer as _;

use super::{equity, whole};

/// All orders of so many.
fn orders(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![vec![]];
    }
    let mut all = Vec::new();
    for shorter in orders(count - 1) {
        for place in 0..=shorter.len() {
            let mut order = shorter.clone();
            order.insert(place, count - 1);
            all.push(order);
        }
    }
    all
}

/// Whatever can differ by who acted when: each account's money, position and claim, each pool's books, the fund.
fn outcome(setup: &Setup, traders: &[Trader], markets: usize) -> Vec<u64> {
    setup.audit();
    let exchange = setup.exchange();
    let shared = exchange.insurance;
    let mut all = vec![exchange.shared_insurance.0, shared.paid.0, shared.set_aside().expect("in range").0];
    for market in 0..markets {
        let state = setup.market(market).state;
        let pool = &state.pool;
        all.extend([pool.cash, pool.claims, pool.claims_paid, pool.insurance].map(|q| q.0));
        all.extend([pool.deficits, pool.insurance_paid, pool.protocol_fees, state.insurance.paid].map(|q| q.0));
        all.push(state.insurance.pending().expect("in range").0);
        for side in [&state.long, &state.short] {
            all.extend([side.open_interest.0, side.entry.0, side.positions]);
        }
        for held in &state.held[..markets] {
            all.push(held.amount.0);
        }
    }
    for trader in traders {
        let account = setup.account(trader).state;
        all.push(account.collateral.0);
        for (_, p) in account.slots() {
            let market = setup.market(p.market.into()).state;
            let (outstanding, collectable) = market.claim_value(&p.claim).expect("in range");
            all.extend([p.base().0, p.entry.0, p.frozen.0.unsigned_abs(), outstanding.0, collectable.0, p.held.0]);
        }
    }
    all
}

/// Three markets of tier A with a bucket of 500 each and a shared fund of 2,000; in each a long of ten times its collateral
/// that is below zero and flagged.
fn three_holes() -> (Setup, Vec<Trader>) {
    let poor = || MarketTerms { insurance: units(500), ..MarketTerms::DEEP };
    let mut setup = Setup::with(&Terms { markets: vec![poor(), poor(), poor()], funding: false });
    let (rich, tokens) = setup.fund("rich", units(2_000));
    let top_up = ix::top_up_shared_insurance(&setup.exchange, &rich.pubkey(), &tokens, units(2_000));
    setup.world.send(&[top_up], &[&rich]).must();
    let traders: Vec<Trader> = ["alice", "bob", "carol"].map(|name| setup.trader(name, units(10_000))).into();
    for (market, trader) in traders.iter().enumerate() {
        setup.open(trader, market, whole(100_000));
    }
    for market in 0..3_i64 {
        setup.move_by(usize::try_from(market).expect("small"), -1_237 - 113 * market);
    }
    for trader in &traders {
        assert!(equity(&setup, trader) < whole(-1_000));
        setup.flag(trader).must();
    }
    setup.tick(2);
    (setup, traders)
}

#[test]
fn shared_insurance_is_split_alike_whoever_resolves_registers_and_collects_first() {
    let (start, traders) = three_holes();
    let (mut ends, mut last) = (Vec::new(), start.clone());
    for (number, order) in orders(3).into_iter().enumerate() {
        // The next orders of each kind of call, so that they are mixed.
        let other = |by: usize| orders(3)[(number + by) % 6].clone();
        let mut setup = start.clone();
        for place in &order {
            setup.resolve(&traders[*place]).must();
            setup.audit();
        }
        setup.midnight(0, 100 * i64::try_from(number).expect("small"));
        for market in other(1) {
            setup.register_insurance(market).must();
            setup.audit();
        }
        setup.midnight(0, 0);
        // Some come each hour, some late, some only when all is released; nobody's share moves.
        let (early, late) = (other(2), other(5));
        setup.pay_insurance(early[0]).must();
        setup.world.advance(3_600);
        for market in &early[..number % 3 + 1] {
            setup.pay_insurance(*market).must();
            setup.audit();
        }
        setup.world.advance(3 * 3_600);
        for market in late {
            setup.pay_insurance(market).must();
            setup.audit();
        }
        let end = outcome(&setup, &traders, 3);
        assert!(ends.is_empty() || ends[0] == end, "{order:?}\n{end:?}\n{:?}", ends[0]);
        ends.push(end);
        last = setup;
    }
    // All of the fund is gone but what rounding has left, which was set aside with the award. No claim is open: it can be
    // withdrawn like the rest.
    let dust = ends[0][0];
    assert!((1..3).contains(&dust) && ends[0][1] == units(2_000) - dust && ends[0][2] == dust, "{:?}", ends[0]);
    let out = last.fee_destination;
    let all = last.queue_insurance_withdrawal(None, dust, out).expect("queued");
    last.wait_for(all);
    let withdrawn = event!(last.execute_proposal(all).must(), InsuranceWithdrawn);
    assert_eq!((withdrawn.amount, withdrawn.fund), (dust, 0));
    last.audit();
}

#[test]
fn an_account_below_zero_in_two_settled_markets_pays_both_whichever_is_closed_first() {
    let mut setup = Setup::with(&Terms::cross(2));
    let alice = setup.trader("alice", units(20_000));
    for market in [0, 1] {
        setup.open(&alice, market, whole(100_000));
    }
    for market in [0, 1] {
        setup.move_by(market, -2_000);
    }
    assert!(equity(&setup, &alice) < whole(-15_000));
    // Nobody has flagged it when the oracle falls silent for good.
    setup.world.advance(10 * 86_400);
    for market in [0, 1] {
        setup.advance_settlement(market).must();
    }
    for market in [0, 1] {
        setup.close_settled(&alice, market).fails(Error::AccountBankrupt);
    }
    setup.resolve(&alice).must();
    setup.audit();
    let booked = [0, 1].map(|m| setup.market(m).state.pool).map(|pool| pool.deficits.0 + pool.insurance_paid.0);
    assert!(booked[0].abs_diff(booked[1]) < units(100) && booked[0] > units(7_000), "{booked:?}");
}

#[test]
fn accounts_in_several_markets_leave_the_same_deficits_in_whatever_order_they_are_resolved() {
    let poor = || MarketTerms { insurance: units(700), ..MarketTerms::DEEP };
    let mut setup = Setup::with(&Terms { markets: vec![poor(), poor()], funding: false });
    let traders: Vec<Trader> = ["alice", "bob", "carol"].map(|name| setup.trader(name, units(10_000))).into();
    for (trader, sizes) in traders.iter().zip([[80_000, 30_000], [50_000, 50_000], [110_000, -30_000]]) {
        for (market, size) in sizes.into_iter().enumerate() {
            setup.open(trader, market, whole(size));
        }
    }
    setup.move_by(1, -700);
    setup.move_by(0, -1_531);
    for trader in &traders {
        assert!(equity(&setup, trader) < 0, "{}", equity(&setup, trader));
        setup.flag(trader).must();
    }
    setup.tick(2);
    let ends: Vec<_> = orders(3)
        .into_iter()
        .map(|order| {
            let mut setup = setup.clone();
            let deficit: u64 = order.iter().map(|i| event!(setup.resolve(&traders[*i]).must(), Resolved).deficit).sum();
            (deficit, outcome(&setup, &traders, 2))
        })
        .collect();
    assert!(ends[0].0 > units(1_000));
    assert!(ends.iter().all(|end| *end == ends[0]), "{ends:#?}");
}

/// What each pool has at face: free cash less what it owes, what others owe it, its bucket. And what it could not get.
fn at_face(setup: &Setup, markets: usize) -> Vec<[i128; 2]> {
    setup.audit();
    let worth = |market: usize| {
        let state = setup.market(market).state;
        let (pool, held) =
            (&state.pool, state.held[..markets].iter().map(|claim| i128::from(claim.amount.0)).sum::<i128>());
        let free = i128::from(pool.cash.0) - i128::from(pool.claims_paid.0) + i128::from(pool.insurance.0);
        [free - i128::from(pool.claims.0) + held, i128::from(pool.deficits.0) + i128::from(pool.insurance_paid.0)]
    };
    (0..markets).map(worth).collect()
}

/// Two accounts below zero, with losses in two markets and claims on one of them. Whichever is resolved first pays into that
/// one, and so pays the other's claim in part: neither this nor who collects moves an atom from one market to the other.
#[test]
fn a_claim_on_a_pool_that_an_account_owes_counts_the_same_whoever_pays_or_collects_first() {
    let (mut setup, traders) = Setup::in_episode();
    let [alice, bob, carol] = &traders;
    setup.settle(bob, 0).must();
    for trader in [alice, bob] {
        setup.open(trader, 1, whole(45_000));
    }
    setup.move_by(1, -4_000);
    setup.move_by(0, -4_300);
    setup.move_by(0, -2_500);
    for trader in [alice, bob] {
        assert!(equity(&setup, trader) < 0, "{}", equity(&setup, trader));
        assert!(!setup.account(trader).state.positions[0].claim.amount.is_zero());
        setup.flag(trader).must();
    }
    setup.tick(2);
    let (mut ends, mut collected) = (Vec::new(), [false; 2]);
    for order in orders(5) {
        let mut setup = setup.clone();
        for step in &order {
            match step {
                0 | 1 => drop(setup.resolve(&traders[*step]).must()),
                2 | 3 => match setup.collect_claim(&traders[step - 2], 0) {
                    Ok(_) => collected[step - 2] = true,
                    // Nothing was paid on it yet, or it is another pool's by now.
                    Err(refused) => {
                        let nothing = [Some(Error::CoverTooEarly), Some(Error::PositionNotFound)];
                        assert!(nothing.contains(&refused.error), "{refused}");
                    }
                },
                _ => drop(setup.settle(carol, 0).must()),
            }
        }
        for trader in [alice, bob] {
            let account = setup.account(trader).state;
            assert!(account.is_flat() && account.collateral.is_zero());
        }
        let end = at_face(&setup, 2);
        assert!(ends.is_empty() || ends[0] == end, "{order:?}\n{end:?}\n{:?}", ends[0]);
        ends.push(end);
    }
    assert!(
        collected == [true; 2] && ends[0].iter().all(|[_, missing]| *missing > i128::from(units(1_000))),
        "{ends:?}"
    );
}

#[test]
fn a_deleveraging_reduces_everybody_alike_in_whatever_order_it_is_picked_up() {
    let (mut setup, traders) = Setup::after_an_episode();
    let done = event!(setup.deleverage(0).must(), Deleveraged);
    assert_eq!((done.positions, done.long), (2, true));
    // Two pick-ups and the settling of the losing side, which brings the cash.
    let ends: Vec<_> = orders(3)
        .into_iter()
        .map(|order| {
            let mut setup = setup.clone();
            for step in order {
                match step {
                    0 | 1 => drop(setup.pick_up(&traders[step], 0).must()),
                    _ => drop(setup.settle(&traders[2], 0).must()),
                }
                setup.audit();
            }
            outcome(&setup, &traders, 1)
        })
        .collect();
    assert!(ends.iter().all(|end| *end == ends[0]), "{ends:#?}");
    // Nobody is singled out: both keep the same share.
    let kept = [0, 1].map(|i: usize| setup.position(&traders[i], 0).unsigned_abs());
    assert_eq!(kept[0], kept[1], "they were alike before");
}

#[test]
fn a_settled_market_pays_everybody_the_same_in_whatever_order_it_is_closed_and_collected() {
    let (setup, traders) = Setup::settled();
    let mut ends = Vec::new();
    for (number, order) in orders(3).into_iter().enumerate() {
        let mut setup = setup.clone();
        for (place, trader) in order.iter().enumerate() {
            setup.close_settled(&traders[*trader], 0).must();
            setup.audit();
            if place < 2 {
                assert_eq!(setup.market(0).state.pool.claims_paid.0, 0, "no claim is paid while a position is open");
            }
        }
        for trader in orders(3)[(number + 3) % 6].clone() {
            match setup.collect_claim(&traders[trader], 0) {
                Ok(_) => {}
                // Who has won nothing has nothing to collect.
                Err(refused) => {
                    let nothing = [Some(Error::CoverTooEarly), Some(Error::PositionNotFound)];
                    assert!(nothing.contains(&refused.error), "{refused}");
                }
            }
            setup.audit();
        }
        let end = outcome(&setup, &traders, 1);
        assert!(ends.is_empty() || ends[0] == end, "{order:?}\n{end:?}\n{:?}", ends[0]);
        ends.push(end);
    }
}
