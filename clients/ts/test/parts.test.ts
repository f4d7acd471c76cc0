/** What needs no chain: amounts, errors, events, and what the package publishes. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

import { getBase58Decoder, type Address } from '@solana/kit';
import {
  BALLAST_ERRORS,
  BALLAST_PROGRAM_ADDRESS,
  BallastRefusal,
  decodeEvent,
  eventsOf,
  failed,
  fromAtoms,
  fromPrice,
  nextOf,
  reasonOf,
  toAtoms,
  toPrice,
  TransactionFailed,
  upgradeDigest,
  type BallastErrorName,
} from '@ballast/client';
import { BALLAST_EVENTS, EVENT_TAG, getDepositedEncoder } from '@ballast/client/program';

const top = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, top), 'utf8');
const idl = JSON.parse(read('../../idl/ballast.json')) as {
  errors: { code: number; name: string; msg: string }[];
  events: { name: string; discriminator: number[] }[];
};

test("an upgrade's digest is what the Rust client computes", async () => {
  const code = Uint8Array.from({ length: 2_200_000 }, (_, at) => (at * 7) % 251);
  const digest = Buffer.from(await upgradeDigest(code)).toString('hex');
  assert.equal(digest, '729e2ee396b7203d6ab7368a196063cdf2506eeafdb7633bbc68cd374b257c6a');
});

test('amounts are exact and go both ways', () => {
  for (const [text, decimals, atoms] of [
    ['1.5', 6, 1_500_000n],
    ['0.000001', 6, 1n],
    ['-12', 9, -12_000_000_000n],
    ['18446744073709.551615', 6, 18_446_744_073_709_551_615n],
    ['7', 0, 7n],
  ] as const) {
    assert.equal(toAtoms(text, decimals), atoms);
    assert.equal(fromAtoms(atoms, decimals), text);
  }
  assert.equal(toAtoms('1.50', 1), 15n);
  for (const text of ['', 'x', '1.2.3', '1e3', '.5', '0.0000001']) assert.throws(() => toAtoms(text, 6), RangeError);
  const decimals = { baseDecimals: 9, quoteDecimals: 6 };
  assert.equal(toPrice('64123.25', decimals), 64_123_250_000n);
  assert.equal(fromPrice(64_123_250_000n, decimals), '64123.25');
});

test('every error of the program has its name, and a refusal says what next', () => {
  for (const { code, msg, name } of idl.errors) {
    assert.equal(reasonOf(code), name);
    assert.equal(BALLAST_ERRORS[name as BallastErrorName].message, msg);
    assert.ok(nextOf(name as BallastErrorName), `${name} does not say what next`);
  }
  assert.equal(reasonOf(5_999), undefined);
  assert.equal(nextOf('PriceStale'), 'refresh');
  const ours = [
    `Program ${BALLAST_PROGRAM_ADDRESS} invoke [1]`,
    'Program log: OrderLocked: limit 1700000010, value 1700000003',
    `Program ${BALLAST_PROGRAM_ADDRESS} failed: custom program error: 0x0`,
  ];
  const { code } = BALLAST_ERRORS.OrderLocked;
  const refusal = failed('it failed', { code, logs: ours });
  assert.ok(refusal instanceof BallastRefusal);
  assert.deepEqual([refusal.reason, refusal.next], ['OrderLocked', 'wait']);
  assert.deepEqual([refusal.limit, refusal.value], [1_700_000_010n, 1_700_000_003n]);
  assert.match(refusal.message, /wait.*limit 1700000010, value 1700000003/);
});

test("another program's error with the same number is not Ballast's", () => {
  const token = 'TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA';
  const logs = [
    `Program ${BALLAST_PROGRAM_ADDRESS} invoke [1]`,
    `Program ${token} invoke [2]`,
    `Program ${token} failed: custom program error: 0x1770`,
    `Program ${BALLAST_PROGRAM_ADDRESS} failed: custom program error: 0x1770`,
  ];
  const error = failed('it failed', { code: 6_000, logs });
  assert.ok(error instanceof TransactionFailed && !(error instanceof BallastRefusal));
  assert.equal(error.code, 6_000);
});

test('what other programs refuse most often comes with words', () => {
  const of = (program: string, code: number) => {
    const logs = [`Program ${program} failed: custom program error: 0x${code.toString(16)}`];
    return failed('it failed', { code, logs }).message;
  };
  assert.match(of('11111111111111111111111111111111', 0), /opened once/);
  assert.match(of(BALLAST_PROGRAM_ADDRESS, 2_006), /load it again/);
  assert.match(of(BALLAST_PROGRAM_ADDRESS, 3_012), /not there/);
  assert.match(of(BALLAST_PROGRAM_ADDRESS, 0), /^it failed/);
});

test("events are the program's own, and of transactions that succeeded", () => {
  for (const { discriminator, name } of idl.events) {
    assert.deepEqual([...BALLAST_EVENTS[name as keyof typeof BALLAST_EVENTS].discriminator], discriminator);
  }
  const wanted = { accountSequence: 3n, amount: 5n, collateral: 9n, subaccount: BALLAST_PROGRAM_ADDRESS };
  const bytes = new Uint8Array([
    ...EVENT_TAG,
    ...BALLAST_EVENTS.Deposited.discriminator,
    ...getDepositedEncoder().encode(wanted),
  ]);
  assert.deepEqual(decodeEvent(bytes), { data: wanted, name: 'Deposited' });
  assert.equal(decodeEvent(bytes.slice(1)), undefined);
  assert.equal(decodeEvent(EVENT_TAG), undefined);

  const other = '11111111111111111111111111111111' as Address;
  const data = getBase58Decoder().decode(bytes);
  const transaction = (err: unknown, programIdIndex: number) => ({
    meta: { err, innerInstructions: [{ instructions: [{ data, programIdIndex }] }] },
    transaction: { message: { accountKeys: [other, BALLAST_PROGRAM_ADDRESS] } },
  });
  assert.equal(eventsOf(transaction(null, 1)).length, 1);
  assert.deepEqual(eventsOf(transaction(null, 0)), [], 'of another program');
  assert.deepEqual(eventsOf(transaction({}, 1)), [], 'of a failed transaction');
  // The program's key may come from a lookup table.
  const loaded = transaction(null, 1);
  const found = eventsOf({
    meta: { ...loaded.meta, loadedAddresses: { readonly: [BALLAST_PROGRAM_ADDRESS], writable: [] } },
    transaction: { message: { accountKeys: [other] } },
  });
  assert.equal(found.length, 1);
});

test('what package.json names is there', () => {
  const names = (value: unknown): string[] =>
    typeof value === 'string' ? [value] : Object.values(value as object).flatMap(names);
  const { exports, imports } = JSON.parse(read('package.json')) as { exports: object; imports: object };
  for (const path of [...names(exports), ...names(imports)]) assert.ok(existsSync(new URL(path, top)), path);
});

test('the readme shows the examples as they run', () => {
  const blocks = [...read('README.md').matchAll(/```ts\n\/\/ (examples\/\w+\.ts)\n([^]*?)```/g)];
  assert.deepEqual(
    blocks.map(([, path]) => path).sort(),
    ['bracket', 'quotes', 'trade'].map((name) => `examples/${name}.ts`),
  );
  for (const [, path, block] of blocks) assert.equal(block, read(path!), `README.md and ${path} differ`);
});
