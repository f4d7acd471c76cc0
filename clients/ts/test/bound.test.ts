/** Sizing, covenants and what is pending, by the quotes' module and by the native client, over the same random accounts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { getAddressDecoder, type Address } from '@solana/kit';

import {
  covenantOf,
  orderOf,
  positionIn,
  proposalOf,
  Quotes,
  subaccountOf,
  type CovenantQuote,
  type Headroom,
  type Owner,
} from '@ballast/client';
import * as program from '@ballast/client/program';

import { answer, bytes, cases, key, loaded, seed } from './vectors.js';

/** Fails where hardly a case reaches something: a test over refusals and empty accounts alone would say little. */
function assertReached(reached: Readonly<Record<string, number>>) {
  for (const [what, count] of Object.entries(reached)) assert.ok(count >= 5, `only ${count} cases reach "${what}"`);
}

const text = (value: bigint | undefined) => value?.toString() ?? null;

test(`sizes for a risk are the native client's (BALLAST_SEED=${seed})`, async () => {
  const quotes = await Quotes.load();
  const reached = { loss: 0, none: 0, refused: 0, size: 0 };
  for (const [number, one] of cases.entries()) {
    const trader = loaded(one);
    for (const [index, want] of one.sizing.entries()) {
      const where = `case ${number}, market ${index}, BALLAST_SEED=${seed}`;
      const [side, stop] = [want.long ? 'long' : 'short', BigInt(want.stop)] as const;
      const risk = BigInt(want.risk);
      const size = answer(() => quotes.sizeForRisk(trader, index, { risk, side, stop }));
      assert.deepEqual(size, want.size, where);
      const loss = answer(() => quotes.lossAtStop(trader, index, { side, size: BigInt(want.asked), stop }));
      assert.deepEqual(loss, want.loss, where);
      // Dust that is worth less than its premium risks nothing, and is refused alone.
      if (size === want.asked && typeof loss === 'string') assert.ok(BigInt(loss) <= risk, where);
      reached.size += typeof size === 'string' && size !== '0' ? 1 : 0;
      reached.none += size === '0' ? 1 : 0;
      reached.loss += typeof loss === 'string' && loss !== '0' ? 1 : 0;
      reached.refused += typeof size === 'object' ? 1 : 0;
    }
  }
  assertReached(reached);
});

test(`what a covenant leaves is what the native client says (BALLAST_SEED=${seed})`, async () => {
  const quotes = await Quotes.load();
  const reached = { asked: 0, dayLeft: 0, drawdownLeft: 0, missing: 0, notionalLeft: 0, trips: 0, tripped: 0 };
  for (const [number, one] of cases.entries()) {
    const where = `case ${number}, BALLAST_SEED=${seed}`;
    const { account, subaccounts, view } = one.covenant;
    const { markets, now } = loaded(one);
    const covenant = covenantOf(key, bytes(account));
    assert.deepEqual(Uint8Array.from(program.getCovenantEncoder().encode(covenant.data)), covenant.bytes, where);
    const owner = {
      covenant,
      markets,
      now,
      subaccounts: subaccounts.map(([address, raw]) => subaccountOf(address, bytes(raw))),
    };
    const got = quotes.covenant(owner)!;
    assert.equal(quotes.covenant({ ...owner, covenant: undefined }), undefined);
    if (view.error !== undefined) {
      assert.equal(typeof got.room, 'string', where);
      continue;
    }
    const room: Partial<Headroom> = typeof got.room === 'string' ? {} : got.room;
    assert.deepEqual(
      {
        asked: got.asked === undefined ? null : [limits(got.asked.limits), `${got.asked.at}`],
        day_left: text(room.dayLeft),
        day_loss: text(room.dayLoss),
        drawdown: text(room.drawdown),
        drawdown_left: text(room.drawdownLeft),
        equity: text(room.equity),
        limits: limits(got.limits),
        notional: text(room.notional),
        notional_left: text(room.notionalLeft),
        positions: text(room.positions),
        tripped_until: `${got.trippedUntil ?? 0n}`,
        trips: `${got.trips}`,
        would_trip: room.wouldTrip ?? false,
      },
      view,
      where,
    );
    reached.asked += got.asked ? 1 : 0;
    reached.dayLeft += room.dayLeft ? 1 : 0;
    reached.drawdownLeft += room.drawdownLeft ? 1 : 0;
    reached.missing += typeof got.room === 'string' ? 1 : 0;
    reached.notionalLeft += room.notionalLeft ? 1 : 0;
    reached.tripped += got.trippedUntil === undefined ? 0 : 1;
    reached.trips += room.wouldTrip ? 1 : 0;
  }
  assertReached(reached);
});

const snake = (name: string) => name.replace(/[A-Z0-9]+/g, (part) => `_${part.toLowerCase()}`);

const limits = (found: CovenantQuote['limits']) => ({
  auto_close: found.autoClose !== 0n,
  cool_down: `${found.coolDown}`,
  daily_loss: `${found.dailyLoss}`,
  drawdown: `${found.drawdown}`,
  loosening_delay: `${found.looseningDelay}`,
  max_leverage: `${found.maxLeverage}`,
  max_notional: `${found.maxNotional}`,
});

test(`what is pending for an account is what the native client says (BALLAST_SEED=${seed})`, async () => {
  const quotes = await Quotes.load();
  const reached = { above: 0, batch: 0, below: 0, exchange: 0, moved: 0, none: 0, ordered: 0 };
  for (const [number, one] of cases.entries()) {
    const where = `case ${number}, BALLAST_SEED=${seed}`;
    const { exchange, orders, proposals, view } = one.pending;
    const trader = loaded(one);
    const data = program.getExchangeDecoder().decode(bytes(exchange));
    const owner: Pick<Owner, 'exchange' | 'markets' | 'now' | 'orders' | 'proposals'> = {
      exchange: { address: key, bytes: bytes(exchange), data },
      // At addresses of their own, by which orders name them.
      markets: new Map([...trader.markets].map(([index, market]) => [index, { ...market, address: addressOf(index) }])),
      now: trader.now,
      orders: orders.map((raw) => orderOf(key, bytes(raw))),
      proposals: proposals.map((raw) => proposalOf(key, bytes(raw))),
    };
    // The native client stops at the first market that cannot be counted.
    if (!Array.isArray(view)) continue;
    const got = quotes.pending(owner, trader.subaccount);
    assert.deepEqual(
      got.map((change) => ({
        below_maintenance: change.belowMaintenance ?? null,
        changes: change.changes.map(({ name, new: after, old }) => ({
          name: snake(name),
          new: `${after}`,
          old: `${old}`,
        })),
        from: `${change.from}`,
        id: `${change.id}`,
        market: change.market === undefined ? null : `${change.market}`,
        what: change.what,
      })),
      view,
      where,
    );
    for (const { belowMaintenance, changes, from, id, market } of got) {
      const { terms } = owner.proposals.find(({ data }) => data.id === id)!.data;
      reached.exchange += market === undefined ? 1 : 0;
      reached.ordered += market !== undefined && !positionIn(trader.subaccount.data, market) ? 1 : 0;
      reached.batch += changes.length > 1 ? 1 : 0;
      reached.moved += from === terms.eta ? 0 : 1;
      reached.below += belowMaintenance === true ? 1 : 0;
      reached.above += belowMaintenance === false ? 1 : 0;
    }
    reached.none += got.length === 0 ? 1 : 0;
  }
  assertReached(reached);
});

/** The address that the vectors' orders name a market by. */
const addressOf = (market: number): Address =>
  getAddressDecoder().decode(Uint8Array.from({ length: 32 }, () => market + 1));
