//! Every reason for a refusal. The program's error enum is made from the same list ([`for_each_error!`](crate::for_each_error!)).

/// Calls a macro with the list of all errors: `Name "message"`. Order is the wire code: append only.
#[macro_export]
macro_rules! for_each_error {
    ($callback:path) => {
        $callback! {
            MathOverflow "A number left its range; nothing was changed. Use a smaller amount",
            InvariantBroken "An account's own books do not add up; nothing was changed. Please report this transaction",
            // Amounts and limits
            AmountZero "The amount is zero; give a positive one",
            SizeBelowMinimum "The position would be smaller than the market's minimum notional (limit, then value); trade more or close it whole",
            SizeNotReducing "A reduction must be opposite to the position and no larger than it (limit: its size); lower the size",
            PositionTooLarge "The position would exceed the market's maximum notional per subaccount (limit, then value); lower the size",
            OpenInterestCap "The side's open interest would exceed the market's cap (limit, then value); lower the size or wait",
            OpenInterestStress "The side's open interest times the stress move would exceed what the pool can carry (limit, then value); lower the size",
            OpenInterestImpact "The side's open interest would exceed liquidation impact times the skew scale (limit, then value); lower the size",
            NoFreePosition "All position slots of this subaccount are in use; close one or use another subaccount",
            PositionNotFound "This subaccount has no position in that market (or not the one that the order was placed for); check the market",
            InsufficientCollateral "The subaccount's free collateral is too small (limit, then value); lower the amount or deposit",
            InitialMargin "Equity would be below the initial margin (limit: required, then equity); lower the size or deposit",
            WorsensShortfall "This reduction would leave the account less healthy; close the position whole or deposit first",
            LossNotCovered "The loss exceeds the cash collateral (limit, then loss) and other positions' profits could not pay it; refresh those markets and pass them writable, reduce less or deposit",
            SlippageExceeded "The price is worse than the limit given (limit, then price); try again or loosen the limit",
            // Prices
            PriceMalformed "The oracle account is not a usable price update (wrong owner, feed, verification, sign, exponent or time); post a proper one",
            PriceScaleTooCoarse "The price has too few digits at this market's base decimals; create the market with fewer",
            PriceStale "The market's price is too old for this; put update_market in front",
            PriceUncertain "The oracle's confidence interval is too wide for this; wait for a better price",
            PriceUnconfirmed "The price has just jumped and is not confirmed yet; wait for three publish times over five slots",
            PriceSilent "The market has had no price for an hour; only the penalised exit works until it has one",
            PriceNotSilent "The market has a price: use the ordinary exit",
            PriceMissing "The market has never had a good price; run update_market first",
            // Orders
            OrderTooEarly "The order's observation is not there yet: it fills at a price published after it was placed; post one and try again",
            OrderLapsed "The order waited too long: its observation is older than 30 seconds, has left the ring or is from before a restart; cancel it and place a new one",
            OrderExpired "The order has expired: it can only be cancelled now",
            OrderLocked "An order cannot be cancelled in its first 10 seconds (limit: unlock time, then now); wait",
            OrderLimit "The subaccount has as many open orders as it may (limit); cancel one",
            // Pool
            PoolClaims "Traders' claims on this pool are unpaid: no increases and no liquidity exit until they are; settle losing positions first",
            PoolEmpty "The pool has no liquidity yet; a first liquidity deposit must execute before trading",
            PoolReserve "Open interest needs this liquidity (limit: what may leave, then asked); the ticket stays and can be tried again",
            ExitsWaiting "A matured liquidity exit is waiting in this market: no increases until it has executed",
            TicketNotRipe "The liquidity ticket is not ripe (limit: ripe at, then now); wait",
            TicketLapsed "The liquidity ticket lapsed an hour after it could have executed; close it and file a new one",
            TicketNotLapsed "The liquidity ticket has not lapsed; execute it instead",
            LiquidityBelowMinimum "The first liquidity deposit of a market must be at least its minimum (limit, then value); deposit more",
            SharesZero "The amount is too small to make a share; use more",
            PoolInsolvent "Pool equity is not positive; insurance must be topped up before liquidity can come in",
            // Liquidation
            AccountHealthy "Equity is at or above maintenance (limit: maintenance, then equity): it cannot be flagged or liquidated",
            AlreadyFlagged "Somebody else flagged this account first; liquidate it instead",
            NotFlagged "The account is not flagged, or the flag is void; flag it first",
            FlagTooFresh "Liquidation needs two slots and a newer publish time after the flag (limit, then value); wait and post a newer price",
            StillUnhealthy "The account is below maintenance plus buffer: its flag stays (limit, then equity)",
            PacingExhausted "What may be liquidated by now is used up (limit, then used); wait for the next slot: somebody else may have been first",
            CapacityExhausted "The market's liquidation capacity of this slot is used up (limit, then used); try in the next slot",
            NotLargestPosition "Liquidation starts with the position with the largest maintenance requirement and a good price (limit: its market); pass that market",
            AccountBankrupt "Equity is below zero: use resolve",
            NotBankrupt "Equity is not below zero: use liquidate",
            FlaggedAccount "The account is flagged for liquidation: it can reduce and deposit, not withdraw or increase",
            CoverTooEarly "Nothing to cover or settle here",
            // Withdrawals
            OutflowLimited "The outflow limiter holds this back (limit: what fits now, then asked); it fits in full at the time logged after them",
            SubaccountInUse "The subaccount still has collateral, positions, claims or orders; empty it first",
            // States
            Paused "Paused by the guardian (limit: the pause bits, then its expiry as unix time)",
            MarketReduceOnly "The market is in reduce-only: increases are refused until it is lifted",
            CrossNotAllowed "This market is isolated only: open an isolated subaccount for it",
            IsolatedSinglePosition "An isolated subaccount holds one position; open another subaccount",
            // Governance
            NotGovernance "Only the governance key may do this",
            NotGuardian "Only the guardian key may do this",
            NotProposer "Governance alone may propose this; the committee may propose tunings, class G1, only",
            NotVetoer "Only the vetoer that the proposal names may veto it: the guardian of the moment when it was queued",
            RoleKeyInvalid "A role's key may not be the default key or another role's key",
            ParameterUnknown "No parameter has this id; see docs/PARAMETERS.md",
            ParameterBounds "The value is outside the parameter's hard bounds (limit, then value)",
            ParameterStep "The change is larger than the parameter's largest step (limit, then change); go in several steps",
            ParameterUnchanged "The value is the current one already",
            ParameterCoolDown "This parameter was changed too recently (limit: when it may change, then now)",
            EnvelopeBroken "The resulting parameters break the solvency envelope (limit: maintenance margin, then what it must cover, in millionths)",
            CrossCheckBroken "The resulting parameters disagree with one another (limit, then value); see docs/PARAMETERS.md",
            SkewTooLarge "The skew scale changes only while the skew is within 1 % of its limit (limit, then skew)",
            VersionMoved "The parameter's version is not the one given (limit: current, then given): it was changed since",
            OldValueMoved "The parameter's value is no longer the one the proposal was made for (limit: current, then proposal's)",
            ProposalTooOld "The proposal's last slot has passed, or lies more than a day ahead (limit, then value): sign a new one",
            ProposalNotReady "The delay is not over (limit: ETA, then now)",
            ProposalExpired "The proposal has expired (limit: expiry, then now)",
            ProposalNotExpired "The proposal has not expired (limit: expiry, then now)",
            ProposalClosed "The proposal was executed, vetoed or expired already (limit: its state)",
            ProposalLimit "As many proposals are pending as may be (limit); wait for one to end",
            DurableNonce "A proposal may not be made by a durable-nonce transaction; sign with a recent blockhash",
            PauseNotArmed "This pause may not be armed again yet (limit: when, then now)",
            PauseBudget "The guardian's 96 hours in 14 days are used up (limit, then asked, in seconds)",
            PauseBitsInvalid "These pause bits are not the guardian's to set in this class",
            // Accounts
            WrongExchange "An account belongs to another exchange",
            WrongMarket "A market account is not the one that the position or order names",
            WrongMarketCount "Pass one market account per open position, in slot order (limit, then given)",
            DuplicateMarket "The same market was passed twice",
            WrongOwner "The signer does not own this account",
            WrongMint "The token account or mint is not the exchange's",
            WrongVault "The vault is not the exchange's",
            MintUnsupported "Only classic SPL Token mints with 6 to 9 decimals are supported",
            NotUpgradeAuthority "Only the program's upgrade authority may do this: it creates the first exchange and hands itself over to a timelock",
            OracleProgramInvalid "This oracle program is not among those that the exchange names",
            TierInvalid "The tier must be 0 (A), 1 (B) or 2 (C)",
            AccountVersion "The account has another layout version; use the matching client",
            MarketLimit "The exchange holds as many markets as it may (limit), or got one less than a day ago (until limit)",
            KeeperAccountInvalid "The keeper's reward account must be a subaccount of this exchange and not the one acted upon",
            // Insurance
            InsurancePending "Claims on shared insurance are open (limit: none, then what is claimed): register and pay them first, then liquidity may come in and insurance be withdrawn",
            InsuranceTooEarly "The insurance claim's batch is still open, or nothing more is released yet (limit: when, then now); wait",
            InsuranceBatchBusy "An older batch of insurance claims is in this one's place (limit: its day, then this one's): pay its markets first",
            // Upgrades
            NotTimelock "The program's upgrade authority is not this exchange's timelock address: another exchange's timelock or a key still decides",
            BufferInvalid "The account is not a buffer of the upgradeable loader whose authority is this exchange's timelock address; set that first",
            UpgradeHash "The buffer does not have the length that was committed (limit, then length)",
            UpgradeLength "The new program is empty or longer than an upgrade may be (limit, then length)",
            ProgramDataTooSmall "The program's data account has no room for the new program (limit, then length); anybody may extend it with the loader",
            ProposalPending "The proposal is still pending: veto it, execute it, or wait for its expiry",
            ExitOwnerAlone "For half an hour, and always in a settled market, only its owner may execute this exit, so that nobody else chooses its moment (limit: until, then now); wait, or let the owner sign",
            DestinationNotAssociated "Without its owner's signature this goes to the owner's associated token account only; pass that one, or let the owner sign",
            BatchInvalid "A batch has two to eight changes, in the order of their ids and no parameter twice (limit, then given)",
            // Deleveraging
            DeleverageTooEarly "Claims have not been over their threshold for long enough (limit: when, or 0 while they are not over it, then now): settle losing positions meanwhile",
            DeleverageUnfinished "Positions have yet to pick up the last deleveraging (limit: none, then how many): anyone may do it for them",
            DeleverageNotNeeded "The winning side is no larger than the pool can carry (limit: that size, then the side's)",
            // Settlement
            SettlementNotDue "Pool equity is not below its floor (limit: the floor, then equity): the market goes on",
            SettlementTooEarly "The settlement's price cannot be fixed yet (limit: when, then now); equity may still recover",
            MarketSettled "The market is being settled: positions close at one price by anyone's call, then claims are paid, then providers",
            MarketNotSettled "The market is not settled: use the ordinary instructions",
            UpgradeNotVerified "The buffer has not been hashed to its end (limit: its length, then how far): anybody may go on with verify_upgrade",
            UpgradeVerified "The whole buffer has been hashed, and holds what was committed: nothing is left to verify",
            // Orders
            OrderNotTriggered "No stored price has met the order's condition since, or all there is to record is recorded (limit: a price that it waits for, then the last one)",
            OrderTermsInvalid "These terms of an order do not go together: see OrderTerms for which kind has which prices",
            // Liquidity
            PoolIsOwed "Other pools owe this one, or money for its insurance would still pay deficits of today (limit: a hundredth of its equity, then what is owed): no liquidity comes in, nor out of a settled market, before that is collected or over",
            // Covenants
            CovenantInvalid "The covenant's terms are out of bounds, or limit nothing (limit, then value)",
            CovenantLooser "This would loosen the covenant (limit: the value in force, then the new one): ask for it with loosen_covenant, it takes the covenant's delay",
            CovenantNotReady "The covenant's delay is not over (limit: when it may be loosened, then now)",
            CovenantNoRequest "No looser terms are asked for, or they were for too long (limit: until when, then now): ask again",
            CovenantInForce "The covenant still limits something: ask for terms without limits, put them in force after the delay, then close it",
            CovenantTripped "The owner's covenant has tripped: its accounts can only reduce until it ends (limit: when, then now)",
            CovenantNotTripped "The covenant is not tripped, or its owner wants nothing closed by others",
            CovenantNotBreached "No loss has reached the covenant's limit (limit, then loss)",
            CovenantStale "The covenant's view of the owner's accounts is too old, at prices that are not good, or of different moments (limit, then age, in slots): touch all of them with positions in one slot",
            CovenantFull "The covenant enrols eight subaccounts and sixteen positions at most (limit, then number): close positions in one of them first",
            CovenantNotEnrolled "The covenant does not know this subaccount's positions: touch it first",
            CovenantLeverage "The owner's leverage would exceed its covenant's maximum (limit: the notional it allows, then the notional); lower the size, reduce or deposit, and touch what has changed",
            CovenantNotional "The owner's notional would exceed its covenant's maximum (limit, then value); lower the size or reduce",
            CovenantLoss "The owner's loss has reached its covenant's limit (limit, then loss): no increase, and anyone may trip it",
            WrongCovenant "The account is not the covenant address of the subaccount's owner; pass that one, even where no covenant exists",
            // Delegates
            DelegateInvalid "The delegate's key, permissions or end are not allowed (limit, then value): not the owner's key, known permissions, an end within a year",
            DelegateBudget "The order fees that the delegate may put aside today are used up (limit, then what they would be); the owner may place the order",
            // Covenants
            CovenantTooFresh "A loss at its limit trips when it is found again two slots later at newer prices, and what is open is closed two slots after the trip at a newer price (limit, then value: slots, or publish times); wait, post newer prices and touch again"
        }
    };
}

