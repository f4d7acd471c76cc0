//! What each substitution must meet, and the few that harm nobody.

use std::collections::BTreeSet;

use super::case::{Attack, Case};

/// (account, substitution, reasons): the first row that fits holds. `*` fits anything; a name that ends in `*` whatever
/// begins so.
const REFUSALS: &[(&str, &str, &[&str])] = &[
    // Who signs.
    // An exit's owner need not sign, but then it must wait.
    ("owner", "unsigned", &["AccountNotSigner", "ExitOwnerAlone"]),
    ("*", "unsigned", &["AccountNotSigner"]),
    ("owner", "a stranger", &["WrongOwner", "ConstraintSeeds"]),
    ("trader", "a stranger", &["WrongOwner"]),
    ("canceller", "a stranger", &["WrongOwner"]),
    ("rent_to", "a stranger", &["WrongOwner"]),
    ("payer", "a stranger", &["WrongOwner"]),
    ("governance", "a stranger", &["NotGovernance"]),
    ("guardian", "a stranger", &["NotGuardian"]),
    ("proposer", "a stranger", &["NotProposer"]),
    ("vetoer", "a stranger", &["NotVetoer"]),
    ("upgrade_authority", "a stranger", &["NotUpgradeAuthority"]),
    // An account that creates another cannot, if the runtime will not let it write.
    ("leg *", "read-only", &["AccountNotMutable", "LossNotCovered"]),
    ("*", "read-only", &["ConstraintMut", "PrivilegeEscalation"]),
    // What an account cannot fill is not shown without its markets: such an order is its owner's to cancel.
    ("leg *", "left out", &["WrongMarketCount", "LossNotCovered", "WrongOwner"]),
    ("legs", "one more", &["WrongMarketCount"]),
    ("legs", "one less", &["WrongMarketCount", "LossNotCovered", "WrongOwner"]),
    ("legs", "in another order", &["WrongMarket"]),
    ("legs", "the first one twice", &["WrongMarket", "DuplicateMarket"]),
    // Where all markets are passed, the exchange is among the accounts already.
    ("legs", "an exchange for one", &["AccountDiscriminatorMismatch", "DuplicateMarket"]),
    ("legs", "the first one everywhere, and a stranger's", &["AccountOwnedByWrongProgram"]),
    ("*", "left out", &["AccountNotEnoughKeys"]),
    // The covenant of a subaccount's owner is known by its address; where it is the instruction's own account, by its owner.
    ("covenant", "another address", &["WrongCovenant", "ConstraintSeeds"]),
    ("covenant", "a stranger's", &["WrongCovenant", "WrongOwner"]),
    ("covenant", "of another exchange", &["WrongCovenant"]),
    ("covenant", "a program", &["WrongCovenant", "ConstraintMut"]),
    ("covenant", "now nobody's", &["AccountOwnedByWrongProgram", "CovenantNotTripped"]),
    ("covenant", "of another kind", &["WrongCovenant", "AccountDiscriminatorMismatch"]),
    ("covenant", "a copy of another program's", &["WrongCovenant", "AccountOwnedByWrongProgram"]),
    ("covenant", "emptied", &["AccountDiscriminatorMismatch", "AccountDiscriminatorNotFound"]),
    ("covenant", "cut to its discriminator", &["AccountDiscriminatorMismatch", "AccountDidNotDeserialize"]),
    ("covenant", "a byte short", &["AccountDiscriminatorMismatch", "AccountDidNotDeserialize"]),
    ("covenant", "nobody", &["WrongCovenant", "AccountOwnedByWrongProgram", "ConstraintSeeds"]),
    // Where it is left out.
    ("covenant", "Token-2022", &["WrongCovenant"]),
    ("covenant", "another program", &["WrongCovenant"]),
    ("covenant", "the system program for it", &["WrongCovenant"]),
    ("covenant", "not executable", &["WrongCovenant"]),
    // Accounts of another exchange, market, owner.
    ("exchange", "of other roles", &["NotGovernance", "NotGuardian", "NotProposer"]),
    ("exchange", "of another exchange", &["WrongExchange", "WrongVault", "ConstraintSeeds"]),
    ("vault", "of another exchange", &["WrongVault"]),
    ("keeper", "of another exchange", &["KeeperAccountInvalid"]),
    ("flagger", "of another exchange", &["KeeperAccountInvalid"]),
    // The exchange of a flag is the flagged account's: then the flagger is the foreign one.
    (
        "subaccount",
        "of another exchange",
        &["WrongExchange", "ConstraintSeeds", "KeeperAccountInvalid", "WrongCovenant"],
    ),
    // A ticket and an order name their market by its address.
    ("market", "of another exchange", &["WrongExchange", "WrongMarket", "ConstraintSeeds"]),
    ("timelock", "*", &["ConstraintSeeds"]),
    ("root", "of another exchange", &["WrongExchange", "ConstraintSeeds"]),
    ("*", "of another exchange", &["WrongExchange"]),
    ("charter", "for another mint", &["WrongMint"]),
    ("charter", "for others' fees", &["WrongOwner"]),
    ("upgrade", "of another buffer", &["BufferInvalid"]),
    ("upgrade", "for another's refund", &["WrongOwner"]),
    ("buffer", "with *", &["UpgradeHash"]),
    ("buffer", "cut to its header", &["UpgradeHash", "UpgradeLength"]),
    ("buffer", "*", &["BufferInvalid", "ConstraintSeeds", "ConstraintMut"]),
    ("refund", "*", &["WrongOwner", "BufferInvalid", "ConstraintMut", "ConstraintClose"]),
    (
        "mixture",
        "*",
        &[
            "WrongExchange",
            "WrongVault",
            "WrongMarket",
            "WrongMint",
            "WrongOwner",
            "KeeperAccountInvalid",
            "ConstraintSeeds",
            "WrongCovenant",
        ],
    ),
    ("debtor", "another market", &["CoverTooEarly"]),
    (
        "market",
        "another market",
        &["CoverTooEarly", "WrongMarket", "PositionNotFound", "PriceMalformed", "ConstraintSeeds"],
    ),
    ("leg *", "another market", &["WrongMarket"]),
    ("subaccount", "the owner's other", &["WrongOwner", "ConstraintSeeds"]),
    ("subaccount", "a stranger's", &["WrongOwner", "ConstraintSeeds", "WrongCovenant"]),
    ("vault", "a stranger's", &["WrongVault"]),
    ("*", "a stranger's", &["WrongOwner"]),
    ("vault", "the exchange's", &["WrongVault"]),
    ("*", "the exchange's", &["WrongOwner"]),
    ("vault", "the same owner's other", &["WrongVault"]),
    ("fee_destination", "the same owner's other", &["WrongOwner"]),
    ("order", "of another payer", &["WrongOwner"]),
    ("order", "of another market", &["WrongMarket"]),
    ("ticket", "of another market", &["WrongMarket"]),
    ("proposal", "for another market", &["WrongMarket", "WrongExchange"]),
    ("leg *", "of another kind", &["AccountDiscriminatorMismatch", "DuplicateMarket"]),
    ("*", "of another kind", &["AccountDiscriminatorMismatch"]),
    // Broken accounts of Ballast's.
    ("leg *", "a byte short", &["AccountDiscriminatorMismatch"]),
    ("leg *", "emptied", &["AccountDiscriminatorMismatch"]),
    ("leg *", "cut to its discriminator", &["AccountDiscriminatorMismatch"]),
    ("*", "cut to its discriminator", &["AccountDidNotDeserialize"]),
    ("*", "another version", &["AccountVersion"]),
    ("*", "now nobody's", &["AccountOwnedByWrongProgram"]),
    ("oracle", "*", &["PriceMalformed"]),
    ("*", "another discriminator", &["AccountDiscriminatorMismatch"]),
    ("*", "zeroed", &["AccountDiscriminatorMismatch"]),
    // Accounts that are to be created: at their address alone, and once. 0 is the system program's "already in use".
    ("*", "another address", &["ConstraintSeeds"]),
    ("*", "already there", &["custom 0"]),
    ("*", "another program's", &["custom 0"]),
    // Token accounts and mints. The token program refuses what has the right address and the wrong content.
    ("*", "frozen", &["custom 17"]),
    ("*", "not initialised", &["UninitializedAccount"]),
    ("vault", "now another program's", &["ExternalAccountDataModified"]),
    ("lp_mint", "now another program's", &["ExternalAccountDataModified"]),
    ("lp_mint", "now Token-2022's", &["ExternalAccountDataModified"]),
    ("mint", "now Token-2022's", &["AccountOwnedByWrongProgram"]),
    ("*", "now another program's", &["AccountOwnedByWrongProgram"]),
    ("vault", "of another mint", &["WrongVault"]),
    ("fee_destination", "of another mint", &["WrongMint", "WrongOwner"]),
    ("destination", "of another mint", &["WrongMint", "WrongOwner"]),
    ("*", "of another mint", &["WrongMint"]),
    ("mint", "another m*", &["ConstraintSeeds"]),
    ("mint", "the collateral's", &["ConstraintSeeds"]),
    ("lp_mint", "another mint", &["WrongMint"]),
    ("lp_mint", "another market's", &["WrongMint"]),
    ("lp_mint", "the collateral's", &["WrongMint"]),
    ("vault", "a mint", &["WrongVault"]),
    ("vault", "a copy of *", &["WrongVault"]),
    ("fee_destination", "a mint", &["InvalidAccountData", "WrongOwner"]),
    ("fee_destination", "a copy of *", &["AccountOwnedByWrongProgram", "WrongOwner"]),
    // A program is never writable.
    ("owner_tokens", "*", &["WrongMint", "WrongOwner", "ConstraintMut"]),
    ("source", "*", &["WrongMint", "WrongOwner", "ConstraintMut"]),
    ("destination", "the same owner's other", &["DestinationNotAssociated", "WrongOwner"]),
    ("destination", "*", &["WrongMint", "WrongOwner", "ConstraintMut"]),
    ("mint", "a byte short", &["InvalidAccountData"]),
    ("mint", "emptied", &["InvalidAccountData"]),
    ("lp_mint", "a byte short", &["InvalidAccountData"]),
    ("lp_mint", "emptied", &["InvalidAccountData"]),
    ("vault", "a byte *", &["InvalidAccountData"]),
    ("vault", "emptied", &["InvalidAccountData"]),
    ("fee_destination", "a byte *", &["InvalidAccountData"]),
    ("new_destination", "a byte *", &["InvalidAccountData"]),
    ("new_destination", "emptied", &["InvalidAccountData"]),
    ("new_destination", "a mint", &["InvalidAccountData"]),
    ("new_destination", "a copy of *", &["AccountOwnedByWrongProgram"]),
    ("fee_destination", "emptied", &["InvalidAccountData"]),
    ("program_data", "a copy*", &["ConstraintSeeds"]),
    ("program_data", "another program's data", &["ConstraintSeeds"]),
    ("program_data", "nobody", &["ConstraintSeeds"]),
    ("program_data", "* again", &["ConstraintSeeds"]),
    ("program_data", "*", &["NotUpgradeAuthority", "NotTimelock"]),
    ("*", "a byte short", &["AccountDidNotDeserialize"]),
    ("*", "emptied", &["AccountDiscriminatorNotFound"]),
    ("*", "a copy of another program's", &["AccountOwnedByWrongProgram"]),
    // An optional market that is not there.
    // The one that is not there: the program stands for it.
    ("charter", "program again", &["WrongExchange", "ConstraintSeeds", "AccountOwnedByWrongProgram"]),
    ("charter", "Token-2022", &["AccountOwnedByWrongProgram"]),
    ("charter", "another program", &["AccountOwnedByWrongProgram"]),
    ("charter", "the system program for it", &["AccountOwnedByWrongProgram"]),
    ("charter", "not executable", &["AccountOwnedByWrongProgram"]),
    ("market", "Token-2022", &["AccountOwnedByWrongProgram"]),
    ("market", "another program", &["AccountOwnedByWrongProgram"]),
    ("market", "the system program for it", &["AccountOwnedByWrongProgram"]),
    ("market", "not executable", &["AccountOwnedByWrongProgram"]),
    // Programs. Without its own program among the accounts, an event cannot be emitted.
    ("token_program", "*", &["InvalidProgramId"]),
    ("system_program", "*", &["InvalidProgramId"]),
    ("program", "*", &["MissingAccount"]),
    ("program_account", "*", &["ConstraintAddress", "ConstraintMut"]),
    // Without the loader the program is read-only.
    ("loader", "*", &["ConstraintAddress", "ConstraintMut"]),
    ("rent", "*", &["ConstraintAddress"]),
    ("clock", "*", &["ConstraintAddress"]),
    ("event_authority", "*", &["ConstraintAddress"]),
    ("instructions", "*", &["ConstraintAddress"]),
    ("rent_to", "*", &["WrongOwner", "ConstraintClose", "ConstraintMut"]),
    ("owner", "a program", &["WrongOwner"]),
    ("owner", "nobody", &["WrongOwner"]),
    ("vault", "nobody", &["WrongVault", "ConstraintSeeds"]),
    ("lp_mint", "nobody", &["WrongMint", "ConstraintSeeds"]),
    ("fee_destination", "nobody", &["WrongOwner", "AccountNotInitialized"]),
    ("new_destination", "nobody", &["AccountNotInitialized"]),
    ("mint", "nobody", &["AccountNotInitialized"]),
    // An optional account that is not there.
    (
        "keeper",
        "*",
        &["AccountOwnedByWrongProgram", "AccountDiscriminatorMismatch", "ConstraintMut", "KeeperAccountInvalid"],
    ),
    ("*", "nobody", &["AccountOwnedByWrongProgram", "ConstraintSeeds"]),
    // One account of the instruction in another's place.
    ("from", "to again", &["ConstraintDuplicateMutableAccount"]),
    ("to", "from again", &["ConstraintDuplicateMutableAccount"]),
    ("debtor", "holder again", &["DuplicateMarket"]),
    ("holder", "debtor again", &["DuplicateMarket"]),
    ("vault", "* again", &["WrongVault", "ConstraintSeeds", "ConstraintMut"]),
    ("leg *", "a leg again", &["WrongMarket", "DuplicateMarket"]),
    (
        "leg *",
        "* again",
        &[
            "AccountOwnedByWrongProgram",
            "AccountDiscriminatorMismatch",
            "DuplicateMarket",
            "WrongMarket",
            "AccountNotMutable",
            "LossNotCovered",
        ],
    ),
    ("market", "a leg again", &["WrongMarket", "DuplicateMarket", "ConstraintMut", "MarketNotSettled"]),
    (
        "*",
        "* again",
        &[
            "AccountNotSigner",
            "AccountOwnedByWrongProgram",
            "AccountDiscriminatorMismatch",
            "AccountNotInitialized",
            "InvalidAccountData",
            "ConstraintSeeds",
            "ConstraintMut",
            "ConstraintClose",
            "ConstraintDuplicateMutableAccount",
            "WrongMint",
            "WrongOwner",
            "WrongVault",
            "WrongMarket",
            "NotGovernance",
            "NotProposer",
            "NotUpgradeAuthority",
            "KeeperAccountInvalid",
            "WrongCovenant",
        ],
    ),
];

