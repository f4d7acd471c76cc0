//! Instructions of keepers: anyone sends them, nobody signs. A keeper's reward goes to a subaccount that it names.

use anchor_lang::Discriminator;
use anchor_lang::prelude::{AccountMeta, Pubkey};
use anchor_lang::solana_program::instruction::Instruction;
use ballast::{accounts, instruction};

use super::build;
use crate::address;

/// Stores an oracle account's price in a market and accrues funding.
pub fn update_market(market: &Pubkey, oracle: &Pubkey) -> Instruction {
    let accounts = accounts::UpdateMarket {
        market: *market,
        oracle: *oracle,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::UpdateMarket {}, &[])
}

/// The oracle account that an instruction stores the price of; `None` for any but [`update_market`].
pub fn stored_oracle(any: &Instruction) -> Option<Pubkey> {
    let stores = any.program_id == address::PROGRAM && any.data.starts_with(instruction::UpdateMarket::DISCRIMINATOR);
    any.accounts.get(1).filter(|_| stores).map(|meta| meta.pubkey)
}

/// Fills an order; `rent_to` is who paid its rent, `covenant` the covenant address of the subaccount's owner. `legs`
/// are the account's other markets: all of them, writable where their profits must pay a loss; none will do for a
/// reduction in profit.
pub fn execute_order(
    market: &Pubkey,
    subaccount: &Pubkey,
    order: &Pubkey,
    rent_to: &Pubkey,
    keeper: Option<&Pubkey>,
    covenant: &Pubkey,
    legs: &[AccountMeta],
) -> Instruction {
    let accounts = accounts::ExecuteOrder {
        market: *market,
        subaccount: *subaccount,
        order: *order,
        rent_to: *rent_to,
        keeper: keeper.copied(),
        covenant: *covenant,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::ExecuteOrder {}, legs)
}

/// Refreshes what a covenant knows of one of its owner's subaccounts, and enrols it; `legs` are all its markets.
pub fn touch_covenant(covenant: &Pubkey, subaccount: &Pubkey, legs: &[AccountMeta]) -> Instruction {
    let accounts = accounts::TouchCovenant {
        covenant: *covenant,
        subaccount: *subaccount,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::TouchCovenant {}, legs)
}

/// Trips a covenant whose loss is found at its limit a second time: after a [`touch_covenant`] of every subaccount with
/// positions, in the same slot.
pub fn trip_covenant(covenant: &Pubkey) -> Instruction {
    let accounts = accounts::TripCovenant {
        covenant: *covenant,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::TripCovenant {}, &[])
}

/// Closes a position under a tripped covenant, for the fee; `legs` are the account's other markets, as for `reduce`.
pub fn close_tripped(
    market: &Pubkey,
    subaccount: &Pubkey,
    keeper: &Pubkey,
    covenant: &Pubkey,
    legs: &[AccountMeta],
) -> Instruction {
    let accounts = accounts::CloseTripped {
        market: *market,
        subaccount: *subaccount,
        keeper: *keeper,
        covenant: *covenant,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::CloseTripped {}, legs)
}

/// Puts the terms that a covenant's owner asked for in force when its delay is over.
pub fn execute_loosening(covenant: &Pubkey) -> Instruction {
    let accounts = accounts::ExecuteLoosening {
        covenant: *covenant,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::ExecuteLoosening {}, &[])
}

fn settle_accounts(market: &Pubkey, subaccount: &Pubkey) -> accounts::Settle {
    accounts::Settle {
        market: *market,
        subaccount: *subaccount,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    }
}

/// Settles a position, its claim and its holdback, for an account without other positions, or in profit.
pub fn settle(market: &Pubkey, subaccount: &Pubkey) -> Instruction {
    settle_with(market, subaccount, &[])
}

/// The same for an account that has other positions and pays a loss here: `legs` are its other markets.
pub fn settle_with(market: &Pubkey, subaccount: &Pubkey, legs: &[AccountMeta]) -> Instruction {
    build(settle_accounts(market, subaccount), instruction::Settle {}, legs)
}

/// Collects what has been paid on a subaccount's claim, at any price.
pub fn collect_claim(market: &Pubkey, subaccount: &Pubkey) -> Instruction {
    build(settle_accounts(market, subaccount), instruction::CollectClaim {}, &[])
}

