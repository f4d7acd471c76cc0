//! The engine's quotes for clients that are not in Rust: raw accounts in, numbers out, by a plain C interface over linear
//! memory. `scripts/build-wasm` compiles it to WebAssembly; `clients/ts/src/quotes.ts` is its caller.
//!
//! A call: write a request where `input` says, call one of the functions, read the answer where
//! `output` says. One caller at a time; nothing is kept between calls. What a request is stands in [`request`], what each
//! answer holds in [`quote`], [`covenant`] and [`pending`].
#![cfg_attr(target_arch = "wasm32", no_std)]

pub mod covenant;
pub mod pending;
pub mod quote;
pub mod request;

#[cfg(target_arch = "wasm32")]
pub mod exports;
