// What is there on a router node: devices, addresses, routes, rules, proxied neighbours, settings, the packet filter's table, Open
// vSwitch's ports, daemons and their files. Only looks.
import { readdir, readFile } from 'node:fs/promises';
import { run, tryRun } from '../../lib/run.ts';
import { DAEMON_FILES } from './daemons.ts';
import { digest, loadedFile, type DaemonName, type DaemonState } from './daemon.ts';
import type { NodeAddress } from './accept.ts';
import { isOurs6 } from './ip-words.ts';
import type { Link, Port } from './link.ts';
import { labelOf, PROTOCOL, type RouterContext } from './names.ts';
import { findDaemons } from './process.ts';
import { TABLE } from './ruleset.ts';

export interface Actual {
  readonly links: ReadonlyMap<string, Link>;
  readonly ports: ReadonlyMap<string, Port>;
  readonly addresses: readonly NodeAddress[];
  /** Words (see item.ts) of routes, rules and proxied neighbours that carry our number. */
  readonly words: ReadonlySet<string>;
  /** Values by key in the slash form; absent: the kernel has no such setting, or its device is not there. */
  readonly settings: ReadonlyMap<string, string>;
  /** The table's mark of what was loaded, and a digest of what it holds; undefined: there is no such table. */
  readonly rules: { readonly loaded: string; readonly listing: string } | undefined;
  readonly daemons: ReadonlyMap<DaemonName, DaemonState>;
  /** The folder's small files by name: scripts, states, lists for takeovers. */
  readonly notes: ReadonlyMap<string, string>;
}

/** Looks. `settings`: the keys to read. */
export async function readActual(settings: readonly string[], context: RouterContext): Promise<Actual> {
  // A takeover brings the gateway before the proxied neighbours: who sees these sees it, too.
  const words = await readWords();
  const [links, addresses, values, rules, ports, daemons, notes] = await Promise.all([
    readLinks(),
    readAddresses(),
    readSettings(settings),
    readRules(),
    readPorts(context),
    readDaemons(context.directory),
    readNotes(context.directory),
  ]);
  return { links, addresses, words, settings: values, rules, ports, daemons, notes };
}

type Json = Readonly<Record<string, unknown>>;

async function ipJson(...argv: string[]): Promise<Json[]> {
  const { stdout } = await run(['ip', '-json', ...argv], { timeoutMs: 10_000 });
  return stdout.trim() === '' ? [] : (JSON.parse(stdout) as Json[]);
}

async function readLinks(): Promise<Map<string, Link>> {
  const links = new Map<string, Link>();
  for (const one of await ipJson('-details', 'link', 'show')) {
    const flags = one['flags'] as string[];
    const info = one['linkinfo'] as { info_kind?: string; info_data?: { id?: number } } | undefined;
    const vlan = info?.info_kind === 'vlan' ? info.info_data?.id : undefined;
    const below = vlan === undefined ? undefined : one['link'];
    links.set(String(one['ifname']), {
      up: flags.includes('UP'),
      carrier: flags.includes('LOWER_UP'),
      ...(typeof one['ifalias'] === 'string' ? { alias: one['ifalias'] } : {}),
      ...(vlan === undefined ? {} : { vlan }),
      ...(typeof below === 'string' ? { below } : {}),
    });
  }
  return links;
}

interface AddressInfo {
  readonly local?: string;
  readonly prefixlen?: number;
  readonly label?: string;
  readonly noprefixroute?: boolean;
  readonly deprecated?: boolean;
  readonly dynamic?: boolean;
}

async function readAddresses(): Promise<NodeAddress[]> {
  const list = await ipJson('addr', 'show');
  return list.flatMap((one) =>
    ((one['addr_info'] ?? []) as AddressInfo[]).flatMap((info) => {
      const device = String(one['ifname']);
      const { local, prefixlen, label = isOurs6(info) ? labelOf(device) : '' } = info;
      return local === undefined ? [] : [{ device, address: `${local}/${prefixlen}`, label }];
    }),
  );
}

async function readWords(): Promise<Set<string>> {
  const families = await Promise.all(
    (['-4', '-6'] as const).map(async (family) =>
      Promise.all([
        ipJson(family, '-details', 'rule', 'show'),
        ipJson(family, 'route', 'show', 'table', 'all', 'proto', PROTOCOL),
        ipJson(family, 'neigh', 'show', 'proxy'),
      ]),
    ),
  );
  const [rules, routes, proxies] = [0, 1, 2].map((kind) => families.flatMap((lists) => lists[kind]!)) as [
    Json[],
    Json[],
    Json[],
  ];
  return new Set([
    ...rules.filter((rule) => String(rule['protocol']) === PROTOCOL).map(ruleWords),
    ...routes.map(routeWords),
    ...proxies
      .filter((proxy) => String(proxy['protocol']) === PROTOCOL)
      .map((proxy) => `neigh proxy ${String(proxy['dst'])} dev ${String(proxy['dev'])} protocol ${PROTOCOL}`),
  ]);
}

