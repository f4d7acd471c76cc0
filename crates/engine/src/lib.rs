//! All rules and maths of Ballast: prices, fills, the pool, funding, margin, liquidation, parameters and timelock.
//!
//! Pure and `no_std`; it knows nothing of Solana. The program, the clients, the command line and the tests all call
//! it, so that a figure computed off chain is the one on chain by construction. `docs/DESIGN.md` is the contract;
//! section numbers in the comments here are its sections.
//!
//! | rule | file |
//! | --- | --- |
//! | prices: what counts as one, averages, confirmation | [`price`] |
//! | an order, and the price that it fills at | [`order`]; the fill itself, curve and limits: [`trade`] |
//! | funding and the holding fee | [`funding`] |
//! | margin, by purpose | [`margin`]; the envelope that parameters keep: [`envelope`] |
//! | liquidation | [`liquidation`]; an account below zero: [`resolve`] |
//! | a position's result in cash or as a claim | [`settle`]; a whole market's end: [`settlement`] |
//! | limits that an owner keeps, keys that may act for it | [`covenant`], [`delegate`] |
//! | claims that last | [`deleverage`]; the shared fund: [`insurance`] |
//! | the pool's books | [`pool`]; who comes in and goes out: [`liquidity`] |
//! | what may leave the vault | [`limiter`]; an owner's own money: [`principal`] |
//! | parameters and proposals | [`params`], [`governance`]; protection at once: [`guardian`] |
//! | what clients ask before they send | [`quotes`]: sizes, fills, a stop's loss |
//! | sets to start from, by tier | [`presets`], [`tier`]; what never changes: [`constants`] |
//! | the state itself | [`account`], [`market`]; its bytes: [`mod@layout`] |
//!
//! Integers only. Every operation is checked and returns a [`Result`]; every division names its rounding.
#![no_std]
#![deny(missing_docs, unsafe_code)]
#![deny(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap
)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_possible_wrap
    )
)]

#[cfg(test)]
extern crate std;

pub mod account;
pub mod closing;
pub mod constants;
pub mod covenant;
pub mod delegate;
pub mod deleverage;
pub mod envelope;
pub mod error;
pub mod funding;
pub mod governance;
pub mod guardian;
pub mod insurance;
pub mod layout;
pub mod limiter;
pub mod liquidation;
pub mod liquidity;
pub mod margin;
pub mod market;
pub mod math;
pub mod order;
pub mod params;
pub mod pool;
pub mod presets;
pub mod price;
pub mod principal;
pub mod quotes;
pub mod resolve;
pub mod settle;
pub mod settlement;
pub mod tier;
pub mod trade;
pub mod units;

pub use error::{Error, Fault, Result};
pub use units::{Base, FundingIndex, FundingRate, Price, Quote, Ratio, Rounding, SignedBase, SignedQuote};

/// The chain's clock as the rules see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Unix time, seconds.
    pub unix: i64,
    /// Current slot.
    pub slot: u64,
    /// Slot of the cluster's last restart; what was stored at or before it is void (section 4).
    pub restart_slot: u64,
}
