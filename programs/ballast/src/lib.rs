//! Perpetual futures on Solana with the timelock, bounds and solvency proof in the program.

// 128-bit arithmetic, where the compiler has none of its own.
use ballast_wide as _;
