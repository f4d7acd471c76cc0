//! Instructions of traders. `owner_tokens` is any token account of the owner's.

use anchor_lang::prelude::{AccountMeta, Pubkey, system_program};
use anchor_lang::solana_program::instruction::Instruction;
use ballast::instructions::trader::{OpenSubaccountArgs, PlaceOrderArgs, ReduceArgs, SetCovenantArgs, SetDelegateArgs};
use ballast::{accounts, instruction};

use super::build;
use crate::address;

/// Opens the owner's subaccount `id`. Signed by the owner, who pays its rent.
pub fn open_subaccount(exchange: &Pubkey, owner: &Pubkey, id: u16, isolated: bool) -> Instruction {
    let accounts = accounts::OpenSubaccount {
        owner: *owner,
        exchange: *exchange,
        subaccount: address::subaccount(exchange, owner, id),
        system_program: system_program::ID,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::OpenSubaccount { args: OpenSubaccountArgs { id, isolated } }, &[])
}

/// Closes an empty subaccount. Signed by the owner, who gets its rent.
pub fn close_subaccount(exchange: &Pubkey, owner: &Pubkey, subaccount: &Pubkey) -> Instruction {
    let accounts = accounts::CloseSubaccount {
        owner: *owner,
        subaccount: *subaccount,
        covenant: address::covenant(exchange, owner),
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::CloseSubaccount {}, &[])
}

/// Puts collateral in. Signed by the owner.
pub fn deposit(
    exchange: &Pubkey,
    owner: &Pubkey,
    subaccount: &Pubkey,
    owner_tokens: &Pubkey,
    amount: u64,
) -> Instruction {
    let accounts = accounts::Deposit {
        owner: *owner,
        exchange: *exchange,
        subaccount: *subaccount,
        owner_tokens: *owner_tokens,
        vault: address::vault(exchange),
        token_program: anchor_spl::token::ID,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::Deposit { amount }, &[])
}

/// Takes collateral out; `legs` are all the subaccount's markets. Signed by the owner.
pub fn withdraw(
    exchange: &Pubkey,
    owner: &Pubkey,
    subaccount: &Pubkey,
    owner_tokens: &Pubkey,
    amount: u64,
    legs: &[AccountMeta],
) -> Instruction {
    let accounts = accounts::Withdraw {
        owner: *owner,
        exchange: *exchange,
        subaccount: *subaccount,
        owner_tokens: *owner_tokens,
        vault: address::vault(exchange),
        token_program: anchor_spl::token::ID,
        covenant: address::covenant(exchange, owner),
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::Withdraw { amount }, legs)
}

/// Moves collateral between two subaccounts of one owner, whose covenant address is `covenant`; `legs` are all markets
/// of the first. Signed by the owner, or by a delegate of both for collateral.
pub fn transfer(
    trader: &Pubkey,
    from: &Pubkey,
    to: &Pubkey,
    covenant: &Pubkey,
    amount: u64,
    legs: &[AccountMeta],
) -> Instruction {
    let accounts = accounts::Transfer {
        trader: *trader,
        from: *from,
        to: *to,
        covenant: *covenant,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::Transfer { amount }, legs)
}

/// Places an order with the number `id`, which must be the subaccount's next. Signed by the owner or a delegate who may
/// trade: whoever signs pays its rent.
pub fn place_order(
    trader: &Pubkey,
    market: &Pubkey,
    subaccount: &Pubkey,
    id: u64,
    args: PlaceOrderArgs,
) -> Instruction {
    let accounts = accounts::PlaceOrder {
        trader: *trader,
        market: *market,
        subaccount: *subaccount,
        order: address::order(subaccount, id),
        system_program: system_program::ID,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::PlaceOrder { args }, &[])
}

/// Cancels an order; `rent_to` is who paid its rent, `keeper` gets a dead order's fee. Signed by the owner or a
/// delegate for orders, or by anyone where the order can never fill again.
pub fn cancel_order(
    canceller: &Pubkey,
    market: &Pubkey,
    subaccount: &Pubkey,
    order: &Pubkey,
    rent_to: &Pubkey,
    keeper: Option<&Pubkey>,
) -> Instruction {
    cancel_unfillable(canceller, market, subaccount, order, rent_to, keeper, None, &[])
}

