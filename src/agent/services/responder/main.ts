// The program that answers in all networks of a node: names, metadata, passwords. Started by the agent and left to itself: it goes on
// while the agent is away. Told what to serve by a file, which it reads again on SIGHUP. Usage: main.ts FOLDER VERSION
import { createHash } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeWhole } from '../../file.ts';
import { FILES, type ResponderConfig, type ServedNetwork, statusFile } from './config.ts';
import { createForwarder } from './forward.ts';
import { type Names, namesOf } from './names.ts';
import { createPasswords } from './passwords.ts';
import { type Knowledge, serve, type Serving } from './serve.ts';
import { openSockets } from './sockets.ts';

const RETRY_MS = 500;
const AT_ONCE = 4;

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('usage: main.ts FOLDER VERSION');
await run(folder);

/** Serves until told to end. */
async function run(directory: string): Promise<void> {
  const forwarder = createForwarder();
  const serving = new Map<string, { readonly key: string; readonly one: Serving }>();
  const known = new Map<string, Knowledge>();
  const errors = new Map<string, string>();
  let config: ResponderConfig = { networks: [], scopes: [], guests: [] };
  let digest = '';
  let turn: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;

  const passwords = createPasswords(directory);

  /** Reads the file and does as it says; what cannot be opened is tried again. */
  async function apply(): Promise<void> {
    clearTimeout(timer);
    const text = await readFile(join(directory, FILES.config), 'utf8').catch(() => undefined);
    if (text !== undefined) {
      config = JSON.parse(text) as ResponderConfig;
      digest = createHash('sha256').update(text).digest('hex');
    }
    learn();
    const wanted = new Map(config.networks.map((network) => [network.id, network]));
    for (const [id, { key, one }] of serving) {
      const network = wanted.get(id);
      if (network !== undefined && keyOf(network) === key) continue;
      one.close();
      serving.delete(id);
    }
    for (const id of errors.keys()) if (!wanted.has(id)) errors.delete(id);
    const missing = config.networks.filter(({ id }) => !serving.has(id));
    await Promise.all(Array.from({ length: AT_ONCE }, () => openAll(missing)));
    await tell();
    if (errors.size > 0) timer = setTimeout(again, RETRY_MS);
  }

  async function openAll(left: ServedNetwork[]): Promise<void> {
    for (let network = left.shift(); network !== undefined; network = left.shift()) {
      const { id } = network;
      try {
        const sockets = await openSockets(network);
        serving.set(id, { key: keyOf(network), one: serve(sockets, () => known.get(id), forwarder, passwords) });
        errors.delete(id);
      } catch (error) {
        errors.set(id, (error as Error).message);
      }
    }
  }

  function learn(): void {
    const scopes = new Map<string, Names>(config.scopes.map((scope) => [scope.id, namesOf(scope)]));
    const guests = new Map(config.guests.map((guest) => [guest.id, guest]));
    known.clear();
    passwords.keep(config.guests);
    for (const network of config.networks) {
      const cards = new Map(network.cards.map(({ ip, instance }) => [ip, instance]));
      known.set(network.id, {
        network,
        names: network.dns === undefined ? undefined : scopes.get(network.dns.scope),
        guestAt(address) {
          const guest = guests.get(cards.get(address) ?? '');
          return guest === undefined ? undefined : { ...guest, domain: network.domain };
        },
      });
    }
  }

  async function tell(): Promise<void> {
    const status = { pid: process.pid, config: digest, open: [...serving.keys()], errors: Object.fromEntries(errors) };
    await writeWhole(join(directory, statusFile(process.pid)), `${JSON.stringify(status)}\n`, 0o600);
  }

  function again(): void {
    turn = turn.then(apply).catch((error: unknown) => {
      process.stderr.write(`services: ${(error as Error).message}\n`);
      timer = setTimeout(again, RETRY_MS);
    });
  }

  process.on('SIGHUP', again);
  process.on('SIGTERM', () => {
    for (const { one } of serving.values()) one.close();
    // What was being answered is answered yet.
    setTimeout(() => {
      void rm(join(directory, statusFile(process.pid)), { force: true }).finally(() => process.exit(0));
    }, 300);
  });
  process.on('uncaughtException', (error) => process.stderr.write(`services: ${error.stack ?? error.message}\n`));
  await mkdir(join(directory, FILES.taken), { recursive: true, mode: 0o700 });
  again();
  // Nothing else keeps a process alive that serves nothing yet.
  setInterval(() => undefined, 1 << 30);
}

/** Sockets are opened anew when this is another. */
function keyOf({ netns, made, ip, dns, userData }: ServedNetwork): string {
  return [netns, made, ip, dns !== undefined, userData].join('/');
}
