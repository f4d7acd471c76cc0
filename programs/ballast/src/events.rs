//! Events, emitted by self-CPI (`emit_cpi!`) for everything that moves value or state.
//!
//! `market_sequence` and `account_sequence` count the events of a market and of a subaccount: a gap shows a reader that
//! it missed one; 0 where the event has none. Amounts are in the collateral's smallest unit, prices and sizes as in the
//! accounts (docs/DESIGN.md section 3).

use anchor_lang::prelude::*;

/// Calls a macro with the list of all events; clients make their own enum from it.
#[macro_export]
macro_rules! for_each_event {
    ($callback:path) => {
        $callback! {
            /// An exchange was created.
            ExchangeCreated { exchange: Pubkey = "Exchange.", mint: Pubkey = "Collateral.", governance: Pubkey = "Governance key.", guardian: Pubkey = "Guardian key.", committee: Pubkey = "Committee key." }
            /// A market was created.
            MarketCreated { market: Pubkey = "Market.", index: u16 = "Its index.", tier: u8 = "Its tier.", feed_id: [u8; 32] = "Its oracle feed." }
            /// A subaccount was opened.
            SubaccountOpened { subaccount: Pubkey = "Subaccount.", owner: Pubkey = "Owner.", id: u16 = "Owner's number.", isolated: bool = "Whether it is isolated." }
            /// A subaccount was closed.
            SubaccountClosed { subaccount: Pubkey = "Subaccount.", account_sequence: u64 = "Sequence." }
            /// Collateral came in.
            Deposited { subaccount: Pubkey = "Subaccount.", amount: u64 = "Amount.", collateral: u64 = "Collateral after.", account_sequence: u64 = "Sequence." }
            /// Collateral went out.
            Withdrawn { subaccount: Pubkey = "Subaccount.", amount: u64 = "Amount.", limited: u64 = "Part subject to the outflow limiter.", collateral: u64 = "Collateral after.", account_sequence: u64 = "Sequence." }
            /// Collateral moved between subaccounts of one owner.
            Transferred { from: Pubkey = "From.", to: Pubkey = "To.", amount: u64 = "Amount.", from_sequence: u64 = "Sequence of the first.", to_sequence: u64 = "Sequence of the second." }
            /// A price was stored, and funding accrued up to it: one event, as each costs a CPI.
            PriceUpdated { market: Pubkey = "Market.", price: u64 = "Price.", conf: u64 = "Confidence.", publish_time: i64 = "Publish time.", ema5: u64 = "5-minute average.", ema60: u64 = "60-minute average.", status: u8 = "State: 0 silent, 1 stale, 2 uncertain, 3 jumped, 4 ageing, 5 good.", seconds: i64 = "Seconds of funding charged; 0 if none.", rate: i64 = "Funding rate per hour after, exponent -12.", long_index: i128 = "Long funding index.", short_index: i128 = "Short funding index.", longs_owe: i64 = "What longs came to owe.", shorts_owe: i64 = "What shorts came to owe.", market_sequence: u64 = "Sequence." }
            /// Funding accrued in another instruction than `update_market`.
            FundingAccrued { market: Pubkey = "Market.", seconds: i64 = "Seconds charged.", rate: i64 = "Rate per hour after, exponent -12.", long_index: i128 = "Long index.", short_index: i128 = "Short index.", longs_owe: i64 = "What longs came to owe.", shorts_owe: i64 = "What shorts came to owe.", market_sequence: u64 = "Sequence." }
            /// An order was placed.
            OrderPlaced { order: Pubkey = "Order.", subaccount: Pubkey = "Subaccount.", market: Pubkey = "Market.", kind: u8 = "0 market, 1 limit, 2 stop entry, 3 exit.", size: i64 = "Signed size.", reduce_only: bool = "Whether it may only reduce.", limit: u64 = "Worst price; 0 none.", trigger: u64 = "A stop entry's price.", stop: u64 = "Stop of an exit, or of an entry's exits; 0 none.", target: u64 = "Target, likewise.", trail: u64 = "Distance at which the stop follows; 0 none.", placed_at: i64 = "Placement.", expires_at: i64 = "May not fill after; 0 never.", fee: u64 = "Fees put aside.", account_sequence: u64 = "Sequence." }
            /// An exit's stop was met, or its trail has moved it.
            OrderTriggered { order: Pubkey = "Order.", subaccount: Pubkey = "Subaccount.", market: Pubkey = "Market.", triggered_at: i64 = "Publish time of the price that met it; 0 if only the trail moved.", stop: u64 = "The stop as it is now.", account_sequence: u64 = "Sequence." }
            /// A bracket's entry was filled; the order is its exits now.
            BracketActivated { order: Pubkey = "Order.", subaccount: Pubkey = "Subaccount.", market: Pubkey = "Market.", size: i64 = "Signed size of the exits.", stop: u64 = "Stop; 0 none.", target: u64 = "Target; 0 none.", trail: u64 = "Distance at which the stop follows; 0 none.", placed_at: i64 = "Prices published after this count.", account_sequence: u64 = "Sequence." }
            /// An order was cancelled.
            OrderCancelled { order: Pubkey = "Order.", subaccount: Pubkey = "Subaccount.", reason: u32 = "0 by its owner, else the error code of why it can never fill or what its account lacked.", fee_to_keeper: u64 = "Fee paid to the caller.", account_sequence: u64 = "Sequence." }
            /// A fill.
            Traded { market: Pubkey = "Market.", subaccount: Pubkey = "Subaccount.", order: Pubkey = "Order; default for an immediate reduction.", size: i64 = "Signed size.", mark: u64 = "Mark before the premium.", price: u64 = "Average price.", premium: i64 = "Premium paid (positive) or received.", fee: u64 = "Trading fee.", pnl: i64 = "Result of the closed part.", funding: i64 = "Funding received (positive) or paid.", claimed: u64 = "Profit that became a claim.", position: i64 = "Signed size after.", market_sequence: u64 = "Sequence.", account_sequence: u64 = "Sequence." }
            /// A position was settled without changing its size.
            PositionSettled { market: Pubkey = "Market.", subaccount: Pubkey = "Subaccount.", pnl: i64 = "PnL moved.", funding: i64 = "Funding moved.", claimed: u64 = "Became a claim.", collected: u64 = "Collected on a claim.", returned: u64 = "Holdback returned.", forfeited: u64 = "Holdback taken by the pool.", market_sequence: u64 = "Sequence.", account_sequence: u64 = "Sequence." }
            /// Cash moved between pools on a claim of one on the other.
            PoolClaimCollected { debtor: Pubkey = "Market that paid.", holder: Pubkey = "Market that received.", amount: u64 = "Amount.", market_sequence: u64 = "Sequence of the payer." }
            /// An account was flagged.
            Flagged { subaccount: Pubkey = "Subaccount.", flagger: Pubkey = "Subaccount that shares the fee.", equity: i64 = "Equity at the maintenance price.", maintenance: u64 = "Maintenance.", need: u64 = "Notional to close.", publish_time: i64 = "Newest publish time.", account_sequence: u64 = "Sequence." }
            /// A flag was cleared.
            Unflagged { subaccount: Pubkey = "Subaccount.", equity: i64 = "Equity.", maintenance: u64 = "Maintenance.", account_sequence: u64 = "Sequence." }
            /// A liquidation's receipt: with it the decision can be run again with the engine.
            Liquidated { market: Pubkey = "Market.", subaccount: Pubkey = "Subaccount.", keeper: Pubkey = "Keeper's subaccount.", size: i64 = "Signed size closed, as the fill traded.", price: u64 = "Oracle price.", conf: u64 = "Confidence.", publish_time: i64 = "Publish time.", fill_price: u64 = "Average price of the fill.", premium: i64 = "Premium.", pnl: i64 = "Result.", funding: i64 = "Funding.", notional: u64 = "Notional closed.", need: u64 = "Need in force.", closed: u64 = "Closed since the flag.", urgent: bool = "Whether pacing fell away.", equity_before: i64 = "Equity before.", maintenance_before: u64 = "Maintenance before.", keeper_fee: u64 = "Keeper's fee, the flagger's share included.", flagger_fee: u64 = "The flagger's share.", from_insurance: u64 = "What insurance added to it.", insurance_fee: u64 = "Insurance fee.", maintenance_ratio: u64 = "Maintenance margin in force, millionths.", parameter_version: u32 = "Version of that parameter.", position: i64 = "Signed size after.", market_sequence: u64 = "Sequence.", account_sequence: u64 = "Sequence." }
            /// An account below zero was resolved.
            Resolved { subaccount: Pubkey = "Subaccount.", equity_before: i64 = "Equity before, profits and claims in full.", paid: u64 = "Cash paid to losing markets.", assigned: u64 = "Claims assigned to them.", deficit: u64 = "What nobody's money paid.", insurance: u64 = "What the markets' insurance paid of it.", account_sequence: u64 = "Sequence." }
            /// A market's part of a resolution.
            DeficitBooked { market: Pubkey = "Market.", subaccount: Pubkey = "Subaccount.", deficit: u64 = "Deficit.", insurance_left: u64 = "The market's insurance after.", market_sequence: u64 = "Sequence." }
            /// The winning side was deleveraged: each of its positions keeps `kept / before` of its size.
            Deleveraged { market: Pubkey = "Market.", long: bool = "Whether it was the longs'.", before: u64 = "The side's open interest before.", kept: u64 = "What it kept.", price: u64 = "The price.", equity: i64 = "Pool equity then.", round: u64 = "How many there were.", positions: u64 = "Positions that have to pick it up.", market_sequence: u64 = "Sequence." }
            /// A position picked up a deleveraging.
            PositionDeleveraged { market: Pubkey = "Market.", subaccount: Pubkey = "Subaccount.", before: u64 = "Size before.", after: u64 = "Size after.", frozen: i64 = "Its result until then, to be realised with the next settling or reduction.", market_sequence: u64 = "Sequence.", account_sequence: u64 = "Sequence." }
            /// A market's settlement was begun, called off, or had its price fixed.
            SettlementAdvanced { market: Pubkey = "Market.", step: u8 = "1 begun, 2 called off, 3 price fixed.", price: u64 = "The market's price.", equity: i64 = "Pool equity at it.", floor: u64 = "The floor.", market_sequence: u64 = "Sequence." }
            /// A liquidity ticket was filed.
            LiquidityRequested { market: Pubkey = "Market.", owner: Pubkey = "Owner.", deposit: bool = "Deposit or exit.", amount: u64 = "Quote of a deposit, shares of an exit.", ripe_at: i64 = "When it is ripe.", market_sequence: u64 = "Sequence." }
            /// A liquidity deposit executed.
            LiquidityAdded { market: Pubkey = "Market.", owner: Pubkey = "Owner.", amount: u64 = "Quote.", shares: u64 = "Shares.", market_sequence: u64 = "Sequence." }
            /// A liquidity exit executed, in whole or part.
            LiquidityRemoved { market: Pubkey = "Market.", owner: Pubkey = "Owner.", amount: u64 = "Quote.", shares: u64 = "Shares.", left: u64 = "Shares still in the ticket.", market_sequence: u64 = "Sequence." }
            /// A ripe liquidity exit was held back.
            LiquidityHeldBack { market: Pubkey = "Market.", owner: Pubkey = "Owner.", reason: u32 = "Error code.", market_sequence: u64 = "Sequence." }
            /// A liquidity ticket lapsed and was closed.
            LiquidityLapsed { market: Pubkey = "Market.", owner: Pubkey = "Owner.", deposit: bool = "Deposit or exit.", amount: u64 = "Given back.", market_sequence: u64 = "Sequence." }
            /// Insurance was topped up.
            InsuranceToppedUp { exchange: Pubkey = "Exchange.", market: Pubkey = "Market; default for the shared fund.", from: Pubkey = "Who paid.", amount: u64 = "Amount.", fund: u64 = "Fund after.", market_sequence: u64 = "Sequence." }
            /// A market's claim on the shared insurance was registered with a batch.
            InsuranceClaimRegistered { market: Pubkey = "Market.", day: i64 = "The batch's day, Unix time / 86400.", amount: u64 = "Claimed.", market_sequence: u64 = "Sequence." }
            /// The shared insurance paid a market's pool.
            InsuranceClaimPaid { market: Pubkey = "Market.", amount: u64 = "Amount.", closed: u64 = "Claims that this closed.", open: u64 = "Still open of registered claims.", fund: u64 = "Fund after.", market_sequence: u64 = "Sequence." }
            /// Insurance was withdrawn by a proposal.
            InsuranceWithdrawn { exchange: Pubkey = "Exchange.", from: u16 = "The market's index; 65535 for the shared fund.", destination: Pubkey = "Where it went.", amount: u64 = "Amount.", fund: u64 = "Fund after.", sequence: u64 = "Exchange's sequence." }
            /// Protocol fees were collected.
            FeesCollected { market: Pubkey = "Market.", amount: u64 = "Amount.", market_sequence: u64 = "Sequence." }
            /// A proposal was queued.
            ProposalQueued { exchange: Pubkey = "Exchange.", proposal: Pubkey = "Proposal.", id: u64 = "Its number.", market: Pubkey = "Market; default for the exchange.", kind: u8 = "Kind.", parameter: u16 = "Parameter id.", old_value: u64 = "Old value.", new_value: u64 = "New value.", new_key: Pubkey = "New key or feed.", version: u32 = "Version it was made for.", class: u8 = "Class.", eta: i64 = "When it may be executed.", expires_at: i64 = "When it is dead.", rationale: [u8; 32] = "Hash of its rationale.", sequence: u64 = "Exchange's sequence." }
            /// A proposal ended.
            ProposalEnded { exchange: Pubkey = "Exchange.", proposal: Pubkey = "Proposal.", id: u64 = "Its number.", state: u8 = "1 executed, 2 vetoed, 3 expired, 4 an upgrade whose buffer holds something else.", market: Pubkey = "Market; default for the exchange.", kind: u8 = "Kind.", parameter: u16 = "Parameter id.", old_value: u64 = "Old value.", new_value: u64 = "New value.", new_key: Pubkey = "New key or feed.", by: Pubkey = "Who did it.", sequence: u64 = "Exchange's sequence." }
            /// A proposal that had ended was closed.
            ProposalRentReturned { exchange: Pubkey = "Exchange.", proposal: Pubkey = "Proposal.", id: u64 = "Its number, which never comes back.", to: Pubkey = "Who had paid its rent.", lamports: u64 = "What was in its account.", sequence: u64 = "Exchange's sequence." }
            /// What a batch that was queued or executed changes; only the first `count` entries count.
            BatchChanges { exchange: Pubkey = "Exchange.", proposal: Pubkey = "Proposal.", id: u64 = "Its number.", state: u8 = "0 queued, 1 executed.", count: u8 = "How many changes.", parameters: [u16; 8] = "Parameter ids.", old_values: [u64; 8] = "Old values.", new_values: [u64; 8] = "New values.", versions: [u32; 8] = "Versions that they were made for.", sequence: u64 = "Exchange's sequence." }
            /// Governance changed hands: the second step.
            GovernanceAccepted { exchange: Pubkey = "Exchange.", governance: Pubkey = "New governance key.", sequence: u64 = "Exchange's sequence." }
            /// The committee was dismissed.
            CommitteeDismissed { exchange: Pubkey = "Exchange.", committee: Pubkey = "Who was dismissed.", sequence: u64 = "Exchange's sequence." }
            /// An exchange's timelock took the program's upgrade authority, for good.
            UpgradeAuthorityTaken { exchange: Pubkey = "Exchange.", timelock: Pubkey = "Its timelock address, the authority from now on.", from: Pubkey = "Who held it.", sequence: u64 = "Exchange's sequence." }
            /// A part of an upgrade's buffer was hashed.
            UpgradeHashed { exchange: Pubkey = "Exchange.", proposal: Pubkey = "Its proposal.", buffer: Pubkey = "Its buffer.", hashed: u64 = "Bytes hashed so far.", length: u64 = "Bytes in all.", chain: [u8; 32] = "The chain so far; once all is hashed, the digest.", verified: bool = "All is hashed, and it is what was committed.", sequence: u64 = "Exchange's sequence." }
            /// What was left of an upgrade was closed.
            UpgradeClosed { exchange: Pubkey = "Exchange.", proposal: Pubkey = "Its proposal.", buffer: Pubkey = "Its buffer.", refund: Pubkey = "Who got the lamports.", lamports: u64 = "Lamports of the buffer; 0 if it was gone.", sequence: u64 = "Exchange's sequence." }
            /// A subaccount's delegate was appointed or dismissed.
            DelegateSet { subaccount: Pubkey = "Subaccount.", delegate: Pubkey = "Its delegate; default for nobody.", until: i64 = "Its right ends then.", permissions: u8 = "Bits: 1 market orders and reductions, 2 other orders and cancelling, 4 collateral.", fee_budget: u64 = "Order fees a day.", account_sequence: u64 = "Sequence." }
            /// A covenant was created, tightened, asked to be loosened, loosened or closed.
            CovenantChanged { covenant: Pubkey = "Covenant.", owner: Pubkey = "Owner.", step: u8 = "1 created, 2 tightened, 3 looser terms asked for, 4 put in force, 5 closed.", max_leverage: u64 = "Notional over equity, millionths; 0 none.", max_notional: u64 = "Notional; 0 none.", daily_loss: u64 = "Loss of a day; 0 none.", drawdown: u64 = "Loss since the highest result; 0 none.", cool_down: i64 = "Seconds.", loosening_delay: i64 = "Seconds.", auto_close: bool = "Whether anyone may close what is open once tripped.", at: i64 = "When these are in force, or may be put in force.", sequence: u64 = "Covenant's sequence." }
            /// A covenant saw one of its owner's subaccounts.
            CovenantTouched { covenant: Pubkey = "Covenant.", subaccount: Pubkey = "Subaccount.", equity: i64 = "Its equity, profits and claims in full.", flow: i64 = "What its owner has put in on balance.", notional: u64 = "Notional of its positions.", positions: u64 = "How many.", good: bool = "Whether all their prices are good.", result: i64 = "Result of all its owner's accounts.", mark: i64 = "The highest result.", day_start: i64 = "The result that the day's loss counts from.", sequence: u64 = "Covenant's sequence." }
            /// A covenant tripped.
            CovenantTripped { covenant: Pubkey = "Covenant.", owner: Pubkey = "Owner.", daily: bool = "By the day's loss.", drawdown: bool = "By the drawdown.", day_loss: u64 = "Loss since the day began.", fallen: u64 = "Loss since the highest result.", until: i64 = "Reduce-only until then.", sequence: u64 = "Covenant's sequence." }
            /// A position was closed under a tripped covenant.
            CovenantEnforced { covenant: Pubkey = "Covenant.", subaccount: Pubkey = "Subaccount.", market: Pubkey = "Market.", keeper: Pubkey = "Keeper's subaccount.", fee: u64 = "Its fee.", account_sequence: u64 = "Sequence." }
            /// The guardian put protection over a market.
            MarketProtected { market: Pubkey = "Market.", reduce_only_until: i64 = "Increases refused until then.", cap: u64 = "Lower open-interest cap.", cap_until: i64 = "It holds until then.", market_sequence: u64 = "Sequence." }
            /// The guardian paused withdrawals and liquidity exits.
            EmergencyPaused { exchange: Pubkey = "Exchange.", until: i64 = "Until then.", sequence: u64 = "Exchange's sequence." }
        }
    };
}

macro_rules! events {
    ($( $(#[doc = $doc:literal])* $name:ident { $( $field:ident : $ty:tt = $fdoc:literal ),* $(,)? } )*) => {
        $(
            $(#[doc = $doc])*
            #[event]
            #[derive(Clone, Debug, PartialEq)]
            pub struct $name { $( #[doc = $fdoc] pub $field: $ty ),* }
        )*
    };
}
for_each_event!(events);
