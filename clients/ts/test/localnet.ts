/** A local validator with an exchange on it: `ballast localnet`, on free ports, ended by its process id. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createServer, type Server } from 'node:net';

import type { Address } from '@solana/kit';

/** What `ballast localnet --json` says once it is ready. */
export type Ready = Readonly<{
  url: string;
  program: Address;
  exchange: Address;
  collateral: Address;
  vault: Address;
  markets: readonly Readonly<{ index: number; symbol: string; market: Address; feed: Address }>[];
}>;

/** The command, built by the caller. */
const BALLAST = process.env.BALLAST_BIN ?? new URL('../../../../target/debug/ballast', import.meta.url).pathname;
const PATIENCE = 120_000;

const listen = (port: number) =>
  new Promise<Server>((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
const closed = (server: Server) => new Promise<void>((resolve) => void server.close(() => resolve()));

/** A port that is free, as is the next one, where the websocket goes. */
async function freePair(): Promise<number> {
  for (;;) {
    const first = await listen(0);
    const { port } = first.address() as { port: number };
    const second = port < 65_535 ? await listen(port + 1).catch(() => undefined) : undefined;
    await closed(first);
    if (second) {
      await closed(second);
      return port;
    }
  }
}

/** Starts it, with test collateral and SOL for these wallets. */
export async function start(fund: readonly Address[]): Promise<{ ready: Ready; stop: () => Promise<void> }> {
  const port = await freePair();
  const options = ['localnet', '--json', '--port', `${port}`, ...fund.flatMap((owner) => ['--fund', owner])];
  const child = spawn(BALLAST, options, { stdio: ['ignore', 'pipe', 'pipe'] });
  const stop = () => end(child);
  // Whatever ends this process ends that one: it would run on for ever.
  process.once('exit', () => child.kill('SIGKILL'));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));
  try {
    return { ready: await isReady(child), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function isReady(child: ChildProcess): Promise<Ready> {
  return new Promise((resolve, reject) => {
    let [out, complaints] = ['', ''];
    const timer = setTimeout(() => reject(new Error(`not ready within ${PATIENCE} ms: ${complaints}`)), PATIENCE);
    child.stderr!.on('data', (part: Buffer) => (complaints = (complaints + part.toString()).slice(-4_000)));
    child.stdout!.on('data', (part: Buffer) => {
      out += part.toString();
      try {
        resolve(JSON.parse(out) as Ready);
        clearTimeout(timer);
      } catch {
        // Not all of it yet.
      }
    });
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`ballast localnet ended with ${code}: ${complaints}`)));
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGINT');
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await gone;
  clearTimeout(timer);
}

/** What the command says about the same chain, as JSON. */
export function ballast<T>(url: string, ...options: string[]): T {
  const { status, stderr, stdout } = spawnSync(BALLAST, [...options, '--json', '--url', url], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ballast ${options.join(' ')}: ${stderr}`);
  return JSON.parse(stdout) as T;
}
