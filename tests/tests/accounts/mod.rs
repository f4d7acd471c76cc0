//! Account substitution: every account of every instruction is replaced by what an attacker, or a careless client, might
//! put there. Every replacement must be refused by a named error and change nothing, but for those that `expected` lists as harmless.

mod attacks;
mod case;
mod cases;
mod data;
mod expected;
mod foreign;

use std::collections::BTreeSet;

use case::{IDL, orderly, reason};
use expected::Tables;

#[test]
fn every_instruction_has_a_case_that_succeeds_and_has_the_accounts_of_the_idl() {
    let cases = cases::all();
    for case in &cases {
        let (_, outcome) = case.base();
        if let Err(refused) = outcome {
            panic!("{}: {refused}", case.title());
        }
        for (place, declared) in case.declared().iter().enumerate() {
            let meta = &case.instruction.accounts[place];
            let absent = declared.optional && meta.pubkey == ballast::ID;
            // What an owner may do before others is signed, though nobody must.
            let own = declared.name == "owner" && case.variant.starts_with("its owner");
            assert_eq!(meta.is_signer, declared.signer || own, "{}: {}", case.title(), declared.name);
            assert!(absent || meta.is_writable == declared.writable, "{}: {}", case.title(), declared.name);
        }
    }
    let covered: BTreeSet<&str> = cases.iter().map(|c| c.name).collect();
    let all: BTreeSet<&str> = IDL.keys().map(String::as_str).collect();
    assert_eq!(covered, all, "every instruction has a case");
}

#[test]
fn every_substitution_of_an_account_is_refused_or_known_to_be_harmless() {
    let mut tables = Tables::default();
    let mut wrong = Vec::new();
    let (mut tried, mut refused_ones) = (0, 0);
    for case in cases::all() {
        for attack in attacks::all(&case).into_iter().chain(attacks::mixtures(&case)) {
            let title = format!("{} | {} | {}", case.title(), attack.account, attack.label);
            let result = case.try_attack(&attack).err().map(|refused| {
                orderly(&title, &refused);
                reason(&refused)
            });
            tried += 1;
            refused_ones += u32::from(result.is_some());
            wrong.extend(tables.judge(&case, &attack, result.as_deref()).map(|what| format!("{title}: {what}")));
        }
    }
    println!("{tried} substitutions, {refused_ones} refused");
    assert!(wrong.is_empty(), "{} of {tried} are not as they should be:\n{}", wrong.len(), wrong.join("\n"));
    let idle = tables.idle();
    assert!(idle.is_empty(), "rows that nothing meets any more:\n{}", idle.join("\n"));
}

/// An account is writable for a whole transaction, whatever one of its instructions asks for: what one declares to read, or is
/// given to read behind that, it leaves alone all the same.
#[test]
fn what_is_passed_writable_beyond_need_is_left_as_it_is() {
    let mut tried = 0;
    for case in cases::all() {
        let mut metas = case.instruction.accounts.clone();
        let to_read: Vec<_> = metas.iter().filter(|m| !m.is_writable).map(|m| m.pubkey).collect();
        for meta in &mut metas {
            meta.is_writable = true;
        }
        let (world, outcome) = case.send(&metas, &case.instruction.data, &[]);
        if let Err(refused) = outcome {
            panic!("{}: {refused}", case.title());
        }
        for at in to_read {
            let (before, after) = (case.account(&at), world.svm.get_account(&at).unwrap_or_default());
            assert!(before.data == after.data && before.owner == after.owner, "{}: {at} was to be read", case.title());
            tried += 1;
        }
    }
    assert!(tried > 300, "{tried}");
}

/// A borrow that fails says nothing to whoever sent the transaction.
#[test]
fn a_market_passed_twice_is_refused_by_its_name_and_not_by_a_failed_borrow() {
    let cases = cases::all();
    let case = cases.iter().find(|c| c.name == "resolve").expect("a case");
    let attacks = attacks::all(case);
    let twice = attacks.iter().find(|a| a.label == "the first one twice").expect("an attack");
    let refused = case.try_attack(twice).expect_err("two legs, one market");
    assert_eq!(refused.error, Some(ballast_engine::Error::DuplicateMarket), "{refused}");
}
