//! An instruction in a world where it succeeds, and what becomes of it when somebody tampers with its accounts.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use anchor_lang::prelude::{AccountMeta, Pubkey};
use ballast_tests::world::fixed_key;
use ballast_tests::{Outcome, Refused, Setup, World};
use solana_account::Account;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

/// An account of an instruction, as the IDL declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Declared {
    pub(super) name: String,
    pub(super) writable: bool,
    pub(super) signer: bool,
    pub(super) optional: bool,
}

/// Every instruction's accounts, from the committed IDL.
pub(super) static IDL: LazyLock<BTreeMap<String, Vec<Declared>>> = LazyLock::new(|| {
    let text = include_str!("../../../idl/ballast.json");
    let idl: serde_json::Value = serde_json::from_str(text).expect("the IDL is JSON");
    let flag = |account: &serde_json::Value, name: &str| account[name].as_bool().unwrap_or(false);
    let declared = |account: &serde_json::Value| Declared {
        name: account["name"].as_str().expect("a name").to_owned(),
        writable: flag(account, "writable"),
        signer: flag(account, "signer"),
        optional: flag(account, "optional"),
    };
    let list = |value: &serde_json::Value| value.as_array().expect("a list").clone();
    list(&idl["instructions"])
        .iter()
        .map(|i| (i["name"].as_str().expect("a name").to_owned(), list(&i["accounts"]).iter().map(declared).collect()))
        .collect()
});

/// An instruction, whoever signs it, and a world in which it succeeds.
#[derive(Clone)]
pub(super) struct Case {
    /// The instruction's name in the IDL.
    pub(super) name: &'static str,
    /// What is special about it, where an instruction has more than one case.
    pub(super) variant: &'static str,
    pub(super) setup: Setup,
    pub(super) instruction: Instruction,
    pub(super) keys: Vec<Arc<Keypair>>,
}

/// One change of a case: another account in a place, other bytes in accounts, other signers.
#[derive(Clone, Debug)]
pub(super) struct Attack {
    /// The name of the account in whose place something else is put.
    pub(super) account: String,
    /// What is put there.
    pub(super) label: String,
    pub(super) metas: Vec<AccountMeta>,
    pub(super) put: Vec<(Pubkey, Account)>,
}

/// Pays rents and signs where anyone may: never the transaction's payer, who signs anyway.
pub(super) fn sponsor(setup: &mut Setup) -> Arc<Keypair> {
    rich(setup, "sponsor")
}

/// A key with lamports that is no part of the instruction.
pub(super) fn stranger() -> Arc<Keypair> {
    Arc::new(fixed_key("stranger"))
}

fn rich(setup: &mut Setup, name: &str) -> Arc<Keypair> {
    let key = Arc::new(fixed_key(name));
    setup.world.svm.airdrop(&key.pubkey(), 1_000_000_000_000).expect("airdrop");
    key
}

impl Case {
    pub(super) fn new(name: &'static str, mut setup: Setup, instruction: Instruction, keys: &[&Arc<Keypair>]) -> Self {
        rich(&mut setup, "stranger");
        let mut keys: Vec<_> = keys.iter().map(|k| Arc::clone(k)).collect();
        keys.push(stranger());
        Self { name, variant: "", setup, instruction, keys }
    }

    pub(super) fn variant(self, variant: &'static str) -> Self {
        Self { variant, ..self }
    }

    pub(super) fn title(&self) -> String {
        if self.variant.is_empty() { self.name.to_owned() } else { format!("{} ({})", self.name, self.variant) }
    }

    /// The accounts that the IDL declares for it; what follows them are markets.
    pub(super) fn declared(&self) -> &'static [Declared] {
        IDL.get(self.name).unwrap_or_else(|| panic!("the IDL has no {}", self.name))
    }

    /// The address in a place by its name.
    pub(super) fn address(&self, name: &str) -> Option<Pubkey> {
        let place = self.declared().iter().position(|d| d.name == name)?;
        self.instruction.accounts.get(place).map(|m| m.pubkey)
    }

    pub(super) fn account(&self, address: &Pubkey) -> Account {
        self.setup.world.svm.get_account(address).unwrap_or_default()
    }

    /// Sends the instruction with other accounts, in a world of its own, which is returned too.
    pub(super) fn send(&self, metas: &[AccountMeta], data: &[u8], put: &[(Pubkey, Account)]) -> (World, Outcome) {
        let mut world = self.setup.world.clone();
        for (address, account) in put {
            world.set_account(*address, account.clone());
        }
        let before = snapshot(&world);
        let instruction =
            Instruction { program_id: self.instruction.program_id, accounts: metas.to_vec(), data: data.to_vec() };
        let signers: Vec<&Keypair> = self
            .keys
            .iter()
            .filter(|key| metas.iter().any(|m| m.is_signer && m.pubkey == key.pubkey()))
            .map(|key| &**key)
            .collect();
        let outcome = world.send(&[instruction], &signers);
        if let Err(refused) = &outcome {
            assert!(snapshot(&world) == before, "{}: refused, and yet something changed: {refused}", self.title());
        }
        (world, outcome)
    }

    /// The instruction as it is.
    pub(super) fn base(&self) -> (World, Outcome) {
        self.send(&self.instruction.accounts, &self.instruction.data, &[])
    }

    pub(super) fn try_attack(&self, attack: &Attack) -> Outcome {
        self.send(&attack.metas, &self.instruction.data, &attack.put).1
    }
}

/// All accounts of Ballast, of the token program and of the oracle, byte for byte, with their lamports.
pub(super) fn snapshot(world: &World) -> BTreeMap<Pubkey, Account> {
    [ballast::ID, anchor_spl::token::ID, price_feed::ID]
        .iter()
        .flat_map(|program| world.svm.get_program_accounts(program))
        .collect()
}

/// A refusal in one word: Ballast's error, Anchor's, another program's number, or the runtime's.
pub(super) fn reason(refused: &Refused) -> String {
    if let Some(error) = refused.error {
        return error.name().to_owned();
    }
    let named = refused.logs.iter().rev().find_map(|l| l.split("Error Code: ").nth(1)?.split('.').next());
    match (named, refused.code) {
        (Some(name), Some(100..6_000)) => name.to_owned(),
        (_, Some(code)) => format!("custom {code}"),
        _ => refused.message.replace("InstructionError(0, ", "").trim_end_matches(')').to_owned(),
    }
}

/// That the program refused in an orderly way: no panic, no abort, no memory violation.
#[track_caller]
pub(super) fn orderly(title: &str, refused: &Refused) {
    for bad in ["panicked", "Access violation", "ProgramFailedToComplete", "failed to complete", "exceeded CUs"] {
        let found = refused.message.contains(bad) || refused.logs.iter().any(|l| l.contains(bad));
        assert!(!found, "{title}: {bad}: {refused}");
    }
}
