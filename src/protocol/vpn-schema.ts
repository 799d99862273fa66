// What virtual private networks in a document must look like. Strict: all of it ends up in files that programs read line by line, which
// run as root. Apart from schema.ts because it is long.
import { z } from 'zod';
import { isUuid } from '../lib/id.ts';
import { isEndpoint, parseCidr, parseIp } from '../lib/ip.ts';

const id = z.string().refine(isUuid, 'is no id (lower-case UUID)');
const ip4 = z.string().refine((text) => parseIp(text) !== undefined, 'is no IPv4 address');
const cidr4 = z.string().refine((text) => parseCidr(text) !== undefined, 'is no IPv4 prefix');
const port = z.int().min(1).max(65535);
const routes = z.array(cidr4).max(1000);

/** PEM and OpenVPN's static keys: blocks of base64 or hexadecimal between their two lines, with nothing around them. */
const BLOCKS = /^(?:-----BEGIN ([A-Za-z0-9 ]{1,60})-----\n[A-Za-z0-9+/=\n]{1,20000}-----END \1-----\n?)+$/;
const pem = z.string().max(60_000).regex(BLOCKS, 'is no PEM');
/** Such a key begins with remarks, which are nobody's business. */
const staticKey = z
  .string()
  .max(10_000)
  .regex(
    /^(?:#[ -~]*\n)*-----BEGIN OpenVPN Static key V1-----\n[0-9a-f\n]{1,5000}-----END OpenVPN Static key V1-----\n?$/,
    'is no static key',
  );
const wireGuardKey = z.string().regex(/^[A-Za-z0-9+/]{43}=$/, 'is no WireGuard key');
const username = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9@._-]{0,63}$/, 'is no user name');
/** Printable, and written as hexadecimal where files need it. */
const secret = z
  .string()
  .min(1)
  .max(500)
  .regex(/^[ -~]+$/, 'is no secret');
const scrypt = z
  .string()
  .regex(
    /^scrypt\$[0-9]{1,7}\$[0-9]{1,3}\$[0-9]{1,3}\$[A-Za-z0-9_-]{8,200}\$[A-Za-z0-9_-]{16,200}$/,
    'is no scrypt hash',
  );
const endpoint = z.string().refine(isEndpoint, 'is no address with a port');
const serial = z.string().regex(/^[0-9A-F]{1,64}$/, 'is no serial number');
const proposal = z.string().regex(/^[a-z0-9]{1,20}(-[a-z0-9_]{1,20}){0,6}$/, 'is no proposal');
const proposals = z.array(proposal).min(1).max(20);
const seconds = z.int().min(60).max(604_800);

const access = { id, publicIp: ip4, range: cidr4, routes, dns: z.array(ip4).max(10) };
const client = { id, ip: ip4, routes };
const site = {
  id,
  epoch: z.int().min(0),
  local: ip4,
  peer: ip4,
  localCidrs: routes,
  remoteCidrs: routes,
  passive: z.boolean(),
};

const spec = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('openvpn'),
    ...access,
    port,
    ca: pem,
    certificate: pem,
    key: pem,
    tlsCrypt: staticKey,
    clients: z.array(z.object({ ...client, username, passwordHash: scrypt, serial })).max(5000),
  }),
  z.object({
    kind: z.literal('wireguard'),
    ...access,
    port,
    privateKey: wireGuardKey,
    clients: z
      .array(
        z.object({
          ...client,
          publicKey: wireGuardKey,
          presharedKey: wireGuardKey.exactOptional(),
          endpoint: endpoint.exactOptional(),
        }),
      )
      .max(5000),
  }),
  z.object({
    kind: z.literal('ikev2'),
    ...access,
    ca: pem,
    certificate: pem,
    key: pem,
    clients: z.array(z.object({ ...client, username, password: secret })).max(5000),
  }),
  z.object({
    kind: z.literal('ipsec'),
    ...site,
    psk: secret,
    ikeVersion: z.union([z.literal(0), z.literal(1), z.literal(2)]),
    ikeProposals: proposals,
    espProposals: proposals,
    ikeSeconds: seconds,
    espSeconds: seconds,
    dpd: z.boolean(),
    forceEncap: z.boolean(),
    split: z.boolean(),
  }),
  z.object({
    kind: z.literal('wireguard-site'),
    ...site,
    port,
    privateKey: wireGuardKey,
    publicKey: wireGuardKey,
    peerPort: port,
    presharedKey: wireGuardKey.exactOptional(),
  }),
]);

/** A VPN with the helper's address it is at. */
export const vpnJob = z.object({ address: ip4, spec });

/** What nodes say of VPNs. */
export const vpnStatus = z.object({
  id,
  state: z.enum(['Connected', 'Connecting', 'Disconnected', 'Error', 'Running']),
  reason: z.string().max(1000).exactOptional(),
  clients: z
    .array(
      z.object({
        id,
        from: z.string().max(60).exactOptional(),
        since: z.string().max(40).exactOptional(),
        received: z.number().min(0).exactOptional(),
        sent: z.number().min(0).exactOptional(),
      }),
    )
    .max(5000)
    .exactOptional(),
});
