/** Written by scripts/generate.mjs from the IDL; do not edit. */

import { type ReadonlyUint8Array } from '@solana/kit';
import {
  getBatchChangesDecoder,
  type BatchChanges,
  getBracketActivatedDecoder,
  type BracketActivated,
  getCommitteeDismissedDecoder,
  type CommitteeDismissed,
  getCovenantChangedDecoder,
  type CovenantChanged,
  getCovenantEnforcedDecoder,
  type CovenantEnforced,
  getCovenantTouchedDecoder,
  type CovenantTouched,
  getCovenantTrippedDecoder,
  type CovenantTripped,
  getDeficitBookedDecoder,
  type DeficitBooked,
  getDelegateSetDecoder,
  type DelegateSet,
  getDeleveragedDecoder,
  type Deleveraged,
  getDepositedDecoder,
  type Deposited,
  getEmergencyPausedDecoder,
  type EmergencyPaused,
  getExchangeCreatedDecoder,
  type ExchangeCreated,
  getFeesCollectedDecoder,
  type FeesCollected,
  getFlaggedDecoder,
  type Flagged,
  getFundingAccruedDecoder,
  type FundingAccrued,
  getGovernanceAcceptedDecoder,
  type GovernanceAccepted,
  getInsuranceClaimPaidDecoder,
  type InsuranceClaimPaid,
  getInsuranceClaimRegisteredDecoder,
  type InsuranceClaimRegistered,
  getInsuranceToppedUpDecoder,
  type InsuranceToppedUp,
  getInsuranceWithdrawnDecoder,
  type InsuranceWithdrawn,
  getLiquidatedDecoder,
  type Liquidated,
  getLiquidityAddedDecoder,
  type LiquidityAdded,
  getLiquidityHeldBackDecoder,
  type LiquidityHeldBack,
  getLiquidityLapsedDecoder,
  type LiquidityLapsed,
  getLiquidityRemovedDecoder,
  type LiquidityRemoved,
  getLiquidityRequestedDecoder,
  type LiquidityRequested,
  getMarketCreatedDecoder,
  type MarketCreated,
  getMarketProtectedDecoder,
  type MarketProtected,
  getOrderCancelledDecoder,
  type OrderCancelled,
  getOrderPlacedDecoder,
  type OrderPlaced,
  getOrderTriggeredDecoder,
  type OrderTriggered,
  getPoolClaimCollectedDecoder,
  type PoolClaimCollected,
  getPositionDeleveragedDecoder,
  type PositionDeleveraged,
  getPositionSettledDecoder,
  type PositionSettled,
  getPriceUpdatedDecoder,
  type PriceUpdated,
  getProposalEndedDecoder,
  type ProposalEnded,
  getProposalQueuedDecoder,
  type ProposalQueued,
  getProposalRentReturnedDecoder,
  type ProposalRentReturned,
  getResolvedDecoder,
  type Resolved,
  getSettlementAdvancedDecoder,
  type SettlementAdvanced,
  getSubaccountClosedDecoder,
  type SubaccountClosed,
  getSubaccountOpenedDecoder,
  type SubaccountOpened,
  getTradedDecoder,
  type Traded,
  getTransferredDecoder,
  type Transferred,
  getUnflaggedDecoder,
  type Unflagged,
  getUpgradeAuthorityTakenDecoder,
  type UpgradeAuthorityTaken,
  getUpgradeClosedDecoder,
  type UpgradeClosed,
  getUpgradeHashedDecoder,
  type UpgradeHashed,
  getWithdrawnDecoder,
  type Withdrawn,
} from './types/index.js';

/** First bytes of the inner instruction that carries an event. */
export const EVENT_TAG: ReadonlyUint8Array = new Uint8Array([228, 69, 165, 46, 81, 203, 154, 29]);

