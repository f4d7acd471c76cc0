/**
 * The usual flows, as instructions: each helper derives the addresses, puts `update_market` in front where it belongs,
 * and passes the account's other markets. Nothing is sent here; see `send`.
 *
 * Everything is an integer in its smallest unit: collateral and amounts in quote atoms, sizes in base atoms, prices as stored.
 */
import {
  getAddressEncoder,
  getProgramDerivedAddress,
  AccountRole,
  type AccountMeta,
  type Address,
  type Instruction,
  type TransactionSigner,
} from '@solana/kit';

import { legs, marketAt, positionIn, positionsOf, subaccountAddress, type Trader, type Venue } from './accounts.js';
import {
  findCovenantPda,
  findOrderPda,
  getCancelOrderInstruction,
  getCloseSubaccountInstruction,
  getDepositInstructionAsync,
  getExecuteOrderInstruction,
  getOpenSubaccountInstructionAsync,
  getPlaceOrderInstruction,
  getReduceInstruction,
  getTouchCovenantInstruction,
  getTransferInstruction,
  getWithdrawInstructionAsync,
  type Market,
} from './generated/ballast/index.js';
import { refresh } from './oracle.js';
import type { Owner } from './owner.js';
import type { Loaded, Reader } from './read.js';

const TOKEN_PROGRAM = 'TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA' as Address;
const ASSOCIATED_TOKEN_PROGRAM = 'ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL' as Address;
const SYSTEM_PROGRAM = '11111111111111111111111111111111' as Address;
/** "Create, unless it is there." */
const CREATE_IDEMPOTENT = new Uint8Array([1]);

/** An owner's associated token account of the collateral. The program accepts any other of the owner's too. */
export async function collateralAccount({ exchange }: Pick<Venue, 'exchange'>, owner: Address): Promise<Address> {
  const seeds = [owner, TOKEN_PROGRAM, exchange.data.mint].map((key) => getAddressEncoder().encode(key));
  return (await getProgramDerivedAddress({ programAddress: ASSOCIATED_TOKEN_PROGRAM, seeds }))[0];
}

/** Creates the owner's associated token account of the collateral unless it is there: before a first withdrawal. */
export async function createCollateralAccount(
  venue: Pick<Venue, 'exchange'>,
  payer: TransactionSigner,
  owner: Address = payer.address,
): Promise<Instruction> {
  const at = await collateralAccount(venue, owner);
  return {
    accounts: [
      { address: payer.address, role: AccountRole.WRITABLE_SIGNER, signer: payer } as AccountMeta,
      { address: at, role: AccountRole.WRITABLE },
      { address: owner, role: AccountRole.READONLY },
      { address: venue.exchange.data.mint, role: AccountRole.READONLY },
      { address: SYSTEM_PROGRAM, role: AccountRole.READONLY },
      { address: TOKEN_PROGRAM, role: AccountRole.READONLY },
    ],
    data: CREATE_IDEMPOTENT,
    programAddress: ASSOCIATED_TOKEN_PROGRAM,
  };
}

/** An instruction with an account's other markets behind its own accounts. */
function withLegs(instruction: Instruction, more: readonly AccountMeta[]): Instruction {
  return { ...instruction, accounts: [...(instruction.accounts ?? []), ...more] };
}

const marketsOf = (trader: Trader, more?: number): Loaded<Market>[] => {
  const indices = new Set(positionsOf(trader.subaccount.data).map(({ market }) => market));
  if (more !== undefined) indices.add(more);
  return [...indices].sort((a, b) => a - b).map((index) => marketAt(trader, index));
};

/**
 * Shows all of an owner's accounts that hold anything to its covenant, with newer prices in front: where one binds, an increase
 * needs every account with positions seen in the last ten seconds. Nothing without a covenant.
 */
