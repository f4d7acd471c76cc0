//! A proposal.

use ballast_engine::governance::{Batch, ProposalTerms};
use ballast_engine::layout::Key;

use crate::zero_copy_account;

zero_copy_account! {
    /// A queued change.
    pub struct Proposal = 520, discriminator [26, 94, 189, 187, 116, 136, 53, 33], {
        /// Layout version.
        pub version: u8,
        /// Bump of this address.
        pub bump: u8,
        /// Index of the market; 0 for what concerns the exchange.
        pub market_index: u16,
        /// For later versions.
        pub reserved_bytes: [u8; 4],
        /// Number of the proposal on its exchange.
        pub id: u64,
        /// The exchange.
        pub exchange: Key,
        /// The market; the default key for what concerns the exchange.
        pub market: Key,
        /// Who queued it.
        pub proposer: Key,
        /// Who paid its rent, and gets it back.
        pub payer: Key,
        /// For later versions.
        pub reserved: [u64; 1],
        /// What is changed, when, and its state.
        pub terms: ProposalTerms,
        /// The changes of a batch.
        pub batch: Batch,
    }
}
