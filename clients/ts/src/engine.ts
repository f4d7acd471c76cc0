/** Calls into the engine's module: what is asked goes into its memory, the answer's words come out. See crates/wasm. */
import { quotesModule } from '#wasm';
import type { ReadonlyUint8Array } from '@solana/kit';

import { reasonOf } from './errors.js';
import type { BallastErrorName } from './generated/ballast/index.js';
import type { Loaded, Now } from './read.js';

/** The engine refuses to answer: there is no such position, or a number would leave its range. */
export class QuoteRefused extends Error {
  override readonly name = 'QuoteRefused';
  constructor(readonly reason: BallastErrorName) {
    super(`no quote: ${reason}`);
  }
}

/** What can be asked, and how many words the answer has. */
const ANSWERS = {
  headroom: 13,
  health: 15,
  liquidation_price: 2,
  loss_at_stop: 1,
  max_increase: 1,
  position: 14,
  proposal_times: 2,
  size_for_risk: 1,
  touch: 185,
} as const;
export type Call = keyof typeof ANSWERS;

type Sizes = 'covenant_bytes' | 'market_bytes' | 'most_markets' | 'subaccount_bytes';
type Exports = Readonly<Record<Call | Sizes | 'input' | 'output', () => number> & { memory: WebAssembly.Memory }>;

/** Words of a request's header. */
const HEADER = 8;
const WORD = 8;
/** The engine numbers its errors from zero, the chain from here. */
const FIRST_ERROR = 6_000;
const UNREADABLE: Readonly<Record<number, string>> = {
  [-1]: 'the subaccount is of another layout than this module reads; use the matching client',
  [-2]: 'a market is of another layout than this module reads; use the matching client',
  [-3]: 'the request holds too many markets or an index that no market has',
  [-4]: 'the covenant is of another layout than this module reads; use the matching client',
};

/** The error behind a code. */
export const errorOf = (code: bigint | number): BallastErrorName =>
  reasonOf(FIRST_ERROR + Number(code) - 1) ?? 'InvariantBroken';

/** A word as a signed number. */
export const signed = (word: bigint): bigint => BigInt.asIntN(64, word);

/** A request: the clock, what is asked about, and the accounts. */
export type Request = Readonly<{
  now: Now;
  market?: number;
  long?: boolean;
  price?: bigint;
  amount?: bigint;
  /** What goes in front of the accounts. */
  front?: readonly ReadonlyUint8Array[];
  subaccount?: ReadonlyUint8Array;
  markets?: readonly Pick<Loaded<unknown>, 'bytes'>[];
}>;

/** The module, once it is there. */
export class Engine {
  readonly #wasm: Exports;

  private constructor(wasm: Exports) {
    this.#wasm = wasm;
  }

  static async load(module?: BufferSource | WebAssembly.Module): Promise<Engine> {
    const compiled =
      module instanceof WebAssembly.Module ? module : module ? await WebAssembly.compile(module) : await quotesModule();
    const { exports } = await WebAssembly.instantiate(compiled);
    return new Engine(exports as unknown as Exports);
  }

  /** The answer's words. Throws {@link QuoteRefused} with the engine's reason, or where an account is of another layout. */
  ask(call: Call, asked: Request): bigint[] {
    const wasm = this.#wasm;
    const { amount = 0n, front = [], long = false, market = 0, now, price = 0n, subaccount } = asked;
    const markets = (asked.markets ?? []).map(({ bytes }) => bytes);
    if (subaccount && subaccount.length !== wasm.subaccount_bytes()) throw new Error(UNREADABLE[-1]);
    if (markets.some(({ length }) => length !== wasm.market_bytes())) throw new Error(UNREADABLE[-2]);
    if (markets.length > wasm.most_markets()) throw new Error(UNREADABLE[-3]);

    let at = wasm.input();
    const header = new DataView(wasm.memory.buffer, at, HEADER * WORD);
    const { restartSlot, slot, unix } = now;
    [unix, slot, restartSlot, BigInt(market), long ? 1n : 0n, BigInt(markets.length), price, amount].forEach(
      (word, index) => header.setBigUint64(index * WORD, BigInt.asUintN(64, word), true),
    );
    at += HEADER * WORD;
    const target = new Uint8Array(wasm.memory.buffer);
    for (const part of [...front, ...(subaccount ? [subaccount] : []), ...markets]) {
      target.set(part as Uint8Array, at);
      at += part.length;
    }
    const code = wasm[call]();
    if (code < 0) throw new Error(UNREADABLE[code] ?? `the quotes' module answered ${code}`);
    if (code > 0) throw new QuoteRefused(errorOf(code));
    const words = ANSWERS[call];
    const answer = new DataView(wasm.memory.buffer, wasm.output(), words * WORD);
    return Array.from({ length: words }, (_, index) => answer.getBigUint64(index * WORD, true));
  }

  /** The covenant with an account seen now, as bytes like those it was given. */
  touch(covenant: ReadonlyUint8Array, address: ReadonlyUint8Array, asked: Request): Uint8Array {
    if (covenant.length !== this.#wasm.covenant_bytes()) throw new Error(UNREADABLE[-4]);
    const words = this.ask('touch', { ...asked, front: [covenant, address] });
    const bytes = new Uint8Array(covenant.length);
    const view = new DataView(bytes.buffer);
    words.forEach((word, index) => view.setBigUint64(index * WORD, word, true));
    return bytes;
  }
}