function ruleWords(rule: Json): string {
  const part = (key: string, word: string): string => (rule[key] === undefined ? '' : `${word} ${String(rule[key])} `);
  const length = rule['srclen'] === undefined ? '' : `/${String(rule['srclen'])}`;
  const from = rule['src'] === 'all' ? '' : `from ${String(rule['src'])}${length} `;
  const suppress = part('suppress_prefixlen', 'suppress_prefixlength');
  return `rule ${part('priority', 'pref')}${from}${part('fwmark', 'fwmark')}${part('table', 'lookup')}${suppress}protocol ${PROTOCOL}`;
}

function routeWords(route: Json): string {
  const flags = (route['flags'] ?? []) as string[];
  const words = ['route', route['dst']];
  if (route['gateway'] !== undefined) words.push('via', route['gateway']);
  words.push('dev', route['dev'], 'table', route['table'], 'proto', PROTOCOL);
  if (route['scope'] !== undefined) words.push('scope', route['scope']);
  if (flags.includes('onlink')) words.push('onlink');
  return words.map(String).join(' ');
}

/** `net.ipv4.conf.eth1/1234.rp_filter` is /proc/sys/net/ipv4/conf/eth1.1234/rp_filter. */
async function readSettings(keys: readonly string[]): Promise<Map<string, string>> {
  const found = await Promise.all(
    keys.map(async (key) => {
      const path = key.replaceAll(/[./]/g, (char) => (char === '.' ? '/' : '.'));
      const value = await readFile(`/proc/sys/${path}`, 'utf8').catch(() => undefined);
      return [key, value?.trim()] as const;
    }),
  );
  return new Map(found.filter((one): one is readonly [string, string] => one[1] !== undefined));
}

async function readRules(): Promise<Actual['rules']> {
  const { code, stdout, stderr } = await tryRun(['nft', '-s', 'list', 'table', 'inet', TABLE], { timeoutMs: 10_000 });
  if (code === 0) return { loaded: /comment "trunkline ([0-9a-f]+)"/.exec(stdout)?.[1] ?? '', listing: digest(stdout) };
  if (stderr.includes('No such file or directory')) return undefined;
  throw new Error(`the packet filter cannot be read: ${stderr.trim()}`);
}

async function readPorts(context: RouterContext): Promise<Map<string, Port>> {
  const ports = new Map<string, Port>();
  if (context.vlans.by === 'kernel') return ports;
  const { database } = context.vlans;
  const list = '--timeout=5 --format=json --columns=name,external_ids list interface -- --columns=name,tag list port';
  const { stdout } = await run(['ovs-vsctl', `--db=${database}`, ...list.split(' ')], { timeoutMs: 8000 });
  // Two JSON documents, one a command.
  const [interfaces, tags] = stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => (JSON.parse(line) as { data: unknown[][] }).data);
  const tagOf = new Map((tags ?? []).map(([name, tag]) => [name, typeof tag === 'number' ? tag : undefined]));
  for (const [name, ids] of interfaces ?? []) {
    const owner = new Map((ids as [string, [string, string][]])[1]).get('trunkline-router');
    if (owner !== undefined) ports.set(String(name), { owner, tag: tagOf.get(name) });
  }
  return ports;
}

async function readDaemons(directory: string): Promise<Map<DaemonName, DaemonState>> {
  const names = Object.keys(DAEMON_FILES) as DaemonName[];
  const found = await findDaemons(
    Object.fromEntries(names.map((name) => [name, `${directory}/${DAEMON_FILES[name][0]}`])),
  );
  const states = await Promise.all(
    names.map(async (name) => {
      const paths = [...DAEMON_FILES[name].map((file) => `${directory}/${file}`), loadedFile(directory, name)];
      const contents = await Promise.all(paths.map((path) => readFile(path, 'utf8').catch(() => undefined)));
      const files = new Map(paths.map((path, index) => [path, contents[index]]));
      return [name, { pids: found.get(name) ?? [], files }] as const;
    }),
  );
  return new Map(states);
}

async function readNotes(directory: string): Promise<Map<string, string>> {
  const names = (await readdir(directory).catch(() => [])).filter((name) =>
    /^(notify|announce|forget|guard|drops|dnsmasq\.log|rules\.nft|(state|proxies)\.n[0-9]+|[a-z.]+\.new)$/.test(name),
  );
  const texts = await Promise.all(names.map((name) => readFile(`${directory}/${name}`, 'utf8').catch(() => undefined)));
  return new Map(names.flatMap((name, index) => (texts[index] === undefined ? [] : [[name, texts[index]] as const])));
}
