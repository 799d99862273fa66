// OVN's southbound database, as far as the agent looks into it: which gateways this node takes over, at the moment it does, what belongs
// to each, and which translated addresses are answered for here. OVN announces a gateway itself only a second after (measured on 23.03); until then the switches send to where it was.
import { cidr6, contains6, formatIp6, parseCidr6 } from '../../lib/ip6.ts';
import { connect, type Socket } from 'node:net';
import { createBackoff } from '../../lib/backoff.ts';
import type { Bell } from '../../lib/bell.ts';
import type { Log } from '../../lib/log.ts';
import { sleep } from '../../lib/sleep.ts';
import { createSplitter } from '../ovsdb.ts';
import { createTranslations, type Translated } from './translated.ts';
import { mapOf, setOf, uuidOf, type Row, type Updates } from './value.ts';

/** What this node answers for from now on: a gateway that was taken over, or addresses of one; and by which way it meets the wire. */
export interface Claim {
  /** Name of the router port. */
  readonly port: string;
  readonly mac: string;
  /** Its own addresses and those it translates, without prefix lengths. */
  readonly addresses: readonly string[];
  /** Its own of IPv6; link-local ones are nobody's concern outside. */
  readonly addresses6?: readonly string[];
  /** Name of the localnet port of its switch, and the tag there; undefined: untagged. */
  readonly localnet: string;
  readonly vlan: number | undefined;
}

type Rpc = (method: string, params: readonly unknown[]) => Promise<unknown>;

const DATABASE = 'OVN_Southbound';
const LOOK_MS = 500;

/** Where `ovn-remote` says the database is: the first way that we can go. Undefined where there is none (ssl needs OVN's own certificate). */
export function endpointOf(
  remotes: string,
): { readonly path: string } | { readonly host: string; readonly port: number } | undefined {
  for (const remote of remotes.split(',').map((text) => text.trim())) {
    if (remote.startsWith('unix:')) return { path: remote.slice('unix:'.length) };
    const match = /^tcp:\[?([^\]]+?)\]?:([0-9]+)$/.exec(remote);
    if (match !== null) return { host: match[1]!, port: Number(match[2]) };
  }
  return undefined;
}

/** Whom to tell what of gateways. */
export interface ClaimListener {
  /** For each gateway and each translated address that comes here from now on, not for those that are here already. */
  claimed(claim: Claim): void;
  /** Names of all router ports that this node has now: at first, and whenever they change. Nothing is said while nobody knows. */
  holds(ports: ReadonlySet<string>): void;
  /** Logical ports of instances that OVN has made ready here. */
  ready(): ReadonlySet<string>;
  /** Rung when others may be ready. */
  readonly plugged: Bell;
}

/** Watches until aborted, and tells `listener` of the gateways of `chassis`. */
export async function watchClaims(
  remotes: () => string | undefined,
  chassis: string,
  listener: ClaimListener,
  signal: AbortSignal,
  log: Log,
): Promise<void> {
  const backoff = createBackoff(100, 5000);
  let said = '';
  while (!signal.aborted) {
    const where = remotes();
    const endpoint = where === undefined ? undefined : endpointOf(where);
    if (endpoint === undefined) {
      if (where !== undefined && where !== said)
        log.warn(
          { remotes: (said = where) },
          'gateways are announced by OVN alone, a second late: no way to its southbound database but tls',
        );
      await sleep(LOOK_MS, signal);
      continue;
    }
    await session(connect(endpoint), chassis, listener, signal).catch((error: Error) => {
      if (error.message !== said) log.debug({ err: (said = error.message) }, 'lost the southbound database');
    });
    await sleep(backoff.next(), signal);
  }
}

/** One connection, to its end. */
async function session(
  socket: Socket,
  chassis: string,
  { claimed, holds, ready, plugged }: ClaimListener,
  signal: AbortSignal,
): Promise<void> {
  const split = createSplitter();
  const open = new Map<number, { resolve(value: unknown): void; reject(reason: Error): void }>();
  const gateways = createGateways();
  const translations = createTranslations();
  const over = new AbortController();
  const end = Promise.withResolvers<void>();
  const stop = (): void => void socket.destroy();
  signal.addEventListener('abort', stop);
  let id = 0;
  const rpc: Rpc = (method, params) => {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    open.set(++id, { resolve, reject });
    socket.write(JSON.stringify({ id, method, params }));
    return promise;
  };
  // When the connection has gone, the next one finds it in place.
  const tell = (port: string, of: (claim: Claim) => Claim): void =>
    void claimOf(port, rpc).then(
      (claim) => claim !== undefined && claimed(of(claim)),
      () => undefined,
    );
  const arrived = (came: readonly string[]): void => {
    const held = gateways.held();
    const instances = ready();
    const isHere = (at: string): boolean => (at.startsWith('cr-') ? held.has(at.slice(3)) : instances.has(at));
    // A gateway that came is told with all it has.
    const fresh = translations.arrivals(isHere).filter(({ at, port }) => at !== `cr-${port}` || !came.includes(port));
    for (const [mac, some] of Map.groupBy(fresh, (one) => one.mac))
      tell(some[0]!.port, (claim) => only(claim, mac, some));
  };
  const look = (changes: unknown): void => {
    const came = gateways.take(changes);
    translations.take(changes);
    for (const port of came) tell(port, (claim) => claim);
    arrived(came);
    holds(gateways.held());
  };
  socket.setEncoding('utf8');
  socket.setKeepAlive(true, 5000); // a server that vanishes says nothing
  socket.on('data', (chunk: string) => {
    for (const text of split(chunk)) {
      const message = JSON.parse(text) as Row;
      if (message['method'] === 'echo')
        socket.write(JSON.stringify({ id: message['id'], result: message['params'], error: null }));
      else if (message['method'] === 'update2') look((message['params'] as unknown[])[1]);
      else if (typeof message['id'] === 'number') {
        const asked = open.get(message['id']);
        open.delete(message['id']);
        if (message['error'] == null) asked?.resolve(message['result']);
        else asked?.reject(new Error(JSON.stringify(message['error'])));
      }
    }
  });
  socket.on('error', (error) => end.reject(error));
  socket.on('close', () => end.resolve());
  try {
    const monitor = rpc('monitor_cond', [
      DATABASE,
      'gateways',
      {
        Chassis: [{ columns: ['name'], where: [['name', '==', chassis]] }],
        Port_Binding: [
          {
            columns: ['chassis', 'options', 'nat_addresses'],
            where: [
              ['type', '==', 'chassisredirect'],
              ['nat_addresses', '!=', ['set', []]],
            ],
          },
        ],
      },
    ]);
    await Promise.race([monitor.then(look), end.promise]);
    void (async () => {
      while (await plugged.wait(undefined, over.signal)) arrived([]);
    })();
    await end.promise;
  } finally {
    over.abort();
    signal.removeEventListener('abort', stop);
    for (const { reject } of open.values()) reject(new Error('the connection has gone'));
    socket.destroy();
  }
}

