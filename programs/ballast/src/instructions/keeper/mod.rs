//! Instructions of this role.
#![allow(ambiguous_glob_reexports, reason = "each file has its own `handle`; callers name the file")]

pub mod advance_settlement;
pub mod close_settled;
pub mod close_tripped;
pub mod collect_pool_claim;
pub mod deleverage;
pub mod execute_loosening;
pub mod execute_order;
pub mod flag;
pub mod liquidate;
pub mod pay_insurance_claim;
pub mod pick_up_deleveraging;
pub mod register_insurance_claim;
pub mod resolve;
pub mod settle;
pub mod touch_covenant;
pub mod trigger_order;
pub mod trip_covenant;
pub mod unflag;
pub mod update_market;

pub use advance_settlement::*;
pub use close_settled::*;
pub use close_tripped::*;
pub use collect_pool_claim::*;
pub use deleverage::*;
pub use execute_loosening::*;
pub use execute_order::*;
pub use flag::*;
pub use liquidate::*;
pub use pay_insurance_claim::*;
pub use pick_up_deleveraging::*;
pub use register_insurance_claim::*;
pub use resolve::*;
pub use settle::*;
pub use touch_covenant::*;
pub use trigger_order::*;
pub use trip_covenant::*;
pub use unflag::*;
pub use update_market::*;
