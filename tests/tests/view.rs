//! What a client shows of an account is what the program holds it to: margin used, liquidation prices, what a covenant leaves,
//! what governance has pending.

use anchor_lang::prelude::Pubkey;
use ballast::state::{Proposal, Subaccount};
use ballast_client::covenants::{CovenantView, check_fill};
use ballast_client::pending::{self, PendingView};
use ballast_client::view::AccountView;
use ballast_client::{address, quotes};
use ballast_engine::Error;
use ballast_engine::constants::PROPOSAL_LIFE;
use ballast_engine::governance::kind;
use ballast_tests::{Expect, Posted, Setup, Terms, Trader, units};

fn view(setup: &Setup, trader: &Trader) -> AccountView {
    AccountView::of(&setup.account(trader), &setup.markets(), &setup.world.now()).unwrap()
}

/// Lets a market's oracle say a price, with the confidence that it has, until it is believed.
fn say(setup: &mut Setup, market: usize, price: i64) {
    setup.posted[market] = Posted { price, ..setup.posted[market] };
    for _ in 0..3 {
        setup.tick(2);
    }
}

/// A million is the whole: what is not used may leave, and nothing more.
#[test]
fn what_margin_used_leaves_of_the_equity_may_be_withdrawn() {
    let mut setup = Setup::with(&Terms::still());
    let alice = setup.trader("alice", units(10_000));
    assert_eq!(view(&setup, &alice).margin_used, Some(0));
    setup.open(&alice, 0, units(40_000).cast_signed());
    let seen = view(&setup, &alice);
    let (equity, initial) = (seen.initial_equity.unwrap().unsigned_abs(), seen.initial.unwrap());
    let used = seen.margin_used.unwrap();
    assert!(used > 100_000 && used == initial * 1_000_000 / equity, "{seen:?}");
    setup.withdraw(&alice, equity - initial).must();
    assert_eq!(view(&setup, &alice).margin_used, Some(1_000_000));
    setup.withdraw(&alice, 1).fails(Error::InitialMargin);
    // Without a valid price nothing is said of it.
    let mut silent = setup.clone();
    silent.world.advance(3_700);
    assert!(view(&silent, &alice).positions[0].price_status.contains("Silent"));
}

/// For one position it is exact. For several each is exact while the other markets stand still, which is the method.
#[test]
fn a_liquidation_price_is_exact_while_the_other_markets_stand_still_and_so_far_away_as_it_says() {
    for markets in [1, 2] {
        let mut setup = Setup::with(&Terms { funding: false, ..Terms::cross(2) });
        let alice = setup.trader("alice", units(10_000));
        setup.open(&alice, 0, units(70_000).cast_signed());
        if markets == 2 {
            setup.open(&alice, 1, -units(50_000).cast_signed());
        }
        let seen = view(&setup, &alice);
        assert_eq!(seen.positions.len(), markets);
        for position in &seen.positions {
            let (market, long) = (usize::from(position.market), position.size > 0);
            let at = position.liquidation_price.expect("leverage has one");
            let gap = if long { position.price - at } else { at - position.price };
            assert_eq!(position.liquidation_distance, i64::try_from(gap * 1_000_000 / position.price).ok());
            let step = setup.posted[market].price / i64::try_from(position.price).unwrap();
            let told = i64::try_from(at).unwrap() * step;
            let mut there = setup.clone();
            say(&mut there, market, told);
            there.flag(&alice).fails(Error::AccountHealthy);
            assert_eq!(
                view(&there, &alice)
                    .positions
                    .iter()
                    .find(|p| p.market == position.market)
                    .unwrap()
                    .liquidation_distance,
                Some(0)
            );
            let mut beyond = setup.clone();
            say(&mut beyond, market, if long { told - step } else { told + step });
            beyond.flag(&alice).must();
            assert!(view(&beyond, &alice).flag.is_some());
        }
    }
}

fn covenant_of(setup: &Setup, owner: &Trader, accounts: &[&Trader]) -> CovenantView {
    let held: Vec<(Pubkey, Box<Subaccount>)> = accounts.iter().map(|t| (t.subaccount, setup.account(t))).collect();
    let (markets, now) = (setup.markets(), setup.world.now());
    let markets = markets.accrued(&now).unwrap();
    let held = held.iter().map(|(key, account)| (key, &**account));
    CovenantView::of(&setup.covenant(owner), held, &markets, &now).unwrap()
}

