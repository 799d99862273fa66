// Hypervisors that have joined and are up, as plain rows: what a test cloud without agents needs so that instances find a place.
import { newId } from '../../src/lib/id.ts';
import { BUILT_IN } from '../../src/model/built-in.ts';
import type { Store } from '../../src/store/open.ts';

/** Adds hv1, hv2, … to the first zone and returns their ids. */
export async function addHosts(store: Store, count = 3): Promise<string[]> {
  const ids = Array.from({ length: count }, newId);
  await store.write(async (tx) => {
    for (const [index, id] of ids.entries()) {
      await tx.insert('host', {
        id,
        zone: BUILT_IN.zone,
        name: `hv${index + 1}`,
        underlayip: `192.0.2.${index + 1}`,
        state: 'Up',
        resourcestate: 'Enabled',
        secret: null,
        secretexpires: null,
        serial: `${index + 1}`,
        facts: null,
        lastseen: null,
        kind: 'hypervisor',
        created: new Date().toISOString(),
      });
    }
  });
  return ids;
}
