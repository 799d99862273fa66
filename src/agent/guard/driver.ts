// Router guards: OVN 23.03 lets a router advertisement of an instance pass every list once the instance may speak IPv6 (measured: all
// stages, and after the balancer), so what a card hears of any other router than its network's is made void. Of use on every hypervisor, whatever runs there.
import type { NodeDocument } from '../../protocol/document.ts';
import type { Driver } from '../driver.ts';
import { planGuards, planUnseen } from './plan.ts';
import { type Actual, readActual } from './read.ts';

export function createGuardDriver(): Driver {
  // Nothing is asked of nftables where no network has IPv6, but for what an agent before this one may have left.
  let looked = false;
  let any = false;
  return {
    name: 'guards',
    async look(document) {
      if (looked && !any && !hasSix(document)) return { work: [], waits: [], instances: [] };
      let actual: Actual;
      try {
        actual = await readActual();
      } catch (error) {
        return planUnseen(document, (error as Error).message);
      }
      looked = true;
      any = hasSix(document) || actual.chains.size > 0;
      return planGuards(document, actual);
    },
  };
}

function hasSix({ instances }: NodeDocument): boolean {
  return instances.some(({ nics }) => nics.some(({ six }) => six !== undefined));
}
