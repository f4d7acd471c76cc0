//! Every program address.

use std::sync::LazyLock;

use anchor_lang::prelude::Pubkey;
use ballast::seeds;

/// The program.
pub const PROGRAM: Pubkey = ballast::ID;

fn find(seeds: &[&[u8]]) -> Pubkey {
    Pubkey::find_program_address(seeds, &PROGRAM).0
}

/// The exchange of a collateral mint.
pub fn exchange(mint: &Pubkey) -> Pubkey {
    find(&[seeds::EXCHANGE, mint.as_ref()])
}

/// Pyth's push oracle, which keeps an account of its own for each feed.
const PUSH_ORACLE: Pubkey = Pubkey::from_str_const("pythWSnswVUd12oZpeFP8e9CVaEqJg25g1Vtc2biRsT");

/// The account of a feed that its sponsors keep fresh (shard 0 of Pyth's push oracle). Others may hold the same feed.
pub fn sponsored_oracle(feed_id: &[u8; 32]) -> Pubkey {
    Pubkey::find_program_address(&[&0_u16.to_le_bytes(), feed_id], &PUSH_ORACLE).0
}

/// An exchange's vault.
pub fn vault(exchange: &Pubkey) -> Pubkey {
    find(&[seeds::VAULT, exchange.as_ref()])
}

/// The market of an index.
pub fn market(exchange: &Pubkey, index: u16) -> Pubkey {
    find(&[seeds::MARKET, exchange.as_ref(), &index.to_le_bytes()])
}

/// A market's liquidity mint.
pub fn lp_mint(market: &Pubkey) -> Pubkey {
    find(&[seeds::LP_MINT, market.as_ref()])
}

/// An owner's subaccount.
pub fn subaccount(exchange: &Pubkey, owner: &Pubkey, id: u16) -> Pubkey {
    find(&[seeds::SUBACCOUNT, exchange.as_ref(), owner.as_ref(), &id.to_le_bytes()])
}

/// An owner's covenant, or where it would be.
pub fn covenant(exchange: &Pubkey, owner: &Pubkey) -> Pubkey {
    find(&[seeds::COVENANT, exchange.as_ref(), owner.as_ref()])
}

/// A subaccount's order.
pub fn order(subaccount: &Pubkey, id: u64) -> Pubkey {
    find(&[seeds::ORDER, subaccount.as_ref(), &id.to_le_bytes()])
}

/// An owner's liquidity deposit in a market.
pub fn lp_deposit(market: &Pubkey, owner: &Pubkey) -> Pubkey {
    find(&[seeds::LP_DEPOSIT, market.as_ref(), owner.as_ref()])
}

/// An owner's liquidity exit from a market.
pub fn lp_withdrawal(market: &Pubkey, owner: &Pubkey) -> Pubkey {
    find(&[seeds::LP_WITHDRAWAL, market.as_ref(), owner.as_ref()])
}

/// A proposal by its number.
pub fn proposal(exchange: &Pubkey, id: u64) -> Pubkey {
    find(&[seeds::PROPOSAL, exchange.as_ref(), &id.to_le_bytes()])
}

/// An exchange's timelock address: holds the program's upgrade authority if the exchange decides on upgrades.
pub fn timelock(exchange: &Pubkey) -> Pubkey {
    find(&[seeds::TIMELOCK, exchange.as_ref()])
}

/// The upgrade that a buffer is proposed for.
pub fn upgrade(buffer: &Pubkey) -> Pubkey {
    find(&[seeds::UPGRADE, buffer.as_ref()])
}

/// The exchange that a proposal is to create.
pub fn charter(proposal: &Pubkey) -> Pubkey {
    find(&[seeds::CHARTER, proposal.as_ref()])
}

/// The signer of the program's events.
pub fn event_authority() -> Pubkey {
    static FOUND: LazyLock<Pubkey> = LazyLock::new(|| find(&[b"__event_authority"]));
    *FOUND
}

/// The instructions sysvar, which instructions of the roles read to refuse durable-nonce transactions.
pub const INSTRUCTIONS: Pubkey = Pubkey::from_str_const("Sysvar1nstructions1111111111111111111111111");

/// The program's data account under the upgradeable loader, which names the upgrade authority.
pub fn program_data() -> Pubkey {
    Pubkey::find_program_address(&[PROGRAM.as_ref()], &anchor_lang::solana_program::bpf_loader_upgradeable::ID).0
}

/// A publisher's local price feed.
pub fn price_feed(publisher: &Pubkey, feed_id: &[u8; 32]) -> Pubkey {
    Pubkey::find_program_address(&[price_feed::FEED_SEED, publisher.as_ref(), feed_id], &price_feed::ID).0
}

/// An owner's associated token account of a classic mint. The program accepts any other of the owner's too.
pub fn tokens(owner: &Pubkey, mint: &Pubkey) -> Pubkey {
    anchor_spl::associated_token::get_associated_token_address(owner, mint)
}
