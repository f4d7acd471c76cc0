//! What the tests share: a market that is ready to trade, a clock.

use ballast_engine::Now;

/// A clock at a round moment.
pub const NOW: Now = Now { unix: 1_700_000_000, slot: 1_000_000, restart_slot: 0 };
