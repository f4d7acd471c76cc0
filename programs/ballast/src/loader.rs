//! The upgradeable loader (v3): what its accounts say, and the three calls that the timelock makes.
//!
//! The timelock address of an exchange signs here and nowhere else: it takes the upgrade authority, upgrades by an
//! executed proposal, and closes the buffer of an ended one. It never gives the authority away, and the loader does not
//! let a program write a buffer by CPI at all: a buffer whose authority is that address can change no more.

use core::cell::Ref;

use anchor_lang::prelude::*;
use anchor_lang::solana_program::bpf_loader_upgradeable;
use anchor_lang::solana_program::instruction::Instruction;
use anchor_lang::solana_program::program::invoke_signed;
use ballast_engine::Error as EngineError;
use ballast_engine::layout;

use crate::error::{BallastError, ensure};
use crate::seeds;

/// Bytes before a program in its data account: tag (u32), slot (u64), an optional key.
pub const PROGRAM_DATA_HEADER: usize = 45;
/// Bytes before a program in a buffer: tag (u32), an optional key.
pub const BUFFER_HEADER: usize = 37;

/// Tags of accounts.
const BUFFER: [u8; 4] = 1_u32.to_le_bytes();
const PROGRAM_DATA: [u8; 4] = 3_u32.to_le_bytes();

/// Instructions.
const UPGRADE: [u8; 4] = 3_u32.to_le_bytes();
const CLOSE: [u8; 4] = 5_u32.to_le_bytes();
const SET_AUTHORITY_CHECKED: [u8; 4] = 7_u32.to_le_bytes();

/// An optional key: a byte that says whether, and the key.
fn optional_key(bytes: &[u8]) -> Option<Pubkey> {
    let key: [u8; 32] = bytes.get(1..33)?.try_into().ok()?;
    (bytes.first() == Some(&1)).then(|| Pubkey::new_from_array(key))
}

/// The upgrade authority that a program's data account names; none for a final program, which keeps the bytes of its
/// last one.
pub fn upgrade_authority_in(data: &[u8]) -> Option<Pubkey> {
    data.strip_prefix(&PROGRAM_DATA).and_then(|rest| optional_key(rest.get(8..)?))
}

/// The authority that a buffer names.
pub fn buffer_authority_in(data: &[u8]) -> Option<Pubkey> {
    data.strip_prefix(&BUFFER).and_then(optional_key)
}

/// What a program's data account has room for, bytes.
pub fn room(program_data: &AccountInfo<'_>) -> Result<u64> {
    let room = program_data.data_len().saturating_sub(PROGRAM_DATA_HEADER);
    u64::try_from(room).map_err(|_| BallastError::MathOverflow.into())
}

/// Whether an account is a buffer with that authority.
pub fn is_buffer_of(buffer: &AccountInfo<'_>, authority: &Pubkey) -> Result<bool> {
    let loader = *buffer.owner == bpf_loader_upgradeable::ID;
    Ok(loader && buffer_authority_in(&buffer.try_borrow_data()?) == Some(*authority))
}

/// The code in a buffer that is in an authority's hands.
pub fn code_in<'a>(buffer: &'a AccountInfo<'_>, authority: &Pubkey) -> Result<Ref<'a, [u8]>> {
    ensure(is_buffer_of(buffer, authority)?, EngineError::BufferInvalid)?;
    Ok(Ref::map(buffer.try_borrow_data()?, |data| data.get(BUFFER_HEADER..).unwrap_or_default()))
}

/// How long the code in such a buffer is, bytes.
pub fn length_in(buffer: &AccountInfo<'_>, authority: &Pubkey) -> Result<u64> {
    u64::try_from(code_in(buffer, authority)?.len()).map_err(|_| BallastError::MathOverflow.into())
}

/// SHA-256 of pieces, one after the other.
pub fn sha256(pieces: &[&[u8]]) -> layout::Key {
    layout::Key(solana_sha256_hasher::hashv(pieces).to_bytes())
}

/// That this exchange's timelock address holds the program's upgrade authority.
pub fn check_timelock(program_data: &AccountInfo<'_>, timelock: &Pubkey) -> Result<()> {
    let authority = upgrade_authority_in(&program_data.try_borrow_data()?);
    ensure(authority == Some(*timelock), EngineError::NotTimelock)
}

/// A timelock address that signs.
pub struct Timelock<'a, 'info> {
    /// The address.
    pub account: &'a AccountInfo<'info>,
    /// Its exchange.
    pub exchange: Pubkey,
    /// Its bump.
    pub bump: u8,
}

