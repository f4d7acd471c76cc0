/** The quotes' module, from beside this file: bundlers know `new URL(…, import.meta.url)` and bring the file along. */
export async function quotesModule(): Promise<WebAssembly.Module> {
  const response = await fetch(new URL('./quotes.wasm', import.meta.url));
  // Not the streaming call: that one insists on a content type which not every host sends.
  return WebAssembly.compile(await response.arrayBuffer());
}
