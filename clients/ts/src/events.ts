/** Events, from a transaction's inner instructions: the program emits them by calling itself. */
import {
  getBase58Encoder,
  type Address,
  type GetTransactionApi,
  type ReadonlyUint8Array,
  type Rpc,
  type Signature,
} from '@solana/kit';

import {
  BALLAST_EVENTS,
  BALLAST_PROGRAM_ADDRESS,
  EVENT_TAG,
  type BallastEvent,
  type BallastEventName,
} from './generated/ballast/index.js';

const startsWith = (bytes: ReadonlyUint8Array, prefix: ReadonlyUint8Array, at = 0) =>
  bytes.length >= at + prefix.length && prefix.every((byte, index) => bytes[at + index] === byte);

/** The event in an inner instruction's data; `undefined` if it is something else, or an event newer than this client. */
export function decodeEvent(data: ReadonlyUint8Array): BallastEvent | undefined {
  if (!startsWith(data, EVENT_TAG)) return undefined;
  for (const name of Object.keys(BALLAST_EVENTS) as BallastEventName[]) {
    const { discriminator, decode } = BALLAST_EVENTS[name];
    if (startsWith(data, discriminator, EVENT_TAG.length)) {
      const body = data.slice(EVENT_TAG.length + discriminator.length);
      return { name, data: decode(body) } as BallastEvent;
    }
  }
  return undefined;
}

/** What is needed of `getTransaction`'s answer (encoding `json`). */
export type TransactionWithInner = Readonly<{
  meta: Readonly<{
    err: unknown;
    innerInstructions?:
      | readonly Readonly<{
          instructions: readonly Readonly<{ data: string; programIdIndex: number }>[];
        }>[]
      | null;
    loadedAddresses?: Readonly<{ readonly: readonly Address[]; writable: readonly Address[] }>;
  }> | null;
  transaction: Readonly<{ message: Readonly<{ accountKeys: readonly Address[] }> }>;
}>;

/** The program's events in a transaction, in order; none in one that failed. */
export function eventsOf({ meta, transaction }: TransactionWithInner): BallastEvent[] {
  if (!meta || meta.err !== null) return [];
  const loaded = meta.loadedAddresses;
  const keys = [...transaction.message.accountKeys, ...(loaded?.writable ?? []), ...(loaded?.readonly ?? [])];
  const inner = (meta.innerInstructions ?? []).flatMap(({ instructions }) => instructions);
  return inner.flatMap(({ data, programIdIndex }) => {
    // Another program's inner instruction may carry any bytes.
    if (keys[programIdIndex] !== BALLAST_PROGRAM_ADDRESS) return [];
    return decodeEvent(getBase58Encoder().encode(data)) ?? [];
  });
}

/** The events of a transaction on chain; `undefined` where the node does not know it (yet). */
export async function fetchEvents(
  rpc: Rpc<GetTransactionApi>,
  signature: Signature,
): Promise<BallastEvent[] | undefined> {
  const found = await rpc
    .getTransaction(signature, { commitment: 'confirmed', encoding: 'json', maxSupportedTransactionVersion: 0 })
    .send();
  return found ? eventsOf(found) : undefined;
}

/** An event's fields. */
export type EventData<N extends BallastEventName> = Extract<BallastEvent, { name: N }>['data'];

/** The first event of a kind among events. */
export function find<N extends BallastEventName>(events: readonly BallastEvent[], name: N): EventData<N> | undefined {
  return events.find((event) => event.name === name)?.data as EventData<N> | undefined;
}
