//! The harness: the SBPF files under LiteSVM, a clock that tests move, an oracle that they post, and a record of compute
//! units. README.md beside this folder shows how to use it.
//!
//! `world` is the chain; `setup` an exchange that is ready to trade; `prices`, `actors`, `trading`, `keeping` and
//! `governing` what is done to it.

pub mod actors;
pub mod bank;
pub mod binding;
pub mod governing;
pub mod keeping;
pub mod prices;
pub mod setup;
pub mod trading;
pub mod upgrading;
pub mod world;

pub use actors::{Provider, Trader};
pub use prices::{Posted, usd};
pub use setup::{MarketTerms, Setup, Terms};
pub use trading::Ask;
pub use world::{Expect, Outcome, Refused, Sent, World};

/// So many whole units of the collateral, in its smallest unit.
pub const fn units(whole: u64) -> u64 {
    whole * 1_000_000
}
