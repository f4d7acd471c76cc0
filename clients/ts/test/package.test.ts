/** The package as it would be published: packed, unpacked elsewhere, imported and compiled against. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { Quotes } from '@ballast/client';

const here = new URL('../../', import.meta.url).pathname;
let home: string;
let files: string[];

before(() => {
  home = mkdtempSync(join(tmpdir(), 'ballast-package-'));
  const packed = execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', home], { cwd: here });
  // npm 11 and newer name the package, older ones give a list.
  const [report] = Object.values(
    JSON.parse(packed.toString()) as Record<string, { filename: string; files: { path: string }[] }>,
  );
  files = report!.files.map(({ path }) => path);
  const target = join(home, 'node_modules/@ballast/client');
  mkdirSync(target, { recursive: true });
  execFileSync('tar', ['-xzf', join(home, report!.filename), '--strip-components=1', '-C', target]);
  symlinkSync(join(here, 'node_modules/@solana'), join(home, 'node_modules/@solana'));
  writeFileSync(join(home, 'package.json'), '{ "type": "module" }');
});
after(() => rmSync(home, { force: true, recursive: true }));

const CONSUMER = `
import { fromAtoms, Quotes, type Trader } from '@ballast/client';
import { BALLAST_PROGRAM_ADDRESS, getSubaccountDecoder } from '@ballast/client/program';
import { PRICE_FEED_PROGRAM_ADDRESS } from '@ballast/client/price-feed';

export const show = (quotes: Quotes, trader: Trader): string => fromAtoms(quotes.health(trader).withdrawable, 6);
const quotes = await Quotes.load();
console.log(typeof quotes.maxIncrease, BALLAST_PROGRAM_ADDRESS, PRICE_FEED_PROGRAM_ADDRESS, getSubaccountDecoder().fixedSize);
`;

test('it holds what it needs and nothing else', () => {
  for (const wanted of [
    'README.md',
    'LICENSE',
    'package.json',
    'dist/index.js',
    'dist/index.d.ts',
    'dist/quotes.wasm',
  ]) {
    assert.ok(files.includes(wanted), `${wanted} is missing`);
  }
  const extra = files.filter(
    (path) => !/^(README\.md|LICENSE|package\.json|dist\/.*\.(js|d\.ts)|dist\/quotes\.wasm)$/.test(path),
  );
  assert.deepEqual(extra, []);
});

test('it is imported and compiled against from elsewhere', () => {
  writeFileSync(join(home, 'consumer.ts'), CONSUMER);
  const tsc = join(here, 'node_modules/typescript/bin/tsc');
  const options = ['--strict', '--target', 'es2022', '--module', 'nodenext', '--types', '', '--lib', 'es2023,dom'];
  try {
    execFileSync(process.execPath, [tsc, ...options, 'consumer.ts'], { cwd: home });
  } catch (error) {
    assert.fail((error as { stdout: Buffer }).stdout.toString());
  }
  const said = execFileSync(process.execPath, ['consumer.js'], { cwd: home }).toString().trim().split(' ');
  assert.equal(said[0], 'function');
  assert.match(said[1]!, /^FQ2KR/);
  assert.match(said[2]!, /^FnE7r/);
  assert.ok(Number(said[3]) > 1_000);
});

test("the quotes' module loads in a page, from bytes, and from a compiled module", async () => {
  const bytes = readFileSync(join(here, 'dist/quotes.wasm'));
  const told = /WebAssembly \((\d+) KB\)/.exec(readFileSync(join(here, 'README.md'), 'utf8'))?.[1];
  assert.ok(
    Math.abs(Number(told) * 1_000 - bytes.length) < bytes.length / 10,
    `the README says ${told} KB: ${bytes.length}`,
  );
  const { fetch } = globalThis;
  try {
    globalThis.fetch = async (from) => {
      assert.match(String(from), /dist\/quotes\.wasm$/);
      return new Response(bytes);
    };
    const { quotesModule } = (await import(join(here, 'dist/wasm.web.js'))) as typeof import('../src/wasm.web.js');
    assert.ok((await quotesModule()) instanceof WebAssembly.Module);
    for (const source of [bytes, await quotesModule()]) assert.ok((await Quotes.load(source)) instanceof Quotes);
  } finally {
    globalThis.fetch = fetch;
  }
});