macro_rules! declare {
    ($($name:ident $message:literal),* $(,)?) => {
        /// A reason for a refusal; the message says what to do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u32)]
        pub enum Error { $(#[doc = $message] $name),* }

        impl Error {
            /// Every error, in the order of the wire codes.
            pub const ALL: &'static [Error] = &[$(Error::$name),*];
            /// The error's name.
            pub const fn name(self) -> &'static str {
                match self { $(Error::$name => stringify!($name)),* }
            }
            /// What happened and what to do.
            pub const fn message(self) -> &'static str {
                match self { $(Error::$name => $message),* }
            }
        }
    };
}
for_each_error!(declare);

/// An error with the limit that was hit and the value that hit it, for the log. Both 0 where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The reason.
    pub error: Error,
    /// The limit, in the unit that the message names.
    pub limit: i64,
    /// The value that broke it.
    pub value: i64,
}

impl Fault {
    /// An error with its limit and the value that broke it; a number beyond `i64` is shown as the nearest one.
    pub fn new(error: Error, limit: impl TryInto<i64>, value: impl TryInto<i64>) -> Self {
        Self { error, limit: limit.try_into().unwrap_or(i64::MAX), value: value.try_into().unwrap_or(i64::MAX) }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self { error, limit: 0, value: 0 }
    }
}

/// The engine's result.
pub type Result<T> = core::result::Result<T, Fault>;

/// `Ok` if the condition holds, else the fault.
#[inline]
pub fn ensure(condition: bool, fault: impl Into<Fault>) -> Result<()> {
    if condition { Ok(()) } else { Err(fault.into()) }
}
