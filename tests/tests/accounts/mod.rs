//! Account substitution: every account of every instruction is replaced by what an attacker, or a careless client, might
//! put there. Every replacement must be refused by a named error and change nothing, but for those in `harmless`.

mod attacks;
mod case;
mod cases;
mod foreign;

use std::collections::BTreeSet;

use case::{IDL, orderly, reason};

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
            assert_eq!(meta.is_signer, declared.signer, "{}: {}", case.title(), declared.name);
            assert!(absent || meta.is_writable == declared.writable, "{}: {}", case.title(), declared.name);
        }
    }
    let covered: BTreeSet<&str> = cases.iter().map(|c| c.name).collect();
    let all: BTreeSet<&str> = IDL.keys().map(String::as_str).collect();
    assert_eq!(covered, all, "every instruction has a case");
}

#[test]
fn print_matrix() {
    for case in cases::all() {
        for attack in attacks::all(&case).into_iter().chain(attacks::mixtures(&case)) {
            let title = format!("{} | {} | {}", case.title(), attack.account, attack.label);
            match case.try_attack(&attack) {
                Ok(_) => println!("{title} | OK"),
                Err(refused) => {
                    orderly(&title, &refused);
                    println!("{title} | {}", reason(&refused));
                }
            }
        }
    }
}
