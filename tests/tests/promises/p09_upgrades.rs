//! P9 for the program itself: once its upgrade authority is an exchange's timelock address, it changes by that exchange's
//! proposals alone, seven days after they were announced, to the announced bytes.

use anchor_lang::prelude::Pubkey;
use ballast::instructions::governance::{InitializeExchangeArgs, QueueUpgradeArgs};
use ballast::loader::{PROGRAM_DATA_HEADER, upgrade_authority_in};
use ballast_client::{address, instructions as ix};
use ballast_engine::Error;
use ballast_engine::governance::{class, kind, state};
use ballast_tests::upgrading::{
    BUFFER_LAMPORTS, LOGGED, SMALL, buffer_bytes, digest_of, loader_ix, next_program, set_authority,
};
use ballast_tests::world::{fixed_key, program_bytes};
use ballast_tests::{Expect as _, Setup, Terms, event, units};
use solana_signer::Signer as _;

use super::bank::on_bank;
use super::{BTC, whole};

const HOUR: i64 = 3_600;
const WEEK: i64 = 7 * 24 * HOUR;

/// The standard exchange on a bank, its timelock in charge of the program.
fn in_charge() -> Setup {
    let mut setup = on_bank(&Terms::still());
    setup.take_upgrade_authority().must();
    setup
}

fn wait_until(setup: &mut Setup, unix: i64) {
    let now = setup.world.now().unix;
    setup.world.advance(unix - now);
}

/// The program's bytes on both runtimes, which are the same, and who may upgrade it.
fn deployed(setup: &mut Setup) -> (Vec<u8>, Option<Pubkey>) {
    let at = address::program_data();
    let ours = setup.world.svm.get_account(&at).expect("program data").data;
    let theirs = setup.world.twin.as_mut().expect("a bank").account(&at).expect("program data").data;
    assert_eq!(ours[PROGRAM_DATA_HEADER..], theirs[PROGRAM_DATA_HEADER..], "the bank has another program");
    assert_eq!(upgrade_authority_in(&ours), upgrade_authority_in(&theirs));
    (ours[PROGRAM_DATA_HEADER..].to_vec(), upgrade_authority_in(&ours))
}

