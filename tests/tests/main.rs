//! One binary for all tests on the SBPF files.
#![allow(missing_docs, reason = "tests are named after what they show")]

mod accounts;
mod compute;
mod docs;
mod errors;
mod every_instruction;
mod promises;
mod quotes;
mod random;
mod registry;
mod smoke;
mod view;
