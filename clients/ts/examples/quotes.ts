import { createSolanaRpc, type Address } from '@solana/kit';
import { fromAtoms, fromPrice, loadOwner, loadVenue, Quotes, traderOf } from '@ballast/client';

/** What a wallet shows of an account: the figures that the program itself would find at this moment. */
export async function showAccount(url: string, address: Address): Promise<string[]> {
  const rpc = createSolanaRpc(url);
  const quotes = await Quotes.load(); // once per page
  const owner = await loadOwner(rpc, await loadVenue(rpc), address);
  const [trader, account] = [traderOf(owner), quotes.account(owner)];
  if (!trader || !account) return ['no account yet'];

  const quote = (atoms: bigint) => fromAtoms(atoms, owner.exchange.data.quoteDecimals);
  const percent = (millionths: bigint) => `${fromAtoms(millionths, 4)} %`;
  const said: string[] = [];
  for (const { liquidationDistance: away, liquidationPrice: at, market, pnl, size } of account.positions) {
    const { state } = owner.markets.get(market)!.data;
    said.push(
      `market ${market}: ${fromAtoms(size, state.baseDecimals)}, result ${quote(pnl)}, liquidated ` +
        (at === undefined ? 'at no price' : `beyond ${fromPrice(at, state)}, ${percent(away!)} away`),
    );
  }
  for (const [index, { data }] of owner.markets) {
    const { baseDecimals, price } = data.state;
    const stop = (price.last.price * 98n) / 100n;
    const most = quotes.maxIncrease(trader, index, 'long');
    const some = quotes.sizeForRisk(trader, index, { risk: 10_000_000n, side: 'long', stop });
    said.push(
      `market ${index}: up to ${fromAtoms(most, baseDecimals)} more; ` +
        `${fromAtoms(some, baseDecimals)} loses at most ${quote(10_000_000n)} if it is stopped at ${fromPrice(stop, data.state)}`,
    );
  }
  const { marginUsed, withdrawable } = account.health;
  said.push(
    `to withdraw: ${quote(withdrawable)}; margin used: ${marginUsed === undefined ? '-' : percent(marginUsed)}`,
  );

  const { covenant, pending } = account;
  if (covenant && typeof covenant.room !== 'string') {
    const { dayLeft, drawdownLeft, notionalLeft } = covenant.room;
    const left = (what: string, amount: bigint | undefined) =>
      amount === undefined ? [] : [`${quote(amount)} ${what}`];
    said.push(
      `your covenant leaves ${[
        ...left('of loss today', dayLeft),
        ...left('of loss from here', drawdownLeft),
        ...left('of notional', notionalLeft),
      ].join(', ')}`,
    );
  }
  if (covenant?.trippedUntil) said.push(`reductions only, until ${covenant.trippedUntil}`);
  if (covenant?.asked) said.push(`looser limits may be put in force at ${covenant.asked.at}`);
  for (const { belowMaintenance, changes, from, id, market, what } of pending) {
    const parts = [
      what,
      `market ${market ?? '-'}`,
      ...changes.map(({ name, new: to, old }) => `${name} ${old} -> ${to}`),
    ];
    const below = belowMaintenance ? '; it would put you below maintenance' : '';
    said.push(`proposal ${id}: ${parts.join(', ')}; not before ${from}${below}`);
  }
  return said;
}