#[test]
fn p09_the_program_upgrades_itself_after_seven_days_to_the_second() {
    let mut setup = in_charge();
    let alice = setup.trader("alice", units(10_000));
    setup.open(&alice, BTC, whole(50_000));
    let (timelock, code) = (setup.timelock(), next_program());
    let buffer = setup.buffer("buffer", &code);
    let stale = setup.buffer("stale", &program_bytes(SMALL));
    let rival = setup.queue_upgrade(&stale).expect("queued for the same program");
    let id = setup.queue_upgrade(&buffer).expect("queued");
    let args = setup.new_exchange_args("second mint");
    let charter = setup.queue_new_exchange(args).expect("queued for the same program");
    let terms = setup.proposal(id).terms;
    assert_eq!((terms.kind, terms.class, terms.state), (kind::UPGRADE, class::DEEP, state::PENDING));
    assert_eq!((terms.new_key.0, terms.new_value), (digest_of(&code), code.len() as u64));
    assert_eq!(terms.eta - setup.world.now().unix, WEEK);

    setup.execute_upgrade(&buffer).fails(Error::ProposalNotReady);
    let parts = code.len().div_ceil(1 << 20);
    assert!(parts > 1, "the program has grown small");
    for part in 1..=parts {
        let hashed = event!(setup.verify_part(&buffer).must(), UpgradeHashed);
        let end = code.len().min(part << 20) as u64;
        assert_eq!((hashed.hashed, hashed.length, hashed.verified), (end, code.len() as u64, part == parts));
        assert_eq!(hashed.chain == digest_of(&code), hashed.verified);
    }
    setup.verify_part(&buffer).fails(Error::UpgradeVerified);
    wait_until(&mut setup, terms.eta - 1);
    setup.execute_upgrade(&buffer).fails(Error::ProposalNotReady);
    assert_eq!(deployed(&mut setup).0[..code.len()], program_bytes("ballast.so"));
    wait_until(&mut setup, terms.eta);
    let ended = setup.deploying(|setup| {
        let ended = event!(setup.execute_upgrade(&buffer).must(), ProposalEnded);
        // In the slot of the upgrade the program does not run at all; from the next one on it is the new one. (LiteSVM has no
        // slots of its own and runs it at once.)
        let update = ix::update_market(&setup.market_key(BTC), &setup.feed(BTC));
        let (payer, twin) = (setup.world.payer.insecure_clone(), setup.world.twin.as_mut().expect("a bank"));
        let refused = twin.send(&[update], &payer, &[]).expect_err("not visible yet");
        assert!(refused.logs.iter().any(|line| line.contains("Program is not deployed")), "{refused}");
        ended
    });
    assert_eq!((ended.id, ended.state, ended.kind), (id, state::EXECUTED, kind::UPGRADE));
    assert_eq!((ended.new_key.to_bytes(), ended.new_value), (digest_of(&code), code.len() as u64));
    let (now, authority) = deployed(&mut setup);
    assert_eq!((&now[..code.len()], authority), (&code[..], Some(timelock)));
    assert!(now[code.len()..].iter().all(|byte| *byte == 0));
    assert_eq!((setup.exchange().upgrades, setup.exchange().pending_proposals), (1, 2));

    setup.tick(1);
    setup.world.advance(1);
    let sent = setup.post(BTC, setup.posted[BTC].price);
    let said = |word: &str| sent.logs.iter().any(|line| line.contains(word));
    assert!(said(LOGGED.1) && !said(LOGGED.0), "{:#?}", sent.logs);

    // What was made for the program before is dead, ripe and verified or not.
    setup.execute_upgrade(&stale).fails(Error::VersionMoved);
    setup.verify_upgrade(&stale).must();
    setup.execute_upgrade(&stale).fails(Error::VersionMoved);
    setup.execute_new_exchange(charter).fails(Error::VersionMoved);
    for id in [rival, charter] {
        setup.veto(id).must();
    }

    // All that there was is there, and goes on.
    setup.close(&alice, BTC);
    setup.audit();
    setup.execute_upgrade(&buffer).expect_err("the buffer is gone");
    let left = setup.close_upgrade(&buffer).must();
    assert_eq!(event!(left, UpgradeClosed).lamports, 0);
    assert!(!setup.world.exists(&buffer) && !setup.world.exists(&address::upgrade(&buffer)));
    // And it is upgraded again, back to what it was.
    let back = setup.buffer("second buffer", &program_bytes("ballast.so"));
    let id = setup.queue_upgrade(&back).expect("queued");
    setup.wait_for(id);
    setup.execute_upgrade(&back).fails(Error::UpgradeNotVerified);
    setup.verify_part(&back).must();
    setup.execute_upgrade(&back).fails(Error::UpgradeNotVerified);
    setup.verify_upgrade(&back).must();
    setup.deploying(|setup| setup.execute_upgrade(&back)).must();
    assert_eq!(setup.exchange().upgrades, 2);
    assert_eq!(deployed(&mut setup).0[..code.len()], program_bytes("ballast.so"));
}

