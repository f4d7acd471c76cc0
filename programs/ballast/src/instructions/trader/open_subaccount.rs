//! Opens a subaccount.

use anchor_lang::prelude::*;

use crate::checks::{check_version, key_of};
use crate::emit::emit;
use crate::events::SubaccountOpened;
use crate::seeds;
use crate::state::{ACCOUNT_VERSION, Exchange, Subaccount};

/// Arguments of `open_subaccount`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug)]
pub struct OpenSubaccountArgs {
    /// The owner's number for it; free to choose.
    pub id: u16,
    /// Whether it holds one position only, apart from the owner's others.
    pub isolated: bool,
}

/// Accounts of `open_subaccount`.
#[event_cpi]
#[derive(Accounts)]
#[instruction(args: OpenSubaccountArgs)]
pub struct OpenSubaccount<'info> {
    /// The owner, who pays the rent.
    #[account(mut)]
    pub owner: Signer<'info>,
    /// The exchange.
    pub exchange: AccountLoader<'info, Exchange>,
    /// The new subaccount.
    #[account(
        init,
        payer = owner,
        space = Subaccount::SPACE,
        seeds = [seeds::SUBACCOUNT, exchange.key().as_ref(), owner.key().as_ref(), &args.id.to_le_bytes()],
        bump,
    )]
    pub subaccount: AccountLoader<'info, Subaccount>,
    /// The system program.
    pub system_program: Program<'info, System>,
}

impl OpenSubaccount<'_> {
    fn validate(&self) -> Result<()> {
        let Self {
            owner: _, // signs
            exchange,
            subaccount: _, // made just now at its address
            system_program: _,
            event_authority: _,
            program: _,
        } = self;
        check_version(exchange.load()?.version)
    }
}

/// See the module.
pub fn handle(ctx: Context<OpenSubaccount>, args: OpenSubaccountArgs) -> Result<()> {
    let accounts = &*ctx.accounts;
    accounts.validate()?;
    {
        let mut subaccount = accounts.subaccount.load_init()?;
        subaccount.version = ACCOUNT_VERSION;
        subaccount.bump = ctx.bumps.subaccount;
        subaccount.id = args.id;
        subaccount.exchange = key_of(&accounts.exchange.key());
        subaccount.owner = key_of(accounts.owner.key);
        let covenant = [seeds::COVENANT, subaccount.exchange.0.as_ref(), accounts.owner.key.as_ref()];
        subaccount.covenant = key_of(&Pubkey::find_program_address(&covenant, &crate::ID).0);
        subaccount.state.isolated = args.isolated.into();
    }
    emit(
        &accounts.event_authority,
        &SubaccountOpened {
            subaccount: accounts.subaccount.key(),
            owner: accounts.owner.key(),
            id: args.id,
            isolated: args.isolated,
        },
    )
}
