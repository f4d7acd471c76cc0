/**
 * The quotes' module against the native client, over random accounts that `quote_vectors` (crates/wasm) wrote; and the
 * generated decoders against the same bytes.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { marketOf, positionsOf, PRICE_STATES, QuoteRefused, Quotes, subaccountOf, type Margin } from '@ballast/client';
import * as program from '@ballast/client/program';

import { addresses, answer, cases, key, loaded, seed, type Strings } from './vectors.js';

/** Counts what the cases reach: a test over refusals and empty accounts alone would say little. */
const reached = { equity: 0, liquidation: 0, none: 0, refused: 0, size: 0, used: 0, withdrawable: 0 };

test(`quotes are the native client's (BALLAST_SEED=${seed}, ${cases.length} cases)`, async () => {
  const quotes = await Quotes.load();
  for (const [number, one] of cases.entries()) {
    const where = `case ${number}, BALLAST_SEED=${seed}`;
    const trader = loaded(one);
    const positions = positionsOf(trader.subaccount.data);

    const liquidation = positions.map(({ market }) => answer(() => quotes.liquidationPrice(trader, market)));
    assert.deepEqual(liquidation, one.liquidation, where);
    for (const side of ['long', 'short'] as const) {
      const largest = [...trader.markets.keys()].map((index) => answer(() => quotes.maxIncrease(trader, index, side)));
      assert.deepEqual(largest, one[side], where);
      reached.size += largest.filter((size) => typeof size === 'string' && size !== '0').length;
    }
    reached.liquidation += liquidation.filter((price) => typeof price === 'string').length;
    reached.none += liquidation.filter((price) => price === null).length;

    const { account } = one;
    if (account.error !== undefined) {
      // The view of an account stops at the first thing that cannot be counted.
      const asked = [() => quotes.health(trader), ...positions.map((p) => () => quotes.position(trader, p.market))];
      const refusals = asked.map((ask) => answer(() => void ask()));
      assert.deepEqual(
        refusals.find((refusal) => refusal !== null),
        { error: account.error },
        where,
      );
      reached.refused += 1;
      continue;
    }
    const health = quotes.health(trader);
    const margin = (found: string | Margin) => (typeof found === 'string' ? undefined : found);
    const [maintenance, initial] = [margin(health.maintenance), margin(health.initial)];
    const text = (value: bigint | undefined) => value?.toString() ?? null;
    assert.deepEqual(
      [maintenance?.equity, maintenance?.fullEquity, maintenance?.requirement, maintenance?.notional].map(text),
      [account.equity, account.full_equity, account.maintenance, account.notional],
      where,
    );
    assert.deepEqual(
      [initial?.equity, initial?.requirement].map(text),
      [account.initial_equity, account.initial],
      where,
    );
    assert.equal(text(health.marginUsed), account.margin_used, where);
    assert.equal(health.flagged, account.flag !== null, where);
    if (one.withdrawable !== null) assert.equal(health.withdrawable.toString(), one.withdrawable, where);
    reached.equity += maintenance ? 1 : 0;
    reached.used += health.marginUsed === undefined ? 0 : 1;
    reached.withdrawable += health.withdrawable > 0n ? 1 : 0;

    assert.equal(positions.length, account.positions.length, where);
    for (const [index, { market }] of positions.entries()) {
      const got = quotes.position(trader, market);
      const away = answer(() => quotes.liquidationDistance(trader, market));
      const want: Strings = account.positions[index]!;
      const state = got.priceState.replace(/^./, (letter) => letter.toUpperCase());
      assert.equal(state, want.price_status, where);
      assert.deepEqual(
        {
          claim: `${got.claim}`,
          collectable: `${got.collectable}`,
          entry: `${got.entry}`,
          entry_price: `${got.entryPrice}`,
          funding_owed: `${got.fundingOwed}`,
          grace: got.grace === undefined ? null : { then: `${got.grace.then}`, until: `${got.grace.until}` },
          held: `${got.held}`,
          liquidation_distance: typeof away === 'string' ? away : null,
          maintenance_margin: `${got.maintenanceMargin}`,
          market: `${market}`,
          notional: `${got.notional}`,
          pnl: `${got.pnl}`,
          price: `${got.price}`,
          size: `${got.size}`,
        },
        Object.fromEntries(
          Object.entries(want).filter(([name]) => name !== 'liquidation_price' && name !== 'price_status'),
        ),
        where,
      );
    }
  }
  for (const [what, count] of Object.entries(reached)) assert.ok(count >= 5, `only ${count} cases reach "${what}"`);
});