#[test]
fn p09_before_the_timelock_is_in_charge_nothing_is_queued_and_then_the_old_key_can_do_nothing() {
    let mut setup = on_bank(&Terms::still());
    let key = setup.world.upgrade_authority.insecure_clone();
    let buffer = setup.buffer("buffer", &program_bytes(SMALL));
    let refused = setup.queue_upgrade(&buffer).expect_err("a key may still upgrade");
    assert_eq!(refused.error, Some(Error::NotTimelock));

    // Nobody but the authority hands it over; governance and the guardian cannot.
    for other in [setup.governance.clone(), setup.guardian.clone()] {
        let take = ix::take_upgrade_authority(&other.pubkey(), &setup.exchange);
        setup.world.send(&[take], &[&other]).fails(Error::NotUpgradeAuthority);
    }
    let taken = event!(setup.take_upgrade_authority().must(), UpgradeAuthorityTaken);
    assert_eq!((taken.from, taken.timelock), (key.pubkey(), setup.timelock()));
    assert_eq!(deployed(&mut setup).1, Some(setup.timelock()));

    // One way: the old key can neither take it back, nor upgrade or close the program, nor make exchanges.
    setup.world.advance_slots(1);
    setup.take_upgrade_authority().fails(Error::NotUpgradeAuthority);
    let (data, program, own) = (address::program_data(), ballast::ID, fixed_key("own buffer").pubkey());
    setup.write_buffer("own buffer", &next_program(), &key.pubkey());
    let rent = Pubkey::from_str_const("SysvarRent111111111111111111111111111111111");
    let clock = Pubkey::from_str_const("SysvarC1ock11111111111111111111111111111111");
    let (by, spill) = ((key.pubkey(), true, false), (key.pubkey(), false, true));
    let upgrade = [
        (data, false, true),
        (program, false, true),
        (own, false, true),
        spill,
        (rent, false, false),
        (clock, false, false),
        by,
    ];
    let attempts = [
        ("upgrade", loader_ix(3, &[], &upgrade)),
        ("take back", loader_ix(4, &[], &[(data, false, true), by, (key.pubkey(), false, false)])),
        ("make final", loader_ix(4, &[], &[(data, false, true), by])),
        ("close", loader_ix(5, &[], &[(data, false, true), spill, by, (program, false, true)])),
        ("take back, checked", loader_ix(7, &[], &[(data, false, true), by, by])),
    ];
    for (what, attempt) in attempts {
        let refused = setup.world.send(&[attempt], &[&key]).expect_err(what);
        assert!(refused.message.contains("IncorrectAuthority"), "{what}: {refused}");
    }
    let args = InitializeExchangeArgs {
        governance: fixed_key("a").pubkey(),
        committee: Pubkey::default(),
        guardian: fixed_key("b").pubkey(),
        oracle_programs: [price_feed::ID, Pubkey::default()],
    };
    let mint = fixed_key("second mint").pubkey();
    let account = setup.world.svm.get_account(&setup.mint).expect("the mint");
    setup.world.set_account(mint, account);
    let fees = fixed_key("second fees").pubkey();
    setup.set_tokens(fees, &fixed_key("treasury").pubkey(), &mint, 0);
    let create = ix::initialize_exchange(&setup.world.payer.pubkey(), &key.pubkey(), &mint, &fees, args);
    setup.world.send(&[create], &[&key]).fails(Error::NotUpgradeAuthority);
}

#[test]
fn p09_a_buffer_in_the_timelocks_hands_changes_no_more() {
    let mut setup = in_charge();
    let (timelock, developer) = (setup.timelock(), fixed_key("developer"));
    let code = program_bytes(SMALL);
    // As long as it is its writer's, it cannot be queued.
    let own = setup.write_buffer("own buffer", &code, &developer.pubkey());
    assert_eq!(setup.queue_upgrade(&own).expect_err("its writer's").error, Some(Error::BufferInvalid));

    let buffer = setup.buffer("buffer", &code);
    let id = setup.queue_upgrade(&buffer).expect("queued");
    let before = setup.world.svm.get_account(&buffer).expect("a buffer").data;
    let write = [&0_u32.to_le_bytes()[..], &4_u64.to_le_bytes(), b"evil"].concat();
    let (at, governance) = ((buffer, false, true), setup.governance.clone());
    for (who, authority) in [("its writer", developer.pubkey()), ("governance", governance.pubkey())] {
        let (by, to) = ((authority, true, false), (authority, false, true));
        for (what, attempt) in [
            ("writes", loader_ix(1, &write, &[at, by])),
            ("takes", loader_ix(4, &[], &[at, by, (authority, false, false)])),
            ("takes, checked", loader_ix(7, &[], &[at, by, by])),
            ("closes", loader_ix(5, &[], &[at, to, by])),
        ] {
            let signer = if authority == developer.pubkey() { &developer } else { &*governance };
            let refused = setup.world.send(&[attempt], &[signer]).err();
            let refused = refused.unwrap_or_else(|| panic!("{who} {what}"));
            assert!(refused.message.contains("IncorrectAuthority"), "{who} {what}: {refused}");
        }
    }
    let (named, to) = ((timelock, false, false), (developer.pubkey(), false, true));
    for (what, attempt, reason) in [
        ("writes unsigned", loader_ix(1, &write, &[at, named]), "MissingRequiredSignature"),
        ("takes unsigned", loader_ix(4, &[], &[at, named, (developer.pubkey(), false, false)]), "MissingRequired"),
        ("closes unsigned", loader_ix(5, &[], &[at, to, named]), "MissingRequiredSignature"),
        ("begins anew", loader_ix(0, &[], &[at, (developer.pubkey(), false, false)]), "AccountAlreadyInitialized"),
    ] {
        let refused = setup.world.send(&[attempt], &[]).expect_err(what);
        assert!(refused.message.contains(reason), "{what}: {refused}");
    }
    // Ballast closes it only when its proposal has ended.
    setup.close_upgrade(&buffer).fails(Error::ProposalPending);
    assert_eq!(setup.world.svm.get_account(&buffer).expect("a buffer").data, before);

    // Should it change all the same before it was hashed, by a fault that nobody knows of: another length is not hashed, and
    // other bytes end the proposal.
    let mut other = code.clone();
    *other.last_mut().expect("bytes") ^= 1;
    let longer = [&code[..], &[0]].concat();
    let put = |setup: &mut Setup, code: &[u8]| {
        let mut account = setup.world.svm.get_account(&buffer).expect("a buffer");
        account.data = buffer_bytes(code, &timelock);
        setup.world.set_account(buffer, account);
    };
    put(&mut setup, &longer);
    setup.verify_part(&buffer).fails(Error::UpgradeHash);
    put(&mut setup, &other);
    let ended = event!(setup.verify_upgrade(&buffer).must(), ProposalEnded);
    assert_eq!((ended.id, ended.state), (id, state::REFUSED));
    setup.wait_for(id);
    setup.execute_upgrade(&buffer).fails(Error::ProposalClosed);
}

