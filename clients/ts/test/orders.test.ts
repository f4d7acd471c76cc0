/** Orders beside others who fill and cancel them, against a `ballast localnet` of their own. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { createSolanaRpc, generateKeyPairSigner, type KeyPairSigner } from '@solana/kit';
import {
  BallastRefusal,
  cancelOrder,
  deposit,
  fillOrder,
  find,
  loadOwner,
  loadTrader,
  loadVenue,
  marketAt,
  open,
  OrderRests,
  OrderWasCancelled,
  positionIn,
  refresh,
  retry,
  send,
  subaccountAddress,
  toAtoms,
  trade,
  type Trader,
  type Venue,
} from '@ballast/client';

import { bindAndRest } from '../examples/bracket.js';
import { start, type Ready } from './localnet.js';

let ready: Ready;
let stop: () => Promise<void>;
let rpc: ReturnType<typeof createSolanaRpc>;
let venue: Venue;
/** Who fills and clears away. */
let bob: KeyPairSigner;
/** Not opened yet; then one for each test, for they run side by side. */
let alice: KeyPairSigner;
let carol: KeyPairSigner;
let dave: KeyPairSigner;
let erin: KeyPairSigner;
let frank: KeyPairSigner;

before(async () => {
  const key = generateKeyPairSigner;
  const keys = await Promise.all([key(), key(), key(), key(), key(), key()]);
  [alice, bob, carol, dave, erin, frank] = keys;
  ({ ready, stop } = await start(keys.map(({ address }) => address)));
  rpc = createSolanaRpc(ready.url);
  venue = await loadVenue(rpc);
  for (const owner of keys.slice(1)) {
    await send(rpc, owner, [await open(venue, owner), await deposit(venue, owner, { amount: toAtoms('2000', 6) })]);
  }
});
after(() => stop?.());

const base = (text: string) => toAtoms(text, marketAt(venue, 0).data.state.baseDecimals);
const trader = async (owner: KeyPairSigner): Promise<Trader> => {
  const found = await loadTrader(rpc, venue, owner.address);
  assert.ok(found);
  return found;
};
const thrown = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => assert.fail('it went through, though it should not'),
    (error: unknown) => error,
  );
/** An owner's only order, once it is there. */
const waiting = async (owner: KeyPairSigner) => {
  for (;;) {
    const [order] = (await loadOwner(rpc, venue, owner.address)).orders;
    if (order) return order;
  }
};
/** Longer than anybody else takes, and than an order's lock. */
const [SLOW, SLOWER] = [{ poll: 8_000 }, { poll: 18_000 }];
const LOCKED = { next: ['refresh', 'wait', 'mistake'], patience: 17_000 } as const;

/** Bob fills an owner's order as soon as it can be. */
async function fillByBob(owner: KeyPairSigner) {
  const { address } = await waiting(owner);
  const keeper = await subaccountAddress(venue, bob.address);
  const fill = async () => fillOrder(rpc, await trader(owner), { keeper, market: 0, order: address });
  return retry(async () => send(rpc, bob, await fill()));
}

/** An order is cancelled as soon as it can be, newer prices in front. */
async function cancel(owner: KeyPairSigner, canceller: KeyPairSigner) {
  const order = (await waiting(owner)).address;
  await retry(async () => {
    const now = await trader(owner);
    const prices = await refresh(rpc, now.markets.values());
    await send(rpc, canceller, [...prices, cancelOrder(now, canceller, { market: 0, order })]);
  }, LOCKED);
}

describe('side by side', { concurrency: true }, () => {
  test('what binds is set, a bracket is placed, listed and taken back, as in the readme', async () => {
    const said = await bindAndRest(ready.url, alice, bob.address);
    assert.equal(said.length, 4, said.join('\n'));
    assert.equal(said[0], 'CovenantChanged, DelegateSet');
    assert.match(said[1]!, /^order 0: 0\.01 at \d+(\.\d+)?, stop \d+(\.\d+)?, target \d+(\.\d+)?$/);
    assert.deepEqual(said.slice(2), ['taken back', '0 orders']);
    const { covenant, subaccounts } = await loadOwner(rpc, venue, alice.address);
    assert.equal(covenant?.data.state.limits.maxLeverage, 3_000_000n);
    assert.equal(subaccounts[0]!.data.delegate.key, bob.address);
    // The delegate trades for her, bound as she is.
    const { fill, filled } = await trade(rpc, await trader(alice), bob, { market: 0, size: base('0.01') });
    assert.deepEqual([fill.subaccount, fill.position], [subaccounts[0]!.address, base('0.01')]);
    assert.equal(find(filled.events, 'Traded'), fill);
  });

  test('an order that somebody else filled first is a trade: its entry, where exits follow, and all of it', async () => {
    const { price } = marketAt(await trader(carol), 0).data.state.price.last;
    const [size, stop, target] = [base('0.01'), price / 2n, price * 2n];
    const [entered, byBob] = await Promise.all([
      trade(rpc, await trader(carol), carol, { market: 0, size, stop, target }, SLOW),
      fillByBob(carol),
    ]);
    assert.ok(entered.byOther);
    assert.equal(entered.filled.signature, byBob.signature);
    assert.deepEqual(entered.filled, byBob);
    assert.equal(entered.fill.position, size);
    // The exits wait under its address.
    const exits = await waiting(carol);
    assert.equal(exits.address, entered.order);
    assert.equal(exits.data.terms.stop, stop);
    await cancel(carol, carol);

    const left = { market: 0, reduceOnly: true, size: -size };
    const [out] = await Promise.all([trade(rpc, await trader(carol), carol, left, SLOW), fillByBob(carol)]);
    assert.ok(out.byOther);
    assert.equal(out.fill.order, out.order);
    assert.equal(positionIn((await trader(carol)).subaccount.data, 0), undefined);

    const own = await trade(rpc, await trader(carol), carol, { market: 0, size });
    assert.ok(!own.byOther);
    await trade(rpc, await trader(carol), carol, { market: 0, size: -size });
  });

  test('an order that is cancelled meanwhile comes with the reason', async () => {
    const [taken, cleared] = await Promise.all([
      thrown(trade(rpc, await trader(dave), dave, { market: 0, size: base('0.01') }, SLOWER)),
      // More than the account can carry: anyone clears it away.
      thrown(trade(rpc, await trader(erin), erin, { market: 0, size: base('5') }, SLOWER)),
      cancel(dave, dave),
      cancel(erin, bob),
    ]);
    assert.ok(taken instanceof OrderWasCancelled, `${String(taken)}`);
    assert.equal(taken.reason, undefined);
    assert.ok(cleared instanceof OrderWasCancelled, `${String(cleared)}`);
    assert.equal(cleared.reason, 'InitialMargin');
    assert.equal(cleared.receipt.events.at(-1)?.name, 'OrderCancelled');
  });

  test('an order whose fill is refused is named, with the refusal', async () => {
    const rests = await thrown(trade(rpc, await trader(frank), frank, { limit: 1n, market: 0, size: base('0.01') }));
    assert.ok(rests instanceof OrderRests, `${String(rests)}`);
    assert.ok(rests.cause instanceof BallastRefusal);
    assert.equal(rests.cause.reason, 'SlippageExceeded');
    assert.equal(rests.order, (await waiting(frank)).address);
    assert.match(rests.message, /is placed, but not filled: SlippageExceeded/);
  });
});
