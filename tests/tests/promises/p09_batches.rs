//! P8 and P9 for what is queued together, for the queue itself, and for exits that are held back.

use ballast_client::events::Event;
use ballast_client::instructions as ix;
use ballast_engine::Error;
use ballast_engine::governance::{kind, state};
use ballast_tests::governing::{Queued, market_parameter};
use ballast_tests::world::fixed_key;
use ballast_tests::{Expect as _, Setup, Terms, event, units};
use solana_signer::Signer as _;

use super::bank::on_bank;
use super::{BTC, ETH, whole};

const HOUR: i64 = 3_600;

fn value(setup: &Setup, name: &str) -> u64 {
    setup.market(BTC).state.params.get(market_parameter(name)).expect("a row")
}

#[test]
fn p09_a_batch_executes_whole_after_its_strictest_delay_or_not_at_all() {
    let mut setup = on_bank(&Terms::standard());
    // Alone, the margin would stand above what initial margin allows.
    let alone = setup.queue(BTC, "maintenance_margin", 36_000).expect_err("too close to initial margin");
    assert_eq!(alone.error, Some(Error::CrossCheckBroken));
    let changes = [("initial_margin", 60_000), ("maintenance_margin", 36_000), ("taker_fee", 600)];
    let id = setup.queue_batch(BTC, &changes).expect("queued");
    let terms = setup.proposal(id).terms;
    assert_eq!((terms.kind, terms.eta - terms.queued_at), (kind::MARKET_BATCH, 72 * HOUR));
    let mut moved = setup.clone();
    setup.world.advance(72 * HOUR - 1);
    setup.execute_proposal(id).fails(Error::ProposalNotReady);
    setup.world.advance(1);
    let sent = setup.execute_proposal(id).must();
    let told = event!(sent.clone(), BatchChanges);
    assert_eq!((told.id, told.state, told.count), (id, state::EXECUTED, 3));
    assert_eq!(
        (&told.old_values[..3], &told.new_values[..3]),
        (&[50_000, 30_000, 500][..], &[60_000, 36_000, 600][..])
    );
    assert!(sent.events.iter().any(|e| matches!(e, Event::ProposalEnded(end) if end.id == id)));
    for (name, new) in changes {
        assert_eq!(value(&setup, name), new);
    }
    assert!(setup.market(BTC).state.grace_until > 0, "the raise in it has its grace");
    setup.audit();
    // Had one of the three been changed meanwhile, none would move.
    let fee = moved.queue(BTC, "taker_fee", 550).expect("queued");
    moved.wait_for(fee);
    moved.execute_proposal(fee).must();
    moved.wait_for(id);
    moved.world.advance(HOUR);
    moved.execute_proposal(id).fails(Error::VersionMoved);
    assert_eq!((value(&moved, "initial_margin"), value(&moved, "maintenance_margin")), (50_000, 30_000));
}

#[test]
fn p09_the_committee_may_batch_tunings_and_a_veto_ends_the_whole() {
    let mut setup = on_bank(&Terms::standard());
    let committee = setup.committee.clone();
    let args = setup.batch_args(BTC, &[("taker_fee", 600), ("insurance_fee_max", 4_500)]);
    let refused = setup.queue_batch_as(&committee, BTC, args).expect_err("a risk change in it");
    assert_eq!(refused.error, Some(Error::NotProposer));
    let args = setup.batch_args(BTC, &[("taker_fee", 600), ("mending_fee", 250)]);
    let id = setup.queue_batch_as(&committee, BTC, args).expect("queued");
    setup.veto(id).must();
    setup.world.advance(48 * HOUR);
    setup.execute_proposal(id).fails(Error::ProposalClosed);
}

