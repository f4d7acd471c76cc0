/** Reading the exchange: accounts with their bytes, as the program and the quotes want them. */
import { AccountRole, type AccountMeta, type Address, type ReadonlyUint8Array } from '@solana/kit';

import {
  findExchangePda,
  findSubaccountPda,
  type Exchange,
  type Market,
  type Position,
  type Subaccount,
} from './generated/ballast/index.js';
import {
  byIndex,
  CLOCKS,
  EXCHANGE,
  load,
  MARKET,
  marketAddresses,
  mine,
  nowOf,
  read,
  scan,
  SUBACCOUNT,
  type Loaded,
  type Now,
  type Reader,
} from './read.js';

/** An exchange with its markets by index. */
export type Venue = Readonly<{ exchange: Loaded<Exchange>; markets: ReadonlyMap<number, Loaded<Market>> }>;

/** A subaccount with all that its health depends on, read at one moment. */
export type Trader = Venue & Readonly<{ subaccount: Loaded<Subaccount>; now: Now }>;

/** The market in an account's bytes. Throws on anything else. */
export const marketOf = (address: Address, bytes: ReadonlyUint8Array): Loaded<Market> => load(MARKET, address, bytes);

/** The subaccount in an account's bytes. Throws on anything else. */
export const subaccountOf = (address: Address, bytes: ReadonlyUint8Array): Loaded<Subaccount> =>
  load(SUBACCOUNT, address, bytes);

/** The exchange of a collateral mint, or, without one, the chain's only exchange. */
export async function loadExchange(rpc: Reader, mint?: Address): Promise<Loaded<Exchange>> {
  if (mint) {
    const [address] = await findExchangePda({ mint });
    return mine(EXCHANGE, address, (await read(rpc, [address]))[0]);
  }
  const found = await scan(rpc, EXCHANGE);
  const [only, another] = found;
  if (!only) throw new Error('there is no exchange on this chain; `ballast localnet` starts one with an exchange');
  if (another) throw new Error('there are several exchanges on this chain; name the collateral mint of one');
  return load(EXCHANGE, only.address, only.bytes);
}

/** An exchange and all its markets. */
export async function loadVenue(rpc: Reader, mint?: Address): Promise<Venue> {
  const exchange = await loadExchange(rpc, mint);
  const addresses = await marketAddresses(exchange);
  return { exchange, markets: byIndex(addresses, await read(rpc, addresses)) };
}

/** The address of an owner's subaccount. */
export async function subaccountAddress(
  { exchange }: Pick<Venue, 'exchange'>,
  owner: Address,
  id = 0,
): Promise<Address> {
  return (await findSubaccountPda({ exchange: exchange.address, id, owner }))[0];
}

/** An owner's subaccount with its markets and the clock, `undefined` where it has not been opened. */
export async function loadTrader(rpc: Reader, venue: Venue, owner: Address, id = 0): Promise<Trader | undefined> {
  return loadTraderAt(rpc, venue, await subaccountAddress(venue, owner, id));
}

/** The same by the subaccount's address. One call, so that all of it is of one slot (up to 97 markets). */
export async function loadTraderAt(rpc: Reader, { exchange }: Venue, address: Address): Promise<Trader | undefined> {
  const markets = await marketAddresses(exchange);
  const [subaccount, clock, restart, ...rest] = await read(rpc, [address, ...CLOCKS, ...markets]);
  if (!subaccount) return undefined;
  return {
    exchange,
    markets: byIndex(markets, rest),
    now: nowOf(clock, restart),
    subaccount: mine(SUBACCOUNT, address, subaccount),
  };
}

/** The chain's clock. */
export async function loadNow(rpc: Reader): Promise<Now> {
  const [clock, restart] = await read(rpc, CLOCKS);
  return nowOf(clock, restart);
}

/** Whether a slot holds something: a size, a claim, or what a silent exit left behind. */
export const isUsed = ({ claim, held, size }: Position): boolean => size !== 0n || claim.amount !== 0n || held !== 0n;

/** The positions in use, in slot order. */
export const positionsOf = (subaccount: Subaccount): Position[] => subaccount.state.positions.filter(isUsed);

/** The position in a market. */
export const positionIn = (subaccount: Subaccount, market: number): Position | undefined =>
  positionsOf(subaccount).find((position) => position.market === market);

/** A venue's market. */
export function marketAt({ markets }: Pick<Venue, 'markets'>, index: number): Loaded<Market> {
  const market = markets.get(index);
  if (!market) throw new Error(`there is no market ${index}; the exchange has ${markets.size}, numbered from 0`);
  return market;
}

/**
 * The markets of a subaccount's slots in use as the program wants them behind an instruction's own accounts: in slot
 * order, without the market that the instruction names itself; writable where other markets' profits may have to pay a loss.
 */
export function legs(trader: Trader, options: Readonly<{ except?: number; writable: boolean }>): AccountMeta[] {
  const wanted = positionsOf(trader.subaccount.data).filter(({ market }) => market !== options.except);
  const role = options.writable ? AccountRole.WRITABLE : AccountRole.READONLY;
  return wanted.map(({ market }) => ({ address: marketAt(trader, market).address, role }));
}
