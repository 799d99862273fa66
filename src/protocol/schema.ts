// What the documents and reports must look like, checked where they enter: the agent checks what the server sends (these texts end
// up in argument lists and files of a node), the server checks what nodes send. Unknown keys are dropped: server and agents are not upgraded at the same moment.
import { z } from 'zod';
import { isUuid } from '../lib/id.ts';
import { parseCidr, parseIp } from '../lib/ip.ts';
import { parseIp6 } from '../lib/ip6.ts';
import {
  type JoinAnswer,
  type JoinRequest,
  MAX_SCANS,
  type NodeDocument,
  type NodeReport,
  type ProbeReport,
  type ReceiptReport,
} from './document.ts';
import { link6, routerSix } from './router-six-schema.ts';
import { vpnJob, vpnStatus } from './vpn-schema.ts';

const id = z.string().refine(isUuid, 'is no id (lower-case UUID)');
const ip4 = z.string().refine((text) => parseIp(text) !== undefined, 'is no IPv4 address');
const ip6 = z.string().refine((text) => parseIp6(text) !== undefined, 'is no IPv6 address');
const generation = z.int().min(0);
const text = z.string().max(4000);

/** A node's name: what a certificate's common name may be; also OVN's system-id. */
export const nodeName = z
  .string()
  .regex(/^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/, 'is no node name (letters, digits, dashes; at most 63)');

/** Any crypt(3) hash, or an entry nobody can log in with. Neither a colon nor a line break gets into a shadow file. */
const passwordHash = z.string().regex(/^[!*A-Za-z0-9./$=,_-]{0,300}$/, 'is no password hash');

const mac = z.string().regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/, 'is no MAC address');
const cidr4 = z.string().refine((given) => parseCidr(given) !== undefined, 'is no IPv4 prefix');
const vlan = z.int().min(1).max(4094);
const port = z.int().min(1).max(65535);

const nic = z.object({
  id,
  mac,
  deviceId: z.int().min(0).max(99),
  isDefault: z.boolean(),
  mtu: z.int().min(68).max(65535),
  dhcp: z.boolean().exactOptional(),
  addresses: z
    .array(z.object({ ip: ip4, moved: generation }))
    .max(1000)
    .exactOptional(),
  upstream: ip4.exactOptional(),
  six: z.object({ address: ip6, router: mac, routerAddress: link6.exactOptional() }).exactOptional(),
});

const firstBoot = z.object({
  toldBy: z.enum(['service', 'drive', 'hypervisor']),
  zone: text,
  offering: text,
  publicKeys: z.array(z.string().max(20_000)).max(100),
  userData: z.string().max(1_500_000).exactOptional(),
  asksPassword: z.literal(true).exactOptional(),
  password: z
    .object({
      turn: z.int().min(0),
      text: z
        .string()
        .max(200)
        .regex(/^[!-~]*$/, 'is no password'),
    })
    .exactOptional(),
  publicIp: ip4.exactOptional(),
});

const instance = z.object({
  id,
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$/, 'is no instance name'),
  hostname: z.string().regex(/^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/, 'is no host name'),
  power: z.enum(['running', 'stopped']),
  boot: z.int().min(0),
  passwordHash,
  cpus: z.int().min(1).max(1024),
  memoryMb: z.int().min(1),
  nics: z.array(nic).max(100),
  firstBoot: firstBoot.exactOptional(),
  migration: z.object({ from: nodeName, to: nodeName, toAddress: ip4 }).exactOptional(),
});

/** A host name that stands in leases and zone files. */
const hostname = z.string().regex(/^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)?$/, 'is no host name');
const domainName = z.string().regex(/^([A-Za-z0-9]([A-Za-z0-9.-]{0,250}[A-Za-z0-9])?)?$/, 'is no domain name');

const firewallRule = z.object({
  protocol: z.enum(['tcp', 'udp', 'icmp', 'all']),
  startPort: port.exactOptional(),
  endPort: port.exactOptional(),
  icmpType: z.int().min(-1).max(255).exactOptional(),
  icmpCode: z.int().min(-1).max(255).exactOptional(),
  cidrs: z.array(cidr4),
  destinationCidrs: z.array(cidr4),
});

const cookieName = z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/, "is no cookie's name");

