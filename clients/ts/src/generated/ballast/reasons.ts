/** Written by scripts/generate.mjs from the IDL; do not edit. */

/** Every reason for which the program refuses, with what to do and what a program can do next, by its name. */
export const BALLAST_ERRORS = {
  MathOverflow: {
    code: 6000,
    next: 'amount',
    message: 'A number left its range; nothing was changed. Use a smaller amount',
  },
  InvariantBroken: {
    code: 6001,
    next: 'report',
    message: "An account's own books do not add up; nothing was changed. Please report this transaction",
  },
  AmountZero: { code: 6002, next: 'amount', message: 'The amount is zero; give a positive one' },
  SizeBelowMinimum: {
    code: 6003,
    next: 'amount',
    message:
      "The position would be smaller than the market's minimum notional (limit, then value); trade more or close it whole",
  },
  SizeNotReducing: {
    code: 6004,
    next: 'amount',
    message: 'A reduction must be opposite to the position and no larger than it (limit: its size); lower the size',
  },
  PositionTooLarge: {
    code: 6005,
    next: 'amount',
    message:
      "The position would exceed the market's maximum notional per subaccount (limit, then value); lower the size",
  },
  OpenInterestCap: {
    code: 6006,
    next: 'amount',
    message: "The side's open interest would exceed the market's cap (limit, then value); lower the size or wait",
  },
  OpenInterestStress: {
    code: 6007,
    next: 'amount',
    message:
      "The side's open interest times the stress move would exceed what the pool can carry (limit, then value); lower the size",
  },
  OpenInterestImpact: {
    code: 6008,
    next: 'amount',
    message:
      "The side's open interest would exceed liquidation impact times the skew scale (limit, then value); lower the size",
  },
  NoFreePosition: {
    code: 6009,
    next: 'blocked',
    message: 'All position slots of this subaccount are in use; close one or use another subaccount',
  },
  PositionNotFound: {
    code: 6010,
    next: 'mistake',
    message:
      'This subaccount has no position in that market (or not the one that the order was placed for); check the market',
  },
  InsufficientCollateral: {
    code: 6011,
    next: 'margin',
    message: "The subaccount's free collateral is too small (limit, then value); lower the amount or deposit",
  },
  InitialMargin: {
    code: 6012,
    next: 'margin',
    message: 'Equity would be below the initial margin (limit: required, then equity); lower the size or deposit',
  },
  WorsensShortfall: {
    code: 6013,
    next: 'margin',
    message: 'This reduction would leave the account less healthy; close the position whole or deposit first',
  },
  LossNotCovered: {
    code: 6014,
    next: 'margin',
    message:
      "The loss exceeds the cash collateral (limit, then loss) and other positions' profits could not pay it; refresh those markets and pass them writable, reduce less or deposit",
  },
  SlippageExceeded: {
    code: 6015,
    next: 'amount',
    message: 'The price is worse than the limit given (limit, then price); try again or loosen the limit',
  },
  PriceMalformed: {
    code: 6016,
    next: 'mistake',
    message:
      'The oracle account is not a usable price update (wrong owner, feed, verification, sign, exponent or time); post a proper one',
  },
  PriceScaleTooCoarse: {
    code: 6017,
    next: 'mistake',
    message: "The price has too few digits at this market's base decimals; create the market with fewer",
  },
  PriceStale: {
    code: 6018,
    next: 'refresh',
    message: "The market's price is too old for this; put update_market in front",
  },
  PriceUncertain: {
    code: 6019,
    next: 'wait',
    message: "The oracle's confidence interval is too wide for this; wait for a better price",
  },
  PriceUnconfirmed: {
    code: 6020,
    next: 'wait',
    message: 'The price has just jumped and is not confirmed yet; wait for three publish times over five slots',
  },
  PriceSilent: {
    code: 6021,
    next: 'blocked',
    message: 'The market has had no price for an hour; only the penalised exit works until it has one',
  },
  PriceNotSilent: { code: 6022, next: 'lost', message: 'The market has a price: use the ordinary exit' },
  PriceMissing: {
    code: 6023,
    next: 'refresh',
    message: 'The market has never had a good price; run update_market first',
  },
  OrderTooEarly: {
    code: 6024,
    next: 'refresh',
    message:
      "The order's observation is not there yet: it fills at a price published after it was placed; post one and try again",
  },
  OrderLapsed: {
    code: 6025,
    next: 'blocked',
    message:
      'The order waited too long: its observation is older than 30 seconds, has left the ring or is from before a restart; cancel it and place a new one',
  },
  OrderExpired: { code: 6026, next: 'blocked', message: 'The order has expired: it can only be cancelled now' },
  OrderLocked: {
    code: 6027,
    next: 'wait',
    message: 'An order cannot be cancelled in its first 10 seconds (limit: unlock time, then now); wait',
  },
  OrderLimit: {
    code: 6028,
    next: 'blocked',
    message: 'The subaccount has as many open orders as it may (limit); cancel one',
  },
  PoolClaims: {
    code: 6029,
    next: 'blocked',
    message:
      "Traders' claims on this pool are unpaid: no increases and no liquidity exit until they are; settle losing positions first",
  },
  PoolEmpty: {
    code: 6030,
    next: 'blocked',
    message: 'The pool has no liquidity yet; a first liquidity deposit must execute before trading',
  },
  PoolReserve: {
    code: 6031,
    next: 'wait',
    message:
      'Open interest needs this liquidity (limit: what may leave, then asked); the ticket stays and can be tried again',
  },
  ExitsWaiting: {
    code: 6032,
    next: 'wait',
    message: 'A matured liquidity exit is waiting in this market: no increases until it has executed',
  },
  TicketNotRipe: {
    code: 6033,
    next: 'wait',
    message: 'The liquidity ticket is not ripe (limit: ripe at, then now); wait',
  },
  TicketLapsed: {
    code: 6034,
    next: 'blocked',
    message: 'The liquidity ticket lapsed an hour after it could have executed; close it and file a new one',
  },
  TicketNotLapsed: { code: 6035, next: 'wait', message: 'The liquidity ticket has not lapsed; execute it instead' },
  LiquidityBelowMinimum: {
    code: 6036,
    next: 'amount',
    message: 'The first liquidity deposit of a market must be at least its minimum (limit, then value); deposit more',
  },
  SharesZero: { code: 6037, next: 'amount', message: 'The amount is too small to make a share; use more' },
  PoolInsolvent: {
    code: 6038,
    next: 'blocked',
    message: 'Pool equity is not positive; insurance must be topped up before liquidity can come in',
  },
  AccountHealthy: {
    code: 6039,
    next: 'lost',
    message: 'Equity is at or above maintenance (limit: maintenance, then equity): it cannot be flagged or liquidated',
  },
  AlreadyFlagged: {
    code: 6040,
    next: 'lost',
    message: 'Somebody else flagged this account first; liquidate it instead',
  },
  NotFlagged: { code: 6041, next: 'lost', message: 'The account is not flagged, or the flag is void; flag it first' },
  FlagTooFresh: {
    code: 6042,
    next: 'wait',
    message:
      'Liquidation needs two slots and a newer publish time after the flag (limit, then value); wait and post a newer price',
  },
  StillUnhealthy: {
    code: 6043,
    next: 'lost',
    message: 'The account is below maintenance plus buffer: its flag stays (limit, then equity)',
  },
  PacingExhausted: {
    code: 6044,
    next: 'lost',
    message:
      'What may be liquidated by now is used up (limit, then used); wait for the next slot: somebody else may have been first',
  },
  CapacityExhausted: {
    code: 6045,
    next: 'wait',
    message: "The market's liquidation capacity of this slot is used up (limit, then used); try in the next slot",
  },
  NotLargestPosition: {
    code: 6046,
    next: 'lost',
    message:
      'Liquidation starts with the position with the largest maintenance requirement and a good price (limit: its market); pass that market',
  },
  AccountBankrupt: { code: 6047, next: 'lost', message: 'Equity is below zero: use resolve' },
  NotBankrupt: { code: 6048, next: 'lost', message: 'Equity is not below zero: use liquidate' },
  FlaggedAccount: {
    code: 6049,
    next: 'margin',
    message: 'The account is flagged for liquidation: it can reduce and deposit, not withdraw or increase',
  },
  CoverTooEarly: { code: 6050, next: 'lost', message: 'Nothing to cover or settle here' },
  OutflowLimited: {
    code: 6051,
    next: 'wait',
    message:
      'The outflow limiter holds this back (limit: what fits now, then asked); it fits in full at the time logged after them',
  },
  SubaccountInUse: {
    code: 6052,
    next: 'blocked',
    message: 'The subaccount still has collateral, positions, claims or orders; empty it first',
  },
  Paused: {
    code: 6053,
    next: 'blocked',
    message: 'Paused by the guardian (limit: the pause bits, then its expiry as unix time)',
  },
  MarketReduceOnly: {
    code: 6054,
    next: 'blocked',
    message: 'The market is in reduce-only: increases are refused until it is lifted',
  },
  CrossNotAllowed: {
    code: 6055,
    next: 'blocked',
    message: 'This market is isolated only: open an isolated subaccount for it',
  },
  IsolatedSinglePosition: {
    code: 6056,
    next: 'blocked',
    message: 'An isolated subaccount holds one position; open another subaccount',
  },
  NotGovernance: { code: 6057, next: 'blocked', message: 'Only the governance key may do this' },
  NotGuardian: { code: 6058, next: 'blocked', message: 'Only the guardian key may do this' },
  NotProposer: {
    code: 6059,
    next: 'blocked',
    message: 'Governance alone may propose this; the committee may propose tunings, class G1, only',
  },
  NotVetoer: {
    code: 6060,
    next: 'blocked',
    message: 'Only the vetoer that the proposal names may veto it: the guardian of the moment when it was queued',
  },
  RoleKeyInvalid: {
    code: 6061,
    next: 'mistake',
    message: "A role's key may not be the default key or another role's key",
  },
  ParameterUnknown: { code: 6062, next: 'mistake', message: 'No parameter has this id; see docs/PARAMETERS.md' },
  ParameterBounds: {
    code: 6063,
    next: 'amount',
    message: "The value is outside the parameter's hard bounds (limit, then value)",
  },
  ParameterStep: {
    code: 6064,
    next: 'amount',
    message: "The change is larger than the parameter's largest step (limit, then change); go in several steps",
  },
  ParameterUnchanged: { code: 6065, next: 'mistake', message: 'The value is the current one already' },
  ParameterCoolDown: {
    code: 6066,
    next: 'wait',
    message: 'This parameter was changed too recently (limit: when it may change, then now)',
  },
  EnvelopeBroken: {
    code: 6067,
    next: 'amount',
    message:
      'The resulting parameters break the solvency envelope (limit: maintenance margin, then what it must cover, in millionths)',
  },
  CrossCheckBroken: {
    code: 6068,
    next: 'amount',
    message: 'The resulting parameters disagree with one another (limit, then value); see docs/PARAMETERS.md',
  },
  SkewTooLarge: {
    code: 6069,
    next: 'wait',
    message: 'The skew scale changes only while the skew is within 1 % of its limit (limit, then skew)',
  },
  VersionMoved: {
    code: 6070,
    next: 'lost',
    message: "The parameter's version is not the one given (limit: current, then given): it was changed since",
  },
  OldValueMoved: {
    code: 6071,
    next: 'lost',
    message: "The parameter's value is no longer the one the proposal was made for (limit: current, then proposal's)",
  },
  ProposalTooOld: {
    code: 6072,
    next: 'mistake',
    message: "The proposal's last slot has passed, or lies more than a day ahead (limit, then value): sign a new one",
  },
  ProposalNotReady: { code: 6073, next: 'wait', message: 'The delay is not over (limit: ETA, then now)' },
  ProposalExpired: { code: 6074, next: 'lost', message: 'The proposal has expired (limit: expiry, then now)' },
  ProposalNotExpired: { code: 6075, next: 'wait', message: 'The proposal has not expired (limit: expiry, then now)' },
  ProposalClosed: {
    code: 6076,
    next: 'lost',
    message: 'The proposal was executed, vetoed or expired already (limit: its state)',
  },
  ProposalLimit: {
    code: 6077,
    next: 'wait',
    message: 'As many proposals are pending as may be (limit); wait for one to end',
  },
  DurableNonce: {
    code: 6078,
    next: 'mistake',
    message: 'A proposal may not be made by a durable-nonce transaction; sign with a recent blockhash',
  },
  PauseNotArmed: { code: 6079, next: 'wait', message: 'This pause may not be armed again yet (limit: when, then now)' },
  PauseBudget: {
    code: 6080,
    next: 'wait',
    message: "The guardian's 96 hours in 14 days are used up (limit, then asked, in seconds)",
  },
  PauseBitsInvalid: {
    code: 6081,
    next: 'mistake',
    message: "These pause bits are not the guardian's to set in this class",
  },
  WrongExchange: { code: 6082, next: 'mistake', message: 'An account belongs to another exchange' },
  WrongMarket: {
    code: 6083,
    next: 'mistake',
    message: 'A market account is not the one that the position or order names',
  },
  WrongMarketCount: {
    code: 6084,
    next: 'mistake',
    message: 'Pass one market account per open position, in slot order (limit, then given)',
  },
  DuplicateMarket: { code: 6085, next: 'mistake', message: 'The same market was passed twice' },
  WrongOwner: { code: 6086, next: 'mistake', message: 'The signer does not own this account' },
  WrongMint: { code: 6087, next: 'mistake', message: "The token account or mint is not the exchange's" },
  WrongVault: { code: 6088, next: 'mistake', message: "The vault is not the exchange's" },
  MintUnsupported: {
    code: 6089,
    next: 'mistake',
    message: 'Only classic SPL Token mints with 6 to 9 decimals are supported',
  },
  NotUpgradeAuthority: {
    code: 6090,
    next: 'blocked',
    message:
      "Only the program's upgrade authority may do this: it creates the first exchange and hands itself over to a timelock",
  },
  OracleProgramInvalid: {
    code: 6091,
    next: 'mistake',
    message: 'This oracle program is not among those that the exchange names',
  },
  TierInvalid: { code: 6092, next: 'mistake', message: 'The tier must be 0 (A), 1 (B) or 2 (C)' },
  AccountVersion: {
    code: 6093,
    next: 'mistake',
    message: 'The account has another layout version; use the matching client',
  },
  MarketLimit: {
    code: 6094,
    next: 'blocked',
    message: 'The exchange holds as many markets as it may (limit), or got one less than a day ago (until limit)',
  },
  KeeperAccountInvalid: {
    code: 6095,
    next: 'mistake',
    message: "The keeper's reward account must be a subaccount of this exchange and not the one acted upon",
  },
  InsurancePending: {
    code: 6096,
    next: 'wait',
    message:
      'Claims on shared insurance are open (limit: none, then what is claimed): register and pay them first, then liquidity may come in and insurance be withdrawn',
  },
  InsuranceTooEarly: {
    code: 6097,
    next: 'wait',
    message: "The insurance claim's batch is still open, or nothing more is released yet (limit: when, then now); wait",
  },
  InsuranceBatchBusy: {
    code: 6098,
    next: 'wait',
    message:
      "An older batch of insurance claims is in this one's place (limit: its day, then this one's): pay its markets first",
  },
  NotTimelock: {
    code: 6099,
    next: 'blocked',
    message:
      "The program's upgrade authority is not this exchange's timelock address: another exchange's timelock or a key still decides",
  },
  BufferInvalid: {
    code: 6100,
    next: 'mistake',
    message:
      "The account is not a buffer of the upgradeable loader whose authority is this exchange's timelock address; set that first",
  },
  UpgradeHash: {
    code: 6101,
    next: 'mistake',
    message: 'The buffer does not have the length that was committed (limit, then length)',
  },
  UpgradeLength: {
    code: 6102,
    next: 'mistake',
    message: 'The new program is empty or longer than an upgrade may be (limit, then length)',
  },
  ProgramDataTooSmall: {
    code: 6103,
    next: 'mistake',
    message:
      "The program's data account has no room for the new program (limit, then length); anybody may extend it with the loader",
  },
  ProposalPending: {
    code: 6104,
    next: 'wait',
    message: 'The proposal is still pending: veto it, execute it, or wait for its expiry',
  },
  ExitOwnerAlone: {
    code: 6105,
    next: 'wait',
    message:
      'For half an hour, and always in a settled market, only its owner may execute this exit, so that nobody else chooses its moment (limit: until, then now); wait, or let the owner sign',
  },
  DestinationNotAssociated: {
    code: 6106,
    next: 'mistake',
    message:
      "Without its owner's signature this goes to the owner's associated token account only; pass that one, or let the owner sign",
  },
  BatchInvalid: {
    code: 6107,
    next: 'mistake',
    message: 'A batch has two to eight changes, in the order of their ids and no parameter twice (limit, then given)',
  },
  DeleverageTooEarly: {
    code: 6108,
    next: 'wait',
    message:
      'Claims have not been over their threshold for long enough (limit: when, or 0 while they are not over it, then now): settle losing positions meanwhile',
  },
  DeleverageUnfinished: {
    code: 6109,
    next: 'wait',
    message:
      'Positions have yet to pick up the last deleveraging (limit: none, then how many): anyone may do it for them',
  },
  DeleverageNotNeeded: {
    code: 6110,
    next: 'lost',
    message: "The winning side is no larger than the pool can carry (limit: that size, then the side's)",
  },
  SettlementNotDue: {
    code: 6111,
    next: 'lost',
    message: 'Pool equity is not below its floor (limit: the floor, then equity): the market goes on',
  },
  SettlementTooEarly: {
    code: 6112,
    next: 'wait',
    message: "The settlement's price cannot be fixed yet (limit: when, then now); equity may still recover",
  },
  MarketSettled: {
    code: 6113,
    next: 'blocked',
    message:
      "The market is being settled: positions close at one price by anyone's call, then claims are paid, then providers",
  },
  MarketNotSettled: { code: 6114, next: 'lost', message: 'The market is not settled: use the ordinary instructions' },
  UpgradeNotVerified: {
    code: 6115,
    next: 'wait',
    message:
      'The buffer has not been hashed to its end (limit: its length, then how far): anybody may go on with verify_upgrade',
  },
  UpgradeVerified: {
    code: 6116,
    next: 'lost',
    message: 'The whole buffer has been hashed, and holds what was committed: nothing is left to verify',
  },
  OrderNotTriggered: {
    code: 6117,
    next: 'wait',
    message:
      "No stored price has met the order's condition since, or all there is to record is recorded (limit: a price that it waits for, then the last one)",
  },
  OrderTermsInvalid: {
    code: 6118,
    next: 'mistake',
    message: 'These terms of an order do not go together: see OrderTerms for which kind has which prices',
  },
  PoolIsOwed: {
    code: 6119,
    next: 'wait',
    message:
      'Other pools owe this one, or money for its insurance would still pay deficits of today (limit: a hundredth of its equity, then what is owed): no liquidity comes in, nor out of a settled market, before that is collected or over',
  },
  CovenantInvalid: {
    code: 6120,
    next: 'mistake',
    message: "The covenant's terms are out of bounds, or limit nothing (limit, then value)",
  },
  CovenantLooser: {
    code: 6121,
    next: 'blocked',
    message:
      "This would loosen the covenant (limit: the value in force, then the new one): ask for it with loosen_covenant, it takes the covenant's delay",
  },
  CovenantNotReady: {
    code: 6122,
    next: 'wait',
    message: "The covenant's delay is not over (limit: when it may be loosened, then now)",
  },
  CovenantNoRequest: {
    code: 6123,
    next: 'lost',
    message: 'No looser terms are asked for, or they were for too long (limit: until when, then now): ask again',
  },
  CovenantInForce: {
    code: 6124,
    next: 'blocked',
    message:
      'The covenant still limits something: ask for terms without limits, put them in force after the delay, then close it',
  },
  CovenantTripped: {
    code: 6125,
    next: 'blocked',
    message: "The owner's covenant has tripped: its accounts can only reduce until it ends (limit: when, then now)",
  },
  CovenantNotTripped: {
    code: 6126,
    next: 'lost',
    message: 'The covenant is not tripped, or its owner wants nothing closed by others',
  },
  CovenantNotBreached: {
    code: 6127,
    next: 'lost',
    message: "No loss has reached the covenant's limit (limit, then loss)",
  },
  CovenantStale: {
    code: 6128,
    next: 'refresh',
    message:
      "The covenant's view of the owner's accounts is too old, at prices that are not good, or of different moments (limit, then age, in slots): touch all of them with positions in one slot",
  },
  CovenantFull: {
    code: 6129,
    next: 'blocked',
    message:
      'The covenant enrols eight subaccounts and sixteen positions at most (limit, then number): close positions in one of them first',
  },
  CovenantNotEnrolled: {
    code: 6130,
    next: 'refresh',
    message: "The covenant does not know this subaccount's positions: touch it first",
  },
  CovenantLeverage: {
    code: 6131,
    next: 'amount',
    message:
      "The owner's leverage would exceed its covenant's maximum (limit: the notional it allows, then the notional); lower the size, reduce or deposit, and touch what has changed",
  },
  CovenantNotional: {
    code: 6132,
    next: 'amount',
    message: "The owner's notional would exceed its covenant's maximum (limit, then value); lower the size or reduce",
  },
  CovenantLoss: {
    code: 6133,
    next: 'blocked',
    message:
      "The owner's loss has reached its covenant's limit (limit, then loss): no increase, and anyone may trip it",
  },
  WrongCovenant: {
    code: 6134,
    next: 'mistake',
    message:
      "The account is not the covenant address of the subaccount's owner; pass that one, even where no covenant exists",
  },
  DelegateInvalid: {
    code: 6135,
    next: 'mistake',
    message:
      "The delegate's key, permissions or end are not allowed (limit, then value): not the owner's key, known permissions, an end within a year",
  },
  DelegateBudget: {
    code: 6136,
    next: 'wait',
    message:
      'The order fees that the delegate may put aside today are used up (limit, then what they would be); the owner may place the order',
  },
  CovenantTooFresh: {
    code: 6137,
    next: 'refresh',
    message:
      'A loss at its limit trips when it is found again two slots later at newer prices, and what is open is closed two slots after the trip at a newer price (limit, then value: slots, or publish times); wait, post newer prices and touch again',
  },
} as const;

/** The name of a reason. */
export type BallastErrorName = keyof typeof BALLAST_ERRORS;
