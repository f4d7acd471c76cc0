/**
 * Ballast from TypeScript, for `@solana/kit`.
 *
 * Here are the helpers; every instruction, account, event and error of the program is in `@ballast/client/program`, those of
 * the local price feed in `@ballast/client/price-feed`, both written from the programs' IDL.
 */
export * from './accounts.js';
export * from './amounts.js';
export * from './digest.js';
export * from './errors.js';
export * from './events.js';
export * from './flows.js';
export * from './oracle.js';
export * from './owner.js';
export * from './quotes.js';
export * from './send.js';
export * from './trade.js';
export { LAYOUT_VERSION, filterBytes, type Loaded, type Now, type Reader } from './read.js';
export {
  BALLAST_ERRORS,
  BALLAST_PROGRAM_ADDRESS,
  type BallastErrorName,
  type BallastEvent,
  type BallastEventName,
} from './generated/ballast/index.js';