#[test]
fn p09_a_flooded_queue_is_cleared_and_used_in_one_transaction() {
    let mut setup = on_bank(&Terms::standard());
    let (governance, guardian, committee) = (setup.governance.clone(), setup.guardian.clone(), setup.committee.clone());
    // The committee fills half of a market and half of the queue, no more: governance still has room in each.
    for (market, most) in [(BTC, 8), (ETH, 8)] {
        for _ in 0..most {
            let args = setup.change_args(market, market_parameter("order_fee"), 21_000);
            setup.queue_as(&committee, market, args).expect("room");
        }
        let args = setup.change_args(market, market_parameter("order_fee"), 21_000);
        let refused = setup.queue_as(&committee, market, args).expect_err("full");
        assert_eq!(refused.error, Some(Error::ProposalLimit));
    }
    setup.queue(BTC, "taker_fee", 600).expect("governance has room");
    let dismiss = ix::dismiss_committee(&governance.pubkey(), &setup.exchange);
    setup.world.send(&[dismiss], &[&governance]).must();
    for id in 0..setup.exchange().next_proposal {
        if setup.proposal(id).terms.proposer == 1 && setup.proposal(id).terms.state == state::PENDING {
            setup.expire(id).must();
        }
    }
    // A thief with governance's key fills all of it, again and again. What nobody may veto comes one at a time: else nobody
    // could make room.
    let own = fixed_key("thief's guardian").pubkey();
    setup.queue_role(kind::GUARDIAN, own).expect("one");
    let refused = setup.queue_role(kind::GUARDIAN, own).expect_err("a second");
    assert_eq!(refused.error, Some(Error::ProposalLimit));
    while setup.queue_exchange("outflow_floor", units(10_100)).is_ok() {}
    let heir = fixed_key("heir").pubkey();
    assert_eq!(setup.queue_role(kind::GOVERNANCE, heir).expect_err("full").error, Some(Error::ProposalLimit));
    // Guardian and the rightful holder sign one transaction: a veto makes room, nobody can come between.
    let last = setup.exchange().next_proposal - 1;
    let veto = ix::veto_proposal(&guardian.pubkey(), &setup.exchange, None, last);
    let args = ballast::instructions::governance::QueueRoleArgs {
        kind: kind::GOVERNANCE,
        new_key: heir,
        version: setup.exchange().roles.version[0],
        last_slot: setup.last_slot(),
        rationale: [7; 32],
    };
    let payer = setup.world.payer.pubkey();
    let queue = ix::queue_role(&payer, &governance.pubkey(), &setup.exchange, last + 1, args);
    setup.world.send(&[veto, queue], &[&guardian, &governance]).must();
    assert_eq!(setup.proposal(last + 1).terms.kind, kind::GOVERNANCE);
    // Every other place can be freed in the same way.
    let pending = |setup: &Setup, id: u64| setup.proposal(id).terms.state == state::PENDING;
    for id in (0..=last).filter(|id| pending(&setup, *id)).collect::<Vec<_>>() {
        if setup.proposal(id).terms.kind != kind::GUARDIAN {
            setup.veto(id).must();
        }
    }
    assert_eq!((setup.exchange().pending_proposals, setup.exchange().guardian_pending), (2, 1));
}

#[test]
fn p09_the_guardians_replacement_may_be_queued_again_once_one_has_ended() {
    let mut setup = on_bank(&Terms::standard());
    let [first, second] = ["a guardian", "another guardian"].map(|name| fixed_key(name).pubkey());
    let id = setup.queue_role(kind::GUARDIAN, first).expect("queued");
    assert_eq!(setup.queue_role(kind::GUARDIAN, second).expect_err("one").error, Some(Error::ProposalLimit));
    let mut expired = setup.clone();
    let dead_at = expired.proposal(id).terms.expires_at;
    let now = expired.world.now().unix;
    expired.world.advance(dead_at - now);
    assert_eq!(expired.queue_role(kind::GUARDIAN, second).expect_err("not cleared").error, Some(Error::ProposalLimit));
    expired.expire(id).must();
    expired.queue_role(kind::GUARDIAN, second).expect("room again");
    setup.wait_for(id);
    setup.execute_proposal(id).must();
    assert_eq!(setup.exchange().guardian_pending, 0);
    setup.queue_role(kind::GUARDIAN, second).expect("room again");
    setup.audit();
}

