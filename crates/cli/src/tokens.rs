//! The few SPL Token instructions that the command line needs: mint, token accounts.

use anchor_lang::prelude::Pubkey;
use solana_instruction::{AccountMeta, Instruction};
use solana_sdk_ids::system_program;

/// The classic token program.
pub(crate) const PROGRAM: Pubkey = Pubkey::from_str_const("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA");
/// The program of associated token accounts.
pub(crate) const ASSOCIATED: Pubkey = Pubkey::from_str_const("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL");
/// Bytes of a mint.
pub(crate) const MINT_LENGTH: usize = 82;

/// The owner's associated token account of a mint.
pub(crate) fn associated(owner: &Pubkey, mint: &Pubkey) -> Pubkey {
    Pubkey::find_program_address(&[owner.as_ref(), PROGRAM.as_ref(), mint.as_ref()], &ASSOCIATED).0
}

/// Creates that account unless it is there.
pub(crate) fn create_associated(payer: &Pubkey, owner: &Pubkey, mint: &Pubkey) -> Instruction {
    Instruction {
        program_id: ASSOCIATED,
        accounts: vec![
            AccountMeta::new(*payer, true),
            AccountMeta::new(associated(owner, mint), false),
            AccountMeta::new_readonly(*owner, false),
            AccountMeta::new_readonly(*mint, false),
            AccountMeta::new_readonly(system_program::ID, false),
            AccountMeta::new_readonly(PROGRAM, false),
        ],
        // CreateIdempotent.
        data: vec![1],
    }
}

/// Makes an account of [`MINT_LENGTH`] bytes a mint without freeze authority.
pub(crate) fn initialize_mint(mint: &Pubkey, decimals: u8, authority: &Pubkey) -> Instruction {
    // InitializeMint2.
    let mut data = vec![20, decimals];
    data.extend_from_slice(authority.as_ref());
    data.push(0);
    Instruction { program_id: PROGRAM, accounts: vec![AccountMeta::new(*mint, false)], data }
}

/// Mints into a token account. Signed by the mint's authority.
pub(crate) fn mint_to(mint: &Pubkey, destination: &Pubkey, authority: &Pubkey, amount: u64) -> Instruction {
    let mut data = vec![7];
    data.extend_from_slice(&amount.to_le_bytes());
    let accounts = vec![
        AccountMeta::new(*mint, false),
        AccountMeta::new(*destination, false),
        AccountMeta::new_readonly(*authority, true),
    ];
    Instruction { program_id: PROGRAM, accounts, data }
}

/// The amount in a token account's bytes.
pub(crate) fn amount(data: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(*data.get(64..)?.first_chunk()?))
}