/// Collects what `debtor`'s pool has paid on a claim that `holder`'s pool holds on it.
pub fn collect_pool_claim(debtor: &Pubkey, holder: &Pubkey) -> Instruction {
    let accounts = accounts::CollectPoolClaim {
        debtor: *debtor,
        holder: *holder,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::CollectPoolClaim {}, &[])
}

/// Flags an account below maintenance; `flagger` is the subaccount that shares in the fee, `legs` all its markets.
pub fn flag(subaccount: &Pubkey, flagger: &Pubkey, legs: &[AccountMeta]) -> Instruction {
    let accounts = accounts::Flag {
        subaccount: *subaccount,
        flagger: *flagger,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::Flag {}, legs)
}

/// Liquidates what pacing allows in `market`, which must be that of the largest requirement with a good price; `legs`
/// are the account's other markets, writable where their profits must pay the loss.
pub fn liquidate(
    market: &Pubkey,
    subaccount: &Pubkey,
    keeper: &Pubkey,
    flagger: Option<&Pubkey>,
    legs: &[AccountMeta],
) -> Instruction {
    let accounts = accounts::Liquidate {
        market: *market,
        subaccount: *subaccount,
        keeper: *keeper,
        flagger: flagger.copied(),
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::Liquidate {}, legs)
}

/// Clears the flag of an account that is healthy again; `legs` are all its markets.
pub fn unflag(subaccount: &Pubkey, legs: &[AccountMeta]) -> Instruction {
    let accounts = accounts::Unflag {
        subaccount: *subaccount,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::Unflag {}, legs)
}

/// Resolves a flagged account below zero; `legs` are all its markets, writable.
pub fn resolve(subaccount: &Pubkey, legs: &[AccountMeta]) -> Instruction {
    let accounts = accounts::Resolve {
        subaccount: *subaccount,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::Resolve {}, legs)
}

/// Registers a market's claims on the shared insurance, on the day after they arose.
pub fn register_insurance_claim(exchange: &Pubkey, market: &Pubkey) -> Instruction {
    let accounts = accounts::RegisterInsuranceClaim {
        exchange: *exchange,
        market: *market,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::RegisterInsuranceClaim {}, &[])
}

/// Pays a market what the shared insurance has released on its claims.
pub fn pay_insurance_claim(exchange: &Pubkey, market: &Pubkey) -> Instruction {
    let accounts = accounts::PayInsuranceClaim {
        exchange: *exchange,
        market: *market,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::PayInsuranceClaim {}, &[])
}

/// Deleverages the winning side of a market whose claims have stayed unpaid for long.
pub fn deleverage(market: &Pubkey) -> Instruction {
    let accounts = accounts::Deleverage {
        market: *market,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::Deleverage {}, &[])
}

/// Records that an order's stop was met, or how far its trail has moved it.
pub fn trigger_order(market: &Pubkey, subaccount: &Pubkey, order: &Pubkey) -> Instruction {
    let accounts = accounts::TriggerOrder {
        market: *market,
        subaccount: *subaccount,
        order: *order,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::TriggerOrder {}, &[])
}

/// Lets a subaccount's position pick up its market's deleveraging.
pub fn pick_up_deleveraging(market: &Pubkey, subaccount: &Pubkey) -> Instruction {
    let accounts = accounts::PickUpDeleveraging {
        market: *market,
        subaccount: *subaccount,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::PickUpDeleveraging {}, &[])
}

/// Begins a market's settlement, calls it off or fixes its price, whichever is due.
pub fn advance_settlement(market: &Pubkey) -> Instruction {
    let accounts = accounts::AdvanceSettlement {
        market: *market,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::AdvanceSettlement {}, &[])
}

/// Closes what a subaccount has in a settled market; `legs` are its other markets, writable where their profits must pay.
pub fn close_settled(market: &Pubkey, subaccount: &Pubkey, legs: &[AccountMeta]) -> Instruction {
    let accounts = accounts::CloseSettled {
        market: *market,
        subaccount: *subaccount,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::CloseSettled {}, legs)
}
