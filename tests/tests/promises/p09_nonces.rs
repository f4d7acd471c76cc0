//! P9: no instruction that a role signs goes by a transaction whose signatures never go stale.

use std::collections::BTreeSet;

use anchor_lang::prelude::{AccountMeta, Pubkey, system_program};
use ballast::instructions::governance::{
    InitializeExchangeArgs, QueueFeeDestinationArgs, QueueInsuranceWithdrawalArgs, QueueNewExchangeArgs,
    QueueOracleFeedArgs, QueueOracleProgramArgs, QueueParameterArgs, QueueRoleArgs, QueueWindDownArgs,
};
use ballast::instructions::guardian::ProtectMarketArgs;
use ballast_client::instructions as ix;
use ballast_engine::Error;
use ballast_engine::governance::kind;
use ballast_tests::governing::market_parameter;
use ballast_tests::world::fixed_key;
use ballast_tests::{Expect as _, MarketTerms, Setup, Terms};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer as _;

use super::BTC;
use super::bank::on_bank;

/// The roles' signatures, as the accounts of instructions name them.
const ROLES: [&str; 5] = ["governance", "guardian", "proposer", "vetoer", "upgrade_authority"];

/// A nonce account, and the instruction that advances it.
fn nonce(setup: &mut Setup) -> Instruction {
    let (nonce, payer) = (fixed_key("nonce"), setup.world.payer.pubkey());
    let sysvar = |id: &str| AccountMeta::new_readonly(id.parse().expect("an address"), false);
    let recent = sysvar("SysvarRecentB1ockHashes11111111111111111111");
    let rent = sysvar("SysvarRent111111111111111111111111111111111");
    // System instructions by their numbers: 0 creates an account, 6 makes it a nonce, 4 advances it.
    let data = |number: u32, rest: &[u8]| [&number.to_le_bytes()[..], rest].concat();
    let space = [&10_000_000_u64.to_le_bytes()[..], &80_u64.to_le_bytes(), system_program::ID.as_ref()].concat();
    let both = vec![AccountMeta::new(payer, true), AccountMeta::new(nonce.pubkey(), true)];
    let create = Instruction { program_id: system_program::ID, accounts: both, data: data(0, &space) };
    let init = vec![AccountMeta::new(nonce.pubkey(), false), recent.clone(), rent];
    let init = Instruction { program_id: system_program::ID, accounts: init, data: data(6, payer.as_ref()) };
    setup.world.send(&[create, init], &[&nonce]).must();
    let accounts = vec![AccountMeta::new(nonce.pubkey(), false), recent, AccountMeta::new_readonly(payer, true)];
    Instruction { program_id: system_program::ID, accounts, data: data(4, &[]) }
}

