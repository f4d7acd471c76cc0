//! Refuses durable-nonce transactions: their signatures never go stale, so what a role signed long ago, or what was wrung
//! from a signer who thought it dead, could be sent at any time. Every instruction that a role signs refuses them.
//!
//! It sees the transaction that calls this program, no other: a multisig's approvals are transactions of their own, and
//! may have been signed with nonces. Against those stand the version and the last slot that a proposal names, and its delay.

use anchor_lang::prelude::*;
use anchor_lang::solana_program::system_program;
use ballast_engine::Error as EngineError;

use crate::error::ensure;

/// The instructions sysvar: the transaction's top-level instructions, whatever called this program.
pub(crate) const INSTRUCTIONS: Pubkey = pubkey!("Sysvar1nstructions1111111111111111111111111");

/// The System instruction that makes a transaction a durable-nonce one when it comes first.
const ADVANCE_NONCE: [u8; 4] = 4_u32.to_le_bytes();

/// Refuses a transaction whose first instruction advances a nonce.
pub(crate) fn refuse(instructions: &AccountInfo<'_>) -> Result<()> {
    let data = instructions.try_borrow_data()?;
    let advances = first_advances_nonce(&data).ok_or(ProgramError::InvalidAccountData)?;
    ensure(!advances, EngineError::DurableNonce)
}

/// `None` for bytes that are no instructions sysvar.
///
/// Layout: count (u16), an offset (u16) each; at an offset: number of accounts (u16), for each flags (u8) and address,
/// the program, length of the data (u16), the data.
fn first_advances_nonce(data: &[u8]) -> Option<bool> {
    let number = |at: usize| Some(usize::from(u16::from_le_bytes(data.get(at..at.checked_add(2)?)?.try_into().ok()?)));
    let start = number(2)?;
    let program = number(start)?.checked_mul(33)?.checked_add(start)?.checked_add(2)?;
    let length = program.checked_add(32)?;
    let body = length.checked_add(2)?;
    let bytes = data.get(body..body.checked_add(number(length)?)?)?;
    let system = data.get(program..length)? == system_program::ID.as_ref();
    Some(system && bytes.starts_with(&ADVANCE_NONCE))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sysvar of one instruction.
    fn sysvar(program: &Pubkey, accounts: u16, data: &[u8]) -> Vec<u8> {
        let mut bytes = vec![1, 0, 4, 0];
        bytes.extend(accounts.to_le_bytes());
        bytes.extend(vec![7; usize::from(accounts) * 33]);
        bytes.extend(program.to_bytes());
        bytes.extend(u16::try_from(data.len()).unwrap().to_le_bytes());
        bytes.extend(data);
        bytes
    }

    #[test]
    fn only_an_advanced_nonce_makes_a_durable_transaction() {
        let advance = sysvar(&system_program::ID, 3, &ADVANCE_NONCE);
        assert_eq!(first_advances_nonce(&advance), Some(true));
        // The runtime reads the number alone and ignores what follows.
        assert_eq!(first_advances_nonce(&sysvar(&system_program::ID, 3, &[4, 0, 0, 0, 9])), Some(true));
        let transfer = [2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(first_advances_nonce(&sysvar(&system_program::ID, 2, &transfer)), Some(false));
        assert_eq!(first_advances_nonce(&sysvar(&system_program::ID, 0, &[])), Some(false));
        assert_eq!(first_advances_nonce(&sysvar(&crate::ID, 3, &ADVANCE_NONCE)), Some(false));
    }

    #[test]
    fn truncated_sysvar_is_refused_without_a_panic() {
        let whole = sysvar(&system_program::ID, 3, &ADVANCE_NONCE);
        for length in 0..whole.len() {
            assert_eq!(first_advances_nonce(&whole[..length]), None, "{length}");
        }
    }
}
