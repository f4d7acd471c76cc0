// Writes src/generated from the committed IDL.
//
//   node scripts/generate.mjs          writes it
//   node scripts/generate.mjs --check  writes nothing; fails when it is out of date
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { visit } from '@codama/visitors-core';
import { renderVisitor } from '@codama/renderers-js';
import { format } from 'prettier';

import { errorsModule, eventsModule, tree } from './idl.mjs';

const here = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const idls = resolve(here, '../../idl');
const generated = 'src/generated';
const prettierOptions = { parser: 'typescript', printWidth: 120, singleQuote: true };

const PROGRAMS = {
  ballast: { idl: 'ballast.json', modules: { events: eventsModule, reasons: errorsModule } },
  priceFeed: { idl: 'price_feed.json', modules: {} },
};

async function files(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath ?? entry.path, entry.name)))
    .sort();
}

/**
 * Node resolves no folders and no bare names: every import names its file. And the renderer writes an older kit's type for
 * a plugin's client; what is inferred is right in every version.
 */
async function finish(folder) {
  const all = await files(folder);
  const present = new Set(all);
  for (const file of all) {
    const source = await readFile(join(folder, file), 'utf8');
    const named = source.replace(/from '(\.[^']*)'/g, (_, path) => {
      const target = join(dirname(file), path);
      if (present.has(`${target}.ts`)) return `from '${path}.js'`;
      if (present.has(join(target, 'index.ts'))) return `from '${path}/index.js'`;
      throw new Error(`${file} imports ${path}, which was not written`);
    });
    const inferred = named.replace(/(\(client: T\)): Omit<T, '\w+'> & \{ \w+: \w+ \} =>/g, '$1 =>');
    await writeFile(join(folder, file), inferred);
  }
}

async function render(into) {
  for (const [name, { idl: file, modules }] of Object.entries(PROGRAMS)) {
    const idl = JSON.parse(await readFile(join(idls, file), 'utf8'));
    const folder = join(into, name);
    const options = {
      generatedFolder: name,
      kitImportStrategy: 'rootOnly',
      prettierOptions,
      syncPackageJson: false,
    };
    await visit(await tree(idl), renderVisitor(into, options));
    for (const [module, write] of Object.entries(modules)) {
      await writeFile(join(folder, `${module}.ts`), await format(write(idl), prettierOptions));
      const index = await readFile(join(folder, 'index.ts'), 'utf8');
      await writeFile(join(folder, 'index.ts'), `${index}export * from './${module}';\n`);
    }
    await finish(folder);
  }
}

async function differences(wanted, found) {
  const [left, right] = await Promise.all([files(wanted), files(found).catch(() => [])]);
  const names = [...new Set([...left, ...right])];
  const same = await Promise.all(
    names.map(async (name) => {
      const read = (folder) => readFile(join(folder, name), 'utf8').catch(() => undefined);
      return (await read(wanted)) === (await read(found));
    }),
  );
  return names.filter((_, index) => !same[index]);
}

if (process.argv.includes('--check')) {
  const scratch = await mkdtemp(join(tmpdir(), 'ballast-ts-'));
  try {
    await render(scratch);
    const stale = await differences(scratch, join(here, generated));
    if (stale.length > 0) {
      console.error(
        `clients/ts/${generated} is out of date; write it again with \`make ts\`:\n  ${stale.join('\n  ')}`,
      );
      process.exitCode = 1;
    }
  } finally {
    await rm(scratch, { force: true, recursive: true });
  }
} else {
  await rm(join(here, generated), { force: true, recursive: true });
  await render(join(here, generated));
}