const cookie = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('balancer'),
    name: cookieName,
    mode: z.enum(['insert', 'rewrite', 'prefix']),
    flags: z.array(z.enum(['nocache', 'indirect', 'postonly'])),
    domain: z
      .string()
      .regex(/^\.?[A-Za-z0-9]([A-Za-z0-9.-]{0,250}[A-Za-z0-9])?$/, 'is no domain name')
      .exactOptional(),
  }),
  z.object({
    kind: z.literal('application'),
    name: cookieName,
    length: z.int().min(1).max(1024),
    holdSeconds: z.int().min(1).max(1_000_000),
  }),
]);

const balancer = z.object({
  id,
  protocol: z.enum(['tcp', 'udp']),
  publicPort: port,
  algorithm: z.enum(['roundrobin', 'leastconn', 'source']),
  cidrs: z.array(cidr4),
  sticky: z.boolean(),
  stickySeconds: z.int().min(1).max(1_000_000).exactOptional(),
  cookie: cookie.exactOptional(),
  proxy: z.literal(true).exactOptional(),
  check: z
    .object({
      // Written into files as they are: no exponents, nothing a program would take for another unit.
      intervalSeconds: z.number().min(0.05).max(86_400),
      timeoutSeconds: z.number().min(0.05).max(86_400),
      healthy: z.int().min(1).max(1000),
      unhealthy: z.int().min(1).max(1000),
      // Stands in haproxy's file as one word.
      path: z
        .string()
        .regex(/^\/[A-Za-z0-9._~!$&()*+,;=:@%/?-]{0,255}$/, 'is no path')
        .exactOptional(),
    })
    .exactOptional(),
  members: z.array(z.object({ ip: ip4, port })).max(1000),
});

const helper = z.object({
  id,
  name: z.string().max(255),
  port: id,
  // Compared with what OVN says, never an argument.
  follows: z.string().max(255),
  mac,
  address: cidr4,
  gateway: ip4,
  mtu: z.int().min(68).max(65535),
  jobs: z.object({
    balancers: z.array(balancer.extend({ port })).max(10_000).exactOptional(),
    vpns: z.array(vpnJob).max(1000).exactOptional(),
  }),
});

const publicAddress = z.object({
  ip: ip4,
  prefixLength: z.int().min(0).max(32),
  gateway: ip4,
  vlan: vlan.exactOptional(),
  sourceNat: z.boolean(),
  staticNat: ip4.exactOptional(),
  ingress: z.array(firewallRule),
  forwards: z.array(
    z.object({
      protocol: z.enum(['tcp', 'udp']),
      publicPort: port,
      publicEndPort: port,
      privatePort: port,
      ip: ip4,
      cidrs: z.array(cidr4),
    }),
  ),
  balancers: z.array(balancer),
});

const router = z.object({
  id,
  networkId: id,
  name: z.string().max(255),
  vlan,
  cidr: cidr4,
  ip: ip4,
  gateway: ip4,
  priority: z.int().min(1).max(254),
  peers: z.array(ip4).max(8),
  peerNodes: z.array(z.object({ name: nodeName, underlayIp: ip4 })).max(8),
  mode: z.enum(['NATTED', 'ROUTED']),
  routable: z.array(ip4),
  dhcp: z
    .object({
      domain: domainName,
      dns: z.array(ip4),
      mtu: z.int().min(68).max(65535),
      leases: z.array(z.object({ mac, ip: ip4, hostname })),
    })
    .exactOptional(),
  dns: z.object({ domain: domainName, servers: z.array(ip4) }).exactOptional(),
  firewall: z.boolean(),
  egressDefault: z.enum(['allow', 'deny']),
  egress: z.array(firewallRule),
  routes: z.array(z.object({ cidr: cidr4, via: ip4 })),
  publicAddresses: z.array(publicAddress),
  six: routerSix.exactOptional(),
});

const named = z.object({ name: hostname, ip: ip4.exactOptional(), ip6: ip6.exactOptional() });

const service = z.object({
  id,
  name: z.string().max(255),
  ip: ip4,
  cidr: cidr4,
  mac,
  mtu: z.int().min(68).max(65535),
  dns: z.object({ scope: id, resolvers: z.array(ip4).max(8) }).exactOptional(),
  userData: z.boolean(),
  cards: z.array(z.object({ ip: ip4, instance: id })).max(100_000),
});

const scope = z.object({
  id,
  networks: z.array(
    z.object({
      id,
      domain: domainName,
      gateway: ip4.exactOptional(),
      service: ip4.exactOptional(),
      hosts: z.array(named).max(100_000),
    }),
  ),
});

