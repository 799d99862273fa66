// A user's profile for one remote access VPN: what he comes with, made here and shown in this one answer. It is in no job, event or
// log, and of its private key nothing is kept.
import { z } from 'zod';
import { WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import { makeCertified } from '../../lib/certificate.ts';
import { newId } from '../../lib/id.ts';
import { cidr, firstUsable, formatIp } from '../../lib/ip.ts';
import { type AccessSecrets, serverName } from '../../model/vpn.ts';
import { seal, unseal } from '../../store/seal.ts';
import type { Tables } from '../../store/schema.ts';
import { visible } from '../access.ts';
import { type Room, type WriteRoom, entersWhenRealized, realizedWithin, writeCommand } from '../room.ts';
import { appleProfileText } from './apple-profile.ts';
import { openVpnText, qrCode, wireGuardText } from './profile-text.ts';
import { type RemoteVpn, certificatesOf } from './remote-vpn-view.ts';
import { newPresharedKey, newWireGuardKeys } from './vpn-keys.ts';
import { freeAddress } from './vpn-place.ts';
import { fileRoutes } from './vpn-routes.ts';
import { type VpnUser, activeUser, userNamed } from './vpn-user.ts';

/** Days a client's certificate lasts. */
const CLIENT_DAYS = 730;

export const profileView = z.object({
  id: field.string('id of the profile; the one that the same user had for this VPN is worth nothing now'),
  remoteaccessvpnid: field.string('the VPN it is for'),
  vpnuserid: field.string('the user'),
  username: field.string('his name'),
  kind: field.string('openvpn, wireguard or ikev2'),
  ipaddress: field.string("the client's address in the VPN"),
  server: field.string('what to connect to'),
  serverip: field.string("the server's address in the VPN"),
  filename: field.string('name for the file: profile, or mobileconfig'),
  profile: field.string('openvpn: the .ovpn file; wireguard: the .conf file. Shown this once'),
  qrcode: field.string('wireguard: the file as a QR code, an SVG picture. Shown this once'),
  qrtext: field.string('wireguard: the QR code as text for a terminal. Shown this once'),
  cacertificate: field.string('ikev2: the certificate that the device must trust, PEM'),
  mobileconfig: field.string(
    'ikev2: that certificate and all settings but the password, a .mobileconfig file for Apple devices',
  ),
  ends: field.date('when the certificate ends: a new profile is needed before'),
  ready: field.boolean(
    'whether the gateway takes it already; false: not within 10 s, and a client that comes before it does is not answered, and tries again',
  ),
});

type View = z.infer<typeof profileView>;

const params = z.object({
  remoteaccessvpnid: param.ref('remoteaccessvpn', 'The VPN'),
  vpnuserid: param.ref('vpnuser', 'The user; instead of username').optional(),
  username: param.text('Name of the user; instead of vpnuserid').optional(),
});

type Client = Pick<Tables['vpnclient'], 'id' | 'serial' | 'publickey' | 'presharedkey' | 'ends'>;

interface Keys {
  readonly row: Client;
  /** The sealed text these were made from. */
  readonly of: string;
  /** The rest of the profile, once the address is known. */
  readonly show: (ip: string, routes: readonly string[]) => Partial<View>;
}

export const createVpnClientProfile = writeCommand({
  name: 'createVpnClientProfile',
  summary: 'Makes what a user comes with to a remote access VPN, and shows it once; an earlier one ends',
  roles: WRITERS,
  event: 'VPN.CLIENT.PROFILE.CREATE',
  answer: { kind: 'object', key: 'vpnclientprofile', view: profileView },
  params,
  async prepare(room, want) {
    const { vpn, user } = await bothOf(room, want);
    return { ...want, keys: await makeKeys(room, vpn, user) };
  },
  async write(room, want: z.infer<typeof params> & { keys: Keys }) {
    const { vpn, user } = await bothOf(room, want);
    const { row, show, of } = want.keys;
    if (vpn.secrets !== of)
      throw refuse('unavailable', 'The keys of this VPN were being renewed at the same moment: ask once more');
    const behind = user.cidrlist === '' ? [] : user.cidrlist.split(',');
    const routes = [...(await fileRoutes(room.db, vpn, behind)), vpn.cidr];
    const ip = await replace(room, vpn, user, { ...row, routes: vpn.kind === 'wireguard' ? routes.join(',') : null });
    const address = await addressOf(room, vpn);
    await entersWhenRealized(room.tx, { kind: 'vpnuser', id: user.id, state: 'Active' });
    return {
      vpnclientprofile: field.compact<View>({
        id: row.id,
        remoteaccessvpnid: vpn.id,
        vpnuserid: user.id,
        username: user.username,
        kind: vpn.kind,
        ipaddress: ip,
        server: vpn.kind === 'ikev2' ? address : `${address}:${vpn.port}`,
        serverip: formatIp(firstUsable(cidr(vpn.cidr))),
        ends: row.ends === null ? undefined : field.clientDate(row.ends),
        ...show(ip, routes),
      }),
    };
  },
  // Who comes with keys that the gateway does not know yet is not answered, and waits for seconds before he tries again.
  async after(room, _want, { vpnclientprofile }, patienceMs) {
    const profile = vpnclientprofile as View;
    const ready = await realizedWithin(room, { kind: 'vpnuser', id: profile.vpnuserid! }, patienceMs);
    return { vpnclientprofile: { ...profile, ready } };
  },
});

/** VPN and user; refuses those of two accounts, and what is not whole. */
async function bothOf(room: Room, want: z.infer<typeof params>): Promise<{ vpn: RemoteVpn; user: VpnUser }> {
  const vpn = await visible(room, 'remotevpn', want.remoteaccessvpnid, 'remoteaccessvpnid');
  if ((want.vpnuserid === undefined) === (want.username === undefined))
    throw refuse('parameter', 'Say who the profile is for: vpnuserid or username, one of the two');
  const account = await room.db
    .selectFrom('account')
    .selectAll()
    .where('id', '=', vpn.account)
    .executeTakeFirstOrThrow();
  const user =
    want.vpnuserid === undefined
      ? await userNamed(room, account, want.username ?? '')
      : await activeUser(room, want.vpnuserid, 'vpnuserid');
  if (user.account !== vpn.account)
    throw refuse(
      'parameter',
      `VPN user ${user.username} is another account's than the VPN: users come to the VPNs of their own account, ${account.name}'s here`,
    );
  return { vpn, user };
}

async function addressOf({ db }: Room, vpn: RemoteVpn): Promise<string> {
  return (await db.selectFrom('publicip').select('ip').where('id', '=', vpn.publicip).executeTakeFirstOrThrow()).ip;
}

async function makeKeys(room: Room, vpn: RemoteVpn, user: VpnUser): Promise<Keys> {
  const id = newId();
  const of = vpn.secrets;
  const address = await addressOf(room, vpn);
  const certificates = certificatesOf(vpn);
  const none = { id, serial: null, publickey: null, presharedkey: null, ends: null };
  const name = `${user.username.replaceAll(/[^A-Za-z0-9-]/g, '-')}-${id.slice(0, 8)}`;
  if (vpn.kind === 'ikev2') {
    const { ca = '' } = certificates;
    const mobileconfig = appleProfileText({ vpn: vpn.id, address, username: user.username, ca });
    return { of, row: none, show: () => ({ filename: `${name}.mobileconfig`, cacertificate: ca, mobileconfig }) };
  }
  if (vpn.kind === 'wireguard') {
    const { privateKey, publicKey } = newWireGuardKeys();
    const presharedKey = newPresharedKey();
    const show = (ip: string, routes: readonly string[]): Partial<View> => {
      const server = { serverKey: certificates.publicKey ?? '', presharedKey, address, port: vpn.port };
      const profile = wireGuardText({ privateKey, ip, ...server, routes });
      const { svg, terminal } = qrCode(profile);
      return { filename: `${name}.conf`, profile, qrcode: svg, qrtext: terminal };
    };
    return { of, row: { ...none, publickey: publicKey, presharedkey: seal(room.store.sealKey, presharedKey) }, show };
  }
  const secrets = JSON.parse(unseal(room.store.sealKey, vpn.secrets)) as AccessSecrets;
  const authority = { key: secrets.caKey ?? '', certificate: certificates.ca ?? '' };
  // The server knows a client by its id: nothing that a tenant typed is in a certificate.
  const made = await makeCertified(authority, { kind: 'client', name: id }, CLIENT_DAYS);
  const profile = openVpnText({
    address,
    port: vpn.port,
    serverName: serverName(vpn.id),
    ca: authority.certificate,
    certificate: made.certificate,
    key: made.key,
    tlsCrypt: secrets.tlsCrypt ?? '',
  });
  return {
    of,
    row: { ...none, serial: made.serial, ends: made.ends },
    show: () => ({ filename: `${name}.ovpn`, profile }),
  };
}

/** Puts the new one in the place of the earlier one, whose address it keeps; gives the address. */
async function replace(
  room: WriteRoom,
  vpn: RemoteVpn,
  user: VpnUser,
  row: Client & Pick<Tables['vpnclient'], 'routes'>,
): Promise<string> {
  const clients = await room.db.selectFrom('vpnclient').selectAll().where('remotevpn', '=', vpn.id).execute();
  const earlier = clients.find(({ vpnuser }) => vpnuser === user.id);
  if (earlier !== undefined) await room.tx.remove('vpnclient', earlier.id);
  const ip = earlier?.ip ?? freeAddress(vpn.cidr, new Set(clients.map((one) => one.ip)));
  if (ip === undefined)
    throw refuse(
      'capacity',
      `Insufficient address capacity: ${vpn.cidr} has no address left for a client. Make the VPN anew with a larger cidr, or remove a user`,
    );
  await room.tx.insert('vpnclient', {
    ...row,
    remotevpn: vpn.id,
    vpnuser: user.id,
    ip,
    seen: null,
    endpoint: null,
    created: new Date().toISOString(),
  });
  return ip;
}
