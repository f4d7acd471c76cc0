/** Accounts out of a node: their kind, length, version and owner are checked here, and nowhere else. */
import {
  getBase58Decoder,
  getBase64Encoder,
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
  COVENANT_DISCRIMINATOR,
  EXCHANGE_DISCRIMINATOR,
  findMarketPda,
  getCovenantDecoder,
  getExchangeDecoder,
  getMarketDecoder,
  getOrderDecoder,
  getProposalDecoder,
  getSubaccountDecoder,
  MARKET_DISCRIMINATOR,
  ORDER_DISCRIMINATOR,
  PROPOSAL_DISCRIMINATOR,
  SUBACCOUNT_DISCRIMINATOR,
  type Covenant,
  type Exchange,
  type Market,
  type Order,
  type Proposal,
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

/** The most accounts in one call. */
const BATCH = 100;
/** What {@link nowOf} reads: the clock, and the slot of the last restart. */
export const CLOCKS = [
  'SysvarC1ock11111111111111111111111111111111' as Address,
  'SysvarLastRestartS1ot1111111111111111111111' as Address,
] as const;

/** A kind of account. */
export type Kind<T> = Readonly<{
  name: string;
  discriminator: ReadonlyUint8Array;
  decoder: () => FixedSizeDecoder<T>;
}>;
export const EXCHANGE: Kind<Exchange> = {
  name: 'an exchange',
  discriminator: EXCHANGE_DISCRIMINATOR,
  decoder: getExchangeDecoder,
};
export const MARKET: Kind<Market> = {
  name: 'a market',
  discriminator: MARKET_DISCRIMINATOR,
  decoder: getMarketDecoder,
};
export const SUBACCOUNT: Kind<Subaccount> = {
  name: 'a subaccount',
  discriminator: SUBACCOUNT_DISCRIMINATOR,
  decoder: getSubaccountDecoder,
};
export const COVENANT: Kind<Covenant> = {
  name: 'a covenant',
  discriminator: COVENANT_DISCRIMINATOR,
  decoder: getCovenantDecoder,
};
export const ORDER: Kind<Order> = {
  name: 'an order',
  discriminator: ORDER_DISCRIMINATOR,
  decoder: getOrderDecoder,
};
export const PROPOSAL: Kind<Proposal> = {
  name: 'a proposal',
  discriminator: PROPOSAL_DISCRIMINATOR,
  decoder: getProposalDecoder,
};

/** The generated decoders look at fields alone: kind, length and version are checked here. */
export function load<T extends { version: number }>(
  kind: Kind<T>,
  address: Address,
  bytes: ReadonlyUint8Array,
): Loaded<T> {
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

/** An account as a node has it; `undefined` where there is none. */
export type Raw = Readonly<{ bytes: ReadonlyUint8Array; owner: Address }> | undefined;

/** Accounts by address, in one call up to a hundred: then all of it is of one slot. */
export async function read(rpc: Reader, addresses: readonly Address[]): Promise<Raw[]> {
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

/** The program's account at an address. Throws where there is none. */
export function mine<T extends { version: number }>(kind: Kind<T>, address: Address, raw: Raw): Loaded<T> {
  if (!raw) throw new Error(`there is no account at ${address}; it should be ${kind.name}`);
  if (raw.owner !== BALLAST_PROGRAM_ADDRESS)
    throw new Error(`${address} does not belong to Ballast; check the address`);
  return load(kind, address, raw.bytes);
}

/** All accounts of a kind that have these keys at these places. */
export async function scan<T>(
  rpc: Reader,
  kind: Kind<T>,
  keys: readonly Readonly<{ offset: bigint; key: Address }>[] = [],
): Promise<Readonly<{ address: Address; bytes: ReadonlyUint8Array }>[]> {
  const filter = (bytes: Base58EncodedBytes, offset: bigint) => ({
    memcmp: { bytes, encoding: 'base58' as const, offset },
  });
  const found = await rpc
    .getProgramAccounts(BALLAST_PROGRAM_ADDRESS, {
      commitment: 'confirmed',
      encoding: 'base64',
      filters: [
        filter(filterBytes(kind.discriminator), 0n),
        ...keys.map(({ key, offset }) => filter(key as string as Base58EncodedBytes, offset)),
      ],
    })
    .send();
  return found.map(({ account, pubkey }) => ({
    address: pubkey,
    bytes: getBase64Encoder().encode(account.data[0]),
  }));
}

/** The clock in the accounts of {@link CLOCKS}. */
export function nowOf(clock: Raw, restart: Raw): Now {
  if (!clock) throw new Error('the chain has no clock; is it a Solana validator?');
  const view = ({ bytes }: { bytes: ReadonlyUint8Array }) => new DataView(Uint8Array.from(bytes).buffer);
  // slot, epoch_start_timestamp, epoch, leader_schedule_epoch, unix_timestamp
  return {
    restartSlot: restart ? view(restart).getBigUint64(0, true) : 0n,
    slot: view(clock).getBigUint64(0, true),
    unix: view(clock).getBigInt64(32, true),
  };
}

/** The addresses of an exchange's markets, by index. */
export const marketAddresses = ({ address, data }: Loaded<Exchange>): Promise<Address[]> =>
  Promise.all(
    Array.from({ length: data.markets }, async (_, index) => (await findMarketPda({ exchange: address, index }))[0]),
  );

/** Markets by index, as they were read at these addresses. */
export const byIndex = (addresses: readonly Address[], raw: readonly Raw[]): Map<number, Loaded<Market>> =>
  new Map(addresses.map((address, index) => [index, mine(MARKET, address, raw[index])]));

/** Bytes in the form that filters take. */
export const filterBytes = (bytes: ReadonlyUint8Array): Base58EncodedBytes =>
  getBase58Decoder().decode(bytes) as string as Base58EncodedBytes;