/// The same for an order whose price is there and whose account lacks what it needs, or whose owner's covenant, to be
/// passed then, forbids it; `legs` are all other markets of the account, to read. Signed by anyone.
#[expect(clippy::too_many_arguments, reason = "one for each account of the instruction")]
pub fn cancel_unfillable(
    canceller: &Pubkey,
    market: &Pubkey,
    subaccount: &Pubkey,
    order: &Pubkey,
    rent_to: &Pubkey,
    keeper: Option<&Pubkey>,
    covenant: Option<&Pubkey>,
    legs: &[AccountMeta],
) -> Instruction {
    let accounts = accounts::CancelOrder {
        canceller: *canceller,
        market: *market,
        subaccount: *subaccount,
        order: *order,
        rent_to: *rent_to,
        keeper: keeper.copied(),
        covenant: covenant.copied(),
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::CancelOrder {}, legs)
}

/// Reduces a position at once by `size`; `limit` is the worst average price accepted, 0 for none. `legs` are all
/// other markets of the account (writable where their profits must pay the loss); none will do in profit. Signed by the
/// owner or a delegate who may trade.
pub fn reduce(
    trader: &Pubkey,
    market: &Pubkey,
    subaccount: &Pubkey,
    size: u64,
    limit: u64,
    legs: &[AccountMeta],
) -> Instruction {
    let accounts = accounts::Reduce {
        trader: *trader,
        market: *market,
        subaccount: *subaccount,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::Reduce { args: ReduceArgs { size, limit } }, legs)
}

/// Closes a position in a market whose oracle is silent, at the penalised price; `legs` are the account's other markets.
/// Signed by the owner.
pub fn exit_silent(owner: &Pubkey, market: &Pubkey, subaccount: &Pubkey, legs: &[AccountMeta]) -> Instruction {
    let accounts = accounts::ExitSilent {
        owner: *owner,
        market: *market,
        subaccount: *subaccount,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::ExitSilent {}, legs)
}

/// Appoints a subaccount's delegate in the place of whoever there was, or nobody. Signed by the owner.
pub fn set_delegate(owner: &Pubkey, subaccount: &Pubkey, args: SetDelegateArgs) -> Instruction {
    let accounts = accounts::SetDelegate {
        owner: *owner,
        subaccount: *subaccount,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::SetDelegate { args }, &[])
}

/// Binds an owner to limits over all its subaccounts on an exchange. Signed by the owner, who pays the rent.
pub fn create_covenant(exchange: &Pubkey, owner: &Pubkey, args: SetCovenantArgs) -> Instruction {
    let accounts = accounts::CreateCovenant {
        owner: *owner,
        exchange: *exchange,
        covenant: address::covenant(exchange, owner),
        system_program: system_program::ID,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::CreateCovenant { args }, &[])
}

fn change_covenant(exchange: &Pubkey, owner: &Pubkey) -> accounts::ChangeCovenant {
    accounts::ChangeCovenant {
        owner: *owner,
        covenant: address::covenant(exchange, owner),
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    }
}

/// Tightens a covenant, at once; it takes back what was asked for before. Signed by the owner.
pub fn tighten_covenant(exchange: &Pubkey, owner: &Pubkey, args: SetCovenantArgs) -> Instruction {
    build(change_covenant(exchange, owner), instruction::TightenCovenant { args }, &[])
}

/// Asks for looser terms, which anyone may put in force after the covenant's delay. Signed by the owner.
pub fn loosen_covenant(exchange: &Pubkey, owner: &Pubkey, args: SetCovenantArgs) -> Instruction {
    build(change_covenant(exchange, owner), instruction::LoosenCovenant { args }, &[])
}

/// Closes a covenant that limits nothing any more. Signed by the owner, who gets the rent.
pub fn close_covenant(exchange: &Pubkey, owner: &Pubkey) -> Instruction {
    let accounts = accounts::CloseCovenant {
        owner: *owner,
        covenant: address::covenant(exchange, owner),
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::CloseCovenant {}, &[])
}
