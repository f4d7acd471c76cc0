use super::*;
use crate::events::{Event, TAG};
use crate::{address, errors, instructions};
use anchor_lang::prelude::Pubkey;
use anchor_lang::{AnchorSerialize, Discriminator};
use ballast_engine::Error;
use solana_hash::Hash;
use solana_instruction::error::InstructionError;
use solana_keypair::Keypair;
use solana_message::AddressLookupTableAccount;
use solana_transaction_error::TransactionError;

fn key(n: u8) -> Pubkey {
    Pubkey::new_from_array([n; 32])
}

#[test]
fn only_ballasts_own_codes_are_read_as_its_reasons() {
    let code = errors::code(Error::AlreadyFlagged);
    let error = TransactionError::InstructionError(3, InstructionError::Custom(code));
    let line = |program: Pubkey| format!("Program {program} failed: custom program error: {code:#x}");
    let ours = Fault::refused(error.clone(), vec![line(address::PROGRAM)], 7);
    assert_eq!(ours.reason(), Some(Error::AlreadyFlagged));
    assert!(ours.to_string().starts_with("AlreadyFlagged"));
    let theirs = Fault::refused(error.clone(), vec![line(address::PROGRAM), line(key(9))], 7);
    assert_eq!(theirs.reason(), None);
    assert_eq!(Fault::refused(error, vec![], 7).reason(), None);
    assert!(matches!(Fault::refused(TransactionError::BlockhashNotFound, vec![], 0), Fault::Blockhash));
    assert!(Fault::Blockhash.is_passing() && !ours.is_passing());
}

#[test]
fn the_percentile_of_fees_is_one_of_them() {
    let fees = Fees((1..=100).collect());
    assert_eq!((fees.percentile(0), fees.percentile(50), fees.percentile(100)), (1, 50, 100));
    assert_eq!(fees.percentile(255), 100);
    assert_eq!(Fees::default().percentile(75), 0);
}

#[test]
fn events_are_typed_and_nothing_else_passes() {
    let event = ballast::events::Deposited { subaccount: key(1), amount: 5, collateral: 6, account_sequence: 7 };
    let mut body = Vec::new();
    event.serialize(&mut body).unwrap();
    let data = [TAG, ballast::events::Deposited::DISCRIMINATOR, &body].concat();
    assert_eq!(Event::decode(&data), Some(Event::Deposited(event)));
    assert_eq!(Event::decode(&data[..data.len() - 1]), None, "cut off");
    assert_eq!(Event::decode(&data[8..]), None, "without the tag");
}

#[test]
fn a_table_is_read_back() {
    let mut data = vec![0; 56];
    data[0] = 1;
    data.extend_from_slice(key(4).as_ref());
    data.extend_from_slice(key(5).as_ref());
    assert_eq!(tables::decode(&data), Some(vec![key(4), key(5)]));
    assert_eq!(tables::decode(&data[..data.len() - 1]), None);
    assert_eq!(tables::decode(&data[..50]), None);
    data[0] = 0;
    assert_eq!(tables::decode(&data), None, "not initialised");
}

/// The dearest transaction there is: liquidating a cross account with eight markets, each with a new price in front.
#[test]
fn a_table_makes_room_for_eight_markets_with_their_oracles() {
    let (exchange, payer) = (key(1), Keypair::new());
    let oracles: Vec<_> = (0..8).map(|n| key(100 + n)).collect();
    let market = |index| address::market(&exchange, index);
    let mut batch = vec![unit_limit(200_000), unit_price(1)];
    batch.extend((0..8).zip(&oracles).map(|(index, oracle)| instructions::update_market(&market(index), oracle)));
    let legs: Vec<_> = (1..8).map(|index| anchor_lang::prelude::AccountMeta::new(market(index), false)).collect();
    batch.push(instructions::liquidate(&market(0), &key(2), &key(3), Some(&key(4)), &legs));

    let size = |tables: &[AddressLookupTableAccount]| {
        let transaction = sign(&batch, &payer, &[], tables, Hash::default()).unwrap();
        // Signatures behind their count, then the message.
        1 + 64 * transaction.signatures.len() + transaction.message.serialize().len()
    };
    let plain = size(&[]);
    let addresses = tables::shared(&exchange, 8, &oracles);
    let compressed = size(&[AddressLookupTableAccount { key: key(200), addresses }]);
    assert!(plain > 850 && plain <= 1_232, "{plain}");
    assert!(compressed * 10 < plain * 6, "{compressed} instead of {plain}");
}
