/** The digest by which an upgrade of the program is committed. */

/** Bytes of a part: what the program hashes in one transaction. */
const PART = 1_048_576;

async function sha256(...pieces: Uint8Array[]): Promise<Uint8Array> {
  const all = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return new Uint8Array(await crypto.subtle.digest('SHA-256', all));
}

/**
 * The digest of a program's file, as `queueUpgrade` commits to it: over parts of 1 MiB, `h = SHA-256(h ‖ part)` from 32 zero bytes
 * on, and in the end `SHA-256(h ‖ length)`, the length in eight bytes, little endian.
 */
export async function upgradeDigest(code: Uint8Array): Promise<Uint8Array> {
  let chain: Uint8Array = new Uint8Array(32);
  for (let at = 0; at < code.length; at += PART) {
    chain = await sha256(chain, code.subarray(at, at + PART));
  }
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(code.length), true);
  return sha256(chain, length);
}
