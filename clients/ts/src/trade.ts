/** A trade from its placing to its fill, whoever fills it. */
import {
  type Address,
  type GetSignaturesForAddressApi,
  type Instruction,
  type Rpc,
  type Signature,
  type TransactionSigner,
} from '@solana/kit';

import { loadTraderAt, marketAt, type Trader } from './accounts.js';
import { BallastRefusal, reasonOf, TransactionFailed } from './errors.js';
import { find } from './events.js';
import { fillOrder, placeOrder, touch, type OrderTerms } from './flows.js';
import { BALLAST_PROGRAM_ADDRESS, type BallastErrorName, type Traded } from './generated/ballast/index.js';
import { newestPrice } from './oracle.js';
import { loadOwner, orderOf } from './owner.js';
import { read, type Reader } from './read.js';
import { fetchReceipt, send, type Receipt, type SendOptions, type Writer } from './send.js';

/** What {@link trade} takes: a market order, with exits or without. What waits for a price of its own is placed by `placeOrder`. */
export type MarketOrder = Omit<OrderTerms, 'kind' | 'trigger'> & Readonly<{ kind?: 'market' }>;

/** A trade that went through. */
export type Trade = Readonly<{
  fill: Traded;
  /** The order; with exits it lives on under this address, as these. */
  order: Address;
  placed: Receipt;
  /** The transaction that filled it. */
  filled: Receipt;
  /** Whether somebody else's did: as a rule a keeper. */
  byOther: boolean;
}>;

/** An order that was placed and, as far as is known, waits: anyone may fill it while it lives. `cause` says why it was not filled. */
export class OrderRests extends Error {
  /** The order: `fillOrder` tries again, `cancelOrder` takes it back. */
  readonly order: Address;

  constructor(order: Address, cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause);
    super(`order ${order} is placed, but not filled: ${why}`, { cause });
    this.name = new.target.name;
    this.order = order;
  }
}

/** An order that was placed and cancelled before it filled: nothing was traded. */
export class OrderWasCancelled extends Error {
  /** The order. */
  readonly order: Address;
  /** Why it could not be filled; `undefined` where its owner or a delegate took it back. */
  readonly reason: BallastErrorName | undefined;
  /** The transaction that cancelled it. */
  readonly receipt: Receipt;

  constructor(order: Address, reason: BallastErrorName | undefined, receipt: Receipt) {
    super(`order ${order} was cancelled${reason === undefined ? '' : `: ${reason}`}`);
    this.name = new.target.name;
    this.order = order;
    this.reason = reason;
    this.receipt = receipt;
  }
}

/** Refusals of a fill that pass with the next price. */
const PASSING = new Set<BallastErrorName>(['CovenantStale', 'OrderTooEarly', 'PriceStale', 'PriceUnconfirmed']);
/** The kind of order that a filled entry has become. */
const EXIT = 3;

/** Whether an entry still waits: its account is there, and has not become its exits. */
async function waits(rpc: Reader, order: Address): Promise<boolean> {
  const [raw] = await read(rpc, [order]);
  return raw?.owner === BALLAST_PROGRAM_ADDRESS && orderOf(order, raw.bytes).data.terms.kind !== EXIT;
}

/** What is known of an order at the end of a transaction: its fill, or its cancellation. */
function outcomeIn(receipt: Receipt, order: Address): Pick<Trade, 'fill' | 'filled'> | OrderWasCancelled | undefined {
  for (const { data, name } of receipt.events) {
    // A keeper may fill several in one.
    if (name === 'Traded' && data.order === order) return { fill: data, filled: receipt };
    if (name === 'OrderCancelled' && data.order === order) {
      return new OrderWasCancelled(order, reasonOf(data.reason), receipt);
    }
  }
  return undefined;
}

/** What has become of an order since it was placed, from the transactions that name it; `undefined` where no node shows it yet. */
async function outcomeOf(rpc: Writer & Rpc<GetSignaturesForAddressApi>, order: Address, placed: Receipt) {
  const since = { commitment: 'confirmed', until: placed.signature } as const;
  // The newest come first; an exit may have followed the entry, under the same address.
  const named = (await rpc.getSignaturesForAddress(order, since).send()).toReversed();
  for (const { err, signature } of named) {
    const receipt = err === null ? await fetchReceipt(rpc, signature) : undefined;
    const outcome = receipt && outcomeIn(receipt, order);
    if (outcome) return outcome;
  }
  return undefined;
}