const OWN_CHOICE: &str = "who signs chooses it among its own";
const ANYONE: &str = "anyone may, about any account of which the same is true";
const REWARD: &str = "who sends the transaction names who is rewarded";
const OTHERS: &str = "the instruction belongs to the other exchange as a whole, whose roles are the same in this test";
const UNBOUND: &str = "the market does not matter to the end of a proposal";
const ABSENT: &str = "the program's address says that the optional account is not there, which is allowed";
const PAYER: &str = "anyone may pay the rent";

/// (instruction, account, substitution, why it harms nobody). The instruction succeeds with these.
const HARMLESS: &[(&str, &str, &str, &str)] = &[
    (
        "*",
        "*",
        "eight bytes long",
        "cannot be made: only Ballast could grow its accounts, and the layout is read from the front",
    ),
    ("*", "payer", "a stranger", PAYER),
    ("*", "payer", "* again", PAYER),
    ("*", "executor", "a stranger", ANYONE),
    ("*", "caller", "a stranger", ANYONE),
    ("cancel_order (dead)", "canceller", "a stranger", ANYONE),
    ("cancel_order (unfillable)", "canceller", "a stranger", ANYONE),
    ("trigger_order", "order", "of another payer", "nothing is closed: whose the rent is does not matter"),
    ("*", "source", "the same owner's other", OWN_CHOICE),
    ("execute_lp_withdrawal (its owner*", "destination", "the same owner's other", OWN_CHOICE),
    ("*", "owner_tokens", "the same owner's other", OWN_CHOICE),
    ("initialize_exchange", "fee_destination", "a stranger's", "the upgrade authority chooses it"),
    ("initialize_exchange", "fee_destination", "the same owner's other", "the upgrade authority chooses it"),
    ("initialize_exchange", "fee_destination", "frozen", "the upgrade authority chooses it; fees wait until it thaws"),
    ("queue_market_parameter", "market", "another market", OWN_CHOICE),
    ("queue_oracle_feed", "market", "another market", OWN_CHOICE),
    ("queue_market_batch", "market", "another market", OWN_CHOICE),
    ("queue_wind_down", "market", "another market", OWN_CHOICE),
    ("queue_fee_destination", "new_destination", "a stranger's", OWN_CHOICE),
    ("queue_fee_destination", "new_destination", "the same owner's other", OWN_CHOICE),
    ("queue_fee_destination", "new_destination", "frozen", "governance chooses it; fees wait until it thaws"),
    ("protect_market", "market", "another market", OWN_CHOICE),
    ("top_up_market_insurance", "market", "another market", OWN_CHOICE),
    ("execute_new_exchange", "fee_destination", "frozen", "governance chose it; fees wait until it thaws"),
    ("queue_upgrade", "refund", "*", OWN_CHOICE),
    ("queue_upgrade", "buffer", "with *", "nobody has hashed it yet: with its last part its proposal ends"),
    ("verify_upgrade", "buffer", "with another byte", "its last part ends its proposal, as it should"),
    (
        "execute_upgrade",
        "buffer",
        "with another byte",
        "cannot be made: it was hashed in the timelock's hands, where the loader lets nobody write it",
    ),
    ("verify_upgrade", "upgrade", "for another's refund", "nothing is refunded here"),
    ("verify_upgrade", "verifier", "a stranger", ANYONE),
    (
        "close_upgrade",
        "buffer",
        "*",
        "what is not a buffer in the timelock's hands, as after an upgrade, is left alone",
    ),
    ("place_order", "market", "another market", OWN_CHOICE),
    ("collect_fees", "market", "another market", "each market's fees go to the same place"),
    ("collect_pool_claim", "holder", "another market", "it collects a claim of its own"),
    ("register_insurance_claim", "market", "another market", ANYONE),
    (
        "pay_insurance_claim",
        "market",
        "another market",
        "a copy of its claim is paid: one that its books do not know cannot be made",
    ),
    ("close_proposal", "proposal", "for another market", UNBOUND),
    ("close_proposal", "program", "*", "the program is there already, as the absent charter"),
    ("close_proposal (of another exchange)", "charter", "for *", "it is closed, whatever it says"),
    ("veto_proposal", "proposal", "for another market", UNBOUND),
    ("expire_proposal", "proposal", "for another market", UNBOUND),
    ("dismiss_committee", "exchange", "of another exchange", OTHERS),
    ("emergency_pause", "exchange", "of another exchange", OTHERS),
    ("accept_governance", "exchange", "of another exchange", OTHERS),
    ("update_market", "market", "of another exchange", "it takes the same price, from the same oracle"),
    (
        "update_market",
        "oracle",
        "an endless confidence",
        "what its oracle says; such a price is uncertain and serves for nothing",
    ),
    ("close_subaccount*", "subaccount", "the owner's other", OWN_CHOICE),
    ("*", "covenant", "now nobody's", "cannot be made: only Ballast empties it, when it closes a covenant"),
    ("set_delegate", "subaccount", "of another exchange", OWN_CHOICE),
    ("set_delegate", "subaccount", "the owner's other", OWN_CHOICE),
    ("tighten_covenant*", "covenant", "of another exchange", OWN_CHOICE),
    ("loosen_covenant*", "covenant", "of another exchange", OWN_CHOICE),
    ("close_covenant", "covenant", "of another exchange", OWN_CHOICE),
    ("touch_covenant*", "subaccount", "the owner's other", ANYONE),
    ("trip_covenant", "covenant", "*'s*", ANYONE),
    ("trip_covenant", "covenant", "of another exchange", ANYONE),
    ("execute_loosening", "covenant", "*'s*", ANYONE),
    ("execute_loosening", "covenant", "of another exchange", ANYONE),
    ("close_tripped", "subaccount", "the owner's other", ANYONE),
    ("reduce (by a delegate)", "subaccount", "a stranger's", "the copy names the same delegate: it has two principals"),
    ("place_order (by a delegate)", "market", "another market", OWN_CHOICE),
    ("deposit", "subaccount", "the owner's other", OWN_CHOICE),
    ("withdraw*", "subaccount", "the owner's other", OWN_CHOICE),
    ("reduce*", "subaccount", "the owner's other", OWN_CHOICE),
    ("reduce*", "market", "a leg again", "it reduces the owner's position there instead"),
    ("exit_silent", "subaccount", "the owner's other", OWN_CHOICE),
    ("transfer*", "from", "the owner's other", OWN_CHOICE),
    ("transfer*", "to", "the owner's other", OWN_CHOICE),
    ("settle", "subaccount", "*'s*", ANYONE),
    ("collect_claim", "subaccount", "*'s*", ANYONE),
    ("pick_up_deleveraging", "subaccount", "*'s*", ANYONE),
    ("advance_settlement", "market", "another market", ANYONE),
    ("advance_settlement", "market", "of another exchange", ANYONE),
    ("close_settled", "subaccount", "*'s*", ANYONE),
    ("deleverage", "market", "another market", ANYONE),
    ("deleverage", "market", "of another exchange", ANYONE),
    ("flag", "subaccount", "*'s*", ANYONE),
    ("unflag", "subaccount", "*'s*", ANYONE),
    ("liquidate", "subaccount", "*'s*", ANYONE),
    ("resolve", "subaccount", "*'s*", ANYONE),
    ("*", "keeper", "*'s*", REWARD),
    (
        "*",
        "flagger",
        "*'s*",
        "who flags names who shares in the fee; a liquidation pays the named one alone, else insurance",
    ),
    ("liquidate", "keeper", "flagger again", REWARD),
    ("liquidate", "flagger", "keeper again", "it is not the flagger: its share goes to insurance"),
    ("*", "keeper", "program again", ABSENT),
    ("liquidate", "flagger", "program again", ABSENT),
    ("execute_upgrade", "program", "*", "the program is there already, as what is upgraded"),
    ("veto_proposal", "program", "*", "the program is there already, as the absent market"),
    ("expire_proposal", "program", "*", "the program is there already, as the absent market"),
    ("cancel_order (by its owner)", "program", "*", "the program is there already, as the absent keeper"),
    ("cancel_order (dead)", "program", "*", "the program is there already, as the absent covenant"),
    ("cancel_order (dead)", "keeper", "covenant again", ABSENT),
    (
        "cancel_order (unfillable)",
        "covenant",
        "program again",
        "without it nothing is cleared away that only a covenant forbids",
    ),
];

