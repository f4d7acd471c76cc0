//! What becomes of actions, and how 'somebody else did it' is told from a fault.

use ballast_client::events::Event;
use ballast_client::instructions::stored_oracle;
use ballast_client::rpc::Refusal;
use ballast_engine::Error;
use solana_pubkey::Pubkey;

use crate::jobs::Action;

/// Anchor's codes for an account that is not there any more, or is nobody's.
const GONE: [u32; 4] = [3_001, 3_003, 3_007, 3_012];

/// Instructions in front of an action's own, which set the compute budget.
const IN_FRONT: u8 = 2;
/// Reasons to refuse a price that lie in the oracle's account.
const UNFIT: [Error; 2] = [Error::PriceMalformed, Error::PriceScaleTooCoarse];

/// What became of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It went through.
    Done,
    /// Somebody else did it, or the moment had passed.
    Raced(String),
    /// The oracle's account that it stores a price from is not what it was: closed, or filled with something else. That says
    /// nothing about the action's subject.
    Oracle(Pubkey),
    /// The chain refused it for a reason that was not foreseen: a fault of the keeper's, or of its picture of the chain.
    Refused(String),
    /// It never landed: nodes did not answer, or it was not taken into a block in time.
    Lost(String),
    /// It would have cost more than it earns.
    Unprofitable,
    /// A dry run: it would have gone through.
    Dry,
}

impl Outcome {
    /// In a word.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Raced(_) | Self::Oracle(_) => "raced",
            Self::Refused(_) => "refused",
            Self::Lost(_) => "lost",
            Self::Unprofitable => "unprofitable",
            Self::Dry => "dry",
        }
    }
}

/// An action with what became of it.
#[derive(Clone, Debug)]
pub struct Done {
    /// The action.
    pub action: Action,
    /// What became of it.
    pub outcome: Outcome,
    /// The slot it landed in, or 0.
    pub slot: u64,
    /// What it earned, in the collateral's smallest unit.
    pub reward: u64,
    /// What it cost, lamports.
    pub fee: u64,
    /// Ballast's events.
    pub events: Vec<Event>,
}

/// Tells 'somebody else did it' from a fault.
pub(super) fn classify(action: &Action, refusal: &Refusal) -> Outcome {
    let place = refusal.instruction.and_then(|place| place.checked_sub(IN_FRONT));
    if refusal.reason.is_some_and(|reason| UNFIT.contains(&reason))
        && let Some(instruction) = place.and_then(|place| action.instructions.get(usize::from(place)))
        && let Some(oracle) = stored_oracle(instruction)
    {
        return Outcome::Oracle(oracle);
    }
    match (refusal.reason, refusal.code) {
        (Some(reason), _) if action.race.contains(&reason) => Outcome::Raced(reason.name().to_owned()),
        (None, Some(code)) if action.may_vanish && GONE.contains(&code) => {
            Outcome::Raced("an account of it is closed".to_owned())
        }
        _ => Outcome::Refused(refusal.to_string()),
    }
}

pub(super) fn ended(action: &Action, outcome: Outcome) -> Done {
    Done { action: action.clone(), outcome, slot: 0, reward: 0, fee: 0, events: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(race: &'static [Error], may_vanish: bool) -> Action {
        Action {
            job: "liquidate",
            subject: Pubkey::default(),
            version: 0,
            instructions: Vec::new(),
            race,
            may_vanish,
            reward: 1,
            own_flag: false,
            need: crate::fees::Need::Safety,
            rank: 0,
        }
    }

    #[test]
    fn an_oracles_refusal_is_told_from_the_actions_own() {
        use ballast_client::instructions::{unflag, update_market};
        let key = |n| Pubkey::new_from_array([n; 32]);
        let mut action = action(&[], true);
        action.instructions =
            vec![update_market(&key(1), &key(2)), update_market(&key(3), &key(4)), unflag(&key(5), &[])];
        let at = |place, reason| Refusal { instruction: Some(place), reason: Some(reason), ..Refusal::default() };
        assert_eq!(classify(&action, &at(2, Error::PriceMalformed)), Outcome::Oracle(key(2)));
        assert_eq!(classify(&action, &at(3, Error::PriceScaleTooCoarse)), Outcome::Oracle(key(4)));
        assert_eq!(classify(&action, &at(4, Error::PriceMalformed)).word(), "refused", "not where a price is stored");
        assert_eq!(classify(&action, &at(3, Error::InvariantBroken)).word(), "refused", "not for the price");
        assert_eq!(classify(&action, &at(9, Error::PriceMalformed)).word(), "refused");
        assert_eq!(classify(&action, &at(0, Error::PriceMalformed)).word(), "refused");
    }

    #[test]
    fn somebody_else_is_told_from_a_fault() {
        let refusal = |reason, code| Refusal { reason, code, ..Refusal::default() };
        let of = |action: &Action, refusal: &Refusal| classify(action, refusal).word();
        let liquidate = action(&[Error::NotFlagged], true);
        assert_eq!(of(&liquidate, &refusal(Some(Error::NotFlagged), Some(6_039))), "raced");
        assert_eq!(of(&liquidate, &refusal(Some(Error::InvariantBroken), Some(6_001))), "refused");
        assert_eq!(of(&liquidate, &refusal(None, Some(3_012))), "raced", "the order was closed");
        assert_eq!(of(&liquidate, &refusal(None, Some(1))), "refused", "another program's code");
        assert_eq!(of(&action(&[], false), &refusal(None, Some(3_012))), "refused");
        assert_eq!(of(&liquidate, &refusal(None, None)), "refused");
    }
}
