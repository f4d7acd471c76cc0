//! One builder per instruction, by role. Addresses that follow from others are derived here; all else is an argument.
//! Who must sign is the first line of each; a signer may be an address that signs elsewhere (a multisig's).
//!
//! Instructions on an account with positions in several markets want those markets too: [`leg_metas`].

mod governance;
mod guardian;
mod keeper;
mod liquidity;
pub mod oracle;
mod trader;
mod upgrade;

pub use governance::*;
pub use guardian::*;
pub use keeper::*;
pub use liquidity::*;
pub use trader::*;
pub use upgrade::*;

use anchor_lang::prelude::{AccountMeta, Pubkey};
use anchor_lang::solana_program::instruction::Instruction;
use anchor_lang::{InstructionData, ToAccountMetas};
use ballast::state::Subaccount;

use crate::address;

/// A compute-unit limit high enough for every instruction of the program.
pub const COMPUTE_LIMIT: u32 = 200_000;

/// An address as accounts keep it, as a key.
pub fn pubkey(key: &ballast_engine::layout::Key) -> Pubkey {
    Pubkey::new_from_array(key.0)
}

fn build(accounts: impl ToAccountMetas, data: impl InstructionData, legs: &[AccountMeta]) -> Instruction {
    let mut accounts = accounts.to_account_metas(None);
    accounts.extend_from_slice(legs);
    Instruction { program_id: address::PROGRAM, accounts, data: data.data() }
}

/// The same instruction with a signature of the owner that it names: for what an owner may do before others, or with other
/// accounts than they.
pub fn by_owner(mut instruction: Instruction, owner: &Pubkey) -> Instruction {
    for meta in instruction.accounts.iter_mut().filter(|meta| meta.pubkey == *owner) {
        meta.is_signer = true;
    }
    instruction
}

/// The markets of a subaccount's slots in use, in slot order, as the program wants them: all but `except` (the market
/// that the instruction names itself). Writable where other markets' profits may have to pay a loss.
pub fn leg_metas(subaccount: &Subaccount, except: Option<u16>, writable: bool) -> Vec<AccountMeta> {
    let exchange = pubkey(&subaccount.exchange);
    let wanted = subaccount.state.slots().filter(|(_, p)| except != Some(p.market));
    let market = |index| address::market(&exchange, index);
    wanted.map(|(_, p)| AccountMeta { pubkey: market(p.market), is_signer: false, is_writable: writable }).collect()
}
