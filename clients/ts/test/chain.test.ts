/** Everything that talks to a chain, against `ballast localnet`. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';

import {
  createSolanaRpc,
  generateKeyPairSigner,
  getBase64Encoder,
  type KeyPairSigner,
  type ReadonlyUint8Array,
} from '@solana/kit';
import {
  BALLAST_PROGRAM_ADDRESS,
  BallastRefusal,
  cancelOrder,
  close,
  collateralAccount,
  createCollateralAccount,
  deposit,
  fetchEvents,
  fillOrder,
  find,
  loadExchange,
  loadOwner,
  loadTrader,
  loadVenue,
  marketAt,
  newestPrice,
  open,
  OrderRests,
  placeOrder,
  positionIn,
  QuoteRefused,
  Quotes,
  reduce,
  refresh,
  retry,
  send,
  subaccountAddress,
  toAtoms,
  touch,
  trade,
  transfer,
  withdraw,
  type AccountView,
  type BallastErrorName,
  type Next,
  type Trader,
  type Venue,
} from '@ballast/client';
import * as program from '@ballast/client/program';
import { findFeedPda } from '@ballast/client/price-feed';

import { showAccount } from '../examples/quotes.js';
import { tradeAndLeave } from '../examples/trade.js';
import { ballast, start, type Ready } from './localnet.js';

let ready: Ready;
let stop: () => Promise<void>;
let rpc: ReturnType<typeof createSolanaRpc>;
let venue: Venue;
let alice: KeyPairSigner;
let bob: KeyPairSigner;

before(async () => {
  [alice, bob] = await Promise.all([generateKeyPairSigner(), generateKeyPairSigner()]);
  ({ ready, stop } = await start([alice.address, bob.address]));
  rpc = createSolanaRpc(ready.url);
  venue = await loadVenue(rpc);
});
after(() => stop?.());

const quote = (text: string) => toAtoms(text, 6);
const base = (market: number, text: string) => toAtoms(text, marketAt(venue, market).data.state.baseDecimals);
const trader = async (owner: KeyPairSigner, id = 0): Promise<Trader> => {
  const found = await loadTrader(rpc, venue, owner.address, id);
  assert.ok(found);
  return found;
};
const refused = async (work: () => Promise<unknown>, reasons: BallastErrorName[], next: Next | undefined) => {
  const error = await retry(work).then(
    () => assert.fail(`not refused, though it should be: ${reasons.join(' or ')}`),
    (error: unknown) => error,
  );
  assert.ok(error instanceof BallastRefusal, `${String(error)}`);
  assert.ok(reasons.includes(error.reason), error.message);
  assert.equal(error.next, next);
  return error;
};

/**
 * What is told here is what is told there. Prices are posted every second and funding runs: only between two equal answers the
 * other one must be the same.
 */
async function between<T>(here: () => Promise<T>, there: () => T) {
  for (let attempt = 0; attempt < 60; attempt += 1) {
    const earlier = await here();
    const told = there();
    if (!isDeepStrictEqual(earlier, await here())) continue;
    assert.deepEqual(told, earlier);
    return;
  }
  assert.fail('the chain did not stand still for a moment in 60 attempts');
}

test('addresses are those of the chain', async () => {
  assert.equal(ready.program, BALLAST_PROGRAM_ADDRESS);
  assert.equal(venue.exchange.address, ready.exchange);
  assert.equal((await loadExchange(rpc, ready.collateral)).address, ready.exchange);
  assert.equal((await program.findVaultPda({ exchange: venue.exchange.address }))[0], ready.vault);
  assert.equal(venue.exchange.data.vault, ready.vault);
  assert.equal(venue.exchange.data.mint, ready.collateral);
  assert.equal(venue.markets.size, ready.markets.length);
  for (const { feed, index, market } of ready.markets) {
    const { address, data } = marketAt(venue, index);
    assert.equal(address, market);
    assert.equal((await program.findLpMintPda({ market: address }))[0], data.lpMint);
    assert.equal((await newestPrice(rpc, data))?.address, feed);
  }
  assert.equal(typeof findFeedPda, 'function');
});

test('an account is opened, funded, traded with, and left again, as in the readme', async () => {
  const said = await tradeAndLeave(ready.url, alice);
  assert.equal(said.length, 3, said.join('\n'));
  assert.match(said[1]!, /next is "margin"/);
});

