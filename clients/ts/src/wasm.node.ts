import { readFile } from 'node:fs/promises';

/** The quotes' module, from beside this file. */
export async function quotesModule(): Promise<WebAssembly.Module> {
  return WebAssembly.compile(await readFile(new URL('./quotes.wasm', import.meta.url)));
}
