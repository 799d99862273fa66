// What the reconciler writes down of switches: which document they are to follow, what was seen there, and what follows from it
// for members, findings and events. Apart from the commands, because most of it must not become a new generation.
import { releaseAddresses } from './allocate.ts';
import { type EventEntry, OPERATOR, addEvents } from './event.ts';
import type { Db, Store } from './open.ts';
import type { MemberTable, SwitchTable } from './schema/physical.ts';
import type { Tx } from './write.ts';

/** A sighting that says nothing new is written at most this often. */
const SEEN_EVERY_MS = 10_000;

/** What must outlive a restart of the server, so that nobody is asked twice and nothing is taken off that is not ours. */
export interface SwitchMemory {
  readonly digest: string | null;
  readonly documented: number;
  readonly reached: number;
  /** Port -> VLANs that we put on it. */
  readonly carried: ReadonlyMap<string, readonly number[]>;
  /** JSON of what the switch said last. */
  readonly actual: string | null;
}

/** Reads what is remembered of a switch; undefined when it is gone. */
export async function readSwitchMemory(store: Store, id: string): Promise<SwitchMemory | undefined> {
  const row = await store.db
    .selectFrom('switch')
    .select(['digest', 'documented', 'reached', 'actual'])
    .where('id', '=', id)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const ports = await store.db.selectFrom('switchport').select(['name', 'carried']).where('switch', '=', id).execute();
  const carried = ports.flatMap(({ name, carried: vlans }) =>
    vlans === null ? [] : [[name, JSON.parse(vlans) as number[]] as const],
  );
  return { ...row, carried: new Map(carried) };
}

/** Notes since which generation a switch's document asks for what it asks for now. */
export async function keepDocument(store: Store, id: string, digest: string, generation: number): Promise<void> {
  await store.write(async (tx) => {
    await tx.db.updateTable('switch').set({ digest, documented: generation }).where('id', '=', id).execute();
  });
}

/** Notes which VLANs of these ports are ours to take off again. */
export async function keepCarried(
  store: Store,
  id: string,
  carried: ReadonlyMap<string, readonly number[]>,
): Promise<void> {
  if (carried.size === 0) return;
  await store.write(async (tx) => {
    for (const [name, vlans] of carried) {
      await tx.db
        .updateTable('switchport')
        .set({ carried: vlans.length === 0 ? null : JSON.stringify(vlans) })
        .where('switch', '=', id)
        .where('name', '=', name)
        .execute();
    }
  });
}

/** What was seen at one look at a switch. */
export interface SwitchSighting {
  readonly id: string;
  /** Generation of the intent that the look was about. */
  readonly asOf: number;
  readonly state: 'Up' | 'Down';
  readonly error?: string;
  /** Generation of the document that is true there. */
  readonly reached: number;
  readonly actual?: {
    readonly macs: readonly { readonly port: string; readonly vlan: number; readonly mac: string }[];
  };
  readonly findings: readonly Finding[];
  /** Lines for people, or that would be run. */
  readonly planned: readonly string[];
  /** How each port of the document fares; `people`: it is for somebody else to set it. */
  readonly ports: ReadonlyMap<string, 'right' | 'wrong' | 'people'>;
}

interface Finding {
  readonly port: string;
  readonly kind: string;
  readonly vlan?: number;
  readonly text: string;
}

/** A finding as it is kept: with the instant since when it is so. */
export interface KeptFinding extends Finding {
  readonly since: string;
}

/** Takes down what was seen: state, findings, members that are there now or gone, MACs that were found; tells it as events. */
export async function recordSighting(store: Store, sighting: SwitchSighting, now = new Date()): Promise<void> {
  const before = await store.db.selectFrom('switch').selectAll().where('id', '=', sighting.id).executeTakeFirst();
  if (before === undefined || ((await saysNothingNew(store.db, before, sighting)) && isFresh(before, now))) return;
  await store.write(async (tx) => {
    const row = await tx.db.selectFrom('switch').selectAll().where('id', '=', sighting.id).executeTakeFirst();
    if (row === undefined) return;
    const was = findingsOf(row);
    const findings = merged(was, sighting.findings, now.toISOString());
    await tx.db
      .updateTable('switch')
      .set({ ...columnsOf(sighting), findings: JSON.stringify(findings) })
      .set(sighting.state === 'Up' ? { lastseen: now.toISOString() } : {})
      .where('id', '=', row.id)
      .execute();
    const events = eventsOf(row, sighting, was, findings);
    if (events.length > 0) await addEvents(tx, OPERATOR, events);
    for (const change of await memberChanges(tx.db, sighting)) await change.make(tx);
  });
}

/** The findings of a switch's row. */
export function findingsOf(row: Pick<SwitchTable, 'findings'>): KeptFinding[] {
  return row.findings === null ? [] : (JSON.parse(row.findings) as KeptFinding[]);
}