test('a trade, and what the command says about it', async () => {
  const opened = await send(rpc, bob, [await open(venue, bob), await deposit(venue, bob, { amount: quote('2000') })]);
  assert.deepEqual(
    opened.events.map(({ name }) => name),
    ['SubaccountOpened', 'Deposited'],
  );
  assert.deepEqual(await fetchEvents(rpc, opened.signature), opened.events);
  const { fill, filled, placed } = await trade(rpc, await trader(bob), bob, { market: 0, size: base(0, '0.5') });
  assert.ok(find(placed.events, 'OrderPlaced'));
  assert.equal(fill.position, base(0, '0.5'));
  assert.equal(filled.events.at(-1)?.name, 'Traded');
  // No event of the account was missed.
  const sequence = [...opened.events, ...placed.events, ...filled.events].flatMap(({ data }) =>
    'accountSequence' in data ? [data.accountSequence] : [],
  );
  assert.deepEqual(
    sequence,
    sequence.map((_, index) => sequence[0]! + BigInt(index)),
  );
  assert.equal(positionIn((await trader(bob)).subaccount.data, 0)?.size, base(0, '0.5'));
});

test('quotes are what the native client says at the same moment', async () => {
  type Shown = { equity: number; maintenance: number; positions: { liquidation_price: number; pnl: number }[] };
  const quotes = await Quotes.load();
  const ask = async () => {
    const now = await trader(bob);
    const { maintenance } = quotes.health(now);
    assert.ok(typeof maintenance !== 'string');
    const at = quotes.liquidationPrice(now, 0);
    const { pnl } = quotes.position(now, 0);
    return [maintenance.equity, maintenance.requirement, at, pnl].map(Number);
  };
  await between(ask, () => {
    const [shown] = ballast<Shown[]>(ready.url, 'account', 'show', '--owner', bob.address, '--id', '0');
    const [position] = shown!.positions;
    assert.ok(position && position.liquidation_price > 0);
    return [shown!.equity, shown!.maintenance, position.liquidation_price, position.pnl];
  });
});

test('an account is shown with its covenant and what is pending, as the command shows it', async () => {
  const [owner, exchange] = [bob, venue.exchange.address];
  const [covenant] = await program.findCovenantPda({ exchange, owner: bob.address });
  const args = {
    autoClose: false,
    coolDown: 86_400,
    dailyLoss: quote('1000'),
    drawdown: quote('1500'),
    looseningDelay: 172_800,
    maxLeverage: 100_000_000n,
    maxNotional: 0n,
  };
  assert.equal((await loadOwner(rpc, venue, bob.address)).covenant, undefined);
  await send(rpc, bob, [
    await program.getCreateCovenantInstructionAsync({ args, exchange, owner }),
    program.getLoosenCovenantInstruction({ args: { ...args, dailyLoss: 0n }, covenant, owner }),
  ]);
  // A position that was open before: the covenant does not know it until somebody has shown it, which `trade` does.
  const small = { market: 0, size: base(0, '0.01') };
  const { instruction, order } = await placeOrder(await trader(bob), bob, small);
  await send(rpc, bob, [instruction]);
  const fill = async () => send(rpc, bob, await fillOrder(rpc, await trader(bob), { market: 0, order }));
  const unseen = await retry(fill, { patience: 6_000 }).catch((error: unknown) => error);
  assert.ok(unseen instanceof BallastRefusal && /^Covenant/.test(unseen.reason), `${String(unseen)}`);
  const { filled } = await trade(rpc, await trader(bob), bob, small);
  assert.ok(find(filled.events, 'CovenantTouched'));
  await trade(rpc, await trader(bob), bob, { ...small, size: -small.size });
  await send(rpc, bob, await touch(rpc, await loadOwner(rpc, venue, bob.address)));
  ballast(ready.url, 'govern', '--local-role', 'governance', 'queue', 'taker_fee', '0.06%', '--market', '0');
  ballast(ready.url, 'govern', '--local-role', 'governance', 'queue', 'taker_fee', '0.06%', '--market', '1');

  const quotes = await Quotes.load();
  const ask = async () => quotes.account(await loadOwner(rpc, venue, bob.address))!;
  const told = ({ covenant, health, pending, positions }: AccountView) => {
    const { asked, limits, room, trippedUntil, trips } = covenant!;
    assert.ok(typeof room !== 'string', `${String(room)}`);
    return {
      asked: [Number(asked?.limits.dailyLoss), Number(asked?.at)],
      away: positions.map(({ liquidationDistance }) => Number(liquidationDistance)),
      day_left: Number(room.dayLeft),
      drawdown_left: Number(room.drawdownLeft),
      equity: Number(room.equity),
      limits: [Number(limits.maxLeverage), Number(limits.dailyLoss), Number(limits.drawdown)],
      margin_used: Number(health.marginUsed),
      notional_left: Number(room.notionalLeft),
      pending: pending.map(({ from, id, market }) => ({ from: Number(from), id: Number(id), market: market ?? null })),
      tripped_until: Number(trippedUntil ?? 0n),
      trips: Number(trips),
    };
  };
  type Limits = { max_leverage: number; daily_loss: number; drawdown: number };
  type Shown = {
    covenant: { limits: Limits; asked: [Limits, number] } & Record<string, number>;
    margin_used: number;
    pending: { from: number; id: number; market: number }[];
    positions: { liquidation_distance: number }[];
  };
  await between(
    async () => told(await ask()),
    () => {
      const [shown] = ballast<Shown[]>(ready.url, 'account', 'show', '--owner', bob.address, '--id', '0');
      const { asked, limits, ...bound } = shown!.covenant;
      return {
        asked: [asked[0].daily_loss, asked[1]],
        away: shown!.positions.map(({ liquidation_distance }) => liquidation_distance),
        day_left: bound.day_left!,
        drawdown_left: bound.drawdown_left!,
        equity: bound.equity!,
        limits: [limits.max_leverage, limits.daily_loss, limits.drawdown],
        margin_used: shown!.margin_used,
        notional_left: bound.notional_left!,
        pending: shown!.pending.map(({ from, id, market }) => ({ from, id, market })),
        tripped_until: bound.tripped_until!,
        trips: bound.trips!,
      };
    },
  );
  const { pending } = await ask();
  // The other market's does not touch it.
  assert.equal(pending.length, 1);
  assert.deepEqual(pending[0]!.changes, [{ name: 'takerFee', new: 600n, old: 500n }]);
  assert.equal(pending[0]!.what, 'parameters');
});

