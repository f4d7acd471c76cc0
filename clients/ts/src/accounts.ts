/** Reading the exchange: accounts with their bytes, as the program and the quotes want them. */
import {
  getBase58Decoder,
  getBase64Encoder,
  type AccountMeta,
  AccountRole,
  type Address,
  type Base58EncodedBytes,
  type FixedSizeDecoder,
  type GetMultipleAccountsApi,
  type GetProgramAccountsApi,
  type ReadonlyUint8Array,
  type Rpc,
} from '@solana/kit';

import {
  BALLAST_PROGRAM_ADDRESS,
  EXCHANGE_DISCRIMINATOR,
  findExchangePda,
  findMarketPda,
  findSubaccountPda,
  getExchangeDecoder,
  getMarketDecoder,
  getSubaccountDecoder,
  MARKET_DISCRIMINATOR,
  SUBACCOUNT_DISCRIMINATOR,
  type Exchange,
  type Market,
  type Position,
  type Subaccount,
} from './generated/ballast/index.js';

/** A connection that can read. */
export type Reader = Rpc<GetMultipleAccountsApi & GetProgramAccountsApi>;

/** Version of the account layouts that this client reads. */
export const LAYOUT_VERSION = 1;

/** An account, decoded and as it is on chain. */
export type Loaded<T> = Readonly<{ address: Address; data: T; bytes: ReadonlyUint8Array }>;

/** The chain's clock as the program sees it. */
export type Now = Readonly<{ unix: bigint; slot: bigint; restartSlot: bigint }>;

/** An exchange with its markets by index. */
export type Venue = Readonly<{ exchange: Loaded<Exchange>; markets: ReadonlyMap<number, Loaded<Market>> }>;

/** A subaccount with all that its health depends on, read at one moment. */
export type Trader = Venue & Readonly<{ subaccount: Loaded<Subaccount>; now: Now }>;

/** The most accounts in one call. */
const BATCH = 100;
const CLOCK = 'SysvarC1ock11111111111111111111111111111111' as Address;
const LAST_RESTART_SLOT = 'SysvarLastRestartS1ot1111111111111111111111' as Address;

type Kind<T> = Readonly<{ name: string; discriminator: ReadonlyUint8Array; decoder: () => FixedSizeDecoder<T> }>;
const EXCHANGE: Kind<Exchange> = {
  name: 'an exchange',
  discriminator: EXCHANGE_DISCRIMINATOR,
  decoder: getExchangeDecoder,
};
const MARKET: Kind<Market> = { name: 'a market', discriminator: MARKET_DISCRIMINATOR, decoder: getMarketDecoder };
const SUBACCOUNT: Kind<Subaccount> = {
  name: 'a subaccount',
  discriminator: SUBACCOUNT_DISCRIMINATOR,
  decoder: getSubaccountDecoder,
};

/** The generated decoders look at fields alone: kind, length and version are checked here. */
function load<T extends { version: number }>(kind: Kind<T>, address: Address, bytes: ReadonlyUint8Array): Loaded<T> {
  const decoder = kind.decoder();
  if (!kind.discriminator.every((byte, index) => bytes[index] === byte) || bytes.length !== decoder.fixedSize) {
    throw new Error(`${address} is not ${kind.name} of Ballast; check the address`);
  }
  const data = decoder.decode(bytes);
  if (data.version !== LAYOUT_VERSION) {
    throw new Error(
      `${address} has layout version ${data.version}, this client reads ${LAYOUT_VERSION}; use the matching client`,
    );
  }
  return { address, bytes, data };
}

/** The market in an account's bytes. Throws on anything else. */
export const marketOf = (address: Address, bytes: ReadonlyUint8Array): Loaded<Market> => load(MARKET, address, bytes);

/** The subaccount in an account's bytes. Throws on anything else. */
export const subaccountOf = (address: Address, bytes: ReadonlyUint8Array): Loaded<Subaccount> =>
  load(SUBACCOUNT, address, bytes);

type Raw = Readonly<{ bytes: ReadonlyUint8Array; owner: Address }> | undefined;

async function read(rpc: Reader, addresses: readonly Address[]): Promise<Raw[]> {
  const batches = [];
  for (let at = 0; at < addresses.length; at += BATCH) batches.push(addresses.slice(at, at + BATCH));
  const answers = await Promise.all(
    batches.map((batch) => rpc.getMultipleAccounts(batch, { commitment: 'confirmed', encoding: 'base64' }).send()),
  );
  return answers
    .flatMap(({ value }) => value)
    .map((account) =>
      account ? { bytes: getBase64Encoder().encode(account.data[0]), owner: account.owner } : undefined,
    );
}

function mine<T extends { version: number }>(kind: Kind<T>, address: Address, raw: Raw): Loaded<T> {
  if (!raw) throw new Error(`there is no account at ${address}; it should be ${kind.name}`);
  if (raw.owner !== BALLAST_PROGRAM_ADDRESS)
    throw new Error(`${address} does not belong to Ballast; check the address`);
  return load(kind, address, raw.bytes);
}

/** The exchange of a collateral mint, or, without one, the chain's only exchange. */
export async function loadExchange(rpc: Reader, mint?: Address): Promise<Loaded<Exchange>> {
  if (mint) {
    const [address] = await findExchangePda({ mint });
    return mine(EXCHANGE, address, (await read(rpc, [address]))[0]);
  }
  const bytes = filterBytes(EXCHANGE_DISCRIMINATOR);
  const found = await rpc
    .getProgramAccounts(BALLAST_PROGRAM_ADDRESS, {
      commitment: 'confirmed',
      encoding: 'base64',
      filters: [{ memcmp: { bytes, encoding: 'base58', offset: 0n } }],
    })
    .send();
  const [only, another] = found;
  if (!only) throw new Error('there is no exchange on this chain; `ballast localnet` starts one with an exchange');
  if (another) throw new Error('there are several exchanges on this chain; name the collateral mint of one');
  return load(EXCHANGE, only.pubkey, getBase64Encoder().encode(only.account.data[0]));
}

const marketAddresses = ({ address, data }: Loaded<Exchange>): Promise<Address[]> =>
  Promise.all(
    Array.from({ length: data.markets }, async (_, index) => (await findMarketPda({ exchange: address, index }))[0]),
  );

const byIndex = (addresses: readonly Address[], raw: readonly Raw[]): Map<number, Loaded<Market>> =>
  new Map(addresses.map((address, index) => [index, mine(MARKET, address, raw[index])]));

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
  const [subaccount, clock, restart, ...rest] = await read(rpc, [address, CLOCK, LAST_RESTART_SLOT, ...markets]);
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
  const [clock, restart] = await read(rpc, [CLOCK, LAST_RESTART_SLOT]);
  return nowOf(clock, restart);
}

function nowOf(clock: Raw, restart: Raw): Now {
  if (!clock) throw new Error('the chain has no clock; is it a Solana validator?');
  const view = ({ bytes }: { bytes: ReadonlyUint8Array }) => new DataView(Uint8Array.from(bytes).buffer);
  // slot, epoch_start_timestamp, epoch, leader_schedule_epoch, unix_timestamp
  return {
    restartSlot: restart ? view(restart).getBigUint64(0, true) : 0n,
    slot: view(clock).getBigUint64(0, true),
    unix: view(clock).getBigInt64(32, true),
  };
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

/** Bytes in the form that filters take. */
export const filterBytes = (bytes: ReadonlyUint8Array): Base58EncodedBytes =>
  getBase58Decoder().decode(bytes) as string as Base58EncodedBytes;
