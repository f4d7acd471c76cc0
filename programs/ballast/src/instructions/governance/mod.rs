//! Instructions of this role.
#![allow(ambiguous_glob_reexports, reason = "each file has its own `handle`; callers name the file")]

pub mod accept_governance;
pub mod close_proposal;
pub mod close_upgrade;
pub mod create_market;
pub mod dismiss_committee;
pub(crate) mod durable_nonce;
pub mod execute_exchange_proposal;
pub mod execute_insurance_withdrawal;
pub mod execute_market_proposal;
pub mod execute_new_exchange;
pub mod execute_upgrade;
pub mod expire_proposal;
pub mod initialize_exchange;
mod proposals;
pub mod queue_exchange_proposal;
pub mod queue_fee_destination;
pub mod queue_market_parameter;
pub mod queue_new_exchange;
pub mod queue_oracle_feed;
pub mod queue_upgrade;
pub mod take_upgrade_authority;
pub mod verify_upgrade;
pub mod veto_proposal;

pub use accept_governance::*;
pub use close_proposal::*;
pub use close_upgrade::*;
pub use create_market::*;
pub use dismiss_committee::*;
pub use execute_exchange_proposal::*;
pub use execute_insurance_withdrawal::*;
pub use execute_market_proposal::*;
pub use execute_new_exchange::*;
pub use execute_upgrade::*;
pub use expire_proposal::*;
pub use initialize_exchange::*;
pub use queue_exchange_proposal::*;
pub use queue_fee_destination::*;
pub use queue_market_parameter::*;
pub use queue_new_exchange::*;
pub use queue_oracle_feed::*;
pub use queue_upgrade::*;
pub use take_upgrade_authority::*;
pub use verify_upgrade::*;
pub use veto_proposal::*;
