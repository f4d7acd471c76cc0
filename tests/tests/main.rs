//! One binary for all tests on the SBPF files.
#![allow(missing_docs, reason = "tests are named after what they show")]

mod accounts;
mod every_instruction;
mod compute;
mod smoke;
