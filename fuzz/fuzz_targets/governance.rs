//! Bytes are what governance, committee, guardian and thieves do with proposals, pauses and time. After every step the
//! stored sets are within bounds and envelope at the lowest maintenance margin in force (P8); what executed waited its
//! class's delay (P9), was not vetoed, was asked for by somebody still in power, and moved one parameter by one step.
#![no_main]

use ballast_engine::envelope::{check_exchange, check_market};
use ballast_engine::error::Error;
use ballast_engine::governance::{
    Context, ExitHolds, Holds, ParameterLog, ProposalTerms, Request, Roles, execute_exchange_parameter,
    execute_market_parameter, execute_role, kind, lowest_maintenance, queue_exchange_parameter, queue_market_parameter,
    queue_role, state,
};
use ballast_engine::guardian::Emergency;
use ballast_engine::layout::Key;
use ballast_engine::market::MarketState;
use ballast_engine::params::{EXCHANGE_ROWS, MARKET_ROWS, Row};
use ballast_engine::presets::{new_exchange, tuned};
use ballast_engine::tier::Tier;
use ballast_engine::{Base, Now, Quote};
use libfuzzer_sys::fuzz_target;

const KEYS: [Key; 5] = [Key([1; 32]), Key([2; 32]), Key([3; 32]), Key([4; 32]), Key([0; 32])];
const DAY: i64 = 86_400;

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }
    fn wide(&mut self) -> u64 {
        (0..8).fold(0, |sum, _| sum << 8 | u64::from(self.byte()))
    }
    /// A value near the old one, or any.
    fn value(&mut self, row: &Row, old: u64) -> u64 {
        let step = row.step.max((u128::from(old) * u128::from(row.step_share) / 1_000_000) as u64);
        let part = (u128::from(step) * u128::from(self.byte()) / 255) as u64;
        match self.byte() % 8 {
            0..=2 => old.saturating_add(part),
            3..=5 => old.saturating_sub(part),
            6 => [row.min, row.max][usize::from(self.byte() % 2)],
            _ => self.wide(),
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let mut bytes = Bytes(data);
    let mut now = Now { unix: 1_700_000_000, slot: 1_000_000, restart_slot: 0 };
    let tier = bytes.byte() % 3;
    let set = tuned(Tier::from_byte(tier).unwrap(), 1_000_000_000_000, Quote(1_000_000_000_000));
    let mut market = MarketState::new(0, tier, 9, 6, set, now.unix).unwrap();
    let (mut params, mut log) = (new_exchange(), ParameterLog::default());
    let mut roles = Roles::new(KEYS[0], KEYS[1], KEYS[2]).unwrap();
    let (mut emergency, mut exits) = (Emergency::default(), ExitHolds::default());
    let mut pending: Vec<(ProposalTerms, Roles)> = Vec::new();
    while !bytes.0.is_empty() {
        let kind = bytes.byte();
        let signer = KEYS[usize::from(bytes.byte()) % KEYS.len()];
        let context = Context { params: &params, roles: &roles, emergency: &emergency, exits: &exits };
        let request = |version: u32| Request { signer, version, last_slot: now.slot + 100, rationale: Key([9; 32]) };
        let before = (market, params, log, roles);
        match kind % 16 {
            0..=4 => {
                let id = u16::from(bytes.byte()) % MARKET_ROWS.len() as u16;
                let old = market.params.get(id).unwrap();
                let value = bytes.value(&MARKET_ROWS[usize::from(id)], old);
                let version = market.param_version[usize::from(id)] + u32::from(bytes.byte() == 255);
                match queue_market_parameter(&market, &context, &request(version), id, value, &now) {
                    Ok(terms) => pending.push((terms, roles)),
                    Err(fault) => refused(fault.error),
                }
            }
            5 => {
                let id = u16::from(bytes.byte()) % EXCHANGE_ROWS.len() as u16;
                let old = params.get(id).unwrap();
                let value = bytes.value(&EXCHANGE_ROWS[usize::from(id)], old);
                let version = log.version[usize::from(id)];
                match queue_exchange_parameter(&log, &context, &request(version), id, value, &now) {
                    Ok(terms) => pending.push((terms, roles)),
                    Err(fault) => refused(fault.error),
                }
            }
            6 => {
                let role = kind::GOVERNANCE + bytes.byte() % 3;
                let key = KEYS[usize::from(bytes.byte()) % KEYS.len()];
                let version = roles.version[usize::from(role - kind::GOVERNANCE)];
                match queue_role(role, key, &context, &request(version), &now) {
                    Ok(terms) => pending.push((terms, roles)),
                    Err(fault) => refused(fault.error),
                }
            }
            7..=10 => {
                let seconds = i64::from(bytes.byte()) * [1, 60, 3_600, 10_000][usize::from(bytes.byte() % 4)];
                now.unix += seconds;
                now.slot += seconds.unsigned_abs() * 5 / 2;
            }
            11 => {
                // Sizes stand as they may: what is not near balance binds the skew scale.
                let size = Base(bytes.wide() % 2_000_000_000);
                market.long.open_interest = size;
                market.short.open_interest = if bytes.byte() % 2 == 0 { size } else { Base(0) };
            }
            12 => {
                let _ = emergency.arm(i64::from(bytes.byte()) * 300, &now);
                // Exits that are held back stop the clocks, in this market or in another one.
                if bytes.byte() % 2 == 0 {
                    exits.hold(&now).unwrap();
                } else {
                    market.governed.exit_holds.hold(&now).unwrap();
                }
            }
            13 => {
                let _ = roles.dismiss_committee(&signer);
                let _ = roles.accept_governance(&signer);
            }
            14 if !pending.is_empty() => {
                let place = usize::from(bytes.byte()) % pending.len();
                if pending[place].0.veto(&signer).is_ok() {
                    assert_eq!(signer, pending[place].0.vetoer, "a veto by somebody else");
                    assert_ne!(pending[place].0.kind, kind::GUARDIAN, "the guardian vetoed its own replacement");
                }
            }
            _ if !pending.is_empty() => {
                let place = usize::from(bytes.byte()) % pending.len();
                let (mut terms, _) = pending[place];
                let was = terms.state;
                let done = match terms.kind {
                    kind::MARKET_PARAMETER => {
                        execute_market_parameter(&mut terms, &mut market, &context, &now).map(|_| ())
                    }
                    kind::EXCHANGE_PARAMETER => {
                        let (held, stopped, seats) = (emergency, exits, roles);
                        let holds = Holds { emergency: &held, exits: &stopped };
                        execute_exchange_parameter(&mut terms, &mut params, &mut log, &seats, &holds, &now).map(|_| ())
                    }
                    _ => execute_role(&mut terms, &mut roles, &emergency, &now).map(|_| ()),
                };
                match done {
                    Ok(()) => {
                        assert_eq!(was, state::PENDING, "executed what was closed");
                        let least = match terms.class {
                            1 => before.1.delay_tune.min(172_800),
                            2 => 259_200,
                            3 => 604_800,
                            _ => 8 * DAY as u64,
                        };
                        assert!(now.unix - terms.queued_at >= least as i64, "P9: too early");
                        assert_eq!(
                            before.3.epoch[usize::from(terms.proposer)],
                            terms.epoch,
                            "its proposer has no power"
                        );
                        if terms.kind == kind::MARKET_PARAMETER {
                            let id = usize::from(terms.parameter);
                            assert!(MARKET_ROWS[id].check_step(terms.old_value, terms.new_value).is_ok());
                            assert_eq!(before.0.params.get(terms.parameter).unwrap(), terms.old_value);
                            let moved = (0..MARKET_ROWS.len() as u16)
                                .filter(|id| before.0.params.get(*id).unwrap() != market.params.get(*id).unwrap());
                            assert!(moved.eq([terms.parameter]), "one parameter moves at a time");
                            assert!(now.unix - before.0.param_changed[id] >= DAY);
                        }
                    }
                    Err(fault) => {
                        refused(fault.error);
                        assert_eq!((market, params, log, roles), before, "a refusal changed something");
                    }
                }
                pending[place].0 = terms;
            }
            _ => {}
        }
        let lowest = lowest_maintenance(&market, now.unix);
        check_market(&market.params, Tier::from_byte(tier).unwrap(), lowest, 6).expect("P8: the stored set is unsafe");
        check_exchange(&params).expect("P8: the exchange's set is unsound");
        let seats = [roles.governance, roles.committee, roles.guardian];
        assert!(seats[0] != seats[1] && seats[1] != seats[2] && seats[0] != seats[2], "two roles, one key");
        assert!(seats[0] != Key::default() && seats[2] != Key::default(), "an empty seat");
    }
});

/// The refusals that proposals may give.
fn refused(error: Error) {
    use Error::*;
    let expected = [
        NotProposer,
        ParameterBounds,
        ParameterStep,
        ParameterUnchanged,
        ParameterCoolDown,
        EnvelopeBroken,
        CrossCheckBroken,
        SkewTooLarge,
        OpenInterestImpact,
        VersionMoved,
        OldValueMoved,
        ProposalNotReady,
        ProposalExpired,
        ProposalClosed,
        RoleKeyInvalid,
    ];
    assert!(expected.contains(&error), "an unexpected refusal: {}", error.name());
}
