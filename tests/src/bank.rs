//! A second runtime that runs in step with a [`World`]'s LiteSVM, so that the same scenario is shown on both; and the one
//! fixed transaction that every runtime must charge alike.

use anchor_lang::prelude::{Clock, Pubkey};
use ballast_client::{address, instructions as ix};
use litesvm::LiteSVM;
use solana_account::Account;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::setup::Setup;
use crate::units;
use crate::world::{Expect, Outcome, Sent, World, fixed_key};

/// Another runtime that does whatever a world does. [`World::send`] takes its word for what became of a transaction,
/// after a check that LiteSVM says the same.
pub trait Twin: Send {
    /// One more that starts from a machine's accounts and clock: for a world's clone.
    fn fork(&self, svm: &LiteSVM) -> Box<dyn Twin>;
    /// Sends a transaction; its events are not asked for.
    ///
    /// # Errors
    /// Why it was refused.
    fn send(&mut self, instructions: &[Instruction], payer: &Keypair, signers: &[&Keypair]) -> Outcome;
    /// An account as it is.
    fn account(&mut self, address: &Pubkey) -> Option<Account>;
    /// Puts an account there.
    fn set_account(&mut self, address: &Pubkey, account: &Account);
    /// Sets the clock.
    fn set_clock(&mut self, clock: &Clock);
    /// Says that the cluster restarted at a slot.
    fn set_restart_slot(&mut self, slot: u64);
    /// The slot by its own count, whatever the clock says.
    fn slot(&mut self) -> u64;
}

impl World {
    /// Lets the twin, if there is one, do what LiteSVM has just done, and takes its outcome, LiteSVM's events added.
    ///
    /// # Panics
    /// If the two differ in the outcome, the reason, the compute units but for the token program's, or in an account of
    /// Ballast's, of the oracle's or of the token program's.
    #[track_caller]
    pub(crate) fn in_step(&mut self, outcome: Outcome, instructions: &[Instruction], signers: &[&Keypair]) -> Outcome {
        let Some(twin) = &mut self.twin else { return outcome };
        let theirs = twin.send(instructions, &self.payer, signers);
        match (&outcome, &theirs) {
            (Ok(ours), Ok(theirs)) => {
                assert_eq!(own_units(ours), own_units(theirs), "compute units\n{:#?}\n{:#?}", ours.logs, theirs.logs);
            }
            (Err(ours), Err(theirs)) => assert_eq!((ours.error, ours.code), (theirs.error, theirs.code), "refusals"),
            _ => panic!("LiteSVM: {}\nits twin: {}", said(&outcome), said(&theirs)),
        }
        let mut touched: Vec<_> =
            instructions.iter().flat_map(|i| &i.accounts).filter(|a| a.is_writable).map(|a| a.pubkey).collect();
        touched.sort_unstable();
        touched.dedup();
        for address in touched {
            let (ours, theirs) = (self.svm.get_account(&address), twin.account(&address));
            let kept = |account: &Option<Account>| {
                account.as_ref().is_some_and(|a| {
                    a.lamports > 0 && [ballast::ID, price_feed::ID, anchor_spl::token::ID].contains(&a.owner)
                })
            };
            assert_eq!(kept(&ours), kept(&theirs), "{address} exists in one only");
            if let (true, Some(ours), Some(theirs)) = (kept(&ours), ours, theirs) {
                assert!(ours.owner == theirs.owner && ours.data == theirs.data, "{address} differs");
            }
        }
        match (theirs, outcome) {
            (Ok(theirs), Ok(ours)) => Ok(Sent { events: ours.events, ..theirs }),
            (theirs, _) => theirs,
        }
    }
}

/// Compute units without the token program's: runtimes bring builds of it that differ by a unit or two.
fn own_units(sent: &Sent) -> u64 {
    let token = format!("Program {} consumed ", anchor_spl::token::ID);
    let of_token = |line: &String| line.strip_prefix(&token)?.split(' ').next()?.parse::<u64>().ok();
    sent.units - sent.logs.iter().filter_map(of_token).sum::<u64>()
}

fn said(outcome: &Outcome) -> String {
    match outcome {
        Ok(sent) => format!("went through\n{}", sent.logs.join("\n")),
        Err(refused) => format!("refused, {refused}"),
    }
}

/// The one transaction that every runtime must charge alike: an owner opens its cross subaccount 0 on an exchange and puts
/// in a hundred units; `token_account` holds them. Addresses follow from the keys, and with them the searches for bumps:
/// runtimes agree only with the same mint and owner, here `fixed_key("mint")` and `fixed_key("fixed owner")`.
pub fn fixed_transaction(mint: &Pubkey, owner: &Pubkey, token_account: &Pubkey) -> [Instruction; 2] {
    let exchange = address::exchange(mint);
    let subaccount = address::subaccount(&exchange, owner, 0);
    [
        ix::open_subaccount(&exchange, owner, 0, false),
        ix::deposit(&exchange, owner, &subaccount, token_account, units(100)),
    ]
}

/// Sends [`fixed_transaction`] on an exchange of the harness: [`Setup::bare`] is enough. Its units are what other runtimes
/// must charge too.
///
/// # Panics
/// If it is refused.
#[track_caller]
pub fn send_fixed(setup: &mut Setup) -> Sent {
    let (owner, tokens) = setup.fund("fixed owner", units(1_000));
    assert_eq!((owner.pubkey(), setup.mint), (fixed_key("fixed owner").pubkey(), fixed_key("mint").pubkey()));
    let instructions = fixed_transaction(&setup.mint, &owner.pubkey(), &tokens);
    setup.world.send(&instructions, &[&owner]).must()
}
