/** An owner with all that concerns it: its subaccounts, its covenant, and what governance has pending. */
import { type Address, type ReadonlyUint8Array } from '@solana/kit';

import { type Trader, type Venue } from './accounts.js';
import {
  BALLAST_PROGRAM_ADDRESS,
  findCovenantPda,
  type Covenant,
  type Order,
  type Proposal,
  type Subaccount,
} from './generated/ballast/index.js';
import {
  byIndex,
  CLOCKS,
  COVENANT,
  EXCHANGE,
  load,
  marketAddresses,
  mine,
  nowOf,
  ORDER,
  PROPOSAL,
  read,
  scan,
  SUBACCOUNT,
  type Kind,
  type Loaded,
  type Now,
  type Reader,
} from './read.js';

/** An owner's accounts on an exchange, read at one moment. */
export type Owner = Venue &
  Readonly<{
    now: Now;
    /** What the owner has bound itself to; `undefined` without a covenant. */
    covenant: Loaded<Covenant> | undefined;
    /** All of its subaccounts, by their numbers. */
    subaccounts: readonly Loaded<Subaccount>[];
    /** Their orders. */
    orders: readonly Loaded<Order>[];
    /** The exchange's proposals, those that have ended included. */
    proposals: readonly Loaded<Proposal>[];
  }>;

/** Where a subaccount names its exchange and its owner, an order its subaccount, and a proposal its exchange. */
const EXCHANGE_AT = 16n;
const OWNER_AT = 48n;
const ORDER_SUBACCOUNT_AT = 24n;
const PROPOSAL_EXCHANGE_AT = 24n;

/** The covenant in an account's bytes. Throws on anything else. */
export const covenantOf = (address: Address, bytes: ReadonlyUint8Array): Loaded<Covenant> =>
  load(COVENANT, address, bytes);

/** The order in an account's bytes. Throws on anything else. */
export const orderOf = (address: Address, bytes: ReadonlyUint8Array): Loaded<Order> => load(ORDER, address, bytes);

/** The proposal in an account's bytes. Throws on anything else. */
export const proposalOf = (address: Address, bytes: ReadonlyUint8Array): Loaded<Proposal> =>
  load(PROPOSAL, address, bytes);

/**
 * An owner's subaccounts with their orders, its covenant, the markets and what is pending. What there is is looked for first; then
 * all of it is read in one call, so that it is of one slot (up to 96 subaccounts, orders, proposals and markets together).
 */
export async function loadOwner(rpc: Reader, venue: Venue, owner: Address): Promise<Owner> {
  const exchange = venue.exchange.address;
  const [subaccounts, proposals, markets, [covenant]] = await Promise.all([
    scan(rpc, SUBACCOUNT, [
      { key: exchange, offset: EXCHANGE_AT },
      { key: owner, offset: OWNER_AT },
    ]),
    scan(rpc, PROPOSAL, [{ key: exchange, offset: PROPOSAL_EXCHANGE_AT }]),
    marketAddresses(venue.exchange),
    findCovenantPda({ exchange, owner }),
  ]);
  const orders = await Promise.all(
    subaccounts.map(({ address }) => scan(rpc, ORDER, [{ key: address, offset: ORDER_SUBACCOUNT_AT }])),
  );
  const lists = [subaccounts, orders.flat(), proposals].map((list) => list.map(({ address }) => address));
  const [clock, restart, state, bound, ...rest] = await read(rpc, [
    ...CLOCKS,
    exchange,
    covenant,
    ...lists.flat(),
    ...markets,
  ]);
  // In the order in which they were asked for. One that was closed meanwhile is gone.
  const next = <T extends { version: number }>(kind: Kind<T>, addresses: readonly Address[]): Loaded<T>[] =>
    rest.splice(0, addresses.length).flatMap((raw, index) => (raw ? [mine(kind, addresses[index]!, raw)] : []));
  return {
    // Anybody can send lamports to the address of a covenant that does not exist.
    covenant: bound?.owner === BALLAST_PROGRAM_ADDRESS ? mine(COVENANT, covenant, bound) : undefined,
    exchange: mine(EXCHANGE, exchange, state),
    now: nowOf(clock, restart),
    subaccounts: next(SUBACCOUNT, lists[0]!).sort((one, other) => one.data.id - other.data.id),
    orders: next(ORDER, lists[1]!),
    proposals: next(PROPOSAL, lists[2]!),
    markets: byIndex(markets, rest),
  };
}

/** One of its subaccounts, as quotes and flows want it; `undefined` where it has not been opened. */
export function traderOf(owner: Owner, id = 0): Trader | undefined {
  const subaccount = owner.subaccounts.find(({ data }) => data.id === id);
  const { exchange, markets, now } = owner;
  return subaccount && { exchange, markets, now, subaccount };
}
