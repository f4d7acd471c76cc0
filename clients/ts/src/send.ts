/** Sending a transaction over JSON-RPC alone, and saying what became of it. */
import {
  appendTransactionMessageInstructions,
  createTransactionMessage,
  getBase64EncodedWireTransaction,
  getSignatureFromTransaction,
  pipe,
  setTransactionMessageComputeUnitLimit,
  setTransactionMessageComputeUnitPrice,
  setTransactionMessageFeePayerSigner,
  setTransactionMessageLifetimeUsingBlockhash,
  signTransactionMessageWithSigners,
  type GetLatestBlockhashApi,
  type GetSignatureStatusesApi,
  type GetTransactionApi,
  type Instruction,
  type MicroLamports,
  type Rpc,
  type SendTransactionApi,
  type Signature,
  type TransactionSigner,
} from '@solana/kit';

import { BallastRefusal, explain, failed, type Next } from './errors.js';
import { eventsOf, type TransactionWithInner } from './events.js';
import type { BallastEvent } from './generated/ballast/index.js';

/** A connection that can send. */
export type Writer = Rpc<GetLatestBlockhashApi & GetSignatureStatusesApi & GetTransactionApi & SendTransactionApi>;

/** How to send. */
export type SendOptions = Readonly<{
  /** Compute units to allow; the chain allows 200,000 an instruction by itself, which is enough for each of Ballast's. */
  computeUnitLimit?: number;
  /** Priority fee, micro-lamports a unit. */
  computeUnitPrice?: bigint;
  /** Milliseconds between two looks at its status. */
  poll?: number;
  /** Milliseconds after which to give up. A blockhash lives about as long. */
  patience?: number;
}>;

/** What a confirmed transaction did. */
export type Receipt = Readonly<{
  signature: Signature;
  slot: bigint;
  /** The program's events, in order. */
  events: readonly BallastEvent[];
  logs: readonly string[];
  /** Compute units used. */
  units: bigint | undefined;
}>;

const AS_JSON = { commitment: 'confirmed', encoding: 'json', maxSupportedTransactionVersion: 0 } as const;
/** Every so many looks the same transaction is sent again: nodes drop some. */
const SEND_AGAIN = 10;

const sleep = (milliseconds: number) => new Promise<void>((resolve) => void setTimeout(resolve, milliseconds));

/**
 * Signs with the signers that the instructions name, sends, and waits until it is confirmed.
 *
 * Throws a `BallastRefusal` if the program refused it, a `TransactionFailed` if it failed otherwise or was not seen in time.
 */
export async function send(
  rpc: Writer,
  payer: TransactionSigner,
  instructions: readonly Instruction[],
  options: SendOptions = {},
): Promise<Receipt> {
  const { value: latest } = await rpc.getLatestBlockhash({ commitment: 'confirmed' }).send();
  const message = pipe(
    createTransactionMessage({ version: 0 }),
    (m) => setTransactionMessageFeePayerSigner(payer, m),
    (m) => setTransactionMessageLifetimeUsingBlockhash(latest, m),
    (m) => setTransactionMessageComputeUnitLimit(options.computeUnitLimit, m),
    (m) => setTransactionMessageComputeUnitPrice(options.computeUnitPrice as MicroLamports | undefined, m),
    (m) => appendTransactionMessageInstructions(instructions, m),
  );
  const signed = await signTransactionMessageWithSigners(message);
  const signature = getSignatureFromTransaction(signed);
  const wire = getBase64EncodedWireTransaction(signed);
  const submit = (skipPreflight: boolean) =>
    rpc.sendTransaction(wire, { encoding: 'base64', preflightCommitment: 'confirmed', skipPreflight }).send();

  try {
    await submit(false);
  } catch (error) {
    throw explain(error);
  }
  const { patience = 60_000, poll = 200 } = options;
  const end = Date.now() + patience;
  for (let look = 1; Date.now() < end; look += 1) {
    const { value } = await rpc.getSignatureStatuses([signature]).send();
    const status = value[0];
    if (status?.err || status?.confirmationStatus === 'confirmed' || status?.confirmationStatus === 'finalized') {
      return receipt(rpc, signature, status.err, end, poll);
    }
    // It passed the simulation once; sent again it can only be known already.
    if (look % SEND_AGAIN === 0) await submit(true).catch(() => undefined);
    await sleep(poll);
  }
  throw failed(`not confirmed within ${patience} ms; look for ${signature} before sending anew`, {
    logs: [],
    signature,
  });
}

async function receipt(rpc: Writer, signature: Signature, error: unknown, end: number, poll: number): Promise<Receipt> {
  let found = await rpc.getTransaction(signature, AS_JSON).send();
  // A node may show a status before it shows the transaction.
  while (!found && Date.now() < end) {
    await sleep(poll);
    found = await rpc.getTransaction(signature, AS_JSON).send();
  }
  const logs = found?.meta?.logMessages ?? [];
  if (error) throw failed(`the transaction failed: ${json(error)}`, { code: customCode(error), logs, signature });
  if (!found) throw failed(`confirmed, but no node shows it yet: ${signature}`, { logs, signature });
  return receiptOf(signature, found);
}

type Found = TransactionWithInner &
  Readonly<{
    slot: bigint;
    meta: Readonly<{ computeUnitsConsumed?: bigint; logMessages: readonly string[] | null }> | null;
  }>;

const receiptOf = (signature: Signature, found: Found): Receipt => ({
  events: eventsOf(found),
  logs: found.meta?.logMessages ?? [],
  signature,
  slot: found.slot,
  units: found.meta?.computeUnitsConsumed,
});

/** What a transaction that anybody sent did; `undefined` where the node does not know it (yet). */
export async function fetchReceipt(rpc: Rpc<GetTransactionApi>, signature: Signature): Promise<Receipt | undefined> {
  const found = await rpc.getTransaction(signature, AS_JSON).send();
  return found ? receiptOf(signature, found) : undefined;
}

const json = (value: unknown) => JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? Number(part) : part));

/** `{ InstructionError: [index, { Custom: code }] }` */
function customCode(error: unknown): number | undefined {
  const parts = (error as { InstructionError?: readonly [unknown, { Custom?: bigint | number }] }).InstructionError;
  const code = parts?.[1]?.Custom;
  return code === undefined ? undefined : Number(code);
}

/** How long to repeat what only lacks a newer price, or what the program refuses with one of `next`. */
export type RetryOptions = Readonly<{ patience?: number; poll?: number; next?: readonly Next[] }>;

/**
 * Does it again for as long as it is refused for want of a newer price: a price is good for four seconds, and the next one is
 * under way. `work` has to make its instructions anew each time. With `next: ['wait']` what passes by itself, such as an order's lock.
 */
export async function retry<T>(
  work: () => Promise<T>,
  { next = ['refresh'], patience = 15_000, poll = 400 }: RetryOptions = {},
): Promise<T> {
  const end = Date.now() + patience;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof BallastRefusal) || !next.includes(error.next) || Date.now() >= end) throw error;
    }
    await sleep(poll);
  }
}
