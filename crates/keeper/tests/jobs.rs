//! What jobs plan goes through: on the state of a chain in process, each action of a plan is sent and has to be done, or be
//! refused for a reason that the job knows; and when everything is done, nothing more is planned.

mod accounts;
mod orders;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use anchor_lang::prelude::Pubkey;
use ballast_client::health::{Marks, scan};
use ballast_client::rpc::AccountData;
use ballast_client::{address, instructions};
use ballast_engine::constants::{
    DELEVERAGE_AFTER, EXIT_OWNER_ALONE, SETTLEMENT_PATIENCE, SETTLEMENT_WAIT, TICKET_LAPSE,
};
use ballast_engine::governance::{SHARED_FUND, state};
use ballast_keeper::book::Book;
use ballast_keeper::config::{Jobs, Timing};
use ballast_keeper::jobs::{self, Action, View};
use ballast_tests::binding::{NO_LIMITS, TERMS};
use ballast_tests::{Expect, Setup, Terms, units};
use solana_signer::Signer;

/// The book of everything that a chain holds.
fn book(setup: &Setup) -> Book {
    let mut book = Book::new(setup.exchange);
    let slot = setup.world.now().slot;
    let all = |program: &Pubkey| {
        let found = setup.world.svm.get_program_accounts(program);
        found.into_iter().map(|(key, account)| {
            (key, AccountData { lamports: account.lamports, owner: account.owner, data: account.data })
        })
    };
    let accounts: Vec<_> = all(&ballast::ID).collect();
    let _ = book.reconcile(slot, &accounts);
    for (key, data) in all(&price_feed::ID) {
        book.apply_oracle(key, slot, &data);
    }
    assert!(book.is_ready());
    book
}

/// What one job, by its name in the configuration, plans.
pub(crate) fn plan(setup: &Setup, name: &str) -> Vec<Action> {
    plan_when(setup, name, &Timing::default())
}

/// The same at other times.
fn plan_when(setup: &Setup, name: &str, timing: &Timing) -> Vec<Action> {
    let (book, now) = (book(setup), setup.world.now());
    let marks = Marks::new(book.markets().map(|market| &market.state), &book.oracles(), &now).unwrap();
    let scan = scan(book.accounts(), &marks, &now, 1);
    let held = HashSet::new();
    let view = View {
        now,
        book: &book,
        marks: &marks,
        scan: &scan,
        reward: setup.keeper.subaccount,
        payer: setup.world.payer.pubkey(),
        timing,
        tables: &[],
        held: &held,
    };
    let mut only = jobs::all(&Jobs::only(&[name.to_owned()]).unwrap());
    assert_eq!((only.len(), only[0].name()), (1, name), "a job has its configuration's name");
    only[0].plan(&view)
}

/// Lets a job do all it finds to do; how many transactions went through.
pub(crate) fn keep(setup: &mut Setup, name: &str) -> usize {
    let mut done = 0;
    for _ in 0..20 {
        let actions = plan(setup, name);
        if actions.is_empty() {
            setup.audit();
            return done;
        }
        let before = done;
        for action in actions {
            match setup.world.send(&action.instructions, &[]) {
                Ok(_) => done += 1,
                // Something before it in this plan was first.
                Err(refused) => {
                    let reason = refused.error.unwrap_or_else(|| panic!("{name}: {refused:?}"));
                    assert!(action.race.contains(&reason), "{name}: {refused:?}");
                }
            }
        }
        assert!(done > before, "{name}: nothing of a plan went through");
    }
    panic!("{name} is never done");
}

#[test]
fn a_deposit_is_executed_at_the_next_price_and_a_lapsed_one_given_back() {
    let mut setup = Setup::with(&Terms::still());
    let provider = setup.provider_account("late provider", 0, units(5_000));
    setup.file_deposit(&provider, units(5_000)).must();
    assert!(plan(&setup, "liquidity").is_empty(), "no price was published after the filing");
    setup.later();
    assert_eq!(keep(&mut setup, "liquidity"), 1);
    assert!(setup.world.tokens(&provider.shares) > 0);

    setup.provider_account("late provider", 0, units(3_000));
    setup.file_deposit(&provider, units(3_000)).must();
    setup.tick(TICKET_LAPSE + 10);
    assert_eq!(keep(&mut setup, "liquidity"), 1);
    assert_eq!(setup.world.tokens(&provider.tokens), units(3_000), "given back");
}

