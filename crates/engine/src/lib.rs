#![no_std]
//! All rules and maths of Ballast: pure, no_std, no Solana.