#[test]
fn p09_an_exit_that_is_held_back_stops_the_clock_of_what_could_hurt_its_owner() {
    let mut setup = on_bank(&Terms::still());
    // The pool is as small as open interest lets it be; a provider wants out and cannot.
    let paula = setup.providers[BTC].clone();
    let alice = setup.trader("alice", units(800_000));
    setup.open(&alice, BTC, whole(900_000));
    let bob = setup.trader("bob", units(800_000));
    setup.open(&bob, BTC, whole(-900_000));
    let looser = setup.queue(BTC, "insurance_fee_max", 5_500).expect("queued");
    let most = setup.market(BTC).state.params.max_position.0;
    let tighter = setup.queue(BTC, "max_position", most - units(1_000)).expect("queued");
    let elsewhere = setup.queue(ETH, "insurance_fee_max", 10_500).expect("queued");
    let shares = setup.world.tokens(&paula.shares);
    setup.file_exit(&paula, shares).must();
    setup.world.advance(24 * HOUR);
    setup.tick(1);
    let tried = setup.execute_exit(&paula).must();
    assert!(event!(tried, LiquidityRemoved).left > 0, "the rest is held back");
    let held_from = setup.world.now().unix;
    setup.wait_for(tighter);
    setup.execute_proposal(tighter).must();
    let eta = setup.proposal(looser).terms.eta;
    let now = setup.world.now().unix;
    setup.world.advance(eta - now);
    setup.execute_proposal(elsewhere).must();
    setup.execute_proposal(looser).fails(Error::ProposalNotReady);
    setup.world.advance(HOUR - 1);
    setup.execute_proposal(looser).fails(Error::ProposalNotReady);
    setup.world.advance(1);
    setup.execute_proposal(looser).must();
    assert!(setup.world.now().unix - eta == HOUR && held_from < eta);
    setup.audit();
}

#[test]
fn p09_every_kind_waits_and_dies_to_the_second() {
    let mut setup = on_bank(&Terms::standard());
    setup.take_upgrade_authority().must();
    let treasury = fixed_key("new fees").pubkey();
    let mint = setup.mint;
    setup.set_tokens(treasury, &fixed_key("treasury").pubkey(), &mint, 0);
    let charter = setup.new_exchange_args("second mint");
    let (cap, fees) = (value(&setup, "open_interest_cap"), setup.fee_destination);
    let most = setup.market(ETH).state.params.max_position.0;
    let role = |setup: &mut Setup, kind| setup.queue_role(kind, fixed_key("heir").pubkey());
    let queued = [
        (48, 168, setup.queue(BTC, "taker_fee", 600)),
        // A tightening: no pause stops its clock.
        (48, 168, setup.queue(ETH, "max_position", most - units(1_000))),
        (72, 168, setup.queue(BTC, "open_interest_cap", cap + units(100_000))),
        (72, 168, setup.queue_exchange("grace", 300_000)),
        (72, 168, role(&mut setup, kind::GOVERNANCE)),
        (72, 168, role(&mut setup, kind::COMMITTEE)),
        (192, 168, role(&mut setup, kind::GUARDIAN)),
        (168, 168, setup.queue_insurance_withdrawal(Some(0), 5, fees)),
        (168, 168, setup.queue_new_exchange(charter)),
        (48, 168, setup.queue_batch(BTC, &[("taker_fee", 600), ("mending_fee", 250)])),
        (72, 168, setup.queue_exchange_batch(&[("outflow_hourly", 12_000), ("outflow_daily", 110_000)])),
        (72, 168, setup.queue_wind_down(ETH, true)),
        (168, 168, setup.queue_fee_destination(&treasury)),
        (168, 168, setup.queue_oracle_program(1, fixed_key("an oracle").pubkey())),
        (168, 120, setup.queue_oracle_feed(BTC, [9; 32])),
    ];
    // With and without an emergency pause on the way; a change of an oracle dies on time all the same.
    for (delay, life, id) in queued {
        let id = id.expect("queued");
        for pause in [0, 12 * HOUR] {
            let mut then = setup.clone();
            let start = then.proposal(id).terms.queued_at;
            then.world.advance(HOUR);
            if pause > 0 {
                then.emergency(pause).must();
            }
            let terms = then.proposal(id).terms;
            let feed = terms.kind == kind::ORACLE_FEED;
            let pause = if terms.tightening == 0 { pause } else { 0 };
            let ready = start + delay * HOUR + pause;
            let dead = start + (delay + life) * HOUR + if feed { 0 } else { pause };
            let execute = |setup: &mut Setup| match terms.kind {
                kind::NEW_EXCHANGE => setup.execute_new_exchange(id),
                _ => setup.execute_proposal(id),
            };
            for (at, expected) in [
                (ready - 1, Some(Error::ProposalNotReady)),
                (ready, None),
                (ready + 1, None),
                (dead - 1, None),
                (dead, Some(Error::ProposalExpired)),
                (dead + 1, Some(Error::ProposalExpired)),
            ] {
                let mut now = then.clone();
                let clock = now.world.now().unix;
                now.world.advance(at - clock);
                match expected {
                    None => {
                        now.clone().expire(id).fails(Error::ProposalNotExpired);
                        execute(&mut now).must();
                        match terms.kind {
                            // There it is already, which the runtime finds out first.
                            kind::NEW_EXCHANGE => drop(execute(&mut now).expect_err("there is one")),
                            _ => drop(execute(&mut now).fails(Error::ProposalClosed)),
                        }
                        now.audit();
                    }
                    Some(error) => {
                        execute(&mut now).fails(error);
                        let expire = now.expire(id);
                        if error == Error::ProposalExpired {
                            expire.must()
                        } else {
                            expire.fails(Error::ProposalNotExpired);
                            continue;
                        };
                        execute(&mut now).fails(Error::ProposalClosed);
                    }
                }
            }
        }
    }
}