test('a size for a risk goes through, and loses no more at its stop', async () => {
  const quotes = await Quotes.load();
  const risk = quote('5');
  const sized = async () => {
    const now = await trader(bob);
    const { price } = marketAt(now, 0).data.state.price.last;
    const asked = { risk, side: 'long', stop: price - price / 50n } as const;
    return { asked, now, size: quotes.sizeForRisk(now, 0, asked) };
  };
  let { asked, now, size } = await sized();
  for (let look = 0; look < 20 && size === 0n; look += 1) ({ asked, now, size } = await sized());
  assert.ok(size > 0n);
  assert.ok(quotes.lossAtStop(now, 0, { ...asked, size }) <= risk);
  assert.ok(quotes.lossAtStop(now, 0, { ...asked, size: size + size / 100n }) > risk);
  await trade(rpc, now, bob, { market: 0, size });
  await trade(rpc, await trader(bob), bob, { market: 0, size: -size });
  assert.throws(() => quotes.lossAtStop(now, 0, { ...asked, side: 'short', size }), QuoteRefused);
});

test('the largest size goes through, a larger one does not', async () => {
  const quotes = await Quotes.load();
  // A price is good for four seconds: only then is there a size at all.
  let now = await trader(bob);
  for (let look = 0; look < 20 && quotes.maxIncrease(now, 0, 'long') === 0n; look += 1) now = await trader(bob);
  const most = quotes.maxIncrease(now, 0, 'long');
  assert.ok(most > 0n);
  // Prices move meanwhile, by a few hundredths of a percent.
  await assert.rejects(trade(rpc, now, bob, { market: 0, size: most + most / 10n }), (error: unknown) => {
    assert.ok(error instanceof OrderRests && error.cause instanceof BallastRefusal, `${String(error)}`);
    const { next } = error.cause;
    assert.ok(next === 'margin' || next === 'amount', error.message);
    return true;
  });
  await trade(rpc, await trader(bob), bob, { market: 0, size: most - most / 10n });
  assert.equal(positionIn((await trader(bob)).subaccount.data, 0)?.size, base(0, '0.5') + most - most / 10n);
});

test('refusals come with their reason, their figures and what next', async () => {
  await refused(async () => send(rpc, bob, [await deposit(venue, bob, { amount: 0n })]), ['AmountZero'], 'amount');
  const mine = await trader(bob);
  const all = mine.subaccount.data.state.collateral;
  const margin = await refused(
    async () => send(rpc, bob, await withdraw(rpc, mine, bob, { amount: all })),
    ['InitialMargin'],
    'margin',
  );
  assert.ok(margin.limit! > margin.value!, 'the requirement, then the equity');

  const { instruction, order } = await placeOrder(mine, bob, { market: 1, size: base(1, '0.5') });
  await send(rpc, bob, [instruction]);
  const locked = await refused(
    async () => send(rpc, bob, [cancelOrder(await trader(bob), bob, { market: 1, order })]),
    ['OrderLocked'],
    'wait',
  );
  assert.ok(locked.limit! > locked.value!);
  // Of the reader's key nothing can be taken.
  const theirs = await trader(bob);
  await refused(
    async () => send(rpc, alice, await withdraw(rpc, theirs, alice, { amount: 1n })),
    ['WrongOwner'],
    'mistake',
  );
});

