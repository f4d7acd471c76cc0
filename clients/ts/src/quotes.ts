/** The engine's own answers, compiled to WebAssembly: to the atom what the program will find. */
import { quotesModule } from '#wasm';
import type { ReadonlyUint8Array } from '@solana/kit';

import { marketAt, positionIn, positionsOf, type Trader } from './accounts.js';
import { reasonOf } from './errors.js';
import type { BallastErrorName } from './generated/ballast/index.js';

/** The state of a price, from worst to best. */
export const PRICE_STATES = ['silent', 'stale', 'uncertain', 'jumped', 'ageing', 'good'] as const;
/** One of {@link PRICE_STATES}. */
export type PriceState = (typeof PRICE_STATES)[number];

/** What a margin test counts. Quote atoms; requirements are rounded up, assets down. */
export type Margin = Readonly<{
  equity: bigint;
  /** The same with unrealised profits and claims in full. */
  fullEquity: bigint;
  notional: bigint;
  requirement: bigint;
  /** What a liquidation has to mend beyond the requirement. */
  buffer: bigint;
  /** The worst of the prices it rests on. */
  price: PriceState;
}>;

/** An account's health. A test is the engine's reason instead where it cannot be made (a price is missing, say). */
export type Health = Readonly<{
  /** Below its requirement the account can be flagged and then liquidated. */
  maintenance: BallastErrorName | Margin;
  /** What must hold after a withdrawal. */
  initial: BallastErrorName | Margin;
  /** Whether it is flagged for liquidation. */
  flagged: boolean;
  /** What margin lets go now; the outflow limiter and a pause may hold back some of it. */
  withdrawable: bigint;
}>;

/** A position, with funding accrued until now. */
export type PositionQuote = Readonly<{
  /** Signed size, base atoms. */
  size: bigint;
  entry: bigint;
  /** Entry per unit of size, as a price; 0 without a size. */
  entryPrice: bigint;
  /** The market's last price, and its state. */
  price: bigint;
  priceState: PriceState;
  notional: bigint;
  /** Unrealised result at that price, before funding. */
  pnl: bigint;
  /** Funding owed (positive) or to receive. */
  fundingOwed: bigint;
  /** The maintenance margin it is held to, millionths. */
  maintenanceMargin: bigint;
  /** While a raise of the maintenance margin does not touch it yet: until when, Unix seconds, and the margin from then on. */
  grace: Readonly<{ until: bigint; then: bigint }> | undefined;
  /** What the pool owes on its claim, and what of that can be collected now. */
  claim: bigint;
  collectable: bigint;
  /** Collateral that a silent exit left behind. */
  held: bigint;
}>;

/** The engine refuses to answer: there is no such position, or a number would leave its range. */
export class QuoteRefused extends Error {
  override readonly name = 'QuoteRefused';
  constructor(readonly reason: BallastErrorName) {
    super(`no quote: ${reason}`);
  }
}

type Asked = Pick<Trader, 'markets' | 'now' | 'subaccount'>;
type Call = 'health' | 'liquidation_price' | 'max_increase' | 'position';
type Exports = Readonly<
  Record<Call | 'input' | 'market_bytes' | 'most_markets' | 'output' | 'subaccount_bytes', () => number> & {
    memory: WebAssembly.Memory;
  }
>;

/** Words of a request's header and of the largest answer; see crates/wasm. */
const HEADER = 6;
const ANSWER = 15;
const WORD = 8;
/** The engine numbers its errors from zero, the chain from here. */
const FIRST_ERROR = 6_000;
const UNREADABLE: Readonly<Record<number, string>> = {
  [-1]: 'the subaccount is of another layout than this module reads; use the matching client',
  [-2]: 'a market is of another layout than this module reads; use the matching client',
  [-3]: 'the request holds too many markets or an index that no market has',
};

const errorOf = (code: bigint | number): BallastErrorName =>
  reasonOf(FIRST_ERROR + Number(code) - 1) ?? 'InvariantBroken';
const signed = (word: bigint) => BigInt.asIntN(64, word);
const stateOf = (word: bigint): PriceState => PRICE_STATES[Number(word)]!;

/** The engine. One instance answers any number of questions, about any exchange. */
export class Quotes {
  readonly #wasm: Exports;

  private constructor(wasm: Exports) {
    this.#wasm = wasm;
  }

  /** Loads the engine; `module` instead of the file beside this package's code, where a host keeps it elsewhere. */
  static async load(module?: BufferSource | WebAssembly.Module): Promise<Quotes> {
    const compiled =
      module instanceof WebAssembly.Module ? module : module ? await WebAssembly.compile(module) : await quotesModule();
    const { exports } = await WebAssembly.instantiate(compiled);
    return new Quotes(exports as unknown as Exports);
  }

