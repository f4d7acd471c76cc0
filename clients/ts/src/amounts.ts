/** Whole units as people write them, to and from the integers that accounts hold. No floating point anywhere. */

/** Decimals of a stored price: quote atoms per base atom, times 10⁹. */
const PRICE_DECIMALS = 9;

/** `"1.5"` with 6 decimals is `1500000n`. Throws on anything that is not a number or has more decimals than that. */
export function toAtoms(text: string, decimals: number): bigint {
  const match = /^([+-]?)(\d+)(?:\.(\d+))?$/.exec(text.trim());
  if (!match) throw new RangeError(`"${text}" is not a number; write it like 12.5`);
  const [, sign, whole, fraction = ''] = match;
  const cut = fraction.replace(/0+$/, '');
  if (cut.length > Math.max(decimals, 0)) throw new RangeError(`"${text}" has more than ${decimals} decimals`);
  const atoms = BigInt(whole! + cut.padEnd(decimals, '0'));
  return sign === '-' ? -atoms : atoms;
}

/** `1500000n` with 6 decimals is `"1.5"`. */
export function fromAtoms(atoms: bigint, decimals: number): string {
  const digits = (atoms < 0n ? -atoms : atoms).toString().padStart(decimals + 1, '0');
  const whole = digits.slice(0, digits.length - decimals);
  const fraction = digits.slice(digits.length - decimals).replace(/0+$/, '');
  return `${atoms < 0n ? '-' : ''}${whole}${fraction ? `.${fraction}` : ''}`;
}

/** Decimals of a market. */
export type MarketDecimals = Readonly<{ baseDecimals: number; quoteDecimals: number }>;

/** A price per whole unit as stored in a market. */
export function toPrice(text: string, { baseDecimals, quoteDecimals }: MarketDecimals): bigint {
  return toAtoms(text, PRICE_DECIMALS + quoteDecimals - baseDecimals);
}

/** A stored price per whole unit. */
export function fromPrice(price: bigint, { baseDecimals, quoteDecimals }: MarketDecimals): string {
  return fromAtoms(price, PRICE_DECIMALS + quoteDecimals - baseDecimals);
}