/// One of each instruction that a role signs, with its signers.
fn privileged(setup: &Setup) -> Vec<(&'static str, Instruction, Vec<Keypair>)> {
    let key = |k: &Keypair| k.insecure_clone();
    let (governance, guardian) = (key(&setup.governance), key(&setup.guardian));
    let (payer, exchange, last_slot) = (setup.world.payer.pubkey(), setup.exchange, setup.last_slot());
    let (by, id, rationale) = (governance.pubkey(), setup.exchange().next_proposal, [7; 32]);
    let heir = fixed_key("heir");
    let fee = setup.change_args(BTC, market_parameter("taker_fee"), 600);
    let batch = setup.batch_args(BTC, &[("taker_fee", 600), ("mending_fee", 300)]);
    let grace = QueueParameterArgs { parameter: 3, new_value: 300_000, version: 0, last_slot, rationale };
    let role = QueueRoleArgs { kind: kind::COMMITTEE, new_key: heir.pubkey(), version: 0, last_slot, rationale };
    let feed = QueueOracleFeedArgs { new_feed: [9; 32], program: 0, version: 0, last_slot, rationale };
    let end = QueueWindDownArgs { closing: true, version: 0, last_slot, rationale };
    let fees = QueueFeeDestinationArgs { version: 0, last_slot, rationale };
    let program = QueueOracleProgramArgs { place: 1, program: heir.pubkey(), version: 0, last_slot, rationale };
    let destination = setup.fee_destination;
    let out = QueueInsuranceWithdrawalArgs { from: 0, amount: 5, destination, version: 0, last_slot, rationale };
    let buffer = fixed_key("a buffer").pubkey();
    let upgrade = ix::UpgradeArgs { digest: [8; 32], version: 0, last_slot, rationale };
    let protect = ProtectMarketArgs { reduce_only_seconds: 60, cap: 0, cap_seconds: 0 };
    let market = setup.new_market_args(3, &MarketTerms::DEEP);
    let authority = setup.world.upgrade_authority.insecure_clone();
    let start = InitializeExchangeArgs {
        governance: by,
        committee: setup.committee.pubkey(),
        guardian: guardian.pubkey(),
        oracle_programs: [price_feed::ID, Pubkey::default()],
    };
    let mint = fixed_key("second mint").pubkey();
    let fee_destination = fixed_key("second fees").pubkey();
    let further = QueueNewExchangeArgs { mint, fee_destination, exchange: start, version: 0, last_slot, rationale };
    let g = || vec![key(&governance)];
    vec![
        ("queue_market_parameter", ix::queue_market_parameter(&payer, &by, &exchange, 0, id, fee), g()),
        ("queue_market_batch", ix::queue_market_batch(&payer, &by, &exchange, 0, id, batch.clone()), g()),
        ("queue_exchange_parameter", ix::queue_exchange_parameter(&payer, &by, &exchange, id, grace), g()),
        ("queue_exchange_batch", ix::queue_exchange_batch(&payer, &by, &exchange, id, batch), g()),
        ("queue_role", ix::queue_role(&payer, &by, &exchange, id, role), g()),
        ("queue_oracle_feed", ix::queue_oracle_feed(&payer, &by, &exchange, 0, id, feed), g()),
        ("queue_wind_down", ix::queue_wind_down(&payer, &by, &exchange, 0, id, end), g()),
        (
            "queue_fee_destination",
            ix::queue_fee_destination(&payer, &by, &exchange, &setup.fee_destination, id, fees),
            g(),
        ),
        ("queue_oracle_program", ix::queue_oracle_program(&payer, &by, &exchange, id, program), g()),
        ("queue_insurance_withdrawal", ix::queue_insurance_withdrawal(&payer, &by, &exchange, id, out), g()),
        ("queue_upgrade", ix::queue_upgrade(&payer, &by, &exchange, id, &buffer, &buffer, upgrade), g()),
        ("queue_new_exchange", ix::queue_new_exchange(&payer, &by, &exchange, id, further), g()),
        ("create_market", ix::create_market(&payer, &by, &exchange, market), g()),
        ("dismiss_committee", ix::dismiss_committee(&by, &exchange), g()),
        ("accept_governance", ix::accept_governance(&heir.pubkey(), &exchange), vec![key(&heir)]),
        ("veto_proposal", ix::veto_proposal(&guardian.pubkey(), &exchange, None, 0), vec![key(&guardian)]),
        ("protect_market", ix::protect_market(&guardian.pubkey(), &exchange, 0, protect), vec![key(&guardian)]),
        ("emergency_pause", ix::emergency_pause(&guardian.pubkey(), &exchange, 60), vec![key(&guardian)]),
        (
            "initialize_exchange",
            ix::initialize_exchange(&payer, &authority.pubkey(), &mint, &fixed_key("second fees").pubkey(), start),
            vec![authority],
        ),
    ]
}

#[test]
fn p09_no_instruction_of_a_role_goes_by_a_durable_nonce() {
    let mut setup = on_bank(&Terms::standard());
    let advance = nonce(&mut setup);
    let mint = fixed_key("second mint").pubkey();
    let account = setup.world.svm.get_account(&setup.mint).expect("the mint");
    setup.world.set_account(mint, account);
    setup.set_tokens(fixed_key("second fees").pubkey(), &fixed_key("treasury").pubkey(), &mint, 0);
    let cases = privileged(&setup);
    let mut names = BTreeSet::new();
    for (name, instruction, signers) in cases {
        let signers: Vec<&Keypair> = signers.iter().collect();
        let carried = [advance.clone(), instruction];
        setup.clone().world.send(&carried, &signers).fails(Error::DurableNonce);
        names.insert(name);
    }
    // Those are all of them.
    let idl: serde_json::Value = serde_json::from_str(include_str!("../../../idl/ballast.json")).expect("the IDL");
    let by_role = |i: &&serde_json::Value| {
        i["accounts"]
            .as_array()
            .expect("accounts")
            .iter()
            .any(|a| a["signer"].as_bool().unwrap_or(false) && ROLES.contains(&a["name"].as_str().expect("a name")))
    };
    let wanted: BTreeSet<&str> = idl["instructions"]
        .as_array()
        .expect("instructions")
        .iter()
        .filter(by_role)
        .map(|i| i["name"].as_str().expect("a name"))
        .collect();
    // The authority that hands the program over can as well call the loader itself, by any transaction.
    assert_eq!(wanted.difference(&names).copied().collect::<Vec<_>>(), ["take_upgrade_authority"]);
    assert!(names.is_subset(&wanted));
}
