import { createSolanaRpc, type KeyPairSigner } from '@solana/kit';
import {
  BallastRefusal,
  deposit,
  fromAtoms,
  fromPrice,
  loadTrader,
  loadVenue,
  marketAt,
  open,
  reduce,
  retry,
  send,
  toAtoms,
  trade,
  withdraw,
} from '@ballast/client';

/** Opens a subaccount, puts 500 in, goes long 0.01, gets out again, and takes 100 back. */
export async function tradeAndLeave(url: string, owner: KeyPairSigner): Promise<string[]> {
  const rpc = createSolanaRpc(url);
  const said: string[] = [];

  // The exchange and its markets. Sizes and amounts are integers in the smallest unit everywhere.
  const venue = await loadVenue(rpc);
  const { state } = marketAt(venue, 0).data;
  const quote = (text: string) => toAtoms(text, state.quoteDecimals);

  // Two instructions, one transaction; `send` signs, sends and waits.
  await send(rpc, owner, [await open(venue, owner), await deposit(venue, owner, { amount: quote('500') })]);

  // An order fills at the first price published after it, so a trade is two transactions; the second one stores that
  // price with `update_market` first.
  const trader = (await loadTrader(rpc, venue, owner.address))!;
  const { fill } = await trade(rpc, trader, owner, { market: 0, size: toAtoms('0.01', state.baseDecimals) });
  said.push(`bought at ${fromPrice(fill.price, state)}, fee ${fromAtoms(fill.fee, state.quoteDecimals)}`);

  // What the program refuses comes with its reason and with what can be done about it. `retry` repeats what only lacks a
  // newer price.
  const held = (await loadTrader(rpc, venue, owner.address))!;
  const take = async (amount: string) => send(rpc, owner, await withdraw(rpc, held, owner, { amount: quote(amount) }));
  try {
    await retry(() => take('499.9'));
  } catch (error) {
    if (!(error instanceof BallastRefusal)) throw error;
    said.push(`${error.reason}: next is "${error.next}"`); // InitialMargin or InsufficientCollateral: "margin"
  }

  // Out at once, at a slightly worse price than an order's; then the money back.
  await retry(async () => send(rpc, owner, await reduce(rpc, held, owner, { market: 0 })));
  const flat = (await loadTrader(rpc, venue, owner.address))!;
  const left = await send(rpc, owner, await withdraw(rpc, flat, owner, { amount: quote('100') }));
  for (const { name, data } of left.events) {
    if (name === 'Withdrawn') said.push(`${fromAtoms(data.collateral, state.quoteDecimals)} left`);
  }
  return said;
}