/** The fill, the newest prices in front, and where a covenant binds the owner, all its accounts shown to it. */
async function fillShown(rpc: Reader, trader: Trader, market: number, order: Address, rentTo: Address) {
  const { covenant, owner } = trader.subaccount.data;
  const [bound] = await read(rpc, [covenant]);
  const shown = bound?.owner === BALLAST_PROGRAM_ADDRESS ? await touch(rpc, await loadOwner(rpc, trader, owner)) : [];
  return once([...shown, ...(await fillOrder(rpc, trader, { market, order, rentTo }))]);
}

/** Both parts of it refresh markets: each of them once. */
function once(instructions: readonly Instruction[]): Instruction[] {
  const seen = new Set<string>();
  return instructions.filter(({ accounts = [], data = [] }) => {
    const key = [...accounts.map(({ address }) => address), ...data].join();
    return !seen.has(key) && seen.add(key);
  });
}

/**
 * Places a market order, waits for a price published after it, stores that price and fills the order. Two transactions, both signed
 * by the owner; where a covenant binds it, the second one shows it all its accounts. Where somebody else fills the order first, as
 * keepers do, that is the fill. The order's exits, if it has any, then wait at its address.
 *
 * Throws an {@link OrderWasCancelled} if it was cancelled instead, with the reason; and an {@link OrderRests} if its fill was refused
 * or it is not filled in time: it may then be filled by anyone until it lapses, or cancelled. Whatever else it throws was thrown
 * before the order was placed, or before that could be seen.
 */
export async function trade(
  rpc: Reader & Writer & Rpc<GetSignaturesForAddressApi>,
  trader: Trader,
  owner: TransactionSigner,
  terms: MarketOrder,
  { patience = 30_000, poll = 400, ...options }: SendOptions = {},
): Promise<Trade> {
  const { instruction, order } = await placeOrder(trader, owner, terms);
  const placed = await send(rpc, owner, [instruction], options);
  const placedAt = find(placed.events, 'OrderPlaced')?.placedAt;
  if (placedAt === undefined) throw new OrderRests(order, new Error('its event cannot be read'));

  let own: Signature | undefined;
  /** Fills it if a price allows it by now. */
  const attempt = async () => {
    const current = await loadTraderAt(rpc, trader, trader.subaccount.address);
    if (!current) return undefined;
    const { data } = marketAt(current, terms.market);
    const published = (await newestPrice(rpc, data))?.publishTime ?? 0n;
    const stored = data.state.price.last.publishTime;
    if ((published > stored ? published : stored) <= placedAt) return undefined;
    // Whoever placed it paid its rent: the owner or a delegate.
    const filled = await send(rpc, owner, await fillShown(rpc, current, terms.market, order, owner.address), options);
    own = filled.signature;
    return outcomeIn(filled, order);
  };

  const end = Date.now() + patience;
  let last: unknown = new Error(`no price was published after it in ${patience} ms`);
  let outcome: ReturnType<typeof outcomeIn>;
  try {
    while (!outcome && Date.now() < end) {
      await new Promise<void>((resolve) => void setTimeout(resolve, poll));
      if (await waits(rpc, order)) {
        try {
          outcome = await attempt();
        } catch (error) {
          last = error;
          // Not seen in time, it may have landed all the same.
          if (error instanceof TransactionFailed) own = error.signature ?? own;
          if (error instanceof BallastRefusal && PASSING.has(error.reason)) continue;
          // Whoever comes second is refused too, for an order that is not there any more.
          if (await waits(rpc, order)) throw error;
        }
      } else {
        outcome = await outcomeOf(rpc, order, placed);
      }
    }
    outcome ??= await outcomeOf(rpc, order, placed);
  } catch (error) {
    throw new OrderRests(order, error);
  }
  if (!outcome) throw new OrderRests(order, last);
  if (outcome instanceof OrderWasCancelled) throw outcome;
  return { ...outcome, byOther: outcome.filled.signature !== own, order, placed };
}
