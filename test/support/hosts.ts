// Hypervisors and router nodes that have joined and are up, as plain rows: what a test cloud without agents needs so that instances find a place.
import { newId } from '../../src/lib/id.ts';
import { BUILT_IN } from '../../src/model/built-in.ts';
import type { Store } from '../../src/store/open.ts';

/** Adds hv1, hv2, … to the first zone and returns their ids. */
export async function addHosts(store: Store, count = 3): Promise<string[]> {
  return add(store, count, 'hypervisor', 'hv', '192.0.2');
}

/** Adds the router nodes r1, r2, … to the first zone and returns their ids. */
export async function addRouters(store: Store, count = 2): Promise<string[]> {
  return add(store, count, 'router', 'r', '198.51.100');
}

async function add(store: Store, count: number, kind: string, name: string, underlay: string): Promise<string[]> {
  const ids = Array.from({ length: count }, newId);
  await store.write(async (tx) => {
    for (const [index, id] of ids.entries()) {
      await tx.insert('host', {
        id,
        zone: BUILT_IN.zone,
        name: `${name}${index + 1}`,
        underlayip: `${underlay}.${index + 1}`,
        state: 'Up',
        resourcestate: 'Enabled',
        secret: null,
        secretexpires: null,
        serial: `${index + 1}`,
        facts: null,
        lastseen: null,
        kind,
        created: new Date().toISOString(),
      });
    }
  });
  return ids;
}