#[test]
fn a_ripe_exit_is_paid_once_its_owner_was_alone_with_it_and_a_lapsed_one_given_back() {
    let mut setup = Setup::with(&Terms::still());
    let provider = setup.provider("leaver", 0, units(5_000));
    let shares = setup.world.tokens(&provider.shares);
    setup.file_exit(&provider, shares / 2).must();
    let day = 86_400;
    setup.tick(day + 5);
    assert!(plan(&setup, "liquidity").is_empty(), "its owner alone");
    setup.tick(EXIT_OWNER_ALONE);
    assert_eq!(keep(&mut setup, "liquidity"), 1);
    let paid = setup.world.tokens(&provider.tokens);
    assert!(paid > units(2_400), "{paid}");

    setup.file_exit(&provider, shares / 4).must();
    setup.tick(day + TICKET_LAPSE + 10);
    assert_eq!(keep(&mut setup, "liquidity"), 1);
    assert_eq!(
        (setup.world.tokens(&provider.tokens), setup.world.tokens(&provider.shares)),
        (paid, shares - shares / 2)
    );
}

#[test]
fn an_owner_without_an_account_for_it_is_no_fault_of_the_keepers() {
    let mut setup = Setup::with(&Terms::still());
    let provider = setup.provider_account("homeless", 0, units(5_000));
    setup.file_deposit(&provider, units(5_000)).must();
    setup.world.set_account(provider.shares, solana_account::Account::default());
    setup.later();
    let planned = plan(&setup, "liquidity");
    let refused = setup.world.send(&planned[0].instructions, &[]).expect_err("nowhere to put the shares");
    assert!(planned[0].race.contains(&refused.error.expect("Ballast's own reason")), "{refused:?}");
}

#[test]
fn a_ripe_proposal_is_executed_and_what_may_not_be_is_left() {
    let mut setup = Setup::with(&Terms::still());
    let fee = setup.market(0).state.params.taker_fee.0 + 100;
    let id = setup.queue(0, "taker_fee", fee).unwrap();
    // The same parameter again: only one of the two can take effect.
    let other = setup.queue(0, "taker_fee", fee - 50).unwrap();
    let guardian = setup.guardian.pubkey();
    let role = setup.queue_role(ballast_engine::governance::kind::COMMITTEE, Pubkey::new_from_array([5; 32])).unwrap();
    assert!(plan(&setup, "execute").is_empty(), "nothing is ripe");
    setup.wait_for(id);
    setup.wait_for(role);
    assert_eq!(keep(&mut setup, "execute"), 2);
    let pending = |setup: &Setup, id| setup.proposal(id).terms.state == state::PENDING;
    assert_ne!(pending(&setup, id), pending(&setup, other), "one of the two");
    assert!(!pending(&setup, role) && setup.exchange().roles.guardian.0 == guardian.to_bytes());
    assert!(setup.market(0).state.params.taker_fee.0 != fee - 100);
    // What could not be executed is ended when its time is over.
    assert_eq!(keep(&mut setup, "proposals"), 0);
    setup.world.advance(9 * 86_400);
    assert_eq!(keep(&mut setup, "proposals"), 1);
    assert_eq!(setup.exchange().pending_proposals, 0);
}

#[test]
fn a_ripe_withdrawal_of_insurance_is_executed_with_all_markets() {
    let mut setup = Setup::with(&Terms::still());
    let (giver, purse) = setup.fund("giver", units(100));
    let exchange = setup.exchange;
    let gift = instructions::top_up_shared_insurance(&exchange, &giver.pubkey(), &purse, units(100));
    setup.world.send(&[gift], &[&giver]).must();
    let before = setup.exchange().shared_insurance.0;
    let destination = setup.fee_destination;
    let id = setup.queue_insurance_withdrawal(None, units(10), destination).unwrap();
    assert_eq!(setup.proposal(id).terms.parameter, SHARED_FUND);
    setup.wait_for(id);
    setup.tick(1);
    assert_eq!(keep(&mut setup, "execute"), 1);
    assert_eq!(setup.exchange().shared_insurance.0, before - units(10));
}