test('accounts are decoded as the native client decodes them, to the last byte', () => {
  for (const [number, one] of cases.entries()) {
    const where = `case ${number}, BALLAST_SEED=${seed}`;
    const { markets, subaccount } = loaded(one);
    assert.deepEqual(Uint8Array.from(program.getSubaccountEncoder().encode(subaccount.data)), subaccount.bytes, where);
    assert.deepEqual(
      subaccount.data.state.positions.map((p) => `${p.fundingEntry}`),
      one.fundingEntries,
      where,
    );
    const { account } = one;
    if (account.error === undefined) {
      assert.equal(`${subaccount.data.state.collateral}`, account.collateral, where);
      assert.equal(`${subaccount.data.id}`, account.id, where);
      assert.equal(subaccount.data.owner, account.owner, where);
    }
    for (const [index, { bytes: raw, data }] of [...markets.values()].entries()) {
      assert.deepEqual(Uint8Array.from(program.getMarketEncoder().encode(data)), raw, where);
      const { long, pool, price, short } = data.state;
      const wide = [long, short].map((side) => [`${side.index}`, `${side.fundingEntry}`]);
      assert.deepEqual(wide, one.wide[index], where);
      const view = one.views[index]!;
      if (view.error !== undefined) continue;
      for (const [side, want] of [
        [long, view.long],
        [short, view.short],
      ] as const) {
        assert.deepEqual(
          [side.openInterest, side.entry, side.positions].map(String),
          [want.open_interest, want.entry, want.positions],
          where,
        );
      }
      assert.deepEqual(
        [price.last.price, price.last.conf, price.ema5, price.ema60, pool.cash, pool.claims, data.state.index].map(
          String,
        ),
        [view.price, view.conf, view.ema5, view.ema60, view.pool.cash, view.pool.claims, view.index],
        where,
      );
    }
  }
});

test('a layout that the module does not read is refused, not misread', async () => {
  const quotes = await Quotes.load();
  const trader = loaded(cases[0]!);
  const shorter = { ...trader.subaccount, bytes: trader.subaccount.bytes.slice(1) };
  assert.throws(() => quotes.health({ ...trader, subaccount: shorter }), /another layout/);
  const version = Uint8Array.from(trader.subaccount.bytes);
  version[8] = 2;
  assert.throws(
    () => quotes.health({ ...trader, subaccount: { ...trader.subaccount, bytes: version } }),
    /another layout/,
  );
  assert.throws(() => subaccountOf(key, version), /layout version 2/);
  assert.throws(() => marketOf(key, trader.subaccount.bytes), /not a market/);
  assert.equal(PRICE_STATES.length, 6);
});

test(`addresses are the native client's (BALLAST_SEED=${seed})`, async () => {
  type Find = (seeds: Record<string, bigint | number | string>) => Promise<readonly [string, number]>;
  const finders = program as unknown as Record<string, Find>;
  for (const [name, seeds, address] of addresses) {
    const find = finders[`find${name[0]!.toUpperCase()}${name.slice(1)}Pda`];
    assert.ok(find, name);
    // A number of eight bytes is written as text.
    const read = ([key, value]: [string, number | string]) => [key, key === 'id' ? BigInt(value) : value];
    const [found] = await find(Object.fromEntries(Object.entries(seeds).map(read)) as Parameters<Find>[0]);
    assert.equal(found, address, name);
  }
  assert.ok(addresses.length >= 9);
});
