/** The engine's own answers, compiled to WebAssembly: to the atom what the program will find. */
import { getAddressEncoder, type Address, type ReadonlyUint8Array } from '@solana/kit';

import { marketAt, positionIn, positionsOf, type Trader } from './accounts.js';
import { Engine, errorOf, QuoteRefused, signed, type Call } from './engine.js';
import {
  getEmergencyEncoder,
  getExitHoldsEncoder,
  getMarketEncoder,
  getProposalTermsEncoder,
  type BallastErrorName,
  type Limits,
  type Subaccount,
} from './generated/ballast/index.js';
import { traderOf, type Owner } from './owner.js';
import { changesOf, isPending, marginAfter, orderedIn, type PendingChange } from './pending.js';
import type { Loaded } from './read.js';

export { QuoteRefused } from './engine.js';
export type { Pending, PendingChange } from './pending.js';

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
  /** Share of the equity that the initial margin uses, millionths, rounded down; `undefined` without positive equity. */
  marginUsed: bigint | undefined;
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

/** A position as an account shows it. */
export type PositionLine = PositionQuote &
  Readonly<{
    market: number;
    /** See {@link Quotes.liquidationPrice}; `undefined` where no price liquidates, or none can be told. */
    liquidationPrice: bigint | undefined;
    /** See {@link Quotes.liquidationDistance}. */
    liquidationDistance: bigint | undefined;
  }>;

/** What a covenant leaves its owner, with all its accounts seen now. What is left is `undefined` where there is no such limit. */
export type Headroom = Readonly<{
  equity: bigint;
  notional: bigint;
  /** Open positions, of sixteen. */
  positions: bigint;
  /** Loss since the day began (UTC), and since the highest result. */
  dayLoss: bigint;
  drawdown: bigint;
  /** What may still be lost today, and from here, before it trips. */
  dayLeft: bigint | undefined;
  drawdownLeft: bigint | undefined;
  /** Notional that may still be added, the limits on leverage and on notional taken together. */
  notionalLeft: bigint | undefined;
  /** Whether a loss has reached its limit, so that anyone may trip it. */
  wouldTrip: boolean;
}>;

/** A covenant as its owner wants to see it. */
export type CovenantQuote = Readonly<{
  /** In force; zero is no limit in the first four. */
  limits: Limits;
  /** Looser limits that were asked for, and when they may be put in force, Unix seconds. */
  asked: Readonly<{ limits: Limits; at: bigint }> | undefined;
  /** The end of the cool-down, Unix seconds: until then only reductions. `undefined` while none runs. */
  trippedUntil: bigint | undefined;
  /** How often it was tripped. */
  trips: bigint;
  /** The engine's reason instead where it cannot be counted (a price is missing, say). */
  room: BallastErrorName | Headroom;
}>;

/** An account with all that can happen to it. */
export type AccountView = Readonly<{
  address: Address;
  id: number;
  isolated: boolean;
  collateral: bigint;
  health: Health;
  positions: readonly PositionLine[];
  /** What binds its owner, over all of its accounts. */
  covenant: CovenantQuote | undefined;
  /** What governance will change about it, unless it is vetoed. */
  pending: readonly PendingChange[];
}>;

type Asked = Pick<Trader, 'markets' | 'now' | 'subaccount'>;
/** The largest number that an answer holds. */
const WORD_MAX = 2n ** 64n - 1n;
const stateOf = (word: bigint): PriceState => PRICE_STATES[Number(word)]!;

/** The engine. One instance answers any number of questions, about any exchange. */
export class Quotes {
  readonly #engine: Engine;

  private constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Loads the engine; `module` instead of the file beside this package's code, where a host keeps it elsewhere. */
  static async load(module?: BufferSource | WebAssembly.Module): Promise<Quotes> {
    return new Quotes(await Engine.load(module));
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
    const equity = typeof initial === 'string' ? 0n : initial.equity;
    const used = typeof initial === 'string' || equity <= 0n ? undefined : (initial.requirement * 1_000_000n) / equity;
    const marginUsed = used !== undefined && used <= WORD_MAX ? used : undefined;
    return { flagged, initial, maintenance, marginUsed, withdrawable };
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
    return this.#ask('max_increase', trader, market, { long: side === 'long' })[0]!;
  }

  /**
   * The largest size, in base atoms, that can be opened or increased now and loses no more than `risk` if its stop fills at
   * `stop`, both fills' premiums, both trading fees and both order fees included. A price that jumps over the stop loses more.
   * 0 where even the least notional does, or a limit forbids any. Throws {@link QuoteRefused} for a stop that is not on the
   * losing side of the price.
   */
  sizeForRisk(
    trader: Asked,
    market: number,
    { risk, side, stop }: Readonly<{ side: 'long' | 'short'; stop: bigint; risk: bigint }>,
  ): bigint {
    return this.#ask('size_for_risk', trader, market, { amount: risk, long: side === 'long', price: stop })[0]!;
  }