#[test]
fn an_episode_that_lasts_is_deleveraged_and_everybody_picks_it_up() {
    let (mut setup, _) = Setup::in_episode();
    assert!(plan(&setup, "deleverage").is_empty(), "too early");
    setup.world.advance(DELEVERAGE_AFTER);
    setup.tick(1);
    // The deleveraging, and both longs.
    assert_eq!(keep(&mut setup, "deleverage"), 3);
    assert_eq!((setup.market(0).state.deleveraging.round, setup.market(0).state.deleveraging.positions), (1, 0));
}

#[test]
fn the_worst_loss_is_settled_and_the_claim_is_paid() {
    let (mut setup, [alice, _, carol]) = Setup::in_episode();
    setup.tick(1);
    let planned = plan(&setup, "settle");
    assert_eq!(planned[0].subject, carol.subaccount, "the worst loss first");
    assert!(keep(&mut setup, "settle") >= 1);
    let owed = setup.account(&alice).state.positions[0].claim.amount.0;
    let before = setup.account(&alice).state.collateral.0;
    assert!(owed > 0);
    assert_eq!(keep(&mut setup, "claims"), 1);
    assert!(setup.account(&alice).state.collateral.0 >= before + owed - 1);
}

#[test]
fn a_market_below_its_floor_is_settled_to_the_end() {
    let (mut setup, traders) = Setup::below_floor();
    setup.tick(1);
    assert_eq!(keep(&mut setup, "settlement"), 1, "begun");
    setup.world.advance(SETTLEMENT_WAIT);
    setup.tick(1);
    // The price is fixed, and three positions close.
    assert_eq!(keep(&mut setup, "settlement"), 4);
    assert!(setup.market(0).state.is_settled() && setup.market(0).state.is_closed());
    assert!(keep(&mut setup, "claims") >= 1);
    setup.world.advance(SETTLEMENT_PATIENCE + 1);
    let _ = keep(&mut setup, "claims");
    for trader in &traders {
        assert!(setup.account(trader).state.is_flat(), "what is still owed was written off");
    }
}

#[test]
fn an_account_below_zero_in_two_settled_markets_is_resolved() {
    let mut setup = Setup::with(&Terms::cross(2));
    let alice = setup.trader("alice", units(20_000));
    for market in [0, 1] {
        setup.open(&alice, market, i64::try_from(units(100_000)).unwrap());
    }
    for market in [0, 1] {
        setup.move_by(market, -2_000);
    }
    setup.world.advance(10 * 86_400);
    // Both prices are fixed; then the account, which nobody could flag, is resolved.
    assert_eq!(keep(&mut setup, "settlement"), 3);
    assert!(setup.account(&alice).state.is_flat());
    assert!(setup.market(0).state.is_closed() && setup.market(1).state.is_closed());
}

#[test]
fn what_was_held_back_of_whoever_left_a_silent_market_is_given_back() {
    let mut setup = Setup::with(&Terms::still());
    let alice = setup.trader("alice", units(10_000));
    setup.open(&alice, 0, i64::try_from(units(50_000)).unwrap());
    setup.world.advance(3_700);
    setup.exit_silent(&alice, 0).must();
    assert!(setup.account(&alice).state.positions[0].held.0 > 0);
    assert!(plan(&setup, "settle").is_empty(), "the price is silent");
    for _ in 0..3 {
        setup.tick(2);
    }
    assert_eq!(keep(&mut setup, "settle"), 1);
    assert!(setup.account(&alice).state.is_flat());
}

#[test]
fn prices_go_together_and_alone_where_that_was_refused() {
    let mut setup = Setup::with(&Terms::cross(3));
    setup.world.advance(3);
    for market in 0..3 {
        setup.publish(market, setup.posted[market]).must();
    }
    let planned = plan(&setup, "prices");
    assert_eq!((planned.len(), planned[0].instructions.len()), (1, 3), "one transaction");
    // The same with that one refused before.
    let (book, now, timing) = (book(&setup), setup.world.now(), Timing::default());
    let marks = Marks::new(book.markets().map(|market| &market.state), &book.oracles(), &now).unwrap();
    let scan = scan(book.accounts(), &marks, &now, 1);
    let held = HashSet::from([(planned[0].job, planned[0].subject)]);
    let (reward, payer) = (setup.keeper.subaccount, setup.world.payer.pubkey());
    let view =
        View { now, book: &book, marks: &marks, scan: &scan, reward, payer, timing: &timing, tables: &[], held: &held };
    let alone = jobs::all(&Jobs::only(&["prices".to_owned()]).unwrap())[0].plan(&view);
    assert_eq!(alone.len(), 3);
    let subjects: BTreeSet<Pubkey> = alone.iter().map(|action| action.subject).collect();
    assert!(alone.iter().all(|action| action.instructions.len() == 1) && subjects.len() == 3);
    assert!(!subjects.contains(&planned[0].subject), "held back with the group otherwise");
    assert_eq!(keep(&mut setup, "prices"), 1);
    let market = address::market(&setup.exchange, 2);
    assert!(planned[0].instructions[2].accounts.iter().any(|meta| meta.pubkey == market));
}

