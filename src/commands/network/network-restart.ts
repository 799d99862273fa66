// restartNetwork: everything of a network is looked at again, and what differs is written. Nothing has to go for that, so nothing is lost.
import { z } from 'zod';
import { WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as param from '../../api/param.ts';
import { isRedundant, routedBy, servicesOf } from '../../model/network-service.ts';
import type { Tables } from '../../store/schema.ts';
import { existing, visible } from '../access.ts';
import { moveAddresses } from '../instance/instance-nics.ts';
import { type Room, type WriteRoom, jobCommand } from '../room.ts';
import { refuseSharedBy } from './network-access.ts';
import { assignRouters } from './network-router.ts';
import { giveServiceAddresses } from './service-address.ts';

type Network = Tables['network'];
type Offering = Tables['networkoffering'];

export const restartNetwork = jobCommand({
  name: 'restartNetwork',
  summary: 'Looks at everything of a network again and writes what differs, without a lost packet',
  roles: WRITERS,
  event: 'NETWORK.RESTART',
  answer: { kind: 'success' },
  params: z.object({
    id: param.ref('network', 'The network'),
    cleanup: param.flag('Whether its addresses are announced anew, too: nothing has to go to be made anew').optional(),
    makeredundant: param.flag('Changes to the offering that has the same services and two routers').optional(),
    livepatch: param.flag('Makes no difference: there is no router whose software would be patched').optional(),
  }),
  async job(room, want) {
    const network = await visible(room, 'network', want.id);
    if (network.state === 'Allocated') {
      throw refuse(
        'parameter',
        `Network is not in the right state to be restarted. Correct states are: Implemented, Setup; ${network.name} is ${network.state}`,
      );
    }
    refuseSharedBy(room, network, 'restart');
    const offering = await existing(room, 'networkoffering', network.offering, 'networkofferingid');
    const about = { type: 'Network', id: network.id };
    const text = `restarting network ${network.name}`;
    const pair = want.makeredundant === true ? await redundantFor(room, network, offering) : undefined;
    // One from before there was anything served in it gets its address now.
    await giveServiceAddresses(room.tx, [network.id]);
    // Where nobody of ours routes there is nothing to make anew: not even a new generation.
    if (network.vpc === null && routedBy(servicesOf(offering)) === 'None') return { about, text };
    await room.tx.update('network', network.id, {
      restartrequired: 0,
      ...(pair === undefined ? {} : { offering: pair.id }),
    });
    if (pair !== undefined) await assignRouters(room, { ...network, offering: pair.id }, pair);
    const legs = await room.db.selectFrom('networkrouter').select('id').where('network', '=', network.id).execute();
    for (const { id } of legs) await room.tx.touch('networkrouter', id);
    if (want.cleanup === true) await announceAgain(room, [network.id]);
    return { about, text: pair === undefined ? text : `${text} with offering ${pair.name}` };
  },
});

/** Has the running instances in these networks announced anew by their hypervisors. */
export async function announceAgain(room: WriteRoom, networks: readonly string[]): Promise<void> {
  if (networks.length === 0) return;
  const instances = await room.db
    .selectFrom('nic')
    .innerJoin('instance', 'instance.id', 'nic.instance')
    .select('instance.id')
    .distinct()
    .where('nic.network', 'in', [...networks])
    .where('instance.state', '=', 'Running')
    .execute();
  for (const { id } of instances) await moveAddresses(room, id);
}

/** The offering a network changes to so that it has two routers; undefined where it has them. Refuses where there is none. */
async function redundantFor(room: Room, network: Network, offering: Offering): Promise<Offering | undefined> {
  if (network.vpc !== null) {
    throw refuse(
      'parameter',
      `Network ${network.name} is a tier: its router is its VPC's. Use restartVPC makeredundant=true`,
    );
  }
  if (isRedundant(offering)) return undefined;
  const routers = routedBy(servicesOf(offering));
  const services = servicesOf(offering).map(({ name }) => name);
  const others = await room.db
    .selectFrom('networkoffering')
    .selectAll()
    .where('state', '=', 'Enabled')
    .where('guesttype', '=', offering.guesttype)
    .where('forvpc', '=', offering.forvpc)
    .where('segment', '=', offering.segment)
    .where('specifyvlan', '=', offering.specifyvlan)
    .where('networkmode', '=', offering.networkmode)
    .where('egressdefaultpolicy', '=', offering.egressdefaultpolicy)
    .where('internetprotocol', '=', offering.internetprotocol)
    .orderBy('sort')
    .execute();
  const found = others.find((other) => {
    const offered = new Set(servicesOf(other).map(({ name }) => name));
    return isRedundant(other) && routedBy(servicesOf(other)) === routers && services.every((name) => offered.has(name));
  });
  if (found !== undefined) return found;
  throw refuse(
    'parameter',
    `Network ${network.name} cannot be made redundant: there is no enabled network offering with two routers that is otherwise like ${offering.name} (${services.join(', ') || 'no services'}). Create one with the capability RedundantRouter of SourceNat, or leave makeredundant out`,
  );
}