#[test]
fn p09_a_buffer_that_does_not_hold_what_was_announced_is_refused_and_given_back() {
    let mut setup = in_charge();
    let code = next_program();
    let mut other = code.clone();
    *other.last_mut().expect("bytes") ^= 1;
    let buffer = setup.buffer("buffer", &other);
    let args = QueueUpgradeArgs { digest: digest_of(&code), ..setup.upgrade_args(&buffer) };
    let governance = setup.governance.clone();
    let id = setup.queue_upgrade_as(&governance, &buffer, args).expect("nobody has hashed it yet");
    setup.execute_upgrade(&buffer).fails(Error::ProposalNotReady);
    setup.wait_for(id);
    setup.execute_upgrade(&buffer).fails(Error::UpgradeNotVerified);
    let sent = setup.verify_upgrade(&buffer).must();
    let hashed = event!(sent.clone(), UpgradeHashed);
    assert_eq!((hashed.hashed, hashed.chain, hashed.verified), (code.len() as u64, digest_of(&other), false));
    assert_eq!(event!(sent, ProposalEnded).state, state::REFUSED);
    assert_eq!((setup.proposal(id).terms.state, setup.exchange().pending_proposals), (state::REFUSED, 0));
    for refused in [setup.execute_upgrade(&buffer), setup.verify_part(&buffer), setup.veto(id), setup.expire(id)] {
        refused.fails(Error::ProposalClosed);
    }
    let closed = event!(setup.close_upgrade(&buffer).must(), UpgradeClosed);
    assert_eq!((closed.lamports, closed.refund), (BUFFER_LAMPORTS, setup.refund()));
    assert!(!setup.world.exists(&buffer) && !setup.world.exists(&address::upgrade(&buffer)));
    assert_eq!(deployed(&mut setup).0[..code.len()], program_bytes("ballast.so"));
}

