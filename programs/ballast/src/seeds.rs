//! Seeds of all program addresses.

/// `exchange, mint`.
pub const EXCHANGE: &[u8] = b"exchange";
/// `vault, exchange`.
pub const VAULT: &[u8] = b"vault";
/// `market, exchange, index (u16)`.
pub const MARKET: &[u8] = b"market";
/// `lp, market`.
pub const LP_MINT: &[u8] = b"lp";
/// `subaccount, exchange, owner, id (u16)`.
pub const SUBACCOUNT: &[u8] = b"subaccount";
/// `order, subaccount, order id (u64)`.
pub const ORDER: &[u8] = b"order";
/// `lp_deposit, market, owner`.
pub const LP_DEPOSIT: &[u8] = b"lp_deposit";
/// `lp_withdrawal, market, owner`.
pub const LP_WITHDRAWAL: &[u8] = b"lp_withdrawal";
/// `timelock, exchange`: holds the program's upgrade authority.
pub const TIMELOCK: &[u8] = b"timelock";
/// `covenant, exchange, owner`.
pub const COVENANT: &[u8] = b"covenant";
/// `charter, proposal`.
pub const CHARTER: &[u8] = b"charter";
/// `upgrade, buffer`.
pub const UPGRADE: &[u8] = b"upgrade";
/// `proposal, exchange, id (u64)`.
pub const PROPOSAL: &[u8] = b"proposal";
