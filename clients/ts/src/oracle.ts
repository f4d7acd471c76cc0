/** Finding the oracle account whose price a market should store. */
import { getBase64Encoder, type Address, type Instruction } from '@solana/kit';

import { getUpdateMarketInstruction, type Market } from './generated/ballast/index.js';
import { getPriceUpdateV2Decoder, PRICE_UPDATE_V2_DISCRIMINATOR } from './generated/priceFeed/index.js';
import { filterBytes, type Loaded, type Reader } from './read.js';

/** Where the feed id stands in an account of Pyth's layout that is fully verified. */
const FEED_ID = 41n;
/** Where its verification level stands, and the value for full. */
const LEVEL = 40;
const FULL = 1;

/** A price that an oracle account holds. */
export type OraclePrice = Readonly<{ address: Address; publishTime: bigint; price: bigint; exponent: number }>;

/** The account with the newest price of the market's feed; `undefined` where there is none. */
export async function newestPrice(rpc: Reader, market: Market): Promise<OraclePrice | undefined> {
  const accounts = await rpc
    .getProgramAccounts(market.oracleProgram, {
      commitment: 'confirmed',
      encoding: 'base64',
      filters: [
        { memcmp: { bytes: filterBytes(PRICE_UPDATE_V2_DISCRIMINATOR), encoding: 'base58', offset: 0n } },
        { memcmp: { bytes: filterBytes(market.feedId), encoding: 'base58', offset: FEED_ID } },
      ],
    })
    .send();
  let newest: OraclePrice | undefined;
  for (const { account, pubkey } of accounts) {
    const bytes = getBase64Encoder().encode(account.data[0]);
    if (bytes[LEVEL] !== FULL) continue;
    const { exponent, price, publishTime } = getPriceUpdateV2Decoder().decode(bytes).priceMessage;
    if (!newest || publishTime > newest.publishTime) newest = { address: pubkey, exponent, price, publishTime };
  }
  return newest;
}

/** `update_market` for each market whose oracle has a newer price than is stored: what stands in front of a trade. */
export async function refresh(rpc: Reader, markets: Iterable<Loaded<Market>>): Promise<Instruction[]> {
  const updates = [...markets].map(async ({ address, data }) => {
    const newest = await newestPrice(rpc, data);
    if (!newest || newest.publishTime <= data.state.price.last.publishTime) return [];
    return [getUpdateMarketInstruction({ market: address, oracle: newest.address })];
  });
  return (await Promise.all(updates)).flat();
}
