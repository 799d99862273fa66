// Open vSwitch as the physical switch, over its database: ports are rows, and all changes go in one transaction. VLAN 0 here is
// what ovs-vswitchd.conf.db(5) calls it: a frame without a tag stays without one.
import { isIP } from 'node:net';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tryRun } from '../lib/run.ts';
import { SWITCH_OPTIONS } from '../protocol/switch-options.ts';
import type { SwitchDocument, SwitchStep } from '../protocol/switch.ts';
import { ANSWER_MS, type SwitchDriver, SwitchFault } from './driver.ts';
import { addressesOf, portsOf, readTables, type PortTables } from './ovsdb-read.ts';
import { optionsOf } from './options.ts';
import type { PortChange, PortVlans } from './plan.ts';
import { addsReason, differenceOf, noLonger, reasonOf } from './reason.ts';

/** A VLAN that no frame is in: a trunk of it alone carries nothing, while an empty list carries everything. */
const NOTHING = 4095;

export const ovsdbDriver: SwitchDriver = {
  name: 'ovsdb',
  portName: /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/,
  portExample: 'letters, digits, dots and dashes, such as eth1',
  commandsFor,
  async open(document, signal) {
    const { bridge, rundir } = optionsOf(document, SWITCH_OPTIONS.ovsdb);
    const head = vsctl(document);
    const ask = (argv: readonly string[]): Promise<string> => answer(argv, signal);
    return {
      async read() {
        const tables = readTables(await ask([...head, '--format=json', ...tablesOf(bridge)]));
        return {
          ports: portsOf(tables),
          neighbours: [],
          macs: rundir === undefined ? [] : await macsOf(tables, bridge, rundir, ask),
        };
      },
      async run(changes) {
        await ask([...head, ...changes.flatMap(commandsOf).flatMap(({ words }) => ['--', ...words])]);
      },
      close: () => Promise.resolve(),
    };
  },
};

function commandsFor(document: SwitchDocument, change: PortChange): readonly SwitchStep[] {
  const port = change.spec.name;
  return commandsOf(change).map(({ words, reason }) => ({ port, argv: [...vsctl(document), ...words], reason }));
}

/** `ovs-vsctl` waits until ovs-vswitchd has taken the change over, or says after its time limit that it has not. */
function vsctl(document: SwitchDocument): string[] {
  return ['ovs-vsctl', `--db=${remoteOf(document.address)}`, `--timeout=${ANSWER_MS / 1000}`];
}

/** `unix:PATH` or `tcp:HOST:PORT` as ovsdb(7) has them; a host name is not: ovs-vsctl looks none up here. */
function remoteOf(address: string): string {
  const [, host = '', port = ''] = /^tcp:\[?([0-9A-Fa-f.:]+?)\]?:(\d{1,5})$/.exec(address) ?? [];
  if (/^unix:\/[^\s,]+$/.test(address) || (isIP(host) !== 0 && Number(port) < 65_536)) return address;
  throw new SwitchFault('the address of an Open vSwitch database is unix:PATH or tcp:IP:PORT');
}

interface Command {
  readonly words: readonly string[];
  readonly reason: string;
}

/** On a node's trunk only the list is edited, so that whatever else was set there stays. */
function commandsOf(change: PortChange): readonly Command[] {
  const { spec, from, to } = change;
  const port = ['Port', spec.name];
  const edited = spec.trunk !== undefined && isList(from) && isList(to) && !from.mixed?.length;
  if (!edited || from.untagged !== to.untagged)
    return [{ words: ['set', ...port, ...columnsOf(to)], reason: reasonOf(change) }];
  const { add, remove } = differenceOf(change);
  const more = { words: ['add', ...port, 'trunks', add.join(',')], reason: addsReason(change, add) };
  const less = { words: ['remove', ...port, 'trunks', remove.join(',')], reason: noLonger(remove) };
  return [...(add.length === 0 ? [] : [more]), ...(remove.length === 0 ? [] : [less])];
}

function isList({ tagged }: PortVlans): boolean {
  return tagged !== 'all' && tagged.length > 0;
}

function columnsOf({ untagged, tagged }: PortVlans): string[] {
  const plain = untagged === undefined || untagged === 0;
  if (tagged === 'all') return plain ? trunk([]) : [`vlan_mode=native-untagged`, `tag=${untagged}`, 'trunks=[]'];
  if (plain) {
    const vlans = [...(untagged === 0 ? [0] : []), ...tagged];
    return trunk(vlans.length === 0 ? [NOTHING] : vlans);
  }
  if (tagged.length === 0) return ['vlan_mode=access', `tag=${untagged}`, 'trunks=[]'];
  return ['vlan_mode=native-untagged', `tag=${untagged}`, `trunks=${tagged.join(',')}`];
}

function trunk(vlans: readonly number[]): string[] {
  return ['vlan_mode=trunk', 'tag=[]', `trunks=${vlans.length === 0 ? '[]' : vlans.join(',')}`];
}

function tablesOf(bridge: string): string[] {
  const tables = [
    ['name,ports', 'Bridge', bridge],
    ['_uuid,name,interfaces,tag,trunks,vlan_mode', 'Port'],
    ['_uuid,name,ofport,link_state', 'Interface'],
  ];
  return tables.flatMap(([columns, ...table]) => ['--', `--columns=${columns}`, 'list', ...table]);
}

async function macsOf(
  tables: PortTables,
  bridge: string,
  rundir: string,
  ask: (argv: readonly string[]) => Promise<string>,
): Promise<ReturnType<typeof addressesOf>> {
  const pid = await readFile(join(rundir, 'ovs-vswitchd.pid'), 'utf8').catch(() => '');
  if (!/^\d+\n?$/.test(pid))
    throw new SwitchFault(`option rundir: no ovs-vswitchd has written its number to ${rundir}`);
  const control = join(rundir, `ovs-vswitchd.${pid.trim()}.ctl`);
  return addressesOf(tables, await ask(['ovs-appctl', '-t', control, '-T', '5', 'fdb/show', bridge]));
}

/** What the program printed. Throws what it said instead. */
async function answer(argv: readonly string[], signal: AbortSignal): Promise<string> {
  const result = await tryRun(argv, { timeoutMs: ANSWER_MS + 1000, signal });
  if (result.code === 0) return result.stdout;
  const said = (result.stderr || result.stdout).trim().split('\n').at(-1) ?? '';
  if ((result.code === null && /Alarm clock/.test(said)) || result.code === 142)
    throw new SwitchFault(`${argv[0]} had no answer within ${ANSWER_MS / 1000} s`);
  // All goes in one transaction: what is refused is refused whole.
  throw new SwitchFault(
    `${argv[0]} said: ${said.replace(/^.*?\|(?:WARN|ERR)\|/, '') || `exit status ${result.code}`}`,
    { ran: 0 },
  );
}
