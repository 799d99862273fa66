// How VPNs go: by command, or with their address, VPC, network, user or account. Called by whoever removes these.
import type { Tx } from '../../store/write.ts';
import { dropRule } from '../public/rule-removal.ts';

/** Removes remote access with its clients, and the holes in the firewall that were made for it. */
export async function dropRemoteVpn(tx: Tx, id: string): Promise<void> {
  await dropRemoteParts(tx, id);
  await tx.remove('remotevpn', id);
}

/** What hangs on remote access. */
export async function dropRemoteParts(tx: Tx, id: string): Promise<void> {
  const clients = await tx.db.selectFrom('vpnclient').select('id').where('remotevpn', '=', id).execute();
  for (const client of clients) await tx.remove('vpnclient', client.id);
  const holes = await tx.db.selectFrom('firewallrule').select('id').where('related', '=', id).execute();
  for (const hole of holes) await dropRule(tx, 'firewallrule', hole.id);
}

/** Removes what a user comes with: his running connections are cut. */
export async function dropClientsOf(tx: Tx, user: string): Promise<void> {
  const clients = await tx.db.selectFrom('vpnclient').select('id').where('vpnuser', '=', user).execute();
  for (const client of clients) await tx.remove('vpnclient', client.id);
}

/** Removes a VPN gateway with its connections. */
export async function dropVpnGateway(tx: Tx, id: string): Promise<void> {
  await dropConnections(tx, 'vpngateway', id);
  await tx.remove('vpngateway', id);
}

/** The connections of one end. */
export async function dropConnections(tx: Tx, end: 'vpngateway' | 'customergateway', id: string): Promise<void> {
  const rows = await tx.db.selectFrom('vpnconnection').select('id').where(end, '=', id).execute();
  for (const row of rows) await tx.remove('vpnconnection', row.id);
}

/** Removes every VPN at a public address that goes. */
export async function dropVpnsOfAddress(tx: Tx, publicip: string): Promise<void> {
  const vpns = await tx.db.selectFrom('remotevpn').select('id').where('publicip', '=', publicip).execute();
  for (const { id } of vpns) await dropRemoteVpn(tx, id);
  const gateways = await tx.db.selectFrom('vpngateway').select('id').where('publicip', '=', publicip).execute();
  for (const { id } of gateways) await dropVpnGateway(tx, id);
}
