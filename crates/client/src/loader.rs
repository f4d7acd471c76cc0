//! The upgradeable loader's side of an upgrade: a buffer is created, written, and given to the timelock.

use anchor_lang::prelude::{AccountMeta, Pubkey, system_program};
use anchor_lang::solana_program::bpf_loader_upgradeable::{self, ID};
use anchor_lang::solana_program::instruction::Instruction;
use anchor_lang::solana_program::system_instruction;
use ballast::loader::sha256;
pub use ballast::loader::{BUFFER_HEADER, PROGRAM_DATA_HEADER, buffer_authority_in, upgrade_authority_in};

use ballast_engine::governance;

use crate::address;

/// Bytes of code in one transaction.
const CHUNK: usize = 900;

/// What an upgrade to a program's file is committed by ([`governance::digest`]): a chain of SHA-256 over parts of the file, for no
/// transaction can hash all of it.
pub fn digest(code: &[u8]) -> [u8; 32] {
    governance::digest(code, sha256).0
}

/// Bytes of a buffer for code.
pub const fn buffer_space(code: &[u8]) -> usize {
    BUFFER_HEADER + code.len()
}

/// Creates a buffer that `authority`, who pays, writes. Signed by both.
pub fn create_buffer(authority: &Pubkey, buffer: &Pubkey, lamports: u64, code: &[u8]) -> Vec<Instruction> {
    let space = u64::try_from(buffer_space(code)).unwrap_or(u64::MAX);
    let create = system_instruction::create_account(authority, buffer, lamports, space, &ID);
    let accounts = vec![AccountMeta::new(*buffer, false), AccountMeta::new_readonly(*authority, false)];
    let initialize = Instruction { program_id: ID, accounts, data: 0_u32.to_le_bytes().to_vec() };
    vec![create, initialize]
}

/// Writes code into a buffer, a transaction each, in any order. Signed by `authority`.
pub fn writes(authority: &Pubkey, buffer: &Pubkey, code: &[u8]) -> Vec<Instruction> {
    let chunks = (0_u32..).step_by(CHUNK).zip(code.chunks(CHUNK));
    chunks.map(|(offset, bytes)| bpf_loader_upgradeable::write(buffer, authority, offset, bytes.to_vec())).collect()
}

/// Gives a buffer to the timelock: from then on nobody can write it. Signed by `authority`.
pub fn give_buffer(authority: &Pubkey, buffer: &Pubkey, timelock: &Pubkey) -> Instruction {
    bpf_loader_upgradeable::set_buffer_authority(buffer, authority, timelock)
}

/// Makes room for a longer program; anybody may who pays the rent. Signed by `payer`.
pub fn extend(payer: &Pubkey, bytes: u32) -> Instruction {
    let accounts = vec![
        AccountMeta::new(address::program_data(), false),
        AccountMeta::new(address::PROGRAM, false),
        AccountMeta::new_readonly(system_program::ID, false),
        AccountMeta::new(*payer, true),
    ];
    Instruction { program_id: ID, accounts, data: [6_u32.to_le_bytes(), bytes.to_le_bytes()].concat() }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_digest_of_a_file_is_what_anybody_else_computes() {
        // By a script of fifteen lines in another language; the TypeScript client has the same one.
        let code: Vec<u8> = (0..2_200_000_u32).map(|at| u8::try_from(at * 7 % 251).expect("a byte")).collect();
        let digest: String = super::digest(&code).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, "729e2ee396b7203d6ab7368a196063cdf2506eeafdb7633bbc68cd374b257c6a");
    }
}