/// What is said to be left of a limit fits, and what is more does not: foreseen from a quote, and so by the program.
#[test]
fn what_a_covenant_leaves_may_be_traded_and_lost_and_no_more() {
    let mut setup = Setup::with(&Terms::still());
    let alice = setup.bound("alice", units(10_000));
    setup.open(&alice, 0, units(20_000).cast_signed());
    let left = covenant_of(&setup, &alice, &[&alice]).notional_left.expect("leverage is limited");
    // Fees and the premium make a little less of the equity, and so of what it may carry.
    for (share, fits) in [(98, true), (101, false)] {
        let mut setup = setup.clone();
        let size = setup.size_for(0, (left / 100 * share).cast_signed());
        let order = setup.place(&alice, 0, size).unwrap();
        setup.later();
        let (markets, now, account) = (setup.markets(), setup.world.now(), setup.account(&alice));
        let filled = quotes::order(&account, &markets, 0, &setup.order(&order).terms, &now).unwrap();
        assert!(filled.increases);
        let accounts = [(alice.subaccount, account)];
        let accounts = accounts.iter().map(|(key, account)| (key, &**account));
        let told = check_fill(&setup.covenant(&alice), accounts, &alice.subaccount, &filled, &markets, &now);
        assert_eq!(told.map_err(|fault| fault.error), if fits { Ok(()) } else { Err(Error::CovenantLeverage) });
        match fits {
            true => drop(setup.execute(&alice, 0, &order).must()),
            false => drop(setup.execute(&alice, 0, &order).fails(Error::CovenantLeverage)),
        }
    }
    // A loss below what is left of the day trips nothing, one above it does.
    let day = covenant_of(&setup, &alice, &[&alice]).day_left.expect("a day's loss is limited");
    let bps = |amount: u64| -(amount * 10_000 / units(20_000)).cast_signed();
    let mut little = setup.clone();
    little.move_by(0, bps(day) / 10 * 9);
    let seen = covenant_of(&little, &alice, &[&alice]);
    assert!(!seen.would_trip && seen.day_left.is_some_and(|left| left > 0 && left < day), "{seen:?}");
    little.touch(&alice).must();
    little.trip(&alice).fails(Error::CovenantNotBreached);
    setup.move_by(0, bps(day) - 10);
    let seen = covenant_of(&setup, &alice, &[&alice]);
    assert!(!seen.would_trip && seen.day_left == Some(0), "found at its limit, once: {seen:?}");
    setup.touch(&alice).must();
    setup.tick(1);
    assert!(covenant_of(&setup, &alice, &[&alice]).would_trip);
    setup.touch(&alice).must();
    setup.trip(&alice).must();
    assert!(covenant_of(&setup, &alice, &[&alice]).tripped_until > setup.world.now().unix);
}

fn pending_of(setup: &Setup, trader: &Trader, ordered: &[u16]) -> Vec<PendingView> {
    let all: Vec<(Pubkey, Box<Proposal>)> = (0..setup.exchange().next_proposal)
        .filter(|id| setup.world.exists(&address::proposal(&setup.exchange, *id)))
        .map(|id| (address::proposal(&setup.exchange, id), setup.proposal(id)))
        .collect();
    let now = setup.world.now();
    let markets = setup.markets().accrued(&now).unwrap();
    let all = all.iter().map(|(key, proposal)| (key, &**proposal));
    pending::of(&setup.account(trader), ordered, all, &setup.exchange(), &markets, &now).unwrap()
}

#[test]
fn what_is_pending_is_what_touches_the_account_and_may_still_be_executed() {
    let mut setup = Setup::with(&Terms::cross(2));
    let alice = setup.trader("alice", units(10_000));
    let idle = setup.trader("idle", units(10_000));
    setup.open(&alice, 0, units(150_000).cast_signed());
    let ids = |views: &[PendingView]| views.iter().map(|view| view.id).collect::<Vec<_>>();
    assert!(pending_of(&setup, &alice, &[]).is_empty());

    let fee = setup.market(0).state.params.taker_fee.0;
    let here = setup.queue(0, "taker_fee", fee + 100).unwrap();
    let there = setup.queue(1, "taker_fee", fee + 100).unwrap();
    let margin = setup.queue(0, "maintenance_margin", 35_000).unwrap();
    let end = setup.queue_wind_down(1, true).unwrap();
    let _guardian = setup.queue_role(kind::COMMITTEE, Pubkey::new_from_array([5; 32])).unwrap();
    let views = pending_of(&setup, &alice, &[]);
    assert_eq!(ids(&views), [here, margin]);
    let change = &views[0].changes[0];
    assert_eq!((views[0].what, views[0].market, change.name), ("parameters", Some(0), "taker_fee"));
    assert_eq!((change.old, change.new, views[0].from), (fee, fee + 100, setup.proposal(here).terms.eta));
    assert_eq!((views[0].below_maintenance, views[1].below_maintenance), (None, Some(false)));
    // An order there is touched too; who holds nothing is touched by nothing of a market's.
    let views = pending_of(&setup, &alice, &[1]);
    assert_eq!(ids(&views), [here, there, margin, end]);
    assert_eq!(views[3].what, "wind down");
    assert!(pending_of(&setup, &idle, &[]).is_empty());
    // With less equity the raise would put it below maintenance.
    setup.move_by(0, -330);
    assert_eq!(pending_of(&setup, &alice, &[])[1].below_maintenance, Some(true));
    // What was vetoed, or has waited too long, is not pending any more.
    setup.veto(margin).must();
    assert_eq!(ids(&pending_of(&setup, &alice, &[])), [here]);
    setup.world.advance(setup.proposal(here).terms.eta - setup.world.now().unix + PROPOSAL_LIFE);
    assert!(pending_of(&setup, &alice, &[]).is_empty());
}