export async function touch(rpc: Reader, owner: Owner): Promise<Instruction[]> {
  if (!owner.covenant) return [];
  const traders = owner.subaccounts
    .map((subaccount) => ({ ...owner, subaccount }))
    .filter(({ subaccount }) => positionsOf(subaccount.data).length > 0);
  const markets = new Set(traders.flatMap((trader) => marketsOf(trader)));
  const covenant = owner.covenant.address;
  return [
    ...(await refresh(rpc, markets)),
    ...traders.map((trader) => {
      const instruction = getTouchCovenantInstruction({ covenant, subaccount: trader.subaccount.address });
      return withLegs(instruction, legs(trader, { writable: false }));
    }),
  ];
}

/** Opens the owner's subaccount, which can be done once: `loadTrader` tells whether it is there. An isolated one holds a single position. */
export function open(
  { exchange }: Pick<Venue, 'exchange'>,
  owner: TransactionSigner,
  { id = 0, isolated = false }: Readonly<{ id?: number; isolated?: boolean }> = {},
): Promise<Instruction> {
  return getOpenSubaccountInstructionAsync({ exchange: exchange.address, id, isolated, owner });
}

/** Closes an empty subaccount; the owner gets its rent. */
export async function close(
  venue: Pick<Venue, 'exchange'>,
  owner: TransactionSigner,
  { id = 0 }: Readonly<{ id?: number }> = {},
): Promise<Instruction> {
  const [covenant] = await findCovenantPda({ exchange: venue.exchange.address, owner: owner.address });
  return getCloseSubaccountInstruction({
    covenant,
    owner,
    subaccount: await subaccountAddress(venue, owner.address, id),
  });
}

/** Puts collateral in, from the owner's associated token account or another one of the owner's. */
export async function deposit(
  venue: Pick<Venue, 'exchange'>,
  owner: TransactionSigner,
  { amount, id = 0, tokens }: Readonly<{ amount: bigint; id?: number; tokens?: Address }>,
): Promise<Instruction> {
  return getDepositInstructionAsync({
    amount,
    exchange: venue.exchange.address,
    owner,
    ownerTokens: tokens ?? (await collateralAccount(venue, owner.address)),
    subaccount: await subaccountAddress(venue, owner.address, id),
  });
}

/** Takes collateral out, with the prices that its margin test needs in front. */
export async function withdraw(
  rpc: Reader,
  trader: Trader,
  owner: TransactionSigner,
  { amount, tokens }: Readonly<{ amount: bigint; tokens?: Address }>,
): Promise<Instruction[]> {
  const instruction = await getWithdrawInstructionAsync({
    amount,
    covenant: trader.subaccount.data.covenant,
    exchange: trader.exchange.address,
    owner,
    ownerTokens: tokens ?? (await collateralAccount(trader, owner.address)),
    subaccount: trader.subaccount.address,
  });
  const prices = await refresh(rpc, marketsOf(trader));
  return [...prices, withLegs(instruction, legs(trader, { writable: false }))];
}

/** Moves collateral to another subaccount of the owner, who signs, or a delegate of both for collateral. */
export async function transfer(
  rpc: Reader,
  trader: Trader,
  owner: TransactionSigner,
  { amount, to }: Readonly<{ amount: bigint; to: Address }>,
): Promise<Instruction[]> {
  const instruction = getTransferInstruction({
    amount,
    covenant: trader.subaccount.data.covenant,
    from: trader.subaccount.address,
    to,
    trader: owner,
  });
  const prices = await refresh(rpc, marketsOf(trader));
  return [...prices, withLegs(instruction, legs(trader, { writable: false }))];
}

/** Kinds of orders by their byte: an exit is a stop-loss, a take-profit, a trailing stop, or two of these. */
const orderKinds = ['market', 'limit', 'stop', 'exit'] as const;

/** What to order. Prices are in the market's own scale; none if left out. */
export type OrderTerms = Readonly<{
  /** The market's index. */
  market: number;
  /** Signed size, base atoms: positive buys, negative sells. */
  size: bigint;
  /** What it waits for; `market` if left out. */
  kind?: (typeof orderKinds)[number];
  /** The worst average price accepted; what a `limit` order waits for. */
  limit?: bigint;
  /** The price that a `stop` entry waits for. */
  trigger?: bigint;
  /** Stop of an exit; of an entry, of the exits that its fill leaves. */
  stop?: bigint;
  /** Target, likewise. */
  target?: bigint;
  /** Distance at which that stop follows the best price. */
  trail?: bigint;
  /** It may not fill after this, Unix seconds; never if left out. */
  expiresAt?: bigint;
  /** Whether it may only reduce the position that there is now; its size is then capped at what is left of it. An exit does. */
  reduceOnly?: boolean;
}>;

