//! For each instruction a world in which it succeeds.

mod governance;
mod keeper;
mod liquidity;
mod trader;

use super::case::Case;

/// All of them.
pub(super) fn all() -> Vec<Case> {
    [governance::cases(), trader::cases(), liquidity::cases(), keeper::cases()].concat()
}
