//! One instruction a file.

pub mod create_feed;
pub mod post;
pub mod post_raw;

// Anchor's `#[program]` looks for what `#[derive(Accounts)]` generates beside each accounts struct.
pub use create_feed::*;
pub use post::*;
pub use post_raw::*;