/** An order to be placed: its address follows from the subaccount's next number. */
export type Placing = Readonly<{ instruction: Instruction; order: Address; id: bigint }>;

/** Places an order. It fills at the first price published after it (and after its condition was met), by anyone's call: see {@link fillOrder}. */
export async function placeOrder(trader: Trader, owner: TransactionSigner, terms: OrderTerms): Promise<Placing> {
  const id = trader.subaccount.data.state.nextOrder;
  const [order] = await findOrderPda({ id, subaccount: trader.subaccount.address });
  const instruction = getPlaceOrderInstruction({
    expiresAt: terms.expiresAt ?? 0n,
    kind: orderKinds.indexOf(terms.kind ?? 'market'),
    limit: terms.limit ?? 0n,
    market: marketAt(trader, terms.market).address,
    order,
    reduceOnly: terms.reduceOnly ?? terms.kind === 'exit',
    size: terms.size,
    stop: terms.stop ?? 0n,
    subaccount: trader.subaccount.address,
    target: terms.target ?? 0n,
    trader: owner,
    trail: terms.trail ?? 0n,
    trigger: terms.trigger ?? 0n,
  });
  return { id, instruction, order };
}

/**
 * Takes an order back; not in the 10 seconds after it counts as placed, 12 by the chain's clock. `rentTo` paid its rent: the owner,
 * unless it says otherwise.
 */
export function cancelOrder(
  trader: Trader,
  canceller: TransactionSigner,
  { keeper, market, order, rentTo }: Readonly<{ market: number; order: Address; rentTo?: Address; keeper?: Address }>,
): Instruction {
  return getCancelOrderInstruction({
    canceller,
    ...(keeper && { keeper }),
    market: marketAt(trader, market).address,
    order,
    rentTo: rentTo ?? trader.subaccount.data.owner,
    subaccount: trader.subaccount.address,
  });
}

/**
 * Fills an order, the newest prices in front. Anyone may: the order's fee goes to `keeper`, a subaccount of the caller, or
 * back to the order's own without one.
 */
export async function fillOrder(
  rpc: Reader,
  trader: Trader,
  { keeper, market, order, rentTo }: Readonly<{ market: number; order: Address; rentTo?: Address; keeper?: Address }>,
): Promise<Instruction[]> {
  const instruction = getExecuteOrderInstruction({
    // Where the owner's covenant is, or would be.
    covenant: trader.subaccount.data.covenant,
    ...(keeper && { keeper }),
    market: marketAt(trader, market).address,
    order,
    rentTo: rentTo ?? trader.subaccount.data.owner,
    subaccount: trader.subaccount.address,
  });
  const prices = await refresh(rpc, marketsOf(trader, market));
  return [...prices, withLegs(instruction, legs(trader, { except: market, writable: true }))];
}

/** Reduces a position at once, at the price of the moment made worse by at least 10 basis points: an order is cheaper. */
export async function reduce(
  rpc: Reader,
  trader: Trader,
  owner: TransactionSigner,
  { limit = 0n, market, size }: Readonly<{ market: number; size?: bigint; limit?: bigint }>,
): Promise<Instruction[]> {
  const held = positionIn(trader.subaccount.data, market)?.size ?? 0n;
  const instruction = getReduceInstruction({
    limit,
    market: marketAt(trader, market).address,
    // All of it, unless it says otherwise.
    size: size ?? (held < 0n ? -held : held),
    subaccount: trader.subaccount.address,
    trader: owner,
  });
  const prices = await refresh(rpc, marketsOf(trader, market));
  return [...prices, withLegs(instruction, legs(trader, { except: market, writable: true }))];
}
