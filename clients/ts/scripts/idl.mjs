// What is changed between the program's IDL and the generated client, and why. Pure: IDL in, tree out.
//
// Addresses: Anchor writes a seed that is read from inside an account (`subaccount.state.next_order`) as the account's
// own address, so two different seeds look alike. All addresses are therefore made here, from the seeds that are told
// truly; a second seed with the same path is the number in question, eight bytes.
import { createHash } from 'node:crypto';

import { rootNodeFromAnchor } from '@codama/nodes-from-anchor';
import {
  accountValueNode,
  argumentValueNode,
  bytesTypeNode,
  camelCase,
  constantPdaSeedNodeFromString,
  fixedSizeTypeNode,
  numberTypeNode,
  pdaLinkNode,
  pdaNode,
  pdaSeedValueNode,
  pdaValueNode,
  publicKeyTypeNode,
  publicKeyValueNode,
  variablePdaSeedNode,
} from '@codama/nodes';
import { address, getAddressDecoder, getProgramDerivedAddress } from '@solana/kit';

import { nextOf } from './next.mjs';

/** What the first seed does not say well. */
const PDA_NAMES = { lp: 'lpMint' };
/** Fields that are 32 bytes and no address, though the engine keeps both in the same type. */
const HASHES = new Set(['feedId', 'rationale', 'newFeed']);

const text = (bytes) => Buffer.from(bytes).toString();
const last = (path) => camelCase(path.split('.').at(-1));

/** The tree that the renderer takes. */
export async function tree(idl) {
  const stripped = structuredClone(idl);
  for (const instruction of stripped.instructions) for (const account of instruction.accounts) delete account.pda;
  const root = rootNodeFromAnchor(stripped);
  const pdas = addresses(idl);
  const constants = await constantAddresses(idl);

  const instructions = root.program.instructions.map((node) => {
    const source = idl.instructions.find((i) => camelCase(i.name) === node.name);
    const names = new Set(node.accounts.map((account) => account.name));
    const args = new Set(node.arguments.map((argument) => argument.name));
    const accounts = node.accounts.map((account) => {
      if (account.defaultValue) return account;
      const raw = source.accounts.find((a) => camelCase(a.name) === account.name);
      const constant = constants.get(key(source.name, raw.name)) ?? constants.get(raw.name);
      if (constant) return { ...account, defaultValue: publicKeyValueNode(constant) };
      const pda = raw.pda ? pdas.get(pdaName(raw.pda)) : pdas.get(account.name);
      // Where no seeds are told, only what cannot be another: an exchange has one vault, a market one liquidity mint.
      if (!pda || (!raw.pda && !['vault', 'lpMint'].includes(account.name))) return account;
      const values = pda.variables.map(({ name, account: isAccount }) => {
        if (isAccount && names.has(name)) return pdaSeedValueNode(name, accountValueNode(name));
        if (!isAccount && args.has(name)) return pdaSeedValueNode(name, argumentValueNode(name));
        return undefined;
      });
      if (values.includes(undefined)) return account;
      return { ...account, defaultValue: pdaValueNode(pdaLinkNode(pda.node.name), values) };
    });
    return { ...node, accounts };
  });
  const accounts = root.program.accounts.map((node) =>
    pdas.has(node.name) ? { ...node, pda: pdaLinkNode(node.name) } : node,
  );
  const definedTypes = root.program.definedTypes.filter((type) => type.name !== 'i128');
  const program = {
    ...root.program,
    accounts,
    definedTypes,
    instructions,
    pdas: [...pdas.values()].map((p) => p.node),
  };
  return widen({ ...root, program });
}

/** The program's addresses by name, each with the seeds that vary. */
function addresses(idl) {
  const found = new Map();
  for (const instruction of idl.instructions) {
    for (const { pda } of instruction.accounts) {
      if (!pda || pda.program || pda.seeds[0].kind !== 'const') continue;
      const [first, ...rest] = pda.seeds;
      const seen = new Set();
      const variables = rest.map((seed) => {
        if (seed.kind === 'arg') return { name: last(seed.path), type: argumentType(idl, instruction, seed.path) };
        if (seed.kind !== 'account') throw new Error(`${instruction.name}: a later constant seed is not expected`);
        // Told twice: a number inside that account.
        if (seen.has(seed.path)) return { name: 'id', type: numberTypeNode('u64') };
        seen.add(seed.path);
        return { name: last(seed.path), type: publicKeyTypeNode(), account: true };
      });
      const name = pdaName(pda);
      const node = pdaNode({
        name,
        seeds: [
          constantPdaSeedNodeFromString('utf8', text(first.value)),
          ...variables.map((v) => variablePdaSeedNode(v.name, v.type)),
        ],
      });
      const before = found.get(name);
      if (before && JSON.stringify(before.node) !== JSON.stringify(node)) {
        throw new Error(`${instruction.name}: the seeds of "${name}" differ from another instruction's`);
      }
      found.set(name, { node, variables });
    }
  }
  return found;
}