  /** What a size loses that is opened now and whose stop fills at `stop`, counted as {@link sizeForRisk} does. */
  lossAtStop(
    trader: Asked,
    market: number,
    { side, size, stop }: Readonly<{ side: 'long' | 'short'; size: bigint; stop: bigint }>,
  ): bigint {
    // Whose account it is does not matter, nor what else it holds.
    const [loss] = this.#engine.ask('loss_at_stop', {
      amount: size,
      long: side === 'long',
      market,
      markets: [marketAt(trader, market)],
      now: trader.now,
      price: stop,
      subaccount: trader.subaccount.bytes,
    });
    return loss!;
  }

  /** An owner's covenant with what is left of its limits, all its accounts seen now; `undefined` without one. */
  covenant(owner: Pick<Owner, 'covenant' | 'markets' | 'now' | 'subaccounts'>): CovenantQuote | undefined {
    if (!owner.covenant) return undefined;
    const { asked, askedAt, limits, trippedUntil, trips } = owner.covenant.data.state;
    return {
      asked: askedAt === 0n ? undefined : { at: askedAt, limits: asked },
      limits,
      room: this.#headroom(owner, owner.covenant.bytes),
      trippedUntil: owner.now.unix < trippedUntil ? trippedUntil : undefined,
      trips,
    };
  }

  /**
   * The pending proposals that touch a subaccount: those on markets in which it holds something or has an order, and of the exchange
   * its parameters, its oracle programs, and the program itself. Not those that are dead, or whose proposer is no longer in power.
   */
  pending(
    owner: Pick<Owner, 'exchange' | 'markets' | 'now' | 'orders' | 'proposals'>,
    subaccount: Loaded<Subaccount>,
  ): PendingChange[] {
    const { exchange, markets, now } = owner;
    const ordered = orderedIn(owner, subaccount.address);
    return owner.proposals
      .filter(({ data }) => isPending(data, exchange.data, subaccount.data, ordered))
      .map(({ address, data }) => {
        const told = changesOf(data, owner);
        const exits = told.market === undefined ? undefined : markets.get(told.market)?.data.state.governed.exitHolds;
        const front = [
          getEmergencyEncoder().encode(exchange.data.emergency),
          getExitHoldsEncoder().encode(exits ?? exchange.data.exitHolds),
          getProposalTermsEncoder().encode(data.terms),
        ];
        const [from, dead] = this.#engine.ask('proposal_times', { front, now });
        const margin = marginAfter(told);
        const belowMaintenance =
          margin === undefined ? undefined : this.#isBelow({ markets, now, subaccount }, told.market!, margin);
        return { address, belowMaintenance, dead: signed(dead!), from: signed(from!), id: data.id, ...told };
      })
      .filter(({ dead }) => now.unix < dead)
      .sort((one, other) => (one.id < other.id ? -1 : 1));
  }

  /** A subaccount with its health, its positions, its owner's covenant and what is pending; `undefined` where it is not open. */
  account(owner: Owner, id = 0): AccountView | undefined {
    const trader = traderOf(owner, id);
    if (!trader) return undefined;
    const { address, data } = trader.subaccount;
    const told = (ask: () => bigint | undefined) => {
      try {
        return ask();
      } catch (error) {
        if (error instanceof QuoteRefused) return undefined;
        throw error;
      }
    };
    return {
      address,
      collateral: data.state.collateral,
      covenant: this.covenant(owner),
      health: this.health(trader),
      id,
      isolated: data.state.isolated !== 0,
      pending: this.pending(owner, trader.subaccount),
      positions: positionsOf(data).map(({ market }) => ({
        ...this.position(trader, market),
        liquidationDistance: told(() => this.liquidationDistance(trader, market)),
        liquidationPrice: told(() => this.liquidationPrice(trader, market)),
        market,
      })),
    };
  }

  /** Whether an account is below maintenance where one market has another maintenance margin, and no grace from it. */
  #isBelow(trader: Asked, index: number, maintenanceMargin: bigint): boolean | undefined {
    const market = trader.markets.get(index);
    if (!market) return undefined;
    const { data } = market;
    const state = { ...data.state, graceUntil: 0n, params: { ...data.state.params, maintenanceMargin } };
    const changed = { ...market, bytes: getMarketEncoder().encode({ ...data, state }) };
    try {
      const { maintenance } = this.health({ ...trader, markets: new Map([...trader.markets, [index, changed]]) });
      return typeof maintenance === 'string' ? undefined : maintenance.equity < maintenance.requirement;
    } catch (error) {
      if (error instanceof QuoteRefused) return undefined;
      throw error;
    }
  }

  #headroom(
    owner: Pick<Owner, 'markets' | 'now' | 'subaccounts'>,
    stored: ReadonlyUint8Array,
  ): BallastErrorName | Headroom {
    const { markets, now, subaccounts } = owner;
    try {
      let covenant = stored;
      for (const { address, bytes, data } of subaccounts) {
        covenant = this.#engine.touch(covenant, getAddressEncoder().encode(address), {
          markets: positionsOf(data).map(({ market }) => marketAt({ markets }, market)),
          now,
          subaccount: bytes,
        });
      }
      const w = this.#engine.ask('headroom', { front: [covenant], now });
      const left = (at: number) => (w[at] === 0n ? undefined : w[at + 1]!);
      return {
        dayLeft: left(5),
        dayLoss: w[3]!,
        drawdown: w[4]!,
        drawdownLeft: left(7),
        equity: signed(w[0]!),
        notional: w[1]!,
        notionalLeft: left(9),
        positions: w[2]!,
        wouldTrip: w[12] !== 0n,
      };
    } catch (error) {
      if (error instanceof QuoteRefused) return error.reason;
      throw error;
    }
  }

  #ask(
    call: Call,
    trader: Asked,
    market?: number,
    more: Readonly<{ long?: boolean; price?: bigint; amount?: bigint }> = {},
  ): bigint[] {
    const { bytes, data } = trader.subaccount;
    const wanted = new Set(positionsOf(data).map((position) => position.market));
    // What is asked of an account without positions is not about a market.
    if (market !== undefined) wanted.add(market);
    const markets = [...wanted].map((index) => marketAt(trader, index));
    return this.#engine.ask(call, {
      ...more,
      markets,
      now: trader.now,
      subaccount: bytes,
      ...(market === undefined ? {} : { market }),
    });
  }
}

/** Whether a position in this market can have a liquidation price at all. */
export const hasPosition = (trader: Asked, market: number): boolean =>
  (positionIn(trader.subaccount.data, market)?.size ?? 0n) !== 0n;