/// While prices jump every newer one is wanted, and stored by the first in line.
#[test]
fn a_standby_stores_no_price_while_another_keeper_does() {
    let mut setup = Setup::with(&Terms::still());
    let posted = setup.posted[0];
    setup.world.advance(1);
    setup.post(0, posted.price / 100 * 94);
    setup.world.advance(1);
    setup.publish(0, setup.posted[0]).must();
    let standby = Timing { standby_slots: 8, ..Timing::default() };
    assert_eq!(plan(&setup, "prices").len(), 1, "a jump waits for its confirmation");
    assert!(plan_when(&setup, "prices", &standby).is_empty(), "somebody has just stored one");
    setup.world.advance(4);
    assert_eq!(plan_when(&setup, "prices", &standby).len(), 1, "nobody does");
}

#[test]
fn a_covenant_whose_loss_has_reached_its_limit_is_tripped_its_positions_closed_and_later_loosened() {
    let mut setup = Setup::with(&Terms::still());
    let alice = setup.bound("alice", units(10_000));
    let aside = setup.trader_with("alice", 7, false, units(5_000));
    setup.open(&alice, 0, units(20_000).cast_signed());
    setup.touch(&alice).must();
    let order = setup.place(&aside, 1, setup.size_for(1, units(8_000).cast_signed())).expect("placed");
    setup.later();
    setup.touch(&alice).must();
    setup.execute(&aside, 1, &order).must();
    assert!(plan(&setup, "covenants").is_empty(), "seen just now, and no loss");
    setup.move_by(0, -300);
    // Both accounts are shown, in one transaction: the loss is found at its limit. At the same prices there is no more to do.
    let planned = plan(&setup, "covenants");
    assert_eq!((planned.len(), planned[0].instructions.len()), (1, 2));
    assert_eq!(keep(&mut setup, "covenants"), 1);
    setup.world.advance(1);
    assert!(plan(&setup, "covenants").is_empty());
    // At newer ones they are shown again, and the covenant is tripped; nothing is closed at those.
    setup.post_all();
    let planned = plan(&setup, "covenants");
    assert_eq!((planned.len(), planned[0].instructions.len()), (1, 3));
    assert_eq!(keep(&mut setup, "covenants"), 1);
    setup.tick(1);
    assert_eq!(keep(&mut setup, "covenants"), 2);
    assert_eq!((setup.position(&alice, 0), setup.position(&aside, 1)), (0, 0), "closed, as its owner wanted");
    assert!(setup.account(&setup.keeper).state.collateral.0 > 0, "for the fee");
    setup.loosen(&alice, NO_LIMITS).must();
    setup.world.advance(TERMS.loosening_delay);
    assert_eq!(keep(&mut setup, "covenants"), 1);
    assert!(setup.covenant(&alice).state.limits.is_none());
}

#[test]
fn every_job_is_switched_by_its_name() {
    let names: BTreeMap<&str, usize> = jobs::all(&Jobs::ALL).iter().map(|job| (job.name(), 1)).collect();
    let configured: BTreeSet<&str> = Jobs::NAMES.iter().copied().collect();
    assert_eq!(names.keys().copied().collect::<BTreeSet<_>>(), configured);
    assert!(jobs::all(&Jobs::NONE).is_empty());
    // The sample and the documents name every one of them.
    let sample = include_str!("../../../keeper.sample.toml");
    let page = include_str!("../../../docs/KEEPERS.md");
    for name in Jobs::NAMES {
        assert!(sample.contains(&format!("\n{name} = true")), "keeper.sample.toml lacks {name}");
        assert!(page.contains(&format!("`{name}`")), "docs/KEEPERS.md lacks {name}");
    }
}
