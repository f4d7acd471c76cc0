//! Appoints a subaccount's delegate, or dismisses it.

use anchor_lang::prelude::*;
use ballast_engine::units::Quote;

use crate::checks::key_of;
use crate::emit::emit;
use crate::error::OnChain;
use crate::events::DelegateSet;
use crate::legs::now;
use crate::state::Subaccount;

/// Arguments of `set_delegate`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug)]
pub struct SetDelegateArgs {
    /// The key; the default key for nobody.
    pub delegate: Pubkey,
    /// Its right ends then, Unix seconds: a year ahead at most.
    pub until: i64,
    /// Bits: 1 market orders and reductions, 2 other orders and cancelling, 4 collateral between the owner's subaccounts.
    pub permissions: u8,
    /// Order fees that it may put aside in a day (UTC), quote.
    pub fee_budget: u64,
}

/// Accounts of `set_delegate`.
#[event_cpi]
#[derive(Accounts)]
pub struct SetDelegate<'info> {
    /// The owner. No delegate may appoint another.
    pub owner: Signer<'info>,
    /// The subaccount.
    #[account(mut)]
    pub subaccount: AccountLoader<'info, Subaccount>,
}

impl SetDelegate<'_> {
    fn validate(&self) -> Result<()> {
        let Self {
            owner, // signs
            subaccount,
            event_authority: _,
            program: _,
        } = self;
        subaccount.load()?.check_owner(owner.key)
    }
}

/// See the module.
pub fn handle(ctx: Context<SetDelegate>, args: SetDelegateArgs) -> Result<()> {
    let accounts = &*ctx.accounts;
    accounts.validate()?;
    let now = now()?;
    let event = {
        let subaccount = &mut *accounts.subaccount.load_mut()?;
        let (owner, budget) = (subaccount.owner, Quote(args.fee_budget));
        let permissions = args.permissions.into();
        let key = key_of(&args.delegate);
        subaccount.delegate.appoint(key, &owner, args.until, permissions, budget, &now).on_chain()?;
        let delegate = &subaccount.delegate;
        DelegateSet {
            subaccount: accounts.subaccount.key(),
            delegate: args.delegate,
            until: delegate.until,
            permissions: args.permissions,
            fee_budget: delegate.fee_budget.0,
            account_sequence: subaccount.state.next_sequence().on_chain()?,
        }
    };
    emit(&accounts.event_authority, &event)
}