/** Who has which gateway, from the updates of a monitor (ovsdb-server(7), `update2`): the first one only says how things are. */
export function createGateways(): { take(changes: unknown): string[]; held(): ReadonlySet<string> } {
  const holders = new Map<string, { port: string; holder: string | undefined }>();
  let own: string | undefined;
  let first = true;
  return {
    held: () =>
      new Set(
        [...holders.values()].flatMap(({ port, holder }) => (holder !== undefined && holder === own ? [port] : [])),
      ),
    take(changes) {
      const tables = changes as Updates;
      for (const [uuid, change] of Object.entries(tables['Chassis'] ?? {}))
        own = change['delete'] === undefined ? uuid : own === uuid ? undefined : own;
      const came: string[] = [];
      for (const [uuid, change] of Object.entries(tables['Port_Binding'] ?? {})) {
        if ('delete' in change) {
          holders.delete(uuid);
          continue;
        }
        const row = change['initial'] ?? change['insert'] ?? change['modify'] ?? {};
        const known = holders.get(uuid);
        const port = known?.port ?? portOf(row['options']);
        if (port === undefined) continue;
        const holder = 'chassis' in row ? uuidOf(row['chassis']) : known?.holder;
        holders.set(uuid, { port, holder });
        if (!first && holder !== undefined && holder === own && known?.holder !== own) came.push(port);
      }
      first = false;
      return came;
    },
  };
}

/** `options:distributed-port` of a chassisredirect port names the router port it stands for (ovn-sb(5)). */
function portOf(options: unknown): string | undefined {
  return mapOf(options)['distributed-port'];
}

async function claimOf(port: string, rpc: Rpc): Promise<Claim | undefined> {
  const columns = ['logical_port', 'mac', 'nat_addresses', 'datapath', 'tag', 'options', 'type'];
  const select = async (...where: readonly unknown[]): Promise<readonly Row[]> => {
    const answer = await rpc('transact', [DATABASE, { op: 'select', table: 'Port_Binding', where, columns }]);
    return (answer as readonly { rows?: readonly Row[] }[])[0]?.rows ?? [];
  };
  const [own] = await select(['logical_port', '==', port], ['type', '==', 'patch']);
  const [peer] = await select(['type', '==', 'patch'], ['options', 'includes', ['map', [['peer', port]]]]);
  if (own === undefined || peer === undefined) return undefined;
  const [localnet] = await select(['type', '==', 'localnet'], ['datapath', '==', peer['datapath']]);
  return localnet === undefined ? undefined : readClaim(port, own, peer, localnet);
}

/** Of a claim some addresses alone, that have a MAC of their own. */
function only({ port, localnet, vlan }: Claim, mac: string, some: readonly Translated[]): Claim {
  return { port, mac, addresses: some.map(({ ip }) => ip), localnet, vlan };
}

const LINK_LOCAL = cidr6('fe80::/10');

/** Puts a claim together from the rows of the router port, of the switch's side of it, and of the switch's localnet port. */
export function readClaim(port: string, own: Row, peer: Row, localnet: Row): Claim | undefined {
  const [mac, ...addresses] = (setOf(own['mac'])[0] ?? '').split(' ');
  if (mac === undefined || mac === '') return undefined;
  // "MAC IP IP is_chassis_resident(…)": what the router translates is announced with it.
  const translated = setOf(peer['nat_addresses'])
    .filter((text) => text.startsWith(mac))
    .flatMap((text) => text.split(' ').slice(1));
  const ips = [...addresses, ...translated].flatMap(
    (text) => /^([0-9]+(?:\.[0-9]+){3})(?:\/[0-9]+)?$/.exec(text)?.[1] ?? [],
  );
  const vlan = typeof localnet['tag'] === 'number' ? localnet['tag'] : undefined;
  const sixes = addresses
    .map((text) => parseCidr6(text))
    .filter((prefix) => prefix !== undefined && !contains6(LINK_LOCAL, prefix.host))
    .map((prefix) => formatIp6(prefix!.host));
  return {
    port,
    mac,
    addresses: [...new Set(ips)],
    ...(sixes.length === 0 ? {} : { addresses6: sixes }),
    localnet: String(localnet['logical_port']),
    vlan,
  };
}
