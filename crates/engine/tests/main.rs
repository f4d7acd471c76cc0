//! The engine's property, attack and worked-example tests, one binary.
#![allow(missing_docs, reason = "tests document themselves by name")]

mod support;
