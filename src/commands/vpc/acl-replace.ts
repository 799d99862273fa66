// replaceNetworkACLList: gives a tier, a private gateway or a public address of a VPC another list. Apart from the lists themselves,
// because each of the three has checks of its own.
import { z } from 'zod';
import { WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as param from '../../api/param.ts';
import { offers } from '../../model/network-service.ts';
import type { Tables } from '../../store/schema.ts';
import { existing, visible } from '../access.ts';
import { heldAddress } from '../public/public-ip-view.ts';
import { type JobAnswer, type WriteRoom, jobCommand } from '../room.ts';
import { usableAcl } from './acl-access.ts';

type Acl = Tables['acl'];

export const replaceNetworkACLList = jobCommand({
  name: 'replaceNetworkACLList',
  summary: 'Gives a tier, a private gateway or a public address of a VPC another ACL list',
  roles: WRITERS,
  event: 'NETWORK.ACL.REPLACE',
  answer: { kind: 'success' },
  params: z.object({
    aclid: param.ref('acl', 'The list'),
    networkid: param.ref('network', 'The tier').optional(),
    gatewayid: param.ref('privategateway', 'The private gateway; instead of networkid').optional(),
    publicipid: param
      .ref(
        'publicip',
        "The public address, instead of networkid: the list's Ingress rules then judge what comes in to it, by the public port, before the tier's list does",
      )
      .optional(),
  }),
  async job(room, want) {
    const acl = await usableAcl(room, want.aclid, 'aclid');
    const given = [want.networkid, want.gatewayid, want.publicipid].filter((id) => id !== undefined);
    if (given.length > 1) throw refuse('parameter', 'Only one of networkid, gatewayid and publicipid can be specified');
    if (want.networkid !== undefined) return onTier(room, acl, want.networkid);
    if (want.gatewayid !== undefined) return onGateway(room, acl, want.gatewayid);
    if (want.publicipid !== undefined) return onAddress(room, acl, want.publicipid);
    throw refuse(
      'parameter',
      'Unable to execute API command replacenetworkacllist due to missing parameter networkid: name the tier by networkid, the private gateway by gatewayid, or the public address by publicipid',
    );
  },
});

async function onTier(room: WriteRoom, acl: Acl, id: string): Promise<JobAnswer> {
  const network = await visible(room, 'network', id, 'networkid');
  if (network.vpc === null) throw refuse('parameter', `Network is not part of a VPC: ${network.name}`);
  if (acl.vpc !== null && acl.vpc !== network.vpc) {
    throw refuse('parameter', `Network: ${network.name} and ACL: ${acl.name} do not belong to the same VPC`);
  }
  const offering = await existing(room, 'networkoffering', network.offering);
  if (!offers(offering, 'NetworkACL')) {
    throw refuse(
      'parameter',
      `Cannot apply NetworkACL. Network Offering does not support NetworkACL service: ${offering.name}`,
    );
  }
  await room.tx.update('network', network.id, { acl: acl.id });
  return { about: { type: 'Network', id: network.id }, text: `giving tier ${network.name} ACL list ${acl.name}` };
}

async function onGateway(room: WriteRoom, acl: Acl, id: string): Promise<JobAnswer> {
  const gateway = await visible(room, 'privategateway', id, 'gatewayid');
  if (gateway.state === 'Deleting') throw refuse('parameter', `Gateway is not in Ready state: ${gateway.state}`);
  if (acl.vpc !== null && acl.vpc !== gateway.vpc) {
    throw refuse('parameter', `private gateway: ${gateway.ip} and ACL: ${acl.name} do not belong to the same VPC`);
  }
  await room.tx.update('privategateway', gateway.id, { acl: acl.id });
  return {
    about: { type: 'PrivateGateway', id: gateway.id },
    text: `giving private gateway ${gateway.ip} ACL list ${acl.name}`,
  };
}

async function onAddress(room: WriteRoom, acl: Acl, id: string): Promise<JobAnswer> {
  const address = await heldAddress(room, id, 'publicipid');
  if (address.vpc === null) {
    throw refuse(
      'parameter',
      `IP address is not part of a VPC: ${address.ip}. Outside of VPCs firewall rules judge what comes in (createFirewallRule)`,
    );
  }
  if (acl.vpc !== null && acl.vpc !== address.vpc)
    throw refuse('parameter', `IP address: ${address.ip} and ACL: ${acl.name} do not belong to the same VPC`);
  await room.tx.update('publicip', address.id, { acl: acl.id });
  return {
    about: { type: 'IpAddress', id: address.id },
    text: `giving public address ${address.ip} ACL list ${acl.name}`,
  };
}