#[test]
fn p09_every_kind_dies_when_what_it_was_made_for_has_moved() {
    let setup = on_bank(&Terms::standard());
    let (mint, fees, treasury) = (setup.mint, setup.fee_destination, fixed_key("treasury").pubkey());
    let key = |n: u64| fixed_key(&format!("key {n}")).pubkey();
    let place = |setup: &mut Setup, n: u64| {
        setup.set_tokens(key(n), &treasury, &mint, 0);
        key(n)
    };
    type Queue<'a> = &'a dyn Fn(&mut Setup, u64) -> Queued;
    // Two of a kind for one version; the oracle's and the guardian's are pending one at a time. An upgrade's and another exchange's
    // version is the program's (p09_upgrades).
    let kinds: [Queue<'_>; 9] = [
        &|setup, n| setup.queue(BTC, "taker_fee", 600 + n),
        &|setup, n| setup.queue_exchange("outflow_daily", 110_000 + n),
        &|setup, n| setup.queue_batch(BTC, &[("taker_fee", 600 + n), ("mending_fee", 250 + n)]),
        &|setup, n| setup.queue_exchange_batch(&[("outflow_hourly", 12_000 + n), ("outflow_daily", 110_000)]),
        &|setup, n| setup.queue_role(kind::COMMITTEE, key(n)),
        &|setup, _| setup.queue_wind_down(ETH, true),
        &|setup, n| {
            let at = place(setup, n);
            setup.queue_fee_destination(&at)
        },
        &|setup, n| setup.queue_oracle_program(1, key(n)),
        &|setup, _| setup.queue_insurance_withdrawal(Some(0), 5, fees),
    ];
    for (number, queue) in kinds.iter().enumerate() {
        let mut setup = setup.clone();
        let (first, second) = (queue(&mut setup, 1).expect("queued"), queue(&mut setup, 2).expect("queued"));
        setup.wait_for(second);
        let before = setup.proposal(second).terms;
        setup.execute_proposal(first).must();
        // Whenever it is tried, from its first second to its last.
        for at in [before.eta, before.eta + 1, before.expires_at - 1] {
            let now = setup.world.now().unix;
            setup.world.advance((at - now).max(0));
            let mut tried = setup.clone();
            let refused = tried.execute_proposal(second).expect_err("made for what was before");
            assert_eq!(refused.error, Some(Error::VersionMoved), "{number}: {refused}");
            assert_eq!(tried.proposal(second).terms, before);
        }
        // It is cleared away like any other that is dead.
        setup.expire(second).fails(Error::ProposalNotExpired);
        setup.world.advance(1);
        setup.expire(second).must();
        assert_eq!(setup.exchange().pending_proposals, 0);
        setup.audit();
    }
}
