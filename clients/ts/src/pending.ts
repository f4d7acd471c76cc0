/** What governance has queued: which proposals touch an account, and what they change. When is the engine's to say. */
import type { Address } from '@solana/kit';

import { positionIn, type Venue } from './accounts.js';
import type { Exchange, Proposal, Subaccount } from './generated/ballast/index.js';
import type { Owner } from './owner.js';

/** What a pending proposal is about. */
export type Pending = 'insurance' | 'oracle' | 'oracle program' | 'parameters' | 'upgrade' | 'wind down';

/** A change that waits and touches an account. */
export type PendingChange = Readonly<{
  /** The proposal. */
  address: Address;
  id: bigint;
  what: Pending;
  /** Of which market; `undefined` for what concerns the whole exchange. */
  market: number | undefined;
  /** The parameters that change: names as in `params` of the market or the exchange, values as stored. */
  changes: readonly Readonly<{ name: string; old: bigint; new: bigint }>[];
  /** From when on it may be executed, as things stand, Unix seconds: pauses and exits held back move it. */
  from: bigint;
  /** From when on it is dead, as things stand. */
  dead: bigint;
  /**
   * Whether the account would be below maintenance by its margin at the prices of now, once no grace keeps the old one.
   * `undefined` where the maintenance margin stays, or a price is missing.
   */
  belowMaintenance: boolean | undefined;
}>;

/** Kinds of proposals, as stored: what they are about, and where that is a parameter, whose. Others touch no account. */
const KINDS: Readonly<Record<number, readonly [what: Pending, of?: 'exchange' | 'market', batch?: true]>> = {
  0: ['parameters', 'market'],
  1: ['parameters', 'exchange'],
  5: ['oracle'],
  6: ['wind down'],
  8: ['oracle program'],
  9: ['parameters', 'market', true],
  10: ['insurance'],
  11: ['upgrade'],
  13: ['parameters', 'exchange', true],
};
const INSURANCE = 10;
/** In place of a market's index in a withdrawal of insurance. */
const SHARED_FUND = 65_535;
const PENDING = 0;
const NOBODY = '11111111111111111111111111111111';

/** The market that a proposal is about. */
export function marketOfProposal({ market, marketIndex, terms }: Proposal): number | undefined {
  if (terms.kind === INSURANCE) return terms.parameter === SHARED_FUND ? undefined : terms.parameter;
  return market === NOBODY ? undefined : marketIndex;
}

/** Whether it waits, whoever proposed it is still in power, and it touches an account with orders in these markets. */
export function isPending(proposal: Proposal, exchange: Exchange, account: Subaccount, ordered: ReadonlySet<number>) {
  const { terms } = proposal;
  const market = marketOfProposal(proposal);
  return (
    terms.state === PENDING &&
    exchange.roles.epoch[terms.proposer] === terms.epoch &&
    KINDS[terms.kind] !== undefined &&
    (market === undefined || positionIn(account, market) !== undefined || ordered.has(market))
  );
}

/** The markets in which a subaccount has orders. */
export function orderedIn({ markets, orders }: Pick<Owner, 'markets' | 'orders'>, subaccount: Address): Set<number> {
  const ours = new Set(orders.filter(({ data }) => data.subaccount === subaccount).map(({ data }) => data.market));
  return new Set([...markets].filter(([, { address }]) => ours.has(address)).map(([index]) => index));
}

/** What it changes. Parameters are stored in the order of their ids. */
export function changesOf(
  proposal: Proposal,
  { exchange, markets }: Venue,
): Pick<PendingChange, 'changes' | 'market' | 'what'> {
  const { batch, terms } = proposal;
  const [what, of, several] = KINDS[terms.kind]!;
  const market = marketOfProposal(proposal);
  const params = of === 'exchange' ? exchange.data.params : markets.get(proposal.marketIndex)?.data.state.params;
  const changed = of === undefined ? [] : several ? batch.changes.slice(0, Number(batch.count)) : [terms];
  return {
    changes: changed.map(({ newValue, oldValue, parameter }) => ({
      name: Object.keys(params ?? {})[parameter] ?? '?',
      new: newValue,
      old: oldValue,
    })),
    market,
    what,
  };
}

/** The maintenance margin that it would put in force; `undefined` where it leaves that alone. */
export function marginAfter({ changes, market }: Pick<PendingChange, 'changes' | 'market'>): bigint | undefined {
  return market === undefined ? undefined : changes.find(({ name }) => name === 'maintenanceMargin')?.new;
}
