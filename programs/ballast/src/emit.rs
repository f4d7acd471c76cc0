//! Emits events by self-CPI, byte for byte as Anchor's `emit_cpi!` does, for fewer compute units: one buffer, copied in
//! blocks.

use anchor_lang::prelude::*;
use anchor_lang::solana_program::instruction::Instruction;
use anchor_lang::solana_program::program::invoke_signed_unchecked;

/// Room for the largest event, so that the buffer never grows.
const ROOM: usize = 512;

/// Emits an event; `authority` is the account that `#[event_cpi]` adds.
pub fn emit<E: AnchorSerialize + Discriminator>(authority: &AccountInfo<'_>, event: &E) -> Result<()> {
    let mut data = Vec::with_capacity(ROOM);
    data.extend_from_slice(anchor_lang::event::EVENT_IX_TAG_LE);
    data.extend_from_slice(E::DISCRIMINATOR);
    event.serialize(&mut data)?;
    let instruction =
        Instruction { program_id: crate::ID, accounts: vec![AccountMeta::new_readonly(*authority.key, true)], data };
    let seeds: &[&[u8]] = &[b"__event_authority", &[crate::EVENT_AUTHORITY_AND_BUMP.1]];
    // Unchecked: it saves a search for borrows; the only account passed has no data.
    invoke_signed_unchecked(&instruction, core::slice::from_ref(authority), &[seeds])?;
    Ok(())
}
