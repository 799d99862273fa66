// Remote access as answers show it. Keys are in none of them.
import { z } from 'zod';
import * as field from '../../api/field.ts';
import { cidr, formatIp, last } from '../../lib/ip.ts';
import type { AccessCertificates } from '../../model/vpn.ts';
import type { Tables } from '../../store/schema.ts';
import { namesOf, ownerFields, ownersOf } from '../join.ts';
import type { Room } from '../room.ts';

export type RemoteVpn = Tables['remotevpn'];

export const remoteVpnView = z.object({
  id: field.string('id of the VPN'),
  publicipid: field.string('the public address clients come to'),
  publicip: field.string('that address'),
  kind: field.string('openvpn, wireguard or ikev2; there is no L2TP, and so no presharedkey'),
  port: field.integer('UDP port'),
  iprange: field.string('addresses of clients, as a range'),
  cidr: field.string('addresses of clients, as a prefix; the first one is the server itself'),
  state: field.string('Added, or Running once it is realized'),
  reason: field.string('why it does not run, as its gateway node tells'),
  vpcid: field.string('the VPC it leads into'),
  vpcname: field.string('name of that VPC'),
  networkid: field.string('the network it leads into'),
  networkname: field.string('name of that network'),
  certificateends: field.date("when the server's certificate ends; it is renewed 30 days before"),
  publickey: field.string('WireGuard: the public key of the server'),
  fordisplay: field.boolean('true'),
  created: field.date('when it was made'),
  ...ownerFields,
});

type View = z.infer<typeof remoteVpnView>;

export function certificatesOf(row: Pick<RemoteVpn, 'certificates'>): AccessCertificates {
  return JSON.parse(row.certificates) as AccessCertificates;
}

export async function showRemoteVpns(room: Room, rows: readonly RemoteVpn[]): Promise<View[]> {
  if (rows.length === 0) return [];
  const { db } = room;
  const addresses = await db
    .selectFrom('publicip')
    .select(['id', 'ip'])
    .where('id', 'in', [...new Set(rows.map(({ publicip }) => publicip))])
    .execute();
  const ipOf = new Map(addresses.map(({ id, ip }) => [id, ip]));
  const vpcs = await namesOf(
    db,
    'vpc',
    rows.map(({ vpc }) => vpc),
  );
  const networks = await namesOf(
    db,
    'network',
    rows.map(({ network }) => network),
  );
  const owner = await ownersOf(db, rows);
  return rows.map((row) => {
    const { ends, publicKey } = certificatesOf(row);
    const range = cidr(row.cidr);
    return field.compact<View>({
      id: row.id,
      publicipid: row.publicip,
      publicip: ipOf.get(row.publicip),
      kind: row.kind,
      port: row.port,
      iprange: `${formatIp(range.base + 2)}-${formatIp(last(range) - 1)}`,
      cidr: row.cidr,
      state: row.state,
      reason: row.fault,
      vpcid: row.vpc,
      vpcname: row.vpc === null ? undefined : vpcs.get(row.vpc),
      networkid: row.network,
      networkname: row.network === null ? undefined : networks.get(row.network),
      certificateends: ends === undefined ? undefined : field.clientDate(ends),
      publickey: publicKey,
      fordisplay: true,
      created: field.clientDate(row.created),
      ...owner(row),
    });
  });
}

/** The VPN with this id as a job's result shows it. */
export async function viewRemoteVpn(room: Room, id: string): Promise<View | undefined> {
  const rows = await room.db.selectFrom('remotevpn').selectAll().where('id', '=', id).execute();
  return (await showRemoteVpns(room, rows))[0];
}
