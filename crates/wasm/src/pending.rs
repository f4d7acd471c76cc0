//! When a pending proposal may be executed, and when it is dead.
//!
//! The request: a header; the exchange's emergency pause; the exits held back, of the market that the proposal is about or of
//! the exchange; the proposal's terms. Each as the engine lays it out.

use ballast_engine::governance::{ExitHolds, Holds, ProposalTerms};
use ballast_engine::guardian::Emergency;
use bytemuck::AnyBitPattern;

use crate::quote::{Answer, code, fill, word};
use crate::request::{self, HEADER, Header, Unreadable};

/// Words behind the header.
pub const WORDS: usize = (size_of::<Emergency>() + size_of::<ExitHolds>() + size_of::<ProposalTerms>()) / 8;

#[derive(Clone, Copy, AnyBitPattern)]
#[repr(C)]
struct Asked {
    emergency: Emergency,
    exits: ExitHolds,
    terms: ProposalTerms,
}
const _: () = assert!(size_of::<Asked>() == WORDS * 8);

/// From when on it may be executed and from when on it is dead, both as things stand: Unix seconds, signed.
pub fn times(words: &[u64], out: &mut Answer) -> i32 {
    let Some((header, rest)) = words.split_first_chunk::<HEADER>() else { return Unreadable::Header as i32 };
    let Some((asked, _)) = rest.split_first_chunk::<WORDS>() else { return Unreadable::Header as i32 };
    code(answer(header, &bytemuck::cast::<_, Asked>(*asked), out))
}

fn answer(header: &Header, asked: &Asked, out: &mut Answer) -> ballast_engine::Result<()> {
    let now = request::now(header);
    let holds = Holds { emergency: &asked.emergency, exits: &asked.exits };
    let (ready, dead) = (asked.terms.ready_at(&holds, &now)?, asked.terms.dead_at(holds.emergency, &now)?);
    fill(out, &[word(ready), word(dead)]);
    Ok(())
}