  /** Equity and requirement as the maintenance test and as a withdrawal count them. */
  health(trader: Asked): Health {
    const words = this.#ask('health', trader);
    const margin = (at: number): BallastErrorName | Margin => {
      const [code, equity, fullEquity, notional, requirement, buffer, price] = words.slice(at, at + 7) as [
        bigint,
        bigint,
        bigint,
        bigint,
        bigint,
        bigint,
        bigint,
      ];
      if (code !== 0n) return errorOf(code);
      return {
        buffer,
        equity: signed(equity),
        fullEquity: signed(fullEquity),
        notional,
        price: stateOf(price),
        requirement,
      };
    };
    const [maintenance, initial, flagged] = [margin(0), margin(7), words[14] !== 0n];
    const { collateral } = trader.subaccount.data.state;
    let withdrawable = 0n;
    if (!flagged && typeof initial !== 'string' && initial.price === 'good') {
      const surplus = initial.equity - initial.requirement;
      withdrawable = surplus < 0n ? 0n : surplus < collateral ? surplus : collateral;
    }
    return { flagged, initial, maintenance, withdrawable };
  }

  /** The position in a market. Throws {@link QuoteRefused} where there is none. */
  position(trader: Asked, market: number): PositionQuote {
    const w = this.#ask('position', trader, market);
    return {
      size: signed(w[0]!),
      entry: w[1]!,
      entryPrice: w[2]!,
      price: w[3]!,
      priceState: stateOf(w[4]!),
      notional: w[5]!,
      pnl: signed(w[6]!),
      fundingOwed: signed(w[7]!),
      maintenanceMargin: w[8]!,
      grace: w[13] === 0n ? undefined : { until: signed(w[12]!), then: w[13]! },
      claim: w[9]!,
      collectable: w[10]!,
      held: w[11]!,
    };
  }

  /**
   * The price of a market at which the account reaches maintenance, all other markets standing still: the last one at which
   * it is not below it. `undefined` where no price does. Throws {@link QuoteRefused} without an open position there.
   */
  liquidationPrice(trader: Asked, market: number): bigint | undefined {
    const [found, price] = this.#ask('liquidation_price', trader, market);
    return found === 0n ? undefined : price;
  }

  /**
   * How far that price is from the price now, against the position, in millionths of the price now, rounded toward zero;
   * negative where it is passed. `undefined` where there is none. Throws {@link QuoteRefused} without an open position there.
   */
  liquidationDistance(trader: Asked, market: number): bigint | undefined {
    const at = this.liquidationPrice(trader, market);
    const { price, size } = this.position(trader, market);
    if (at === undefined || price === 0n) return undefined;
    return ((size > 0n ? price - at : at - price) * 1_000_000n) / price;
  }

  /**
   * The largest size, in base atoms, by which the account can open or increase in a market now, every limit and the initial
   * margin kept, filled at the stored price worsened as an order's is. 0 where a limit forbids any.
   */
  maxIncrease(trader: Asked, market: number, side: 'long' | 'short'): bigint {
    return this.#ask('max_increase', trader, market, side === 'long')[0]!;
  }

  #ask(call: Call, trader: Asked, market = 0, long = false): bigint[] {
    const { data, bytes } = trader.subaccount;
    const wanted = new Set(positionsOf(data).map((position) => position.market));
    // What is asked of an account without positions is not about a market.
    if (call !== 'health') wanted.add(market);
    const markets = [...wanted].map((index) => marketAt(trader, index).bytes);
    const { memory } = this.#wasm;
    if (bytes.length !== this.#wasm.subaccount_bytes()) throw new Error(UNREADABLE[-1]);
    if (markets.some(({ length }) => length !== this.#wasm.market_bytes())) throw new Error(UNREADABLE[-2]);
    if (markets.length > this.#wasm.most_markets()) throw new Error(UNREADABLE[-3]);

    const { restartSlot, slot, unix } = trader.now;
    let at = this.#wasm.input();
    const header = new DataView(memory.buffer, at, HEADER * WORD);
    [BigInt.asUintN(64, unix), slot, restartSlot, BigInt(market), long ? 1n : 0n, BigInt(markets.length)].forEach(
      (word, index) => header.setBigUint64(index * WORD, word, true),
    );
    at += HEADER * WORD;
    const target = new Uint8Array(memory.buffer);
    for (const part of [bytes, ...markets] as readonly ReadonlyUint8Array[]) {
      target.set(part as Uint8Array, at);
      at += part.length;
    }
    const code = this.#wasm[call]();
    if (code < 0) throw new Error(UNREADABLE[code] ?? `the quotes' module answered ${code}`);
    if (code > 0) throw new QuoteRefused(errorOf(code));
    const answer = new DataView(memory.buffer, this.#wasm.output(), ANSWER * WORD);
    return Array.from({ length: ANSWER }, (_, index) => answer.getBigUint64(index * WORD, true));
  }
}

/** Whether a position in this market can have a liquidation price at all. */
export const hasPosition = (trader: Asked, market: number): boolean =>
  (positionIn(trader.subaccount.data, market)?.size ?? 0n) !== 0n;
