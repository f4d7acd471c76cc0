//! Address lookup tables: a message names an account of a table by one byte instead of 32.
//!
//! They help where one transaction touches many markets: a cross account's eight, each with its oracle in front. The
//! addresses that all of an exchange's transactions share are [`shared`].

use anchor_lang::prelude::{AccountMeta, Pubkey};
use solana_instruction::Instruction;
use solana_message::AddressLookupTableAccount;
use solana_sdk_ids::{address_lookup_table, system_program};

use super::{Fault, Result, Rpc};
use crate::address;

/// Bytes of a table before its addresses.
const META: usize = 56;
/// Addresses that one extension can carry in a transaction.
pub const EXTENSION: usize = 20;

/// Creates a table; its address. `recent_slot` must be a slot of the last few minutes that had a block. Signed by the
/// authority and the payer.
pub fn create(authority: &Pubkey, payer: &Pubkey, recent_slot: u64) -> (Instruction, Pubkey) {
    let seeds: [&[u8]; 2] = [authority.as_ref(), &recent_slot.to_le_bytes()];
    let (table, bump) = Pubkey::find_program_address(&seeds, &address_lookup_table::ID);
    let mut data = 0_u32.to_le_bytes().to_vec();
    data.extend_from_slice(&recent_slot.to_le_bytes());
    data.push(bump);
    let accounts = vec![
        AccountMeta::new(table, false),
        AccountMeta::new_readonly(*authority, true),
        AccountMeta::new(*payer, true),
        AccountMeta::new_readonly(system_program::ID, false),
    ];
    (Instruction { program_id: address_lookup_table::ID, accounts, data }, table)
}

/// Adds addresses to a table, at most [`EXTENSION`]. They can be used from the next slot on. Signed by the authority and
/// the payer.
pub fn extend(table: &Pubkey, authority: &Pubkey, payer: &Pubkey, addresses: &[Pubkey]) -> Instruction {
    let mut data = 2_u32.to_le_bytes().to_vec();
    data.extend_from_slice(&(addresses.len() as u64).to_le_bytes());
    for address in addresses {
        data.extend_from_slice(address.as_ref());
    }
    let accounts = vec![
        AccountMeta::new(*table, false),
        AccountMeta::new_readonly(*authority, true),
        AccountMeta::new(*payer, true),
        AccountMeta::new_readonly(system_program::ID, false),
    ];
    Instruction { program_id: address_lookup_table::ID, accounts, data }
}

/// The addresses in a table's bytes; `None` for what is no table.
pub fn decode(data: &[u8]) -> Option<Vec<Pubkey>> {
    let (meta, rest) = data.split_at_checked(META)?;
    // Kind 1: a table that was initialised.
    if meta.get(..4)? != 1_u32.to_le_bytes() || !rest.len().is_multiple_of(32) {
        return None;
    }
    Some(rest.chunks_exact(32).filter_map(|key| Pubkey::try_from(key).ok()).collect())
}

/// What transactions on an exchange have in common: the exchange, the program's event authority, its markets and their
/// oracles' accounts. (The program itself is called, and called programs cannot be in a table; but every instruction also
/// names it as an account, which costs nothing more.)
pub fn shared(exchange: &Pubkey, markets: u16, oracles: &[Pubkey]) -> Vec<Pubkey> {
    let mut all = vec![*exchange, address::event_authority()];
    all.extend((0..markets).map(|index| address::market(exchange, index)));
    all.extend_from_slice(oracles);
    all
}

impl Rpc {
    /// A table as it is.
    ///
    /// # Errors
    /// [`Fault::Missing`], [`Fault::Invalid`] for what is no table, [`Fault`].
    pub async fn table(&self, key: &Pubkey) -> Result<AddressLookupTableAccount> {
        let account = self.account(key).await?.ok_or_else(|| Fault::Missing(key.to_string()))?;
        let addresses = if account.owner == address_lookup_table::ID { decode(&account.data) } else { None };
        let addresses = addresses.ok_or_else(|| Fault::Invalid(format!("{key} is no address lookup table")))?;
        Ok(AddressLookupTableAccount { key: *key, addresses })
    }
}
