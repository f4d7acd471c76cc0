//! Addresses, instructions, account views and quotes for Ballast. Pure: it builds and decodes, it does not send.
//!
//! `address` finds accounts, `instructions` builds what to send, `accounts` and `view` read what is there, `events` what
//! happened, `errors` why not, `quotes` asks the engine beforehand, `audit` proves the books, `keeping`
//! finds what a keeper can do for pools that owe.

pub mod accounts;
pub mod address;
pub mod audit;
pub mod errors;
pub mod events;
pub mod instructions;
pub mod keeping;
pub mod loader;
pub mod markets;
pub mod quotes;
pub mod view;

pub use accounts::{Account, decode};
pub use audit::{Audit, audit};
pub use markets::Markets;