/** Any event of the program. */
export type BallastEvent =
  /** What a batch that was queued or executed changes; only the first `count` entries count. */
  | { name: 'BatchChanges'; data: BatchChanges }
  /** A bracket's entry was filled; the order is its exits now. */
  | { name: 'BracketActivated'; data: BracketActivated }
  /** The committee was dismissed. */
  | { name: 'CommitteeDismissed'; data: CommitteeDismissed }
  /** A covenant was created, tightened, asked to be loosened, loosened or closed. */
  | { name: 'CovenantChanged'; data: CovenantChanged }
  /** A position was closed under a tripped covenant. */
  | { name: 'CovenantEnforced'; data: CovenantEnforced }
  /** A covenant saw one of its owner's subaccounts. */
  | { name: 'CovenantTouched'; data: CovenantTouched }
  /** A covenant tripped. */
  | { name: 'CovenantTripped'; data: CovenantTripped }
  /** A market's part of a resolution. */
  | { name: 'DeficitBooked'; data: DeficitBooked }
  /** A subaccount's delegate was appointed or dismissed. */
  | { name: 'DelegateSet'; data: DelegateSet }
  /** The winning side was deleveraged: each of its positions keeps `kept / before` of its size. */
  | { name: 'Deleveraged'; data: Deleveraged }
  /** Collateral came in. */
  | { name: 'Deposited'; data: Deposited }
  /** The guardian paused withdrawals and liquidity exits. */
  | { name: 'EmergencyPaused'; data: EmergencyPaused }
  /** An exchange was created. */
  | { name: 'ExchangeCreated'; data: ExchangeCreated }
  /** Protocol fees were collected. */
  | { name: 'FeesCollected'; data: FeesCollected }
  /** An account was flagged. */
  | { name: 'Flagged'; data: Flagged }
  /** Funding accrued in another instruction than `update_market`. */
  | { name: 'FundingAccrued'; data: FundingAccrued }
  /** Governance changed hands: the second step. */
  | { name: 'GovernanceAccepted'; data: GovernanceAccepted }
  /** The shared insurance paid a market's pool. */
  | { name: 'InsuranceClaimPaid'; data: InsuranceClaimPaid }
  /** A market's claim on the shared insurance was registered with a batch. */
  | { name: 'InsuranceClaimRegistered'; data: InsuranceClaimRegistered }
  /** Insurance was topped up. */
  | { name: 'InsuranceToppedUp'; data: InsuranceToppedUp }
  /** Insurance was withdrawn by a proposal. */
  | { name: 'InsuranceWithdrawn'; data: InsuranceWithdrawn }
  /** A liquidation's receipt: with it the decision can be run again with the engine. */
  | { name: 'Liquidated'; data: Liquidated }
  /** A liquidity deposit executed. */
  | { name: 'LiquidityAdded'; data: LiquidityAdded }
  /** A ripe liquidity exit was held back. */
  | { name: 'LiquidityHeldBack'; data: LiquidityHeldBack }
  /** A liquidity ticket lapsed and was closed. */
  | { name: 'LiquidityLapsed'; data: LiquidityLapsed }
  /** A liquidity exit executed, in whole or part. */
  | { name: 'LiquidityRemoved'; data: LiquidityRemoved }
  /** A liquidity ticket was filed. */
  | { name: 'LiquidityRequested'; data: LiquidityRequested }
  /** A market was created. */
  | { name: 'MarketCreated'; data: MarketCreated }
  /** The guardian put protection over a market. */
  | { name: 'MarketProtected'; data: MarketProtected }
  /** An order was cancelled. */
  | { name: 'OrderCancelled'; data: OrderCancelled }
  /** An order was placed. */
  | { name: 'OrderPlaced'; data: OrderPlaced }
  /** An exit's stop was met, or its trail has moved it. */
  | { name: 'OrderTriggered'; data: OrderTriggered }
  /** Cash moved between pools on a claim of one on the other. */
  | { name: 'PoolClaimCollected'; data: PoolClaimCollected }
  /** A position picked up a deleveraging. */
  | { name: 'PositionDeleveraged'; data: PositionDeleveraged }
  /** A position was settled without changing its size. */
  | { name: 'PositionSettled'; data: PositionSettled }
  /** A price was stored, and funding accrued up to it: one event, as each costs a CPI. */
  | { name: 'PriceUpdated'; data: PriceUpdated }
  /** A proposal ended. */
  | { name: 'ProposalEnded'; data: ProposalEnded }
  /** A proposal was queued. */
  | { name: 'ProposalQueued'; data: ProposalQueued }
  /** A proposal that had ended was closed. */
  | { name: 'ProposalRentReturned'; data: ProposalRentReturned }
  /** An account below zero was resolved. */
  | { name: 'Resolved'; data: Resolved }
  /** A market's settlement was begun, called off, or had its price fixed. */
  | { name: 'SettlementAdvanced'; data: SettlementAdvanced }
  /** A subaccount was closed. */
  | { name: 'SubaccountClosed'; data: SubaccountClosed }
  /** A subaccount was opened. */
  | { name: 'SubaccountOpened'; data: SubaccountOpened }
  /** A fill. */
  | { name: 'Traded'; data: Traded }
  /** Collateral moved between subaccounts of one owner. */
  | { name: 'Transferred'; data: Transferred }
  /** A flag was cleared. */
  | { name: 'Unflagged'; data: Unflagged }
  /** An exchange's timelock took the program's upgrade authority, for good. */
  | { name: 'UpgradeAuthorityTaken'; data: UpgradeAuthorityTaken }
  /** What was left of an upgrade was closed. */
  | { name: 'UpgradeClosed'; data: UpgradeClosed }
  /** A part of an upgrade's buffer was hashed. */
  | { name: 'UpgradeHashed'; data: UpgradeHashed }
  /** Collateral went out. */
  | { name: 'Withdrawn'; data: Withdrawn };