function pdaName(pda) {
  const seed = text(pda.seeds[0].value);
  return PDA_NAMES[seed] ?? camelCase(seed);
}

function argumentType(idl, instruction, path) {
  let fields = instruction.args;
  let type;
  for (const name of path.split('.')) {
    type = fields.find((field) => field.name === name).type;
    fields = type.defined && idl.types.find((t) => t.name === type.defined.name).type.fields;
  }
  if (type?.array?.[0] === 'u8') return fixedSizeTypeNode(bytesTypeNode(), type.array[1]);
  return type === 'pubkey' ? publicKeyTypeNode() : numberTypeNode(type);
}

const key = (instruction, account) => `${instruction}/${account}`;

/** Addresses that do not depend on anything. */
async function constantAddresses(idl) {
  const programAddress = address(idl.address);
  const [eventAuthority] = await getProgramDerivedAddress({ programAddress, seeds: ['__event_authority'] });
  const constants = new Map([
    ['event_authority', eventAuthority],
    ['program', programAddress],
  ]);
  for (const instruction of idl.instructions) {
    for (const { name, pda } of instruction.accounts) {
      if (!pda?.program || pda.program.kind !== 'const' || pda.seeds.some((seed) => seed.kind !== 'const')) continue;
      const owner = getAddressDecoder().decode(new Uint8Array(pda.program.value));
      const seeds = pda.seeds.map((seed) => new Uint8Array(seed.value));
      constants.set(key(instruction.name, name), (await getProgramDerivedAddress({ programAddress: owner, seeds }))[0]);
    }
  }
  return constants;
}

/** The 8-aligned pair of words is a plain 128-bit number to a reader of bytes; hashes are bytes. */
function widen(node) {
  if (Array.isArray(node)) return node.map(widen);
  if (node === null || typeof node !== 'object') return node;
  if (node.kind === 'definedTypeLinkNode' && node.name === 'i128') return numberTypeNode('i128');
  const copy = Object.fromEntries(Object.entries(node).map(([name, value]) => [name, widen(value)]));
  if (copy.kind === 'structFieldTypeNode' && HASHES.has(copy.name) && copy.type.kind === 'publicKeyTypeNode') {
    copy.type = fixedSizeTypeNode(bytesTypeNode(), 32);
  }
  return copy;
}

const HEADER = '/** Written by scripts/generate.mjs from the IDL; do not edit. */\n\n';
const list = (bytes) => `[${[...bytes].join(', ')}]`;

/** Events: the renderer knows none, so their names, first bytes and union are written here. */
export function eventsModule(idl) {
  const names = idl.events.map((event) => event.name);
  const docs = new Map(idl.types.map((type) => [type.name, type.docs?.join(' ') ?? '']));
  const tag = createHash('sha256').update('anchor:event').digest().subarray(0, 8).reverse();
  return `${HEADER}import { type ReadonlyUint8Array } from '@solana/kit';
import { ${names.map((n) => `get${n}Decoder, type ${n}`).join(', ')} } from './types';

/** First bytes of the inner instruction that carries an event. */
export const EVENT_TAG: ReadonlyUint8Array = new Uint8Array(${list(tag)});

/** Any event of the program. */
export type BallastEvent = ${names.map((n) => `\n/** ${docs.get(n)} */\n| { name: '${n}'; data: ${n} }`).join('')};

/** The name of an event. */
export type BallastEventName = BallastEvent['name'];

/** By name: its bytes behind the tag, and what decodes the rest. */
export const BALLAST_EVENTS: {
  readonly [N in BallastEventName]: {
    readonly discriminator: ReadonlyUint8Array;
    readonly decode: (bytes: ReadonlyUint8Array) => Extract<BallastEvent, { name: N }>['data'];
  };
} = {
${idl.events
  .map(
    (e) =>
      `${e.name}: { discriminator: new Uint8Array(${list(e.discriminator)}), decode: (b) => get${e.name}Decoder().decode(b) },`,
  )
  .join('\n')}
};
`;
}

/** Errors: names, codes and messages that are there in production builds too. */
export function errorsModule(idl) {
  return `${HEADER}/** Every reason for which the program refuses, with what to do and what a program can do next, by its name. */
export const BALLAST_ERRORS = {
${idl.errors.map((e) => `${e.name}: { code: ${e.code}, next: '${nextOf(e.name)}', message: ${JSON.stringify(e.msg)} },`).join('\n')}
} as const;

/** The name of a reason. */
export type BallastErrorName = keyof typeof BALLAST_ERRORS;
`;
}
