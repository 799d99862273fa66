// From the cards of the document and what is there to the guards that are missing, wrong, or too many. Pure.
import type { NodeDocument } from '../../protocol/document.ts';
import type { Plan, Step, Wait, Work } from '../driver.ts';
import { portOf } from '../netns/names.ts';
import { TABLE, chainCommands, chainName, isWhole } from './chain.ts';
import type { Actual } from './read.ts';

export function planGuards(document: NodeDocument, { devices, chains }: Actual): Plan {
  const work: Work[] = [];
  const wanted = new Set<string>();
  for (const { id, name, nics } of document.instances) {
    const steps: Step[] = [];
    for (const nic of nics) {
      const device = portOf(nic.id);
      const index = devices.get(device);
      if (nic.six === undefined || index === undefined) continue;
      const chain = chainName(device, index);
      wanted.add(chain);
      const router = nic.six.routerAddress ?? nic.six.router;
      if (isWhole(chains.get(chain), router)) continue;
      const reason = `eth${nic.deviceId} of ${name} is to hear of no router but ${router}`;
      steps.push({ kind: 'run', argv: ['nft', chainCommands(chain, device, router)], reason });
    }
    if (steps.length > 0)
      work.push({ target: `guard ${id}`, label: `router guard of instance ${name}`, blame: { id }, steps });
  }
  const gone = [...chains.keys()].filter((chain) => !wanted.has(chain)).map(remove);
  if (gone.length > 0) work.push({ target: 'guard', label: 'router guards', blame: 'itself', steps: gone });
  return { work, waits: [], instances: [] };
}

/** What is said where the guards cannot even be looked at: each instance that needs one waits for it, and nobody else. */
export function planUnseen(document: NodeDocument, why: string): Plan {
  const guarded = document.instances.filter(({ nics }) => nics.some(({ six }) => six !== undefined));
  const waits = guarded.map(({ id, name }): Wait => ({
    target: id,
    what: `router guard of instance ${name}: ${why}`,
  }));
  return { work: [], waits, instances: [] };
}

function remove(chain: string): Step {
  const at = `netdev ${TABLE} ${chain}`;
  const argv = ['nft', `flush chain ${at}; delete chain ${at}`];
  return { kind: 'run', argv, reason: `${chain} is no card of a network with IPv6 any more` };
}
