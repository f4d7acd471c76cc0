//! Instructions of this role.
#![allow(ambiguous_glob_reexports, reason = "each file has its own `handle`; callers name the file")]

pub mod cancel_order;
pub mod change_covenant;
pub mod close_covenant;
pub mod close_subaccount;
pub mod create_covenant;
pub mod deposit;
pub mod exit_silent;
pub mod open_subaccount;
pub mod place_order;
pub mod reduce;
pub mod set_delegate;
pub mod transfer;
pub mod withdraw;

pub use cancel_order::*;
pub use change_covenant::*;
pub use close_covenant::*;
pub use close_subaccount::*;
pub use create_covenant::*;
pub use deposit::*;
pub use exit_silent::*;
pub use open_subaccount::*;
pub use place_order::*;
pub use reduce::*;
pub use set_delegate::*;
pub use transfer::*;
pub use withdraw::*;
