import { createSolanaRpc, type Address } from '@solana/kit';
import { fromAtoms, fromPrice, hasPosition, loadTrader, loadVenue, Quotes } from '@ballast/client';

/** What a wallet shows of an account: the figures that the program itself would find at this moment. */
export async function showAccount(url: string, owner: Address): Promise<string[]> {
  const rpc = createSolanaRpc(url);
  const quotes = await Quotes.load(); // once per page
  const trader = await loadTrader(rpc, await loadVenue(rpc), owner);
  if (!trader) return ['no account yet'];

  const said: string[] = [];
  for (const [index, { data }] of trader.markets) {
    const { baseDecimals, quoteDecimals } = data.state;
    if (hasPosition(trader, index)) {
      const { size, pnl } = quotes.position(trader, index);
      const at = quotes.liquidationPrice(trader, index);
      said.push(
        `market ${index}: ${fromAtoms(size, baseDecimals)}, result ${fromAtoms(pnl, quoteDecimals)}, ` +
          `liquidated ${at === undefined ? 'at no price' : `beyond ${fromPrice(at, data.state)}`}`,
      );
    }
    const most = quotes.maxIncrease(trader, index, 'long');
    said.push(`market ${index}: up to ${fromAtoms(most, baseDecimals)} more`);
  }
  const { withdrawable } = quotes.health(trader);
  said.push(`to withdraw: ${fromAtoms(withdrawable, trader.exchange.data.quoteDecimals)}`);
  return said;
}
