//! The rules of docs/DESIGN.md (sections 4 to 9) once more, in exact rational arithmetic.
//!
//! It is written from that text and shares no code with the engine: no division here rounds, sums over positions are
//! sums over positions, claims are paid to each holder in proportion and not through an index, a deleveraging closes its share
//! of each position at once. `tests/` runs both on the
//! same random histories; what differs must be a rounding that the test names, with its bound and its direction.
//!
//! Where a decision (is equity below maintenance?) hangs on less than what the engine's roundings can move, the model
//! says so in [`Exchange::close_call`], and the test lets the two disagree there.

pub mod episode;
pub mod funding;
pub mod insurance;
pub mod liquidation;
pub mod liquidity;
pub mod margin;
pub mod number;
pub mod pool;
pub mod price;
pub mod resolve;
pub mod settle;
pub mod settlement;
pub mod state;
pub mod trade;

pub use number::Q;
pub use state::{Account, Episode, Exchange, Flag, Market, Observation, Position, Rules, Settlement, Side};

/// A refusal, by the name of its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct No(pub &'static str);

/// What the model's rules return.
pub type R<T> = Result<T, No>;

/// `Ok` if the condition holds.
///
/// # Errors
/// The reason otherwise.
pub fn must(condition: bool, reason: &'static str) -> R<()> {
    if condition { Ok(()) } else { Err(No(reason)) }
}
