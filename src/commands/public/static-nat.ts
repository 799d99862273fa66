// Static NAT: all of a public address leads to one address of an instance, and what that sends out comes from there.
import { z } from 'zod';
import { WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as param from '../../api/param.ts';
import { entersWhenRealized, jobCommand, writeCommand } from '../room.ts';
import { refuseVpnPorts } from '../vpn/vpn-ports.ts';
import { heldAddress, instancesBehind } from './public-ip-view.ts';
import { needService } from './public-service.ts';
import { ruleOf } from './rule-conflict.ts';
import { endStaticNat } from './rule-removal.ts';
import { publicSide, targetIn } from './rule-target.ts';

export const enableStaticNat = writeCommand({
  name: 'enableStaticNat',
  summary: 'Leads all of a public address to an instance',
  roles: WRITERS,
  event: 'STATICNAT.ENABLE',
  answer: { kind: 'success' },
  params: z.object({
    ipaddressid: param.ref('publicip', 'The public address'),
    virtualmachineid: param.ref('instance', 'The instance'),
    networkid: param
      .ref(
        'network',
        'The network, for an address that has none yet; in a VPC the tier, where the instance is in several',
      )
      .optional(),
    vmguestip: param.address('Which of the addresses of the instance; its main one where it is left out').optional(),
  }),
  async write(room, want) {
    const wordings = { param: 'ipaddressid', doing: 'create static nat rule' };
    const side = await publicSide(room, want.ipaddressid, want.networkid, wordings, want.virtualmachineid);
    const { address, network } = side;
    await needService(room, network, 'StaticNat', 'static nat rule');
    if (address.issourcenat === 1)
      throw refuse(
        'parameter',
        `Can't enable static, ip address ${address.ip} is a sourceNat ip address: acquire another one`,
      );
    const target = await targetIn(room, network, want.virtualmachineid, want.vmguestip, {
      invalid: (id) =>
        `Can't enable static nat for the address id=${address.id}, invalid virtual machine id specified (${id}).`,
      elsewhere: "Vm doesn't belong to the network with specified id",
    });
    await refuseVpnPorts(room.db, address, { protocol: 'udp', from: 1, to: 65_535 });
    const rule = await ruleOf(room.db, address.id);
    if (rule !== undefined) {
      throw refuse(
        'conflict',
        `Failed to enable static nat for the ip address ${address.ip} as it already has ${rule.purpose} rules assigned: ${rule.id} has ${rule.protocol} ${rule.from}-${rule.to}. Delete them first, or acquire another address`,
      );
    }
    if (address.nic !== null && (address.nic !== target.nic.id || address.vmip !== target.ip)) {
      throw refuse(
        'conflict',
        `Failed to enable static nat for the ip address ${address.ip} as it's already assigned to antoher vm: ${address.vmip}. Disable it there first`,
      );
    }
    const other = await room.db
      .selectFrom('publicip')
      .select(['id', 'ip'])
      .where('nic', '=', target.nic.id)
      .where('vmip', '=', target.ip)
      .where('id', '!=', address.id)
      .executeTakeFirst();
    if (other !== undefined) {
      const { hostname, id } = target.instance;
      throw refuse(
        'parameter',
        `Failed to enable static nat on the  ip ${address.ip} with Id ${address.id} as the vm ${hostname} with Id ${id} is already associated with another public ip ${other.ip} with id ${other.id}. Disable that first, or give the instance a further address (addIpToNic) and name it in vmguestip`,
      );
    }
    await room.tx.update('publicip', address.id, {
      nic: target.nic.id,
      vmip: target.ip,
      moved: await room.tx.generation(),
    });
    for (const entering of side.enters) await entersWhenRealized(room.tx, entering);
    return undefined;
  },
});

export const disableStaticNat = jobCommand({
  name: 'disableStaticNat',
  summary: 'Ends static NAT; the firewall rules of the address go with it',
  roles: WRITERS,
  event: 'STATICNAT.DISABLE',
  answer: { kind: 'success' },
  params: z.object({ ipaddressid: param.ref('publicip', 'The public address') }),
  async job(room, want) {
    const address = await heldAddress(room, want.ipaddressid, 'ipaddressid');
    if (address.nic === null) {
      throw refuse(
        'parameter',
        `One to one nat is not enabled for the specified ip id: ${address.ip} leads to no instance`,
      );
    }
    const instance = (await instancesBehind(room.db, [address.nic])).get(address.nic);
    await endStaticNat(room.tx, address.id);
    return {
      about: { type: 'IpAddress', id: address.id },
      text: `ending static NAT of ${address.ip} to ${instance?.hostname ?? address.vmip}`,
    };
  },
});