/** The name of an event. */
export type BallastEventName = BallastEvent['name'];

/** By name: its bytes behind the tag, and what decodes the rest. */
export const BALLAST_EVENTS: {
  readonly [N in BallastEventName]: {
    readonly discriminator: ReadonlyUint8Array;
    readonly decode: (bytes: ReadonlyUint8Array) => Extract<BallastEvent, { name: N }>['data'];
  };
} = {
  BatchChanges: {
    discriminator: new Uint8Array([122, 91, 65, 225, 91, 13, 150, 65]),
    decode: (b) => getBatchChangesDecoder().decode(b),
  },
  BracketActivated: {
    discriminator: new Uint8Array([158, 68, 123, 157, 188, 193, 146, 124]),
    decode: (b) => getBracketActivatedDecoder().decode(b),
  },
  CommitteeDismissed: {
    discriminator: new Uint8Array([90, 113, 110, 87, 83, 148, 228, 228]),
    decode: (b) => getCommitteeDismissedDecoder().decode(b),
  },
  CovenantChanged: {
    discriminator: new Uint8Array([6, 6, 133, 15, 70, 102, 41, 65]),
    decode: (b) => getCovenantChangedDecoder().decode(b),
  },
  CovenantEnforced: {
    discriminator: new Uint8Array([186, 54, 47, 75, 147, 208, 207, 178]),
    decode: (b) => getCovenantEnforcedDecoder().decode(b),
  },
  CovenantTouched: {
    discriminator: new Uint8Array([107, 135, 240, 190, 152, 96, 157, 202]),
    decode: (b) => getCovenantTouchedDecoder().decode(b),
  },
  CovenantTripped: {
    discriminator: new Uint8Array([84, 203, 209, 37, 112, 247, 77, 29]),
    decode: (b) => getCovenantTrippedDecoder().decode(b),
  },
  DeficitBooked: {
    discriminator: new Uint8Array([8, 230, 224, 85, 236, 63, 217, 0]),
    decode: (b) => getDeficitBookedDecoder().decode(b),
  },
  DelegateSet: {
    discriminator: new Uint8Array([103, 126, 239, 131, 201, 31, 212, 253]),
    decode: (b) => getDelegateSetDecoder().decode(b),
  },
  Deleveraged: {
    discriminator: new Uint8Array([34, 71, 31, 45, 212, 184, 131, 185]),
    decode: (b) => getDeleveragedDecoder().decode(b),
  },
  Deposited: {
    discriminator: new Uint8Array([111, 141, 26, 45, 161, 35, 100, 57]),
    decode: (b) => getDepositedDecoder().decode(b),
  },
  EmergencyPaused: {
    discriminator: new Uint8Array([97, 135, 220, 149, 143, 72, 9, 27]),
    decode: (b) => getEmergencyPausedDecoder().decode(b),
  },
  ExchangeCreated: {
    discriminator: new Uint8Array([0, 50, 0, 190, 87, 189, 99, 3]),
    decode: (b) => getExchangeCreatedDecoder().decode(b),
  },
  FeesCollected: {
    discriminator: new Uint8Array([233, 23, 117, 225, 107, 178, 254, 8]),
    decode: (b) => getFeesCollectedDecoder().decode(b),
  },
  Flagged: {
    discriminator: new Uint8Array([172, 99, 137, 6, 66, 30, 69, 5]),
    decode: (b) => getFlaggedDecoder().decode(b),
  },
  FundingAccrued: {
    discriminator: new Uint8Array([245, 38, 158, 236, 129, 195, 123, 235]),
    decode: (b) => getFundingAccruedDecoder().decode(b),
  },
  GovernanceAccepted: {
    discriminator: new Uint8Array([58, 188, 56, 73, 240, 184, 32, 89]),
    decode: (b) => getGovernanceAcceptedDecoder().decode(b),
  },
  InsuranceClaimPaid: {
    discriminator: new Uint8Array([192, 156, 171, 111, 107, 227, 78, 164]),
    decode: (b) => getInsuranceClaimPaidDecoder().decode(b),
  },
  InsuranceClaimRegistered: {
    discriminator: new Uint8Array([139, 48, 240, 191, 142, 235, 183, 207]),
    decode: (b) => getInsuranceClaimRegisteredDecoder().decode(b),
  },
  InsuranceToppedUp: {
    discriminator: new Uint8Array([209, 126, 81, 239, 13, 76, 230, 227]),
    decode: (b) => getInsuranceToppedUpDecoder().decode(b),
  },
  InsuranceWithdrawn: {
    discriminator: new Uint8Array([85, 95, 150, 170, 148, 235, 180, 156]),
    decode: (b) => getInsuranceWithdrawnDecoder().decode(b),
  },
  Liquidated: {
    discriminator: new Uint8Array([231, 57, 55, 75, 0, 170, 246, 68]),
    decode: (b) => getLiquidatedDecoder().decode(b),
  },
  LiquidityAdded: {
    discriminator: new Uint8Array([154, 26, 221, 108, 238, 64, 217, 161]),
    decode: (b) => getLiquidityAddedDecoder().decode(b),
  },
  LiquidityHeldBack: {
    discriminator: new Uint8Array([235, 50, 138, 127, 156, 167, 205, 182]),
    decode: (b) => getLiquidityHeldBackDecoder().decode(b),
  },
  LiquidityLapsed: {
    discriminator: new Uint8Array([135, 164, 113, 95, 42, 126, 36, 56]),
    decode: (b) => getLiquidityLapsedDecoder().decode(b),
  },
  LiquidityRemoved: {
    discriminator: new Uint8Array([225, 105, 216, 39, 124, 116, 169, 189]),
    decode: (b) => getLiquidityRemovedDecoder().decode(b),
  },
  LiquidityRequested: {
    discriminator: new Uint8Array([242, 169, 111, 104, 14, 249, 8, 60]),
    decode: (b) => getLiquidityRequestedDecoder().decode(b),
  },
  MarketCreated: {
    discriminator: new Uint8Array([88, 184, 130, 231, 226, 84, 6, 58]),
    decode: (b) => getMarketCreatedDecoder().decode(b),
  },
  MarketProtected: {
    discriminator: new Uint8Array([26, 242, 119, 83, 176, 247, 5, 204]),
    decode: (b) => getMarketProtectedDecoder().decode(b),
  },
  OrderCancelled: {
    discriminator: new Uint8Array([108, 56, 128, 68, 168, 113, 168, 239]),
    decode: (b) => getOrderCancelledDecoder().decode(b),
  },
  OrderPlaced: {
    discriminator: new Uint8Array([96, 130, 204, 234, 169, 219, 216, 227]),
    decode: (b) => getOrderPlacedDecoder().decode(b),
  },
  OrderTriggered: {
    discriminator: new Uint8Array([242, 228, 9, 85, 62, 161, 99, 208]),
    decode: (b) => getOrderTriggeredDecoder().decode(b),
  },
  PoolClaimCollected: {
    discriminator: new Uint8Array([15, 218, 125, 163, 204, 225, 98, 50]),
    decode: (b) => getPoolClaimCollectedDecoder().decode(b),
  },
  PositionDeleveraged: {
    discriminator: new Uint8Array([108, 14, 146, 114, 186, 45, 241, 84]),
    decode: (b) => getPositionDeleveragedDecoder().decode(b),
  },
  PositionSettled: {
    discriminator: new Uint8Array([75, 100, 92, 189, 245, 116, 252, 221]),
    decode: (b) => getPositionSettledDecoder().decode(b),
  },
  PriceUpdated: {
    discriminator: new Uint8Array([154, 72, 87, 150, 246, 230, 23, 217]),
    decode: (b) => getPriceUpdatedDecoder().decode(b),
  },
  ProposalEnded: {
    discriminator: new Uint8Array([162, 54, 81, 145, 157, 31, 199, 33]),
    decode: (b) => getProposalEndedDecoder().decode(b),
  },
  ProposalQueued: {
    discriminator: new Uint8Array([127, 31, 107, 17, 2, 119, 72, 39]),
    decode: (b) => getProposalQueuedDecoder().decode(b),
  },
  ProposalRentReturned: {
    discriminator: new Uint8Array([30, 175, 132, 210, 183, 147, 250, 76]),
    decode: (b) => getProposalRentReturnedDecoder().decode(b),
  },
  Resolved: {
    discriminator: new Uint8Array([148, 46, 187, 66, 35, 1, 255, 147]),
    decode: (b) => getResolvedDecoder().decode(b),
  },
  SettlementAdvanced: {
    discriminator: new Uint8Array([4, 41, 190, 31, 79, 78, 161, 206]),
    decode: (b) => getSettlementAdvancedDecoder().decode(b),
  },
  SubaccountClosed: {
    discriminator: new Uint8Array([110, 220, 252, 171, 188, 115, 216, 243]),
    decode: (b) => getSubaccountClosedDecoder().decode(b),
  },
  SubaccountOpened: {
    discriminator: new Uint8Array([176, 13, 213, 205, 245, 182, 194, 145]),
    decode: (b) => getSubaccountOpenedDecoder().decode(b),
  },
  Traded: {
    discriminator: new Uint8Array([225, 202, 73, 175, 147, 43, 160, 150]),
    decode: (b) => getTradedDecoder().decode(b),
  },
  Transferred: {
    discriminator: new Uint8Array([21, 132, 239, 64, 146, 239, 166, 68]),
    decode: (b) => getTransferredDecoder().decode(b),
  },
  Unflagged: {
    discriminator: new Uint8Array([82, 182, 26, 134, 125, 203, 251, 55]),
    decode: (b) => getUnflaggedDecoder().decode(b),
  },
  UpgradeAuthorityTaken: {
    discriminator: new Uint8Array([11, 76, 82, 69, 243, 106, 199, 144]),
    decode: (b) => getUpgradeAuthorityTakenDecoder().decode(b),
  },
  UpgradeClosed: {
    discriminator: new Uint8Array([76, 121, 250, 37, 185, 165, 80, 223]),
    decode: (b) => getUpgradeClosedDecoder().decode(b),
  },
  UpgradeHashed: {
    discriminator: new Uint8Array([127, 44, 30, 59, 163, 38, 36, 144]),
    decode: (b) => getUpgradeHashedDecoder().decode(b),
  },
  Withdrawn: {
    discriminator: new Uint8Array([20, 89, 223, 198, 194, 124, 219, 13]),
    decode: (b) => getWithdrawnDecoder().decode(b),
  },
};