const peer = z.object({ name: nodeName, underlayIp: ip4 });

const scan = z.object({
  id,
  cidr: cidr4,
  vlan,
  // Only looked up, never an argument.
  physicalNetwork: z.string().max(255).exactOptional(),
  probe: z.object({ nicId: id, mac, from: ip4, via: ip4, target: ip4 }).exactOptional(),
});

/** Parts of a document by themselves: the server looks at each before it sends any. */
export const documentParts = { instance, peer, router, service, scope, scan, helper } as const;

export const nodeDocument: z.ZodType<NodeDocument> = z.object({
  node: nodeName,
  generation,
  instances: z.array(instance).max(10_000),
  peers: z.array(peer).max(10_000),
  routers: z.array(router).max(4094).exactOptional(),
  services: z.object({ networks: z.array(service).max(10_000), scopes: z.array(scope) }).exactOptional(),
  scans: z.array(scan).max(MAX_SCANS).exactOptional(),
  helpers: z.array(helper).max(10_000).exactOptional(),
});

export const receiptReport: z.ZodType<ReceiptReport> = z.object({
  nicId: id.exactOptional(),
  routerId: id.exactOptional(),
  ip: ip4,
  mac,
  moved: generation,
  cause: z.enum(['start', 'address', 'migration', 'takeover']),
  announced: text,
  upstream: ip4.exactOptional(),
  answeredBy: mac.exactOptional(),
  verdict: z.enum(['learnt', 'stale', 'mute', 'silent']).exactOptional(),
  afterMs: z.number().min(0).exactOptional(),
  outageMs: z.number().min(0).exactOptional(),
});

export const probeReport: z.ZodType<ProbeReport> = z.object({
  viaMac: mac.exactOptional(),
  viaAnswers: z.boolean(),
  targetAnswers: z.boolean(),
  unreachableBy: ip4.exactOptional(),
  cardAnswers: z.boolean(),
  cardSendsTo: mac.exactOptional(),
});

export const nodeReport: z.ZodType<NodeReport> = z.object({
  node: nodeName,
  generation,
  error: text.exactOptional(),
  instances: z
    .array(
      z.object({ id, power: z.enum(['running', 'stopped']), error: text.exactOptional(), note: text.exactOptional() }),
    )
    .max(10_000),
  facts: z.object({
    hostname: text,
    underlayIp: ip4,
    cpus: z.int().min(0),
    memoryMb: z.int().min(0),
    ovs: text,
    ovn: text,
    kernel: text,
    version: text,
    abilities: z.record(z.string().max(40), z.union([z.literal(true), text])).exactOptional(),
    wires: z.array(z.string().max(255)).max(1000).exactOptional(),
  }),
  routers: z
    .array(
      z.object({
        id,
        state: z.enum(['MASTER', 'BACKUP', 'FAULT']),
        error: text.exactOptional(),
        findings: z.array(text).max(100),
      }),
    )
    .max(4094)
    .exactOptional(),
  receipts: z.array(receiptReport).max(1000).exactOptional(),
  taken: z
    .array(z.object({ instance: id, turn: z.int().min(0) }))
    .max(10_000)
    .exactOptional(),
  scans: z
    .array(
      z.object({
        id,
        error: text.exactOptional(),
        hosts: z.array(z.object({ ip: ip4, mac, vendor: text.exactOptional() })).max(70_000),
        probe: probeReport.exactOptional(),
      }),
    )
    .max(100)
    .exactOptional(),
  helpers: z
    .array(
      z.object({
        id,
        active: z.boolean(),
        error: text.exactOptional(),
        vpns: z.array(vpnStatus).max(1000).exactOptional(),
      }),
    )
    .max(10_000)
    .exactOptional(),
});

const pem = z.string().max(20_000);

export const joinRequest: z.ZodType<JoinRequest> = z.object({
  node: nodeName,
  secret: z.string().min(1).max(500),
  csr: pem,
});
export const joinAnswer: z.ZodType<JoinAnswer> = z.object({ certificate: pem, ca: pem });

/** The first thing wrong with a value, as `instances.0.hostname is no host name`. */
export function whatIsWrong(error: z.ZodError): string {
  const issue = error.issues[0];
  if (issue === undefined) return 'it has the wrong form';
  const at = issue.path.map(String).join('.');
  return at === '' ? issue.message : `${at}: ${issue.message}`;
}
