//! A proposal for a multisig: its instruction, and the message of a transaction that holds it alone.

use anchor_lang::prelude::Pubkey;
use anyhow::Result;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;
use solana_instruction::Instruction;
use solana_message::Message;

use crate::args::Global;
use crate::output;

/// One account of the instruction.
#[derive(Serialize)]
struct Account {
    address: String,
    signer: bool,
    writable: bool,
}

/// What a multisig imports.
#[derive(Serialize)]
struct DryRun {
    proposal: u64,
    proposer: String,
    last_slot: u64,
    program: String,
    accounts: Vec<Account>,
    data_base58: String,
    data_base64: String,
    message_base58: String,
    message_base64: String,
}

/// The message of a transaction with this instruction alone, paid by `payer`. Its blockhash is left zero: whoever imports it
/// puts its own.
fn message(instruction: &Instruction, payer: &Pubkey) -> Vec<u8> {
    Message::new(std::slice::from_ref(instruction), Some(payer)).serialize()
}

/// Prints it.
pub(super) fn show(
    global: &Global,
    proposal: u64,
    proposer: &Pubkey,
    last_slot: u64,
    instruction: &Instruction,
) -> Result<()> {
    let message = message(instruction, proposer);
    let accounts = instruction.accounts.iter();
    let dry = DryRun {
        proposal,
        proposer: proposer.to_string(),
        last_slot,
        program: instruction.program_id.to_string(),
        accounts: accounts
            .map(|m| Account { address: m.pubkey.to_string(), signer: m.is_signer, writable: m.is_writable })
            .collect(),
        data_base58: bs58::encode(&instruction.data).into_string(),
        data_base64: BASE64_STANDARD.encode(&instruction.data),
        message_base58: bs58::encode(&message).into_string(),
        message_base64: BASE64_STANDARD.encode(&message),
    };
    output::show(global.json, &dry, |dry| {
        let mut text = format!(
            "nothing was sent; proposal {} by {}, good until slot {} and while no other proposal is queued first\nprogram {}\n",
            dry.proposal, dry.proposer, dry.last_slot, dry.program
        );
        for account in &dry.accounts {
            let flags = match (account.signer, account.writable) {
                (true, true) => "signer, writable",
                (true, false) => "signer",
                (false, true) => "writable",
                (false, false) => "",
            };
            text += &format!("  {} {flags}\n", account.address);
        }
        text += &format!("instruction data, base58\n{}\n", dry.data_base58);
        text += &format!("instruction data, base64\n{}\n", dry.data_base64);
        text += &format!("transaction message, base58\n{}\n", dry.message_base58);
        text + &format!("transaction message, base64\n{}", dry.message_base64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use solana_instruction::AccountMeta;

    #[test]
    fn a_message_holds_the_instruction_and_its_signer() {
        let (payer, account, program) = (Pubkey::new_unique(), Pubkey::new_unique(), Pubkey::new_unique());
        let metas = vec![AccountMeta::new_readonly(payer, true), AccountMeta::new(account, false)];
        let instruction = Instruction { program_id: program, accounts: metas, data: vec![1, 2, 3] };
        let bytes = message(&instruction, &payer);
        // One signature, none of it read-only, one read-only account (the program); three keys, the payer's first.
        assert_eq!(bytes[..4], [1, 0, 1, 3]);
        assert_eq!(bytes[4..36], payer.to_bytes());
        assert_eq!(bytes[36..68], account.to_bytes());
        assert_eq!(bytes[68..100], program.to_bytes());
        // A blockhash of zeroes, one instruction of the third key, its accounts, its data.
        assert_eq!(bytes[100..132], [0; 32]);
        assert_eq!(bytes[132..], [1, 2, 2, 0, 1, 3, 1, 2, 3]);
    }
}