impl<'info> Timelock<'_, 'info> {
    fn call(&self, data: &[u8; 4], accounts: Vec<AccountMeta>, infos: &[AccountInfo<'info>]) -> Result<()> {
        let instruction = Instruction { program_id: bpf_loader_upgradeable::ID, accounts, data: data.to_vec() };
        let signer: &[&[u8]] = &[seeds::TIMELOCK, self.exchange.as_ref(), &[self.bump]];
        Ok(invoke_signed(&instruction, infos, &[signer])?)
    }

    /// Takes the program's upgrade authority from whoever signs. Both sign: an authority cannot be given to an address
    /// that nobody can sign for.
    pub fn take_authority(&self, program_data: &AccountInfo<'info>, from: &AccountInfo<'info>) -> Result<()> {
        let accounts = vec![
            AccountMeta::new(program_data.key(), false),
            AccountMeta::new_readonly(from.key(), true),
            AccountMeta::new_readonly(self.account.key(), true),
        ];
        let infos = [program_data.clone(), from.clone(), self.account.clone()];
        self.call(&SET_AUTHORITY_CHECKED, accounts, &infos)
    }

    /// Puts the program in a buffer in the place of this one. The new one runs from the next slot on; until then this one
    /// cannot be called either, not even by itself: events come before.
    pub fn upgrade(&self, with: &UpgradeAccounts<'_, 'info>) -> Result<()> {
        let accounts = vec![
            AccountMeta::new(with.program_data.key(), false),
            AccountMeta::new(with.program.key(), false),
            AccountMeta::new(with.buffer.key(), false),
            AccountMeta::new(with.refund.key(), false),
            AccountMeta::new_readonly(with.rent.key(), false),
            AccountMeta::new_readonly(with.clock.key(), false),
            AccountMeta::new_readonly(self.account.key(), true),
        ];
        let infos = [with.program_data, with.program, with.buffer, with.refund, with.rent, with.clock, self.account];
        self.call(&UPGRADE, accounts, &infos.map(Clone::clone))
    }

    /// Closes a buffer; its lamports go to `refund`.
    pub fn close_buffer(&self, buffer: &AccountInfo<'info>, refund: &AccountInfo<'info>) -> Result<()> {
        let accounts = vec![
            AccountMeta::new(buffer.key(), false),
            AccountMeta::new(refund.key(), false),
            AccountMeta::new_readonly(self.account.key(), true),
        ];
        self.call(&CLOSE, accounts, &[buffer.clone(), refund.clone(), self.account.clone()])
    }
}

/// What the loader wants for an upgrade.
pub struct UpgradeAccounts<'a, 'info> {
    /// The program's data account.
    pub program_data: &'a AccountInfo<'info>,
    /// The program's account.
    pub program: &'a AccountInfo<'info>,
    /// The buffer.
    pub buffer: &'a AccountInfo<'info>,
    /// Who gets the buffer's lamports.
    pub refund: &'a AccountInfo<'info>,
    /// The rent sysvar.
    pub rent: &'a AccountInfo<'info>,
    /// The clock sysvar.
    pub clock: &'a AccountInfo<'info>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_programs_data_account_names_an_upgrade_authority() {
        let mut data = vec![3, 0, 0, 0, 9, 9, 9, 9, 9, 9, 9, 9, 1];
        data.extend([7; 32]);
        data.extend([0x7f; 100]);
        assert_eq!(upgrade_authority_in(&data), Some(Pubkey::new_from_array([7; 32])));
        // A final program keeps the bytes of its last authority.
        data[12] = 0;
        assert_eq!(upgrade_authority_in(&data), None);
        data[12] = 1;
        // A buffer has its authority elsewhere, and anybody can be that.
        data[0] = 1;
        assert_eq!(upgrade_authority_in(&data), None);
        for length in 0..45 {
            assert_eq!(upgrade_authority_in(&data[..length]), None);
        }
    }

    #[test]
    fn only_a_buffer_names_a_buffers_authority() {
        let mut data = vec![1, 0, 0, 0, 1];
        data.extend([7; 32]);
        data.extend([0x7f; 100]);
        assert_eq!(buffer_authority_in(&data), Some(Pubkey::new_from_array([7; 32])));
        for other in [0, 2, 3] {
            data[0] = other;
            assert_eq!(buffer_authority_in(&data), None);
        }
        data[0] = 1;
        data[4] = 0;
        assert_eq!(buffer_authority_in(&data), None);
        data[4] = 1;
        for length in 0..BUFFER_HEADER {
            assert_eq!(buffer_authority_in(&data[..length]), None);
        }
    }
}
