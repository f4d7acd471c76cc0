//! Perpetual futures on Solana with the timelock, bounds and solvency proof in the program.