/// Substitutions that look like `*'s*` and are refused nevertheless.
const NEVER: &[&str] =
    &["a copy of another program's", "now another program's", "now nobody's", "left out", "read-only"];

fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((front, rest)) => {
            let Some(tail) = text.strip_prefix(front) else { return false };
            let ends = |tail: &str| rest.is_empty() || (rest.contains('*') && tail.contains(rest.trim_matches('*')));
            ends(tail) || (!rest.is_empty() && !rest.contains('*') && tail.ends_with(rest))
        }
    }
}

/// Keeps which rows were needed: a row that nothing meets is out of date.
#[derive(Default)]
pub(super) struct Tables {
    refusals: BTreeSet<usize>,
    harmless: BTreeSet<usize>,
}

impl Tables {
    /// What is wrong with an attack's result, if anything: `None` as a result means that it went through.
    pub(super) fn judge(&mut self, case: &Case, attack: &Attack, result: Option<&str>) -> Option<String> {
        let (account, label) = (attack.account.as_str(), attack.label.as_str());
        let harmless = HARMLESS.iter().position(|(instruction, a, l, _)| {
            fits(instruction, &case.title())
                && fits(a, account)
                && (*l == label || fits(l, label) && !NEVER.contains(&label))
        });
        let Some(reason) = result else {
            return match harmless {
                Some(row) => {
                    self.harmless.insert(row);
                    None
                }
                None => Some("went through".to_owned()),
            };
        };
        let row = REFUSALS.iter().position(|(a, l, _)| fits(a, account) && fits(l, label));
        let Some(row) = row else { return Some(format!("{reason}, and no row says so")) };
        self.refusals.insert(row);
        (!REFUSALS[row].2.contains(&reason)).then(|| format!("{reason}, not one of {:?}", REFUSALS[row].2))
    }

    /// Rows that nothing met.
    pub(super) fn idle(&self) -> Vec<String> {
        let refusals = (0..REFUSALS.len()).filter(|r| !self.refusals.contains(r)).map(|r| format!("{:?}", REFUSALS[r]));
        let harmless = (0..HARMLESS.len()).filter(|r| !self.harmless.contains(r)).map(|r| format!("{:?}", HARMLESS[r]));
        refusals.chain(harmless).collect()
    }
}