function columnsOf(sighting: SwitchSighting): Partial<SwitchTable> {
  const { state, error, reached, planned, actual } = sighting;
  return {
    state,
    error: error ?? null,
    reached,
    planned: planned.length === 0 ? null : JSON.stringify(planned),
    // What it said last stays when it says nothing: it is the best there is to go by.
    ...(actual === undefined ? {} : { actual: JSON.stringify(actual) }),
  };
}

async function saysNothingNew(db: Db, row: SwitchTable, sighting: SwitchSighting): Promise<boolean> {
  const columns = columnsOf(sighting);
  const same = (Object.keys(columns) as (keyof SwitchTable)[]).every((column) => columns[column] === row[column]);
  if (!same || merged(findingsOf(row), sighting.findings, '').some(({ since }) => since === '')) return false;
  if (findingsOf(row).length !== sighting.findings.length) return false;
  return (await memberChanges(db, sighting)).length === 0;
}

function isFresh({ lastseen, state }: SwitchTable, now: Date): boolean {
  return state === 'Down' || (lastseen !== null && now.getTime() - Date.parse(lastseen) < SEEN_EVERY_MS);
}

const sameFinding = (a: Finding, b: Finding): boolean =>
  a.port === b.port && a.kind === b.kind && a.vlan === b.vlan && a.text === b.text;

function merged(was: readonly KeptFinding[], is: readonly Finding[], now: string): KeptFinding[] {
  return is.map((finding) => {
    const known = was.find((each) => sameFinding(each, finding));
    return { ...finding, since: known?.since ?? now };
  });
}

/** Switches are the operator's: what happens to them is told to root. */
function eventsOf(
  row: SwitchTable,
  sighting: SwitchSighting,
  was: readonly KeptFinding[],
  findings: readonly KeptFinding[],
): EventEntry[] {
  const about = { type: 'Switch', id: row.id };
  const told: EventEntry[] = [];
  if (sighting.state !== row.state) {
    const up = sighting.state === 'Up';
    told.push({
      type: up ? 'SWITCH.UP' : 'SWITCH.DOWN',
      level: up ? 'INFO' : 'ERROR',
      text: up ? `switch ${row.name} answers` : (sighting.error ?? `switch ${row.name} does not answer`),
      about,
    });
  }
  for (const finding of findings) {
    if (was.some((each) => sameFinding(each, finding))) continue;
    const type = finding.kind === 'missing' ? 'SWITCH.VLAN.MISSING' : 'SWITCH.PORT.CHANGED';
    told.push({ type, level: 'WARN', text: finding.text, about });
  }
  return told;
}

/** Types of events that looking at a switch causes. */
export const SWITCH_EVENTS = ['SWITCH.DOWN', 'SWITCH.PORT.CHANGED', 'SWITCH.UP', 'SWITCH.VLAN.MISSING'] as const;

interface MemberChange {
  make(tx: Tx): Promise<void>;
}

type MemberHere = Pick<MemberTable, 'id' | 'mac' | 'state' | 'moved'> & {
  readonly port: string;
  readonly vlan: number | null;
};

/** What the sighting means for the members behind the switch. Those that changed after the look began are not judged by it. */
async function memberChanges(db: Db, { id, asOf, ports, actual }: SwitchSighting): Promise<MemberChange[]> {
  const members: MemberHere[] = await db
    .selectFrom('member')
    .innerJoin('switchport', 'switchport.id', 'member.switchport')
    .innerJoin('network', 'network.id', 'member.network')
    .select(['member.id', 'member.mac', 'member.state', 'member.moved', 'switchport.name as port', 'network.vlan'])
    .where('switchport.switch', '=', id)
    .execute();
  return members.flatMap((member) => {
    const fares = ports.get(member.port);
    if (member.moved > asOf || fares === undefined) return [];
    if (member.state === 'Detaching') {
      return fares === 'right' ? [{ make: (tx: Tx) => removeMember(tx, member.id) }] : [];
    }
    const changes: MemberChange[] = [];
    const state = fares === 'right' ? 'Attached' : fares === 'people' ? 'Waiting' : undefined;
    if (state !== undefined && state !== member.state && !(state === 'Waiting' && member.state === 'Attached')) {
      changes.push({
        // What clients see; it changes nothing on the network.
        make: async (tx) =>
          void (await tx.db.updateTable('member').set({ state }).where('id', '=', member.id).execute()),
      });
    }
    const mac = fares === 'right' && member.mac === null ? onlyMac(actual?.macs ?? [], member) : undefined;
    if (mac !== undefined) changes.push({ make: (tx) => tx.update('member', member.id, { mac }) });
    return changes;
  });
}

/** The MAC behind a port in a VLAN, where there is exactly one: of several nobody knows which is meant. */
function onlyMac(macs: NonNullable<SwitchSighting['actual']>['macs'], { port, vlan }: MemberHere): string | undefined {
  const seen = new Set(macs.filter((each) => each.port === port && each.vlan === vlan).map(({ mac }) => mac));
  return seen.size === 1 ? [...seen][0] : undefined;
}

/** Removes a member and gives back its address. */
export async function removeMember(tx: Tx, id: string): Promise<void> {
  await releaseAddresses(tx, id);
  await tx.remove('member', id);
}
