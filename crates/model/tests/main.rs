//! The engine against the reference model, on random histories.
#![allow(missing_docs, reason = "tests document themselves by name")]

mod bounds;
mod bridge;
mod fields;
mod histories;
#[path = "../../engine/tests/world/mod.rs"]
mod world;
