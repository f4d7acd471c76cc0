/** Refusals of the program, with what to do next. */
import {
  isSolanaError,
  SOLANA_ERROR__INSTRUCTION_ERROR__CUSTOM,
  SOLANA_ERROR__JSON_RPC__SERVER_ERROR_SEND_TRANSACTION_PREFLIGHT_FAILURE,
  type Signature,
} from '@solana/kit';

import { BALLAST_ERRORS, BALLAST_PROGRAM_ADDRESS, type BallastErrorName } from './generated/ballast/index.js';

/**
 * What a program can do about a refusal without asking anyone:
 * - `refresh`: put `update_market` in front, or wait for a newer price, and send again;
 * - `wait`: the same will pass later;
 * - `lost`: somebody else did it first; read the accounts again;
 * - `amount`: another size, amount or limit is needed;
 * - `margin`: the account needs collateral or a smaller position;
 * - `blocked`: the exchange or the market does not allow it now, or this key may not;
 * - `mistake`: the caller passed something wrong;
 * - `report`: it should never happen.
 */
export type Next = 'refresh' | 'wait' | 'lost' | 'amount' | 'margin' | 'blocked' | 'mistake' | 'report';

const BY_CODE = new Map<number, BallastErrorName>(
  Object.entries(BALLAST_ERRORS).map(([name, { code }]) => [code, name as BallastErrorName]),
);

/** The reason behind a custom error code of the program; `undefined` for other programs' and Anchor's codes. */
export function reasonOf(code: number): BallastErrorName | undefined {
  return BY_CODE.get(code);
}

/** What can be done about a reason without asking anyone. */
export function nextOf(reason: BallastErrorName): Next {
  return BALLAST_ERRORS[reason].next;
}

/** What is known of a transaction that failed. */
export type Failure = Readonly<{
  /** The custom error code, where a program gave one. */
  code?: number | undefined;
  /** The program's log, as far as known. */
  logs: readonly string[];
  /** Set where the transaction landed and failed on chain. */
  signature?: Signature | undefined;
}>;

/** A transaction that did not go through for a reason that is not Ballast's. */
export class TransactionFailed extends Error {
  /** See {@link Failure}. */
  readonly code: number | undefined;
  /** See {@link Failure}. */
  readonly logs: readonly string[];
  /** See {@link Failure}. */
  readonly signature: Signature | undefined;

  constructor(message: string, failure: Failure, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = failure.code;
    this.logs = failure.logs;
    this.signature = failure.signature;
  }
}

/** A refusal by the program: nothing was changed. The message says what to do. */
export class BallastRefusal extends TransactionFailed {
  /** The reason. */
  readonly reason: BallastErrorName;
  /** What can be done about it without asking anyone. */
  readonly next: Next;
  /** The limit that was hit, in the unit that the message names. */
  readonly limit: bigint | undefined;
  /** The value that hit it. */
  readonly value: bigint | undefined;

  constructor(reason: BallastErrorName, failure: Failure, options?: ErrorOptions) {
    const { code, message } = BALLAST_ERRORS[reason];
    const found = limits(reason, failure.logs);
    const figures = found ? ` [limit ${found.limit}, value ${found.value}]` : '';
    super(`${reason}: ${message}${figures}`, { ...failure, code }, options);
    this.reason = reason;
    this.next = nextOf(reason);
    this.limit = found?.limit;
    this.value = found?.value;
  }
}

/** The program logs `Name: limit 5, value 7` before it refuses. */
function limits(reason: BallastErrorName, logs: readonly string[]): { limit: bigint; value: bigint } | undefined {
  const pattern = new RegExp(`^Program log: ${reason}: limit (-?\\d+), value (-?\\d+)$`);
  for (const line of logs) {
    const match = pattern.exec(line);
    if (match) return { limit: BigInt(match[1]!), value: BigInt(match[2]!) };
  }
  return undefined;
}

/** The error to throw for a failed transaction: a {@link BallastRefusal} if the program refused it. */
export function failed(message: string, failure: Failure, options?: ErrorOptions): TransactionFailed {
  const reason = failure.code === undefined ? undefined : reasonOf(failure.code);
  // Other programs number their errors too: the reason is Ballast's only if the program that failed is.
  if (reason !== undefined && failedProgram(failure.logs) === BALLAST_PROGRAM_ADDRESS) {
    return new BallastRefusal(reason, failure, options);
  }
  const last = failure.logs.findLast((line) => line.includes('Error') || line.includes('failed'));
  const told = [hint(failure), message].filter((part) => part !== undefined).join(': ');
  return new TransactionFailed(last === undefined ? told : `${told} (${last})`, failure, options);
}

const SYSTEM_PROGRAM = '11111111111111111111111111111111';

/** Words for the codes of other programs that a client meets first; Anchor's come from Ballast, below its own. */
const ANCHOR_HINTS: Readonly<Record<number, string>> = {
  2006: 'an account is not at the address that the program derives; a Trader is a snapshot: load it again after each trade',
  3007: 'an account belongs to another program; check the addresses',
  3012: 'an account is not there: not opened yet, or closed or filled already',
};

function hint({ code, logs }: Failure): string | undefined {
  const program = code === undefined ? undefined : failedProgram(logs);
  if (program === SYSTEM_PROGRAM && code === 0) return 'the account is there already: a subaccount is opened once';
  return program === BALLAST_PROGRAM_ADDRESS ? ANCHOR_HINTS[code!] : undefined;
}

/** The program whose instruction failed: the innermost, which the log names first. */
function failedProgram(logs: readonly string[]): string | undefined {
  for (const line of logs) {
    const match = /^Program (\S+) failed: /.exec(line);
    if (match) return match[1];
  }
  return undefined;
}

/** The same for what `@solana/kit` throws when a node's simulation fails; anything else is given back as it is. */
export function explain(error: unknown): unknown {
  if (!isSolanaError(error, SOLANA_ERROR__JSON_RPC__SERVER_ERROR_SEND_TRANSACTION_PREFLIGHT_FAILURE)) return error;
  const { cause, context } = error;
  const code = isSolanaError(cause, SOLANA_ERROR__INSTRUCTION_ERROR__CUSTOM) ? cause.context.code : undefined;
  const message = cause instanceof Error ? cause.message : error.message;
  return failed(
    message,
    { code: code === undefined ? undefined : Number(code), logs: context.logs ?? [] },
    { cause: error },
  );
}