#[test]
fn p09_only_committed_bytes_that_fit_are_queued_by_governance_alone() {
    let mut setup = in_charge();
    let code = program_bytes(SMALL);
    let buffer = setup.buffer("buffer", &code);
    let good = setup.upgrade_args(&buffer);
    let governance = setup.governance.clone();
    for (args, reason) in [
        (QueueUpgradeArgs { version: 1, ..good }, Error::VersionMoved),
        (QueueUpgradeArgs { last_slot: setup.world.now().slot - 1, ..good }, Error::ProposalTooOld),
        (QueueUpgradeArgs { last_slot: setup.world.now().slot + 216_001, ..good }, Error::ProposalTooOld),
    ] {
        let refused = setup.queue_upgrade_as(&governance, &buffer, args).expect_err("not as committed");
        assert_eq!(refused.error, Some(reason), "{refused}");
    }
    for other in [setup.committee.clone(), setup.guardian.clone()] {
        let refused = setup.queue_upgrade_as(&other, &buffer, good).expect_err("not governance");
        assert_eq!(refused.error, Some(Error::NotProposer), "{refused}");
    }
    let room = deployed(&mut setup).0.len();
    let large = setup.buffer("large buffer", &vec![1; room + 1]);
    let refused = setup.queue_upgrade(&large).expect_err("no room");
    assert_eq!(refused.error, Some(Error::ProgramDataTooSmall), "{refused}");
    // Anybody makes room: the loader lets whoever pays the rent extend a program.
    let payer = setup.world.payer.insecure_clone();
    let extend = [
        (address::program_data(), false, true),
        (ballast::ID, false, true),
        (Pubkey::default(), false, false),
        (payer.pubkey(), true, true),
    ];
    let extend = loader_ix(6, &10_240_u32.to_le_bytes(), &extend);
    setup.deploying(|setup| setup.world.send(&[extend], &[])).must();
    assert_eq!((deployed(&mut setup).0.len(), deployed(&mut setup).1), (room + 10_240, Some(setup.timelock())));
    setup.queue_upgrade(&large).expect("there is room now");
    setup.queue_upgrade(&buffer).expect("as committed");
    // One proposal at a time for a buffer.
    assert!(setup.queue_upgrade(&buffer).is_err());
}

#[test]
fn p09_a_vetoed_and_an_expired_upgrade_give_their_buffers_back() {
    let mut setup = in_charge();
    let code = program_bytes(SMALL);
    let (vetoed, left) = (setup.buffer("vetoed", &code), setup.buffer("left", &code));
    let first = setup.queue_upgrade(&vetoed).expect("queued");
    let second = setup.queue_upgrade(&left).expect("queued");
    setup.veto(first).must();
    let refund = setup.refund();
    let balance = |setup: &Setup| setup.world.svm.get_account(&refund).map_or(0, |a| a.lamports);
    let before = balance(&setup);
    let closed = event!(setup.close_upgrade(&vetoed).must(), UpgradeClosed);
    assert_eq!((closed.lamports, closed.refund, closed.buffer), (BUFFER_LAMPORTS, refund, vetoed));
    let rent = balance(&setup) - before - BUFFER_LAMPORTS;
    assert!(rent > 0, "the upgrade's own account goes back too");
    assert!(!setup.world.exists(&vetoed) && !setup.world.exists(&address::upgrade(&vetoed)));

    let dead_at = setup.proposal(second).terms.expires_at;
    for (unix, reason) in [(dead_at - 1, Some(Error::ProposalNotExpired)), (dead_at, None)] {
        wait_until(&mut setup, unix);
        match reason {
            Some(reason) => {
                setup.close_upgrade(&left).fails(Error::ProposalPending);
                setup.expire(second).fails(reason);
            }
            None => {
                setup.execute_upgrade(&left).fails(Error::ProposalExpired);
                setup.expire(second).must();
                setup.execute_upgrade(&left).fails(Error::ProposalClosed);
                setup.verify_part(&left).fails(Error::ProposalClosed);
            }
        }
    }
    assert_eq!(event!(setup.close_upgrade(&left).must(), UpgradeClosed).lamports, BUFFER_LAMPORTS);
    assert_eq!(setup.exchange().pending_proposals, 0);
    // Neither its account nor its bytes are left, and the address may be used again.
    let again = setup.buffer("vetoed", &code);
    setup.queue_upgrade(&again).expect("queued anew");
}

#[test]
fn p09_an_upgrade_dies_with_its_proposers_power_and_waits_out_an_emergency() {
    let mut setup = in_charge();
    let next = fixed_key("next governance");
    let offer = setup.queue_role(kind::GOVERNANCE, next.pubkey()).expect("queued");
    setup.wait_for(offer);
    setup.execute_proposal(offer).must();
    let code = program_bytes(SMALL);
    let (dead, buffer) = (setup.buffer("dead", &code), setup.buffer("buffer", &code));
    let stale = setup.queue_upgrade(&dead).expect("still governance");
    setup.world.send(&[ix::accept_governance(&next.pubkey(), &setup.exchange)], &[&next]).must();
    setup.expire(stale).must();
    setup.close_upgrade(&dead).must();

    let queued = setup.world.now().unix;
    setup.queue_upgrade_as(&next, &buffer, setup.upgrade_args(&buffer)).expect("queued");
    setup.emergency(12 * HOUR).must();
    wait_until(&mut setup, queued + WEEK + 12 * HOUR - 1);
    setup.execute_upgrade(&buffer).fails(Error::ProposalNotReady);
    wait_until(&mut setup, queued + WEEK + 12 * HOUR);
    setup.verify_upgrade(&buffer).must();
    setup.deploying(|setup| setup.execute_upgrade(&buffer)).must();
}

