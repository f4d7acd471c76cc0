import { createSolanaRpc, type Address, type KeyPairSigner } from '@solana/kit';
import {
  cancelOrder,
  deposit,
  find,
  fromAtoms,
  fromPrice,
  loadOwner,
  loadVenue,
  marketAt,
  open,
  placeOrder,
  retry,
  send,
  toAtoms,
  traderOf,
} from '@ballast/client';
import { getCreateCovenantInstructionAsync, getSetDelegateInstruction } from '@ballast/client/program';

const DAY = 86_400n;
/** Bits of a delegate's permissions. */
const [TRADE, ORDERS] = [1, 2];

/** Binds an owner, lets a delegate trade for it, rests a bracket below the market, lists the orders, and takes them back. */
export async function bindAndRest(url: string, owner: KeyPairSigner, delegate: Address): Promise<string[]> {
  const rpc = createSolanaRpc(url);
  const said: string[] = [];
  const venue = await loadVenue(rpc);
  const { state } = marketAt(venue, 0).data;
  const quote = (text: string) => toAtoms(text, state.quoteDecimals);
  const load = async () => {
    const found = await loadOwner(rpc, venue, owner.address);
    return { ...found, trader: traderOf(found)! };
  };
  await send(rpc, owner, [await open(venue, owner), await deposit(venue, owner, { amount: quote('500') })]);
  const { now, trader } = await load();

  // A covenant binds all of an owner's subaccounts: tighter at once, looser after its delay. A delegate acts on one of them until its
  // right ends, within its permissions and a day's order fees; it can never take money out.
  const args = {
    autoClose: false, // whether anyone may close what is open once it has tripped
    coolDown: DAY, // reductions only for so long then
    dailyLoss: quote('25'),
    drawdown: quote('50'),
    looseningDelay: 2n * DAY,
    maxLeverage: 3_000_000n, // millionths
    maxNotional: 0n, // none
  };
  const { events: bound } = await send(rpc, owner, [
    await getCreateCovenantInstructionAsync({ args, exchange: venue.exchange.address, owner }),
    getSetDelegateInstruction({
      delegate,
      feeBudget: quote('1'),
      owner,
      permissions: TRADE | ORDERS,
      subaccount: trader.subaccount.address,
      until: now.unix + 30n * DAY,
    }),
  ]);
  said.push(bound.map(({ name }) => name).join(', '));

  // A bracket: a limit order 3 % below the market that leaves its exits when it fills, whichever is met first; one order, one account.
  // `kind: 'stop'` with a `trigger` is a breakout; `kind: 'exit'` protects the position that there is; `trail` lets a stop follow.
  const { price } = state.price.last;
  const { instruction, order } = await placeOrder(trader, owner, {
    kind: 'limit',
    limit: (price * 97n) / 100n,
    market: 0,
    size: toAtoms('0.01', state.baseDecimals),
    stop: (price * 95n) / 100n,
    target: (price * 106n) / 100n,
  });
  await send(rpc, owner, [instruction]);

  // It fills by anyone's call, as a rule a keeper's. What waits is read with the owner.
  const { orders } = await load();
  for (const { data } of orders) {
    const { limit, size, stop, target } = data.terms;
    said.push(
      `order ${data.id}: ${fromAtoms(size, state.baseDecimals)} at ${fromPrice(limit, state)}, ` +
        `stop ${fromPrice(stop, state)}, target ${fromPrice(target, state)}`,
    );
  }

  // Taken back by its owner or the delegate; locked for twelve seconds, for which `next` is "wait".
  const taken = await retry(() => send(rpc, owner, [cancelOrder(trader, owner, { market: 0, order })]), {
    next: ['wait'],
  });
  said.push(find(taken.events, 'OrderCancelled')?.reason === 0 ? 'taken back' : 'gone');
  said.push(`${(await load()).orders.length} orders`);
  return said;
}
