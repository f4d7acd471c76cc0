// Compiles src to dist and puts the quotes' module beside it, which scripts/build-wasm at the top of the repository makes.
import { copyFile, rm, stat } from 'node:fs/promises';
import { spawnSync } from 'node:child_process';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const top = resolve(here, '../..');
const wasm = join(top, 'target/wasm/ballast_wasm.wasm');

try {
  await stat(wasm);
} catch {
  console.error(`${wasm} is missing: run scripts/build-wasm (or \`make wasm\`) at the top of the repository first`);
  process.exit(1);
}
await rm(join(here, 'dist'), { force: true, recursive: true });
const compiled = spawnSync(process.execPath, [join(here, 'node_modules/typescript/bin/tsc'), '-p', here], {
  stdio: 'inherit',
});
if (compiled.status !== 0) process.exit(compiled.status ?? 1);
await copyFile(wasm, join(here, 'dist/quotes.wasm'));
await copyFile(join(top, 'LICENSE'), join(here, 'LICENSE'));