#[test]
fn p09_an_upgrade_waits_and_dies_to_the_second_across_pauses() {
    let mut setup = on_bank(&Terms::still());
    setup.take_upgrade_authority().must();
    let buffer = setup.buffer("buffer", &program_bytes(SMALL));
    let id = setup.queue_upgrade(&buffer).expect("queued");
    setup.verify_upgrade(&buffer).must();
    let start = setup.proposal(id).terms.queued_at;
    for pause in [0, 12 * HOUR] {
        let mut then = setup.clone();
        then.world.advance(HOUR);
        if pause > 0 {
            then.emergency(pause).must();
        }
        let (ready, dead) = (start + WEEK + pause, start + 2 * WEEK + pause);
        for (at, expected) in [
            (ready - 1, Some(Error::ProposalNotReady)),
            (ready, None),
            (ready + 1, None),
            (dead - 1, None),
            (dead, Some(Error::ProposalExpired)),
            (dead + 1, Some(Error::ProposalExpired)),
        ] {
            let mut now = then.clone();
            wait_until(&mut now, at);
            match expected {
                None => {
                    now.expire(id).fails(Error::ProposalNotExpired);
                    now.deploying(|now| now.execute_upgrade(&buffer)).must();
                }
                Some(error) => {
                    now.execute_upgrade(&buffer).fails(error);
                    let expired = now.expire(id).is_ok();
                    assert_eq!(expired, error == Error::ProposalExpired, "{at}");
                }
            }
        }
    }
}

#[test]
fn p09_a_buffer_is_handed_over_for_good() {
    let mut setup = in_charge();
    let (developer, timelock) = (fixed_key("developer"), setup.timelock());
    let buffer = setup.buffer("buffer", &program_bytes(SMALL));
    let refused = setup.world.send(&[set_authority(&buffer, &developer, &timelock)], &[&developer]);
    assert!(refused.expect_err("not its writer's any more").message.contains("IncorrectAuthority"));
}

#[test]
fn p09_a_further_exchange_is_the_root_exchanges_proposal() {
    let mut setup = on_bank(&Terms::still());
    let args = setup.new_exchange_args("second mint");
    let refused = setup.queue_new_exchange(args).expect_err("a key can still sign");
    assert_eq!(refused.error, Some(Error::NotTimelock));
    setup.take_upgrade_authority().must();
    let id = setup.queue_new_exchange(args).expect("queued");
    let terms = setup.proposal(id).terms;
    assert_eq!((terms.class, terms.new_key.0), (class::DEEP, args.mint.to_bytes()));
    wait_until(&mut setup, terms.eta - 1);
    setup.execute_new_exchange(id).fails(Error::ProposalNotReady);
    wait_until(&mut setup, terms.eta);
    let charter = setup.charter(id);
    setup.execute_new_exchange(id).must();
    let made: Box<ballast::state::Exchange> = setup.world.read(&address::exchange(&args.mint));
    assert_eq!(made.roles.governance.0, args.exchange.governance.to_bytes());
    assert_eq!((made.mint.0, made.fee_destination.0), (args.mint.to_bytes(), args.fee_destination.to_bytes()));
    assert_eq!(made.upgrades, 0);
    // Once, and its account is gone.
    let again = ix::execute_new_exchange(&setup.world.payer.pubkey(), &charter);
    setup.world.send(&[again], &[]).expect_err("done");
    // The new exchange is not the root: its governance decides nothing for the program.
    let next = fixed_key("next governance");
    setup.world.give(next.pubkey(), 1_000_000_000);
    let other = address::exchange(&args.mint);
    let args = setup.new_exchange_args("third mint");
    let queue = ix::queue_new_exchange(&setup.world.payer.pubkey(), &next.pubkey(), &other, 0, args);
    setup.world.send(&[queue], &[&next]).fails(Error::NotTimelock);
    setup.audit();
}
