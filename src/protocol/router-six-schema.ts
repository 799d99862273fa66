// What the IPv6 of a router node's network must look like in a document: all of it ends up in argument lists, rules and files of programs
// that run as root. Apart from schema.ts because it is long.
import { z } from 'zod';
import { SLAAC_LENGTH, isLinkLocal, parseCidr6, parseIp6 } from '../lib/ip6.ts';

const ip6 = z.string().refine((text) => parseIp6(text) !== undefined, 'is no IPv6 address');
export const link6 = z.string().refine(isLinkLocal, 'is no link-local address');
const cidr6 = z.string().refine((text) => parseCidr6(text) !== undefined, 'is no IPv6 prefix');
/** One that machines can make addresses in. */
const prefix64 = z
  .string()
  .refine((text) => parseCidr6(text)?.length === SLAAC_LENGTH, `is no IPv6 prefix of length ${SLAAC_LENGTH}`);
const port = z.int().min(1).max(65535);

const rule = z.object({
  protocol: z.enum(['tcp', 'udp', 'icmp', 'all']),
  startPort: port.exactOptional(),
  endPort: port.exactOptional(),
  icmpType: z.int().min(-1).max(255).exactOptional(),
  icmpCode: z.int().min(-1).max(255).exactOptional(),
  cidrs: z.array(cidr6),
  destinationCidrs: z.array(cidr6),
});

export const routerSix = z.object({
  cidr: prefix64,
  gateway: ip6,
  link: link6,
  // The least that IPv6 passes undivided (RFC 8200, 5).
  mtu: z.int().min(1280).max(65535),
  uplink: z
    .object({
      address: ip6,
      prefixLength: z.int().min(0).max(128),
      gateway: ip6,
      vlan: z.int().min(1).max(4094).exactOptional(),
    })
    .exactOptional(),
  proxied: z.array(ip6),
  ingress: z.array(rule),
  egressDefault: z.enum(['allow', 'deny']),
  egress: z.array(rule),
});
