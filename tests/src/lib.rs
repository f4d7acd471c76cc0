//! The harness: the SBPF files under LiteSVM, a clock that tests move, an oracle that they post, and a record of compute
//! units. `world` is the chain, `setup` an exchange that is ready to trade, `actors` who acts on it.

pub mod actors;
pub mod setup;
pub mod world;

pub use actors::Trader;
pub use setup::{Setup, Terms};
pub use world::{Refused, Sent, World};
