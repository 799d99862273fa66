// Remote access: people and branch offices come from outside to a public address of a VPC or network. Its keys are made here, sealed,
// and never shown; what a client needs is in its profile (vpn-profile.ts).
import { z } from 'zod';
import { EVERYBODY, WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as param from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import { formatCidr } from '../../lib/ip.ts';
import { seal } from '../../store/seal.ts';
import type { Tables } from '../../store/schema.ts';
import { visible } from '../access.ts';
import { knownIds, refuseHidden } from '../known.ts';
import { containing, ownedRows, ownerParams, page, pageParams } from '../list.ts';
import { forParams } from '../owner.ts';
import { refuseOtherOwner } from '../public/address-owner.ts';
import { openFirewall } from '../public/firewall-make.ts';
import { type PublicIp, heldAddress } from '../public/public-ip-view.ts';
import { needService } from '../public/public-service.ts';
import { type Entering, type WriteRoom, jobCommand, listCommand } from '../room.ts';
import { type Made, type Renewed, makeKeys, renewed } from './remote-vpn-keys.ts';
import { placeOf, rangeAt, readKind, refuseSecond, refuseSixth } from './remote-vpn-place.ts';
import { remoteVpnView, showRemoteVpns } from './remote-vpn-view.ts';
import { helperSlotAt, refuseUsersAt } from './vpn-place.ts';
import { portsOf, readPort, refuseSharedPort, refuseTakenPorts } from './vpn-ports.ts';
import { dropRemoteVpn } from './vpn-removal.ts';

const object = { kind: 'object', key: 'remoteaccessvpn', view: remoteVpnView } as const;

const createParams = z.object({
  publicipid: param.ref('publicip', 'The public address clients come to'),
  kind: param
    .text(
      'openvpn, as where it is left out, wireguard, or ikev2 for what phones and desktops bring; L2TP is not offered',
    )
    .optional(),
  iprange: param
    .text('Addresses for clients, as 10.8.0.2-10.8.0.254: the smallest prefix that holds them is taken')
    .optional(),
  cidr: param.prefix('The same as a prefix, such as 10.8.0.0/24; a free one where both are left out').optional(),
  port: param.integer('UDP port; 1194 for openvpn and 51821 for wireguard where it is left out').optional(),
  openfirewall: param.flag('Open the firewall for it, as where it is left out; the hole goes with it').optional(),
  fordisplay: param.flag('Only true').optional(),
  ...forParams,
});

export const createRemoteAccessVpn = jobCommand({
  name: 'createRemoteAccessVpn',
  summary: 'Lets users come into a VPC or network from outside; addVpnUser says who, createVpnClientProfile with what',
  roles: WRITERS,
  event: 'VPN.REMOTE.ACCESS.CREATE',
  answer: object,
  params: createParams,
  async prepare(room, want) {
    const kind = readKind(want.kind);
    const address = await heldAddress(room, want.publicipid, 'publicipid');
    await refuseOtherOwner(room, want, address, ['remote access VPN', 'VPNs']);
    return { ...want, made: await makeKeys(newId(), kind, address.ip) };
  },
  async job(room, want: z.infer<typeof createParams> & { made: Made }) {
    refuseHidden(want);
    const kind = readKind(want.kind);
    const port = readPort(kind, want.port);
    const address = await heldAddress(room, want.publicipid, 'publicipid');
    const place = await placeOf(room, address);
    await refuseSecond(room, address, kind);
    if (address.nic !== null)
      throw refuse(
        'parameter',
        `Unable to create remote access VPN: all of ${address.ip} leads to one instance (static NAT). Disable it first, or acquire another address`,
      );
    await refuseSixth(room, address, place);
    await refuseUsersAt(room.db, address.account, place);
    const ports = portsOf(kind, port);
    await refuseTakenPorts(room.db, address, ports);
    await refuseSharedPort(room.db, place, kind, port);
    const range = await rangeAt(room, place, address, want);
    const { id, secrets, certificates } = want.made;
    const cidrText = formatCidr(range);
    if (address.issourcenat === 0)
      await room.tx.update('publicip', address.id, { helperslot: await helperSlotAt(room.db, place, address) });
    await room.tx.insert('remotevpn', {
      id,
      publicip: address.id,
      vpc: place.vpc,
      network: place.network,
      kind,
      cidr: cidrText,
      port,
      secrets: seal(room.store.sealKey, JSON.stringify(secrets)),
      certificates: JSON.stringify(certificates),
      state: 'Added',
      account: address.account,
      domain: address.domain,
      created: new Date().toISOString(),
    });
    const enters: Entering[] = [{ kind: 'remotevpn', id, state: 'Running' }];
    for (const one of ports) enters.push(...(await openFor(room, address, place, want.openfirewall, id, one)));
    return {
      id,
      about: { type: 'RemoteAccessVpn', id },
      view: 'remoteaccessvpn',
      enters,
      text: `creating remote access by ${kind} at ${address.ip} for clients in ${cidrText}`,
    };
  },
});

async function openFor(
  room: WriteRoom,
  address: PublicIp,
  { row }: { readonly row?: Tables['network'] },
  openfirewall: boolean | undefined,
  related: string,
  port: number,
): Promise<Entering[]> {
  if (row === undefined) {
    if (openfirewall !== true) return [];
    throw refuse(
      'parameter',
      `Can't have openFirewall=true when IP address belongs to VPC: ${address.ip} has no firewall, network ACL lists rule there. Leave openfirewall out`,
    );
  }
  const offering = await needService(room, row, 'Vpn', 'a remote access VPN');
  const ports = { protocol: 'udp', from: port, to: port };
  return openFirewall(
    room,
    { address, network: row, enters: [] },
    offering,
    { openfirewall, related, cidrlist: '' },
    ports,
  );
}

const updateParams = z.object({
  id: param.ref('remoteaccessvpn', 'The VPN'),
  renewcertificate: param
    .flag("Renew the server's key and certificate now; clients keep theirs, and come back by themselves")
    .optional(),
  fordisplay: param.flag('Only true').optional(),
  customid: param.text('Not offered').optional(),
});

export const updateRemoteAccessVpn = jobCommand({
  name: 'updateRemoteAccessVpn',
  summary: "Renews a remote access VPN's certificate",
  roles: WRITERS,
  event: 'VPN.REMOTE.ACCESS.UPDATE',
  answer: object,
  params: updateParams,
  async prepare(room, want) {
    const vpn = await visible(room, 'remotevpn', want.id);
    if (want.renewcertificate !== true) return { ...want, renewed: undefined };
    if (vpn.kind === 'wireguard')
      throw refuse(
        'parameter',
        'WireGuard has no certificates: its keys do not end. To change the key, make the VPN anew',
      );
    return { ...want, renewed: await renewed(room, vpn) };
  },
  async job(room, want: z.infer<typeof updateParams> & { renewed: Renewed | undefined }) {
    const vpn = await visible(room, 'remotevpn', want.id);
    refuseHidden(want);
    // Somebody else was faster: what he made is as new.
    const made = want.renewed?.of === vpn.secrets ? want.renewed : undefined;
    if (made !== undefined)
      await room.tx.update('remotevpn', vpn.id, { secrets: made.secrets, certificates: made.certificates });
    return {
      about: { type: 'RemoteAccessVpn', id: vpn.id },
      view: 'remoteaccessvpn',
      text: `${made === undefined ? 'updating' : 'renewing the certificate of'} remote access by ${vpn.kind}`,
    };
  },
});

export const deleteRemoteAccessVpn = jobCommand({
  name: 'deleteRemoteAccessVpn',
  summary: 'Ends remote access at a public address; users stay, their profiles for it end',
  roles: WRITERS,
  event: 'VPN.REMOTE.ACCESS.DESTROY',
  answer: { kind: 'success' },
  params: z.object({
    publicipid: param.ref('publicip', 'The public address'),
    kind: param.text('Which one, where there are several: openvpn, wireguard or ikev2').optional(),
  }),
  async job(room, want) {
    const address = await heldAddress(room, want.publicipid, 'publicipid');
    let query = room.db.selectFrom('remotevpn').selectAll().where('publicip', '=', address.id);
    if (want.kind !== undefined) query = query.where('kind', '=', readKind(want.kind));
    const found = await query.orderBy('kind').execute();
    const [vpn] = found;
    if (vpn === undefined)
      throw refuse(
        'parameter',
        `There is no remote access VPN${want.kind === undefined ? '' : ` by ${want.kind}`} at ${address.ip}`,
      );
    if (found.length > 1)
      throw refuse(
        'parameter',
        `There are several remote access VPNs at ${address.ip}: say which with kind (${found.map(({ kind }) => kind).join(', ')})`,
      );
    await dropRemoteVpn(room.tx, vpn.id);
    return {
      about: { type: 'RemoteAccessVpn', id: vpn.id },
      text: `deleting remote access by ${vpn.kind} at ${address.ip}`,
    };
  },
});

export const listRemoteAccessVpns = listCommand({
  name: 'listRemoteAccessVpns',
  summary: 'Lists remote access VPNs',
  roles: EVERYBODY,
  key: 'remoteaccessvpn',
  view: remoteVpnView,
  params: z.object({
    id: param.ref('remoteaccessvpn', 'The VPN with this id').optional(),
    publicipid: param.ref('publicip', 'VPNs at this address').optional(),
    networkid: param.ref('network', 'VPNs of this network').optional(),
    vpcid: param.ref('vpc', 'VPNs of this VPC').optional(),
    fordisplay: param.flag('Whether they are shown to their owner: all are').optional(),
    ...pageParams,
    ...ownerParams,
  }),
  async list(room, want) {
    await knownIds(room, want, { id: 'remotevpn', publicipid: 'publicip', networkid: 'network', vpcid: 'vpc' });
    if (want.fordisplay === false) return { count: 0, rows: [] };
    const pointed = want.publicipid !== undefined || want.networkid !== undefined || want.vpcid !== undefined;
    let query = room.db
      .selectFrom('remotevpn')
      .selectAll()
      .where(await ownedRows(room, 'remotevpn', pointed ? { ...want, listall: true } : want));
    for (const [column, value] of [
      ['id', want.id],
      ['publicip', want.publicipid],
      ['network', want.networkid],
      ['vpc', want.vpcid],
    ] as const)
      if (value !== undefined) query = query.where(column, '=', value);
    if (want.keyword !== undefined) query = query.where(containing('kind', want.keyword));
    const { count, rows } = await page(query.orderBy('created', 'desc').orderBy('id'), want);
    return { count, rows: await showRemoteVpns(room, rows) };
  },
});
