// For tests of the loop: a switch in memory (a table of ports that answers, does not answer, or says yes and does nothing; the plans
// are the drivers' own), and a small world around it.
import { newId } from '../lib/id.ts';
import { silentLog } from '../lib/log.ts';
import type { PortActual, SwitchReport, SwitchStep } from '../protocol/switch.ts';
import { putRight } from '../switches/finding.ts';
import { planSwitch } from '../switches/plan.ts';
import { createIntentCache } from '../store/load.ts';
import type { Store } from '../store/open.ts';
import { WORLD, addWorld, deviceRow, memberRow, networkRow, portRow, switchRow } from '../store/row.test-support.ts';
import type { Tables } from '../store/schema.ts';
import { type ReviewSwitch, createSwitches } from './switches.ts';

export interface TableSwitch {
  readonly ports: Map<string, PortActual>;
  readonly macs: { port: string; vlan: number; mac: string }[];
  /** Does not answer. */
  silent: boolean;
  /** Ports of which it says yes and does nothing. */
  readonly lies: Set<string>;
  /** How often it was asked. */
  asked: number;
  readonly written: string[];
}

/** Switches by address, and the review that finds them there. */
export function tableSwitches(): { readonly at: (address: string) => TableSwitch; readonly review: ReviewSwitch } {
  const tables = new Map<string, TableSwitch>();
  const at = (address: string): TableSwitch => {
    const table = tables.get(address) ?? {
      ports: new Map(),
      macs: [],
      silent: false,
      lies: new Set(),
      asked: 0,
      written: [],
    };
    tables.set(address, table);
    return table;
  };
  return {
    at,
    async review(document, { apply }) {
      await Promise.resolve();
      const table = at(document.address);
      table.asked++;
      const of = { id: document.id, name: document.name, generation: 0, findings: [] };
      if (table.silent)
        return { report: { ...of, error: `switch ${document.name}: no answer within 10 s` }, steps: [] };
      const actual = () => structuredClone({ ports: [...table.ports.values()], neighbours: [], macs: table.macs });
      const plan = planSwitch(document, actual());
      const steps = plan.changes.map(({ spec }): SwitchStep => ({
        port: spec.name,
        argv: ['set', spec.name],
        reason: `${spec.behind} needs it`,
      }));
      if (apply) {
        for (const { spec, to } of plan.changes) {
          if (table.lies.has(spec.name)) continue;
          table.ports.set(spec.name, { name: spec.name, ...to });
          table.written.push(spec.name);
        }
      }
      const rest = apply ? planSwitch(document, actual()) : plan;
      const [lie] = apply ? rest.changes : [];
      const told =
        apply && lie === undefined ? plan.changes.map((each) => putRight(document, each.spec, each.from, each.to)) : [];
      const done = rest.changes.length === 0 && rest.unmet.length === 0;
      const report: SwitchReport = {
        ...of,
        actual: actual(),
        findings: [...told, ...rest.findings],
        ...(lie === undefined
          ? {}
          : { error: `switch ${document.name}: it said yes and did not do it: ${lie.spec.name}` }),
        ...(done ? { generation: document.generation } : {}),
      };
      return { report, steps };
    },
  };
}

export interface World {
  readonly store: Store;
  readonly sw: Tables['switch'];
  readonly port: Tables['switchport'];
  readonly network: Tables['network'];
  /** Attaches the device to the network at the port; gives the member's id. */
  attach(more?: Partial<Tables['member']>): Promise<string>;
  member(id: string): Promise<Tables['member'] | undefined>;
  row(): Promise<Tables['switch']>;
  events(): Promise<string[]>;
}

/** A switch `sw` with an access port p1 in a zone with a network on VLAN 150, and a device. */
export async function world(store: Store, more: Partial<Tables['switch']> = {}): Promise<World> {
  const sw = switchRow('sw', more);
  const port = portRow(sw.id, 'p1');
  const network = networkRow({
    name: 'office',
    guesttype: 'Isolated',
    offering: WORLD.bareOffering,
    segment: 'vlan',
    vlan: 150,
  });
  const device = deviceRow('fileserver', port.id);
  await store.write(async (tx) => {
    await addWorld(tx);
    await tx.insert('network', network);
    await tx.insert('switch', sw);
    await tx.insert('switchport', port);
    await tx.insert('device', device);
  });
  return {
    store,
    sw,
    port,
    network,
    async attach(member = {}) {
      const id = newId();
      await store.write(async (tx) => {
        const moved = await tx.generation();
        await tx.insert(
          'member',
          memberRow(network.id, device.id, port.id, { id, ip: '172.16.0.9', moved, ...member }),
        );
        await tx.db
          .insertInto('address')
          .values({ network: network.id, ip: '172.16.0.9', kind: 'member', owner: id })
          .execute();
      });
      return id;
    },
    member: (id) => store.db.selectFrom('member').selectAll().where('id', '=', id).executeTakeFirst(),
    row: () => store.db.selectFrom('switch').selectAll().where('id', '=', sw.id).executeTakeFirstOrThrow(),
    events: async () =>
      (await store.db.selectFrom('event').select(['type', 'description']).orderBy('seq').execute()).map(
        ({ type, description }) => `${type}: ${description}`,
      ),
  };
}

/** The loop, fed by hand. */
export function loopOver(store: Store, review: ReviewSwitch) {
  const cache = createIntentCache(store);
  const steps: string[] = [];
  const switches = createSwitches({
    store,
    review,
    log: silentLog(),
    intervalMs: 50,
    onStep: ({ argv }) => void steps.push(argv.join(' ')),
  });
  return {
    switches,
    steps,
    async update(): Promise<number> {
      const { intent } = await cache.refresh();
      await switches.update(intent);
      return intent.generation;
    },
    [Symbol.asyncDispose]: () => switches.close(),
  };
}
