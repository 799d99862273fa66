// The clients of remote access: who has a profile, and who of them is connected, since when and from where, as the gateway's node saw it.
import { z } from 'zod';
import { EVERYBODY } from '../../api/command.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import type { VpnClientStatus } from '../../protocol/vpn.ts';
import { knownIds } from '../known.ts';
import { containing, ownedRows, ownerParams, page, pageParams } from '../list.ts';
import { listCommand } from '../room.ts';

const vpnClientView = z.object({
  id: field.string('id of the profile'),
  remoteaccessvpnid: field.string('the VPN'),
  kind: field.string('openvpn, wireguard or ikev2'),
  vpnuserid: field.string('the user'),
  username: field.string('his name'),
  ipaddress: field.string('his address in the VPN'),
  cidrlist: field.string('networks behind him'),
  connected: field.boolean('whether he is connected'),
  since: field.date('since when'),
  fromaddress: field.string('address and port he comes from'),
  bytesreceived: field.long('bytes that came from him'),
  bytessent: field.long('bytes that were sent to him'),
  serial: field.string('openvpn: serial number of his certificate'),
  publickey: field.string('wireguard: his public key'),
  ends: field.date('when his certificate ends'),
  created: field.date('when his profile was made'),
});

type View = z.infer<typeof vpnClientView>;

export const listVpnClients = listCommand({
  name: 'listVpnClients',
  summary: 'Lists clients of remote access VPNs, and who of them is connected',
  roles: EVERYBODY,
  key: 'vpnclient',
  view: vpnClientView,
  params: z.object({
    remoteaccessvpnid: param.ref('remoteaccessvpn', 'Clients of this VPN').optional(),
    vpnuserid: param.ref('vpnuser', 'Clients of this user').optional(),
    connected: param.flag('Only those that are connected, or only the others').optional(),
    ...pageParams,
    ...ownerParams,
  }),
  async list(room, want) {
    await knownIds(room, want, { remoteaccessvpnid: 'remotevpn', vpnuserid: 'vpnuser' });
    const pointed = want.remoteaccessvpnid !== undefined || want.vpnuserid !== undefined;
    let query = room.db
      .selectFrom('vpnclient')
      .innerJoin('remotevpn', 'remotevpn.id', 'vpnclient.remotevpn')
      .innerJoin('vpnuser', 'vpnuser.id', 'vpnclient.vpnuser')
      .select(['vpnclient.id', 'vpnclient.remotevpn', 'vpnclient.vpnuser', 'vpnclient.ip', 'vpnclient.serial'])
      .select(['vpnclient.publickey', 'vpnclient.ends', 'vpnclient.seen', 'vpnclient.created'])
      .select(['remotevpn.kind', 'vpnuser.username', 'vpnuser.cidrlist'])
      .where(await ownedRows(room, 'remotevpn', pointed ? { ...want, listall: true } : want));
    if (want.remoteaccessvpnid !== undefined) query = query.where('vpnclient.remotevpn', '=', want.remoteaccessvpnid);
    if (want.vpnuserid !== undefined) query = query.where('vpnclient.vpnuser', '=', want.vpnuserid);
    if (want.keyword !== undefined) query = query.where(containing('vpnuser.username', want.keyword));
    if (want.connected !== undefined) query = query.where('vpnclient.seen', want.connected ? 'is not' : 'is', null);
    const { count, rows } = await page(query.orderBy('vpnclient.created', 'desc').orderBy('vpnclient.id'), want);
    return {
      count,
      rows: rows.map((row) => {
        const seen = row.seen === null ? undefined : (JSON.parse(row.seen) as VpnClientStatus);
        return field.compact<View>({
          id: row.id,
          remoteaccessvpnid: row.remotevpn,
          kind: row.kind,
          vpnuserid: row.vpnuser,
          username: row.username,
          ipaddress: row.ip,
          cidrlist: row.cidrlist,
          connected: seen !== undefined,
          since: seen?.since === undefined ? undefined : field.clientDate(seen.since),
          fromaddress: seen?.from,
          bytesreceived: seen?.received,
          bytessent: seen?.sent,
          serial: row.serial,
          publickey: row.publickey,
          ends: row.ends === null ? undefined : field.clientDate(row.ends),
          created: field.clientDate(row.created),
        });
      }),
    };
  },
});
