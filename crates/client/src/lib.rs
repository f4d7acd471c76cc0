//! Addresses, instructions, account views, quotes and an RPC client for Ballast.
//!
//! `address` finds accounts, `instructions` builds what to send, `accounts`, `view` and `orders` read what is there, `events`
//! what happened, `errors` why not, `quotes` asks the engine beforehand, `health` judges everybody, `keeping` finds what a keeper
//! can do for pools that owe, `covenants` what owners' covenants leave them, `pending` what governance may change for them,
//! `audit` proves the books. All of these are pure: they build and decode. `rpc` (a feature, on by default) asks a node and
//! sends; `examples/` shows the usual flows.

pub mod accounts;
pub mod address;
pub mod audit;
pub mod covenants;
pub mod errors;
pub mod events;
pub mod health;
pub mod instructions;
pub mod keeping;
pub mod loader;
pub mod markets;
pub mod orders;
pub mod pending;
pub mod quotes;
#[cfg(feature = "rpc")]
pub mod rpc;
pub mod view;

pub use accounts::{Account, decode};
pub use audit::{Audit, audit};
pub use markets::Markets;
#[cfg(feature = "rpc")]
pub use rpc::Rpc;
