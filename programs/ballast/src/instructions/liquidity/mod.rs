//! Instructions of this role.
#![allow(ambiguous_glob_reexports, reason = "each file has its own `handle`; callers name the file")]

pub mod collect_fees;
pub mod execute_lp_deposit;
pub mod execute_lp_withdrawal;
pub mod lapse_lp_deposit;
pub mod lapse_lp_withdrawal;
pub mod request_lp_deposit;
pub mod request_lp_withdrawal;
pub mod top_up_market_insurance;
pub mod top_up_shared_insurance;

pub use collect_fees::*;
pub use execute_lp_deposit::*;
pub use execute_lp_withdrawal::*;
pub use lapse_lp_deposit::*;
pub use lapse_lp_withdrawal::*;
pub use request_lp_deposit::*;
pub use request_lp_withdrawal::*;
pub use top_up_market_insurance::*;
pub use top_up_shared_insurance::*;
