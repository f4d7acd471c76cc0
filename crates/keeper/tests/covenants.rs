//! Owners with many accounts: what the job for covenants plans fits a transaction each and is let through.

use anchor_lang::prelude::Pubkey;
use ballast_client::rpc::{PACKET, size, tables, unit_limit, unit_price};
use ballast_keeper::jobs::Action;
use ballast_tests::binding::TERMS;
use ballast_tests::{Expect, Setup, Terms, Trader, units};
use solana_message::AddressLookupTableAccount;
use solana_signer::Signer;

use crate::jobs::{keep, plan};

/// An owner's accounts, each long in two markets one after the other, from before there was a covenant.
fn accounts(setup: &mut Setup, count: u16) -> Vec<Trader> {
    let markets = setup.posted.len();
    let mut all = Vec::new();
    for id in 0..count {
        let trader = setup.trader_with("alice", id, false, units(3_000));
        let first = usize::from(id) % markets;
        setup.open(&trader, first, units(2_000).cast_signed());
        if markets > 1 {
            setup.open(&trader, (first + 1) % markets, units(2_000).cast_signed());
        }
        all.push(trader);
    }
    all
}

fn bytes(setup: &Setup, action: &Action, tables: &[AddressLookupTableAccount]) -> usize {
    let all = [&[unit_limit(0), unit_price(0)], &action.instructions[..]].concat();
    size(&all, &setup.world.payer.pubkey(), tables).unwrap()
}

#[test]
fn accounts_for_which_a_covenant_has_no_place_hold_nothing_up() {
    let mut setup = Setup::with(&Terms::cross(1));
    let all = accounts(&mut setup, 9);
    setup.bind(&all[0], TERMS).must();
    setup.tick(700);
    // Eight of nine: there are no more places.
    assert_eq!(keep(&mut setup, "covenants"), 1);
    let seen = setup.covenant(&all[0]).state.entries.iter().filter(|entry| entry.positions != 0).count();
    assert_eq!(seen, 8);
    // Two units of a hundred on 16,000.
    setup.move_by(0, -510);
    for _ in 0..3 {
        let _ = keep(&mut setup, "covenants");
        setup.tick(5);
    }
    assert!(setup.covenant(&all[0]).state.is_tripped(&setup.world.now()));
}

#[test]
fn accounts_that_do_not_fit_one_transaction_are_shown_in_several_of_one_slot() {
    let mut setup = Setup::with(&Terms::cross(8));
    let all = accounts(&mut setup, 8);
    setup.bind(&all[0], TERMS).must();
    setup.tick(700);
    let _ = keep(&mut setup, "covenants");
    for market in 0..8 {
        setup.move_by(market, -270);
    }
    setup.world.advance(2);
    for market in 0..8 {
        setup.publish(market, setup.posted[market]).must();
    }
    let parts = plan(&setup, "covenants");
    assert!(parts.len() > 1, "they would fit one transaction: {}", bytes(&setup, &parts[0], &[]));
    let subjects: std::collections::BTreeSet<Pubkey> = parts.iter().map(|part| part.subject).collect();
    assert_eq!(subjects.len(), parts.len(), "side by side");
    for part in &parts {
        assert!(bytes(&setup, part, &[]) <= PACKET);
        setup.world.send(&part.instructions, &[]).must();
    }
    // With a table of the exchange's addresses it is one.
    let oracles: Vec<Pubkey> = (0..8).map(|market| setup.feed(market)).collect();
    let addresses = tables::shared(&setup.exchange, 8, &oracles);
    let table = AddressLookupTableAccount { key: Pubkey::new_from_array([5; 32]), addresses };
    let short: usize = parts.iter().map(|part| bytes(&setup, part, core::slice::from_ref(&table))).sum();
    assert!(short < PACKET, "{short}");
    // Where they were all shown in one slot the trip is all that is left.
    let mut alone = false;
    let tripped = |setup: &Setup| setup.covenant(&all[0]).state.is_tripped(&setup.world.now());
    for _ in 0..6 {
        let planned = plan(&setup, "covenants");
        alone |= planned.len() == 1 && planned[0].instructions.len() == 1;
        for action in &planned {
            assert!(bytes(&setup, action, &[]) <= PACKET);
            setup.world.send(&action.instructions, &[]).must();
        }
        if tripped(&setup) {
            break;
        }
        if planned.is_empty() {
            setup.world.advance(5);
            for market in 0..8 {
                setup.publish(market, setup.posted[market]).must();
            }
        }
    }
    assert!(alone && tripped(&setup));
}

#[test]
fn an_order_is_filled_once_the_accounts_that_do_not_fit_beside_it_were_shown() {
    let mut setup = Setup::with(&Terms::cross(8));
    let all = accounts(&mut setup, 8);
    setup.bind(&all[0], TERMS).must();
    setup.tick(700);
    let _ = keep(&mut setup, "covenants");
    setup.tick(30);
    let size = setup.size_for(0, units(1_000).cast_signed());
    let order = setup.place(&all[0], 0, size).expect("placed");
    setup.world.advance(3);
    for market in 0..8 {
        setup.publish(market, setup.posted[market]).must();
    }
    let parts = plan(&setup, "orders");
    assert!(parts.len() > 1 && parts.iter().all(|part| part.job == "covenants"), "{}", parts.len());
    for part in &parts {
        assert!(bytes(&setup, part, &[]) <= PACKET);
        setup.world.send(&part.instructions, &[]).must();
    }
    let planned = plan(&setup, "orders");
    assert_eq!((planned.len(), planned[0].subject), (1, order));
    let before = setup.position(&all[0], 0);
    assert_eq!(keep(&mut setup, "orders"), 1);
    assert_eq!(setup.position(&all[0], 0), before + size);
}

/// A ninth account, for which there is no place, is not shown in front of another one's order.
#[test]
fn an_order_is_filled_beside_an_account_for_which_there_is_no_place() {
    let mut setup = Setup::with(&Terms::cross(1));
    let all = accounts(&mut setup, 9);
    setup.bind(&all[0], TERMS).must();
    setup.tick(700);
    let _ = keep(&mut setup, "covenants");
    let state = setup.covenant(&all[0]).state;
    let key = |trader: &Trader| ballast_engine::layout::Key(trader.subaccount.to_bytes());
    let known = all.iter().find(|trader| state.find(&key(trader)).is_some()).unwrap();
    let size = setup.size_for(0, units(1_000).cast_signed());
    let _ = setup.place(known, 0, size).expect("placed");
    setup.later();
    let before = setup.position(known, 0);
    assert_eq!(keep(&mut setup, "orders"), 1);
    assert_eq!(setup.position(known, 0), before + size);
}