test('a fill with several positions passes the other markets', async () => {
  const mine = await trader(bob);
  await trade(rpc, mine, bob, { market: 1, size: -base(1, '0.3') });
  const now = await trader(bob);
  assert.ok(positionIn(now.subaccount.data, 1)!.size !== 0n);
  await retry(async () => {
    const batch = await withdraw(rpc, now, bob, { amount: 1n });
    const passed = batch.at(-1)!.accounts!.slice(-2);
    assert.deepEqual(
      passed.map(({ address }) => address),
      [marketAt(now, 0).address, marketAt(now, 1).address],
    );
    await send(rpc, bob, batch);
  });
});

test('positions are reduced, money moves between accounts, and out', async () => {
  for (const market of [0, 1]) {
    const held = await trader(bob);
    const { events } = await retry(async () => send(rpc, bob, await reduce(rpc, held, bob, { market })));
    assert.equal(find(events, 'Traded')?.position, 0n);
  }
  await send(rpc, bob, [await open(venue, bob, { id: 1, isolated: true })]);
  const second = await subaccountAddress(venue, bob.address, 1);
  await send(rpc, bob, await transfer(rpc, await trader(bob), bob, { amount: quote('5'), to: second }));
  const other = await trader(bob, 1);
  assert.equal(other.subaccount.data.state.collateral, quote('5'));
  const { events } = await send(rpc, bob, [
    await createCollateralAccount(venue, bob),
    ...(await withdraw(rpc, other, bob, { amount: quote('5') })),
    await close(venue, bob, { id: 1 }),
  ]);
  assert.deepEqual(
    events.map(({ name }) => name),
    ['Withdrawn', 'SubaccountClosed'],
  );
  assert.equal(await loadTrader(rpc, venue, bob.address, 1), undefined);
  assert.ok(await collateralAccount(venue, bob.address));
});

test('anyone fills an order; a stranger earns its fee', async () => {
  const mine = await trader(alice);
  const { instruction, order } = await placeOrder(mine, alice, { market: 0, size: base(0, '0.01') });
  await send(rpc, alice, [instruction]);
  const keeper = await subaccountAddress(venue, bob.address);
  const before = (await trader(bob)).subaccount.data.state.collateral;
  await retry(async () => send(rpc, bob, await fillOrder(rpc, await trader(alice), { keeper, market: 0, order })));
  assert.ok((await trader(bob)).subaccount.data.state.collateral > before);
  const shown = await showAccount(ready.url, alice.address);
  assert.match(shown[0]!, /^market 0: 0\.01, result .*, liquidated (beyond|at no price)/);
  assert.ok(Array.isArray(await refresh(rpc, venue.markets.values())));
});

test('every account of the program is decoded, to the last byte', async () => {
  const codecs = {
    [program.BallastAccount.Exchange]: program.getExchangeCodec(),
    [program.BallastAccount.Market]: program.getMarketCodec(),
    [program.BallastAccount.Order]: program.getOrderCodec(),
    [program.BallastAccount.Subaccount]: program.getSubaccountCodec(),
  } as Record<
    number,
    { fixedSize: number; decode: (b: ReadonlyUint8Array) => unknown; encode: (v: never) => ReadonlyUint8Array }
  >;
  const found = await rpc
    .getProgramAccounts(BALLAST_PROGRAM_ADDRESS, { commitment: 'confirmed', encoding: 'base64' })
    .send();
  const seen = new Set<number>();
  for (const { account, pubkey } of found) {
    const bytes = Uint8Array.from(getBase64Encoder().encode(account.data[0]));
    const kind = program.identifyBallastAccount(bytes);
    seen.add(kind);
    const codec = codecs[kind];
    if (!codec) continue;
    assert.equal(codec.fixedSize, bytes.length, pubkey);
    assert.deepEqual(Uint8Array.from(codec.encode(codec.decode(bytes) as never)), bytes, pubkey);
  }
  for (const kind of ['Exchange', 'Market', 'Order', 'Subaccount'] as const) {
    assert.ok(seen.has(program.BallastAccount[kind]), `no ${kind} on the chain`);
  }
});
