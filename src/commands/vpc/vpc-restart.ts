// restartVPC: everything of a VPC is looked at again, and what differs is written. Nothing has to go for that, so nothing is lost.
import { z } from 'zod';
import { WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as param from '../../api/param.ts';
import { capabilitiesOf, servicesOf } from '../../model/network-service.ts';
import type { Tables } from '../../store/schema.ts';
import { existing, visible } from '../access.ts';
import { announceAgain } from '../network/network-restart.ts';
import { giveServiceAddresses } from '../network/service-address.ts';
import { type Room, jobCommand } from '../room.ts';
import { vpcView } from './vpc-view.ts';

type Vpc = Tables['vpc'];
type Offering = Tables['vpcoffering'];

export const restartVPC = jobCommand({
  name: 'restartVPC',
  summary: 'Looks at everything of a VPC again and writes what differs, without a lost packet',
  roles: WRITERS,
  event: 'VPC.RESTART',
  answer: { kind: 'object', key: 'vpc', view: vpcView },
  params: z.object({
    id: param.ref('vpc', 'The VPC'),
    cleanup: param.flag('Whether its addresses are announced anew, too: nothing has to go to be made anew').optional(),
    makeredundant: param.flag('Changes to an offering that has the same services and two routers').optional(),
    livepatch: param.flag('Makes no difference: there is no router whose software would be patched').optional(),
  }),
  async job(room, want) {
    const vpc = await visible(room, 'vpc', want.id);
    if (vpc.state !== 'Enabled')
      throw refuse('parameter', `Unable to find Enabled VPC by id specified: ${vpc.name} is ${vpc.state}`);
    const pair = want.makeredundant === true ? await redundantFor(room, vpc) : undefined;
    await room.tx.update('vpc', vpc.id, {
      epoch: vpc.epoch + 1,
      restartrequired: 0,
      ...(pair === undefined ? {} : { offering: pair.id }),
    });
    const rows = await room.db.selectFrom('network').select('id').where('vpc', '=', vpc.id).execute();
    const tiers = rows.map(({ id }) => id);
    // Those from before there was anything served in them get their addresses now.
    await giveServiceAddresses(room.tx, tiers);
    if (want.cleanup === true) await announceAgain(room, tiers);
    const text = `restarting VPC ${vpc.name}`;
    return {
      about: { type: 'Vpc', id: vpc.id },
      view: 'vpc',
      text: pair === undefined ? text : `${text} with offering ${pair.name}`,
    };
  },
});

/** The offering a VPC changes to so that it has two routers; undefined where it has them. Refuses where there is none. */
async function redundantFor(room: Room, vpc: Vpc): Promise<Offering | undefined> {
  const offering = await existing(room, 'vpcoffering', vpc.offering, 'vpcofferingid');
  if (offering.redundant === 1) return undefined;
  const services = servicesOf(offering).map(({ name }) => name);
  const others = await room.db
    .selectFrom('vpcoffering')
    .selectAll()
    .where('state', '=', 'Enabled')
    .where('redundant', '=', 1)
    .where('internetprotocol', '=', offering.internetprotocol)
    .orderBy('sort')
    .execute();
  const found = others.find((other) => {
    const offered = new Set(servicesOf(other).map(({ name }) => name));
    return listsOf(other) === listsOf(offering) && services.every((name) => offered.has(name));
  });
  if (found !== undefined) return found;
  throw refuse(
    'parameter',
    `VPC ${vpc.name} cannot be made redundant: there is no enabled VPC offering with two routers and the services of ${offering.name} (${services.join(', ')}). Create one with the capability RedundantRouter of SourceNat, or leave makeredundant out`,
  );
}

/** What lists mean must stay what it is. */
function listsOf(offering: Offering): string {
  return JSON.stringify(capabilitiesOf(offering).NetworkACL ?? {});
}
