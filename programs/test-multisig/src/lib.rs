//! A multisig's vault in miniature: an address of a program holds a role of an exchange and signs by CPI what was approved
//! before. For tests alone; never deployed, and no multisig: it has one member.
//!
//! It has the two habits of real ones that matter to a timelock: what is approved may be executed by anyone at any later
//! time, and a change of members does not touch what was approved before.

#![allow(missing_docs, reason = "forced by Anchor's macros; everything written here is documented")]
#![allow(unexpected_cfgs, reason = "forced by Anchor's macros")]
#![allow(clippy::diverging_sub_expression, reason = "Anchor's entrypoint macro")]

use anchor_lang::prelude::*;
use anchor_lang::solana_program::instruction::Instruction;
use anchor_lang::solana_program::program::invoke_signed;
use ballast_wide as _;

declare_id!("HFFpXa5KbLSXjo1sVUhgbfA17r7uNm2cgphnqF2oCdtK");

/// `multisig, creator`.
pub const MULTISIG: &[u8] = b"multisig";
/// `vault, multisig`: the address that signs; holds nothing.
pub const VAULT: &[u8] = b"vault";
/// `approval, multisig, id (u64)`.
pub const APPROVAL: &[u8] = b"approval";

/// The program's entry points.
#[program]
pub mod test_multisig {
    use super::*;

    /// Anyone: makes a multisig with itself as the member.
    pub fn create(ctx: Context<Create>) -> Result<()> {
        ctx.accounts.multisig.member = ctx.accounts.creator.key();
        Ok(())
    }

    /// The member: gives its seat to another.
    pub fn change_member(ctx: Context<ChangeMember>, member: Pubkey) -> Result<()> {
        ctx.accounts.multisig.member = member;
        Ok(())
    }

    /// The member: approves an instruction by its hash ([`hash_of`]).
    pub fn approve(ctx: Context<Approve>, id: u64, hash: [u8; 32]) -> Result<()> {
        let _ = id; // a seed
        *ctx.accounts.approval = Approval { multisig: ctx.accounts.multisig.key(), hash, executed: false };
        Ok(())
    }

    /// Anyone: executes what was approved, the vault signing. Remaining accounts: the program, then its accounts.
    pub fn execute<'info>(ctx: Context<'info, Execute<'info>>, data: Vec<u8>) -> Result<()> {
        let accounts = ctx.accounts;
        let (vault, multisig) = (accounts.vault.key(), accounts.multisig.key());
        let (program, rest) = ctx.remaining_accounts.split_first().ok_or(ErrorCode::AccountNotEnoughKeys)?;
        let metas = rest
            .iter()
            .map(|info| AccountMeta {
                pubkey: info.key(),
                is_signer: info.is_signer || info.key() == vault,
                is_writable: info.is_writable,
            })
            .collect();
        let instruction = Instruction { program_id: program.key(), accounts: metas, data };
        let approved = accounts.approval.hash == hash_of(&instruction) && !accounts.approval.executed;
        require!(approved, ErrorCode::RequireViolated);
        accounts.approval.executed = true;
        let seeds: &[&[u8]] = &[VAULT, multisig.as_ref(), &[ctx.bumps.vault]];
        invoke_signed(&instruction, rest, &[seeds])?;
        Ok(())
    }
}

/// What is approved: an instruction's program, accounts by address, and data.
pub fn hash_of(instruction: &Instruction) -> [u8; 32] {
    let mut parts: Vec<&[u8]> = vec![instruction.program_id.as_ref()];
    parts.extend(instruction.accounts.iter().map(|meta| meta.pubkey.as_ref()));
    parts.push(&instruction.data);
    solana_sha256_hasher::hashv(&parts).to_bytes()
}

/// A multisig.
#[account]
#[derive(InitSpace)]
pub struct Multisig {
    /// Who may approve.
    pub member: Pubkey,
}

/// An approval, for ever.
#[account]
#[derive(InitSpace)]
pub struct Approval {
    /// Whose.
    pub multisig: Pubkey,
    /// Of which instruction.
    pub hash: [u8; 32],
    /// Whether it was executed.
    pub executed: bool,
}

/// Accounts of `create`.
#[derive(Accounts)]
pub struct Create<'info> {
    /// Pays the rent and is the first member.
    #[account(mut)]
    pub creator: Signer<'info>,
    /// The multisig.
    #[account(init, payer = creator, space = 8 + Multisig::INIT_SPACE, seeds = [MULTISIG, creator.key().as_ref()], bump)]
    pub multisig: Account<'info, Multisig>,
    /// The system program.
    pub system_program: Program<'info, System>,
}

/// Accounts of `change_member`.
#[derive(Accounts)]
pub struct ChangeMember<'info> {
    /// The member.
    pub member: Signer<'info>,
    /// The multisig.
    #[account(mut, has_one = member)]
    pub multisig: Account<'info, Multisig>,
}

/// Accounts of `approve`.
#[derive(Accounts)]
#[instruction(id: u64)]
pub struct Approve<'info> {
    /// The member; pays the rent.
    #[account(mut)]
    pub member: Signer<'info>,
    /// The multisig.
    #[account(has_one = member)]
    pub multisig: Account<'info, Multisig>,
    /// The approval.
    #[account(
        init, payer = member, space = 8 + Approval::INIT_SPACE,
        seeds = [APPROVAL, multisig.key().as_ref(), &id.to_le_bytes()], bump,
    )]
    pub approval: Account<'info, Approval>,
    /// The system program.
    pub system_program: Program<'info, System>,
}

/// Accounts of `execute`.
#[derive(Accounts)]
pub struct Execute<'info> {
    /// The multisig.
    pub multisig: Account<'info, Multisig>,
    /// The approval.
    #[account(mut, has_one = multisig)]
    pub approval: Account<'info, Approval>,
    /// CHECK: the vault, by its seeds.
    #[account(seeds = [VAULT, multisig.key().as_ref()], bump)]
    pub vault: UncheckedAccount<'info>,
}
