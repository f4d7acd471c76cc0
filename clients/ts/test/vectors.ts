/** The random accounts that `quote_vectors` (crates/wasm) wrote, with what the native client says of them. */
import { readFileSync } from 'node:fs';

import { type Address } from '@solana/kit';
import { marketOf, QuoteRefused, subaccountOf, type Loaded } from '@ballast/client';
import * as program from '@ballast/client/program';

export type Answer = string | null | { error: string };
export type Strings = Record<string, string>;
type Side = Record<'open_interest' | 'entry' | 'positions', string>;
export type Case = {
  now: { unix: string; slot: string; restartSlot: string };
  subaccount: string;
  markets: string[];
  account: { error: string } | ({ error?: undefined; positions: Strings[] } & Record<string, string | null>);
  views: ({ error: string } | ({ error?: undefined; long: Side; short: Side; pool: Strings } & Strings))[];
  wide: [[string, string], [string, string]][];
  fundingEntries: string[];
  withdrawable: string | null;
  liquidation: Answer[];
  long: Answer[];
  short: Answer[];
  /** For each market. */
  sizing: { long: boolean; stop: string; risk: string; size: Answer; asked: string; loss: Answer }[];
  covenant: { account: string; subaccounts: [Address, string][]; view: { error: string } | CovenantView };
  pending: {
    exchange: string;
    orders: string[];
    proposals: string[];
    view: { error: string } | PendingView[];
  };
};
type PendingView = { changes: Strings[] } & Record<string, unknown>;
type CovenantView = { error?: undefined; limits: Limits; asked: [Limits, string] | null; would_trip: boolean } & Record<
  string,
  unknown
>;
type Limits = Record<string, string | boolean>;

const file = process.env.BALLAST_VECTORS ?? new URL('../../../../target/quote-vectors.json', import.meta.url).pathname;
export const { addresses, cases, seed } = JSON.parse(readFileSync(file, 'utf8')) as {
  addresses: [string, Record<string, string | number>, string][];
  cases: Case[];

  seed: string;
};
export const key = '11111111111111111111111111111111' as Address;
export const bytes = (base64: string) => Uint8Array.from(Buffer.from(base64, 'base64'));

export function loaded(one: Case) {
  const list = one.markets.map((market) => marketOf(key, bytes(market)));
  return {
    markets: new Map<number, Loaded<program.Market>>(list.map((market) => [market.data.state.index, market])),
    now: { restartSlot: BigInt(one.now.restartSlot), slot: BigInt(one.now.slot), unix: BigInt(one.now.unix) },
    subaccount: subaccountOf(key, bytes(one.subaccount)),
  };
}

export const answer = (work: () => bigint | undefined): Answer => {
  try {
    return work()?.toString() ?? null;
  } catch (error) {
    if (error instanceof QuoteRefused) return { error: error.reason };
    throw error;
  }
};
